"""Plans where priorities have a say: who needs no node, and who needs one all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from autoscale.decide import decide
from autoscale.decide.explain_pod import explain_pod
from autoscale.decide.what_if import Case
from autoscale.model.explanation import Fate
from autoscale.model.plan import ClaimPods, Resize
from autoscale.model.settings import DecideSettings
from autoscale.model.workload import Code
from autoscale.solve import solve
from tests.builders import NOW, group, node, pod, pods, shape, snapshot

if TYPE_CHECKING:
    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem, Solution
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.workload import Pod


def solver(problem: Problem) -> Solution:
    """The real one."""
    return solve(problem, time_limit_s=5, seed=0)


def planned(before: Snapshot, settings: DecideSettings | None = None) -> Plan:
    """The plan."""
    return decide(before, (), solver, settings or DecideSettings())


def bought(plan: Plan) -> list[tuple[str, int]]:
    """Group and nodes more, and for whom."""
    return [(a.group, a.target_nodes - a.current_nodes) for a in plan.actions if isinstance(a, Resize)]


def claimed(plan: Plan) -> list[str]:
    """The pods that something is bought for."""
    return sorted(ref for a in plan.actions if isinstance(a, ClaimPods) for _, ref in a.pods)


def full(*more: Pod, priority: int = 0) -> Snapshot:
    """A full node of a group that may grow."""
    there = pods("low", 8, shape(priority=priority), node_name="g8-0", phase="Running")
    return snapshot(pods=(*there, *more), nodes=(node("g8-0"),), groups=(group(running=1),))


def test_a_pod_that_will_preempt_needs_no_node() -> None:
    """Nothing is bought, and the plan says for whom and why."""
    plan = planned(full(pod("high", shape(priority=100, gpus=2))))
    assert bought(plan) == []
    assert plan.unmet == ()
    (note,) = plan.notes
    assert (note.code, note.text) == (
        Code.PREEMPTS,
        "no node for 1 pod that will take the place of 2 pods of lower priority: default/high",
    )


@pytest.mark.parametrize("of", [shape(), shape(priority=100, preempts=False)])
def test_a_pod_that_will_not_preempt_gets_a_node(of: object) -> None:
    """Of equal priority, or with `preemptionPolicy: Never`."""
    assert bought(planned(full(pod("p", of)))) == [("g8", 1)]  # type: ignore[arg-type]  # parametrized


def test_victims_that_wait_again_are_demand() -> None:
    """The pod is nominated, its victim's successor waits: a node for the latter alone."""
    before = full()
    kept = before.cluster.pods[:-1]
    nominated = pod("high", shape(priority=100), nominated_node="g8-0")
    again = pod("low-again", shape())
    plan = planned(replace(before, cluster=replace(before.cluster, pods=(*kept, nominated, again))))
    assert (bought(plan), claimed(plan)) == ([("g8", 1)], ["default/low-again"])


def test_a_nomination_gives_way_to_a_higher_priority() -> None:
    """Whom a nominated pod's place is taken from waits again."""
    before = full()
    nominated = pod("mid", shape(priority=50, gpus=8), nominated_node="g8-0")
    highest = pod("high", shape(priority=100, gpus=8))
    plan = planned(replace(before, cluster=replace(before.cluster, pods=(nominated, highest))))
    assert (bought(plan), claimed(plan)) == ([("g8", 1)], ["default/mid"])


def test_whom_the_scheduler_refuses_for_long_gets_a_node() -> None:
    """Preemption may be switched off: after a while nobody waits for it any more."""
    assert bought(planned(full(pod("p", shape(priority=100), refused_at_s=NOW - 359)))) == []
    assert bought(planned(full(pod("p", shape(priority=100), refused_at_s=NOW - 360)))) == [("g8", 1)]


def test_expendable_pods_neither_buy_nor_block() -> None:
    """Below the cutoff nothing is bought; others have their room."""
    assert bought(planned(full(pod("p", shape(priority=-11))))) == []
    assert bought(planned(full(pod("p", shape(priority=-10))))) == [("g8", 1)]
    assert bought(planned(full(pod("p"), priority=-11))) == []
    assert bought(planned(full(pod("p", shape(priority=-11))), DecideSettings(expendable_below=-20))) == [("g8", 1)]


def test_pods_of_other_schedulers_take_room_and_are_no_demand() -> None:
    """Once bound they are there, before that they are not ours; unless the settings say so."""
    others = shape(scheduler_name="volcano")
    assert bought(planned(full(pod("p", others)))) == []
    assert bought(planned(full(pod("p", others)), DecideSettings(scheduler_names=frozenset({"volcano"})))) == [
        ("g8", 1)
    ]
    there = pods("there", 8, others, node_name="g8-0", phase="Running")
    before = snapshot(pods=(*there, pod("p")), nodes=(node("g8-0"),), groups=(group(running=1),))
    assert bought(planned(before)) == [("g8", 1)]


@pytest.mark.parametrize(
    ("of", "fate", "code", "text"),
    [
        (
            shape(priority=100), Fate.FITS, Code.PREEMPTS,
            "kube-scheduler will bind it to g8-0 in place of pods of lower priority than its 100: default/low-7 (0)",
        ),
        (
            shape(scheduler_name="kai"), Fate.IGNORED, Code.NOT_OURS,
            "its scheduler kai is not one that nodes are bought for (`scheduling.schedulerNames`)",
        ),
        (
            shape(priority=-50), Fate.IGNORED, Code.NOT_OURS,
            "its priority -50 is below -10 (`scheduling.expendableBelow`): it runs where there is room, and no node is bought for it",
        ),
    ],
)  # fmt: skip
def test_what_explain_says(of: object, fate: Fate, code: Code, text: str) -> None:
    """Of a pod that preempts, and of those that are left to others."""
    asked = pod("p", of)  # type: ignore[arg-type]  # parametrized
    story = explain_pod(Case(full(asked), (), solver, DecideSettings()), asked)
    assert (story.fate, [(r.code, r.text) for r in story.because]) == (fate, [(code, text)])
