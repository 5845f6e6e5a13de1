"""The plan as a whole: named by its content, stable, pure, and reviewed by policies without breaking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from autoscale.decide import decide, fingerprint
from autoscale.model.plan import Action, Announce, ClaimPods, Plan, RemoveNode, Resize
from autoscale.model.problem import Problem, Rule
from autoscale.model.rules import HostPort, PodRules, Requirement, Spread, Wishes
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Ledger, Snapshot
from autoscale.model.storage import Storage, Volume, VolumeClaim
from autoscale.model.supply import InstanceState
from autoscale.model.workload import ClaimUse, Code, NodeSelectorTerm, Reason
from autoscale.solve import solve
from tests.builders import NOW, group, instance, node, pod, pods, shape, snapshot

if TYPE_CHECKING:
    from autoscale.model.problem import Solution
    from autoscale.ports import Policy, Question


def solver(problem: Problem) -> Solution:
    """The real one, briefly."""
    return solve(problem, time_limit_s=5)


def plan_for(world: Snapshot, *policies: Policy, **settings: object) -> Plan:
    """The decision with these policies."""
    return decide(world, policies, solver, DecideSettings(**settings))  # type: ignore[arg-type]  # keywords of DecideSettings


@dataclass
class Rules:
    """A policy for tests: a rule to add, and how many nodes a group may be resized to."""

    cap: int | None = None
    rule_limit: int | None = None
    name: str = "test-rule"

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:
        """At most so many new nodes."""
        if self.rule_limit is None:
            return problem
        new = {i: 1 for i, home in enumerate(question.homes) if home.kind == "new"}
        rule = Rule("test-rule/all", self.name, self.rule_limit, per_node=new, text="few new nodes")
        return replace(problem, rules=(*problem.rules, rule))

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """Cut resizes down to the cap."""
        if self.cap is None:
            return plan
        kept: list[Action] = []
        for action in plan.actions:
            if isinstance(action, Resize) and action.target_nodes > self.cap:
                if self.cap > action.current_nodes:
                    kept.append(replace(action, target_nodes=self.cap))
                continue
            kept.append(action)
        return replace(plan, actions=tuple(kept))


WAVE = snapshot(pods=pods("a", 16), groups=(group(),))


def test_equal_facts_make_an_equal_plan_with_the_same_name() -> None:
    """Seven hex digits of what it does and rests on; no clock in it."""
    first, later = plan_for(WAVE), plan_for(replace(WAVE, now_s=NOW + 1))
    assert (first.id, first.fingerprint) == (later.id, later.fingerprint)
    assert len(first.id) == 7
    assert int(first.id, 16) >= 0


@pytest.mark.parametrize(
    "other",
    [
        snapshot(pods=pods("a", 15), groups=(group(),)),
        snapshot(pods=pods("a", 16, shape(cpu=5)), groups=(group(),)),
        snapshot(pods=pods("a", 16), groups=(group(usd=11),)),
        snapshot(pods=pods("a", 16), groups=(group(target_nodes=1),)),
        snapshot(pods=pods("a", 16), groups=(group(),), nodes=(node("n"),)),
    ],
    ids=["pods", "requests", "price", "target", "nodes"],
)
def test_the_fingerprint_changes_with_what_the_plan_rests_on(other: Snapshot) -> None:
    """A saved plan is refused once any of it has moved."""
    assert fingerprint(other) != fingerprint(WAVE)


@pytest.mark.parametrize(
    "more",
    [
        {"preferred_nodes": ((1, NodeSelectorTerm((Requirement("zone", "In", ("z1",)),))),)},
        {"wishes": Wishes(spread=(Spread("zone", 1),))},
        {"rules": PodRules(ports=(HostPort(80),))},
        {"claims": (ClaimUse("data"),)},
    ],
    ids=["preferred nodes", "wishes", "rules", "claims"],
)
def test_the_fingerprint_has_all_that_decides_what_is_bought(more: dict[str, Any]) -> None:
    """Wishes, too: they choose among nodes of the same price."""
    other = snapshot(pods=pods("a", 16, shape(**more)), groups=(group(),))
    assert fingerprint(other) != fingerprint(WAVE)


def test_the_fingerprint_changes_with_the_volume_that_a_claim_gets() -> None:
    """It may be bound to one zone, which decides where the pod's node is bought."""
    waiting = pods("a", 1, shape(claims=(ClaimUse("data"),)))

    def at(**more: Any) -> str:
        claim = VolumeClaim("default", "data", **more)
        world = snapshot(pods=waiting, groups=(group(),))
        storage = Storage({claim.ref: claim}, {"v": Volume("v", driver="disk")})
        return fingerprint(replace(world, cluster=replace(world.cluster, storage=storage)))

    assert len({at(), at(volume="v"), at(volume="v", bound=True)}) == 3


def test_cost_and_bound_are_of_what_is_bought() -> None:
    """Two nodes at ten dollars, proven; the fleet before is what runs already."""
    there = (node("old-0", gpus=0), node("old-1", gpus=0))
    groups = (group(), group("old", gpus=0, usd=3, running=2))
    world = snapshot(pods=pods("a", 16), nodes=there, groups=groups)
    plan = plan_for(world)
    assert (plan.cost_microusd_per_hour, plan.bound_microusd_per_hour) == (20_000_000, 20_000_000)
    assert plan.fleet_before_microusd_per_hour == 6_000_000
    assert (plan.pending_pods, plan.pending_classes, plan.oldest_pending_s) == (16, 1, 10)


def test_oldest_pods_get_what_is_there_first() -> None:
    """A node with room goes to those that waited longest."""
    young, old = pod("young", shape(gpus=8)), pod("old", shape(gpus=8), created_at_s=NOW - 500)
    plan = plan_for(snapshot(pods=(young, old), nodes=(node("g8-0"),), groups=(group(running=1),)))
    assert [a.pods for a in plan.actions if isinstance(a, ClaimPods)] == [(("uid-young", "default/young"),)]


def test_an_unmodelled_rule_is_reported_and_never_planned() -> None:
    """Its pod stays, with the rule's name."""
    plan = plan_for(snapshot(pods=(pod("a", shape(unmodelled=("host port 80",))),), groups=(group(),)))
    assert [(u.pods, [r.code for r in u.reasons]) for u in plan.unmet] == [(("default/a",), [Code.UNMODELLED])]
    assert [type(a) for a in plan.actions] == [Announce]


def test_pods_without_a_device_are_left_alone_when_told_so() -> None:
    """`gpu_pods_only`."""
    world = snapshot(pods=(pod("web", shape(gpus=0)),), groups=(group(),))
    assert plan_for(world, gpu_pods_only=True).actions == ()
    assert plan_for(world).actions != ()


def test_an_event_is_not_repeated_while_it_is_remembered() -> None:
    """Same pod, same reason."""
    world = snapshot(pods=(pod("huge", shape(gpus=16)),), groups=(group(),))
    (said,) = plan_for(world).actions
    assert isinstance(said, Announce)
    assert said.about == "InsufficientResource"
    from autoscale.decide.explain import announced_key

    known = replace(world, ledger=Ledger(announced={announced_key(said): NOW - 299}))
    assert plan_for(known).actions == ()
    assert plan_for(replace(known, now_s=NOW + 1)).actions == (said,)


def test_every_pod_that_made_a_group_grow_is_told() -> None:
    """However many there are, and however many others stay."""
    many = pods("a", 2100, shape(gpus=0, cpu=1, memory_gi=1)) + pods("huge", 2100, shape(gpus=16))
    said = [a for a in plan_for(snapshot(pods=many, groups=(group(max_nodes=100),))).actions if isinstance(a, Announce)]
    assert sum(a.event == "TriggeredScaleUp" for a in said) == 2100
    assert sum(a.event == "NotTriggerScaleUp" for a in said) == 2000


def test_those_that_wait_longest_are_told_first_why_they_stay() -> None:
    """Whatever their class is called."""
    young = pods("a", 1500, shape(gpus=16))
    old = pods("z", 1500, shape(gpus=17), created_at_s=NOW - 1000)
    said = [a for a in plan_for(snapshot(pods=young + old, groups=(group(),))).actions if isinstance(a, Announce)]
    assert [a.pod.startswith("default/z") for a in said] == [True] * 1500 + [False] * 500


def test_a_rule_that_holds_back_is_named() -> None:
    """In the notes, and as the reason of those who stay."""
    plan = plan_for(WAVE, Rules(rule_limit=1))
    assert [r.target_nodes for r in plan.actions if isinstance(r, Resize)] == [1]
    assert [len(u.pods) for u in plan.unmet] == [8]
    assert [n.source for n in plan.notes] == ["test-rule"]
    held = Reason(Code.POLICY, "few new nodes", "test-rule", hint="let the policy test-rule allow more")
    assert [u.reasons for u in plan.unmet] == [(held,)]


@pytest.mark.parametrize(("cap", "claimed", "left"), [(0, 0, 16), (1, 8, 8), (2, 16, 0)])
def test_a_review_that_cuts_a_purchase_takes_its_claims_along(cap: int, claimed: int, left: int) -> None:
    """A pod that claims a node nobody buys would wait for ever."""
    plan = plan_for(WAVE, Rules(cap=cap))
    assert sum(len(a.pods) for a in plan.actions if isinstance(a, ClaimPods)) == claimed
    assert sum(isinstance(a, Announce) for a in plan.actions) == claimed
    assert sum(len(u.pods) for u in plan.unmet) == left


def removed(world: Snapshot, **settings: object) -> list[str]:
    """Names of nodes that go."""
    return [a.node or a.instance for a in plan_for(world, **settings).actions if isinstance(a, RemoveNode)]


IDLE = Ledger(idle_since_s={"g8-0": NOW - 900})


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({}, True),
        ({"min_nodes": 1}, False),
        ({"instances": (instance("g8-0", protected=True),)}, False),
        ({"instances": (instance("g8-0", InstanceState.TERMINATING),)}, False),
    ],
)
def test_which_idle_nodes_go(*, change: dict[str, Any], gone: bool) -> None:
    """Not below the minimum, nothing protected, nothing that goes already."""
    world = snapshot(nodes=(node("g8-0"),), groups=(group(running=1, **change) if "instances" not in change else
                                                    group(target_nodes=1, **change),), ledger=IDLE)  # fmt: skip
    assert removed(world) == (["g8-0"] if gone else [])


def test_a_cluster_without_a_single_node_loses_nothing() -> None:
    """Misread rather than idle: even instances that seem never to have joined stay."""
    ledger = Ledger(starting_since_s={"g8-0": NOW - 5000})
    assert removed(snapshot(groups=(group(running=1),), ledger=ledger)) == []


def test_idle_none_removes_nothing() -> None:
    """Never."""
    assert removed(snapshot(nodes=(node("g8-0"),), groups=(group(running=1),), ledger=IDLE), idle_after_s=None) == []
