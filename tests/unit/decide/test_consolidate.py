"""Which nodes may be emptied to save money, when the fleet is asked about, and what of the answer begins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from autoscale.decide import decide
from autoscale.decide.consolidate import steady
from autoscale.model.overlay import Commitment, Selector
from autoscale.model.plan import Disrupt, Plan
from autoscale.model.rules import DisruptionBudget
from autoscale.model.settings import Consolidation, DecideSettings
from autoscale.model.snapshot import Ledger, Snapshot
from autoscale.model.supply import Disruption as Closed
from autoscale.model.units import Part
from autoscale.solve import solve
from autoscale.wiring import Careful
from policies.disruption import Budget, Disruption
from tests.builders import NOW, USD, group, instance, node, pod, pods, shape, snapshot

if TYPE_CHECKING:
    from autoscale.model.problem import Problem, Solution
    from autoscale.model.workload import Pod
    from autoscale.ports import Policy

ALL = Disruption(budgets=(Budget(nodes=Part(ppm=1_000_000)),), per_hour=Part(ppm=1_000_000))
SETTINGS = DecideSettings(consolidation=Consolidation(), idle_after_s=None)


def answer(problem: Problem) -> Solution:
    """The real solver, with time."""
    return solve(problem, time_limit_s=5)


def tenants(on: str, count: int, **more: Any) -> tuple[Pod, ...]:
    """Pods with a controller that run on the node."""
    said = {"owner": "ReplicaSet/web", "started_at_s": NOW - 7200, **more}
    return tuple(
        replace(each, node_name=on, phase="Running") for each in pods(f"on-{on}", count, shape(gpus=1), **said)
    )


def half_empty(nodes: int = 2, **more: Any) -> Snapshot:
    """So many nodes with four pods on each of their eight GPUs, quiet for an hour."""
    names = [f"g8-{i}" for i in range(nodes)]
    return calm(
        snapshot(
            nodes=tuple(node(name, labels={"group": "g8"}) for name in names),
            pods=tuple(each for name in names for each in tenants(name, 4)),
            groups=(group("g8", running=nodes, **more),),
        )
    )


def calm(seen: Snapshot, since_s: int = NOW - 3600) -> Snapshot:
    """As the engine sees it that has seen nothing else for so long."""
    return replace(seen, ledger=Ledger(looked_at=(NOW - 60, 1.0), steady=(steady(seen), since_s)))


def decided(seen: Snapshot, *policies: Policy, settings: DecideSettings = SETTINGS) -> Plan:
    """The plan."""
    return decide(seen, policies or (ALL,), Careful(answer), settings)


def begun(plan: Plan) -> list[str]:
    """Names of nodes that begin to go."""
    return [action.node for action in plan.actions if isinstance(action, Disrupt)]


def test_one_of_two_half_empty_nodes_goes() -> None:
    """And the plan says what that saves and costs: four GPUs of a node of 10 US$/h for two minutes, a cent a pod."""
    plan = decided(half_empty())
    assert begun(plan) == ["g8-1"]
    assert plan.reoptimum is not None
    [one] = plan.reoptimum.relocations
    assert (one.nodes, one.pods, one.homes, one.held) == (("g8-1",), 4, ("room on g8-0",), "")
    assert one.saves_microusd_per_hour == 10 * USD
    assert one.costs_microusd == 4 * (10 * USD * 120 // 3600 // 8 + 10_000)
    assert plan.reoptimum.bound_microusd_per_hour <= plan.reoptimum.after_microusd_per_hour < 20 * USD


def test_nothing_begins_before_it_has_been_quiet_for_long_enough() -> None:
    """Not a second sooner; nor when somebody came or went since."""
    assert begun(decided(calm(half_empty(), NOW - 299))) == []
    assert begun(decided(calm(half_empty(), NOW - 300))) == ["g8-1"]
    seen = half_empty()
    changed = replace(seen, cluster=replace(seen.cluster, pods=seen.cluster.pods[1:]))
    assert begun(decided(changed)) == []


def test_the_fleet_is_asked_about_no_more_often_than_that() -> None:
    """A look a moment ago is enough."""
    seen = half_empty()
    lately = replace(seen, ledger=replace(seen.ledger, reoptimised_at_s=NOW - 299))
    assert decided(lately).reoptimum is None


def test_who_looks_only_once_is_shown_the_moves_and_begins_none() -> None:
    """`autoscale plan` has no memory of how long it has been quiet."""
    plan = decided(replace(half_empty(), ledger=Ledger()))
    assert begun(plan) == []
    assert plan.reoptimum is not None
    assert [each.held for each in plan.reoptimum.relocations] == [
        "`autoscale run` begins it once nothing has changed for 300 s"
    ]


def test_nothing_moves_while_anything_else_happens() -> None:
    """A pod that waits, a node that comes, a node that goes, a cloud that can't be read, a freeze."""
    seen = half_empty()
    waits = calm(replace(seen, cluster=replace(seen.cluster, pods=(*seen.cluster.pods, pod("new")))))
    coming = half_empty(instances=(*(instance(f"g8-{i}") for i in range(2)), instance("young")))
    frozen = replace(seen, cluster=replace(seen.cluster, frozen="release day"))
    for each in (waits, coming, frozen):
        assert decided(each).reoptimum is None


def test_a_budget_lets_one_go_and_the_rest_wait() -> None:
    """Asked again about those that may go: what begins pays by itself."""
    one_at_once = Disruption(budgets=(Budget(nodes=Part(1)),), per_hour=Part(ppm=1_000_000))
    plan = decided(half_empty(6), one_at_once)
    assert len(begun(plan)) == 1
    assert plan.reoptimum is not None
    waiting = [each for each in plan.reoptimum.relocations if each.held]
    assert [each.held for each in waiting] == [
        "a budget lets 1 nodes of g8 go at once, 1 do (`disruption.budgets`)"
    ] * len(waiting)
    assert sum(len(each.nodes) for each in waiting) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"annotations": {"karpenter.sh/do-not-disrupt": "true"}},
        {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}},
        {"owner": ""},
        {"owner": "Job/train"},
        {"local_volumes": ("scratch",)},
        {"deleting": True},
    ],
)
def test_a_pod_that_must_stay_holds_its_node(change: dict[str, Any]) -> None:
    """One such pod on each."""
    seen = half_empty()
    held = [replace(each, **change) if each.name.endswith("-0") else each for each in seen.cluster.pods]
    assert begun(decided(calm(replace(seen, cluster=replace(seen.cluster, pods=tuple(held)))))) == []


def test_a_disruption_budget_that_lets_nobody_go_holds_nodes() -> None:
    """What lets one go does not: the drain waits for the others."""
    seen = half_empty()
    for allowed, expected in ((0, []), (1, ["g8-1"])):
        budget = DisruptionBudget("default", "web", (), allowed)
        assert begun(decided(replace(seen, cluster=replace(seen.cluster, budgets=(budget,))))) == expected


def test_minimum_protection_and_commitments_hold_nodes() -> None:
    """A group keeps what it must; what is paid for anyway saves nothing."""
    assert begun(decided(half_empty(min_nodes=2))) == []
    assert begun(decided(half_empty(instances=tuple(instance(f"g8-{i}", protected=True) for i in range(2))))) == []
    paid = replace(SETTINGS, commitments=(Commitment("three years", Selector(), nodes=2),))
    assert begun(decided(half_empty(), settings=paid)) == []


def test_what_has_begun_goes_on_and_ends_with_the_policy() -> None:
    """Closed for this reason, it is drained; without the policy it is given back."""
    seen = half_empty()
    plan = decided(seen)
    closed = tuple(
        replace(each, disruption=Closed("Underutilized", NOW - 10)) if each.name in begun(plan) else each
        for each in seen.cluster.nodes
    )
    after = replace(seen, cluster=replace(seen.cluster, nodes=closed))
    assert [type(action).__name__ for action in decided(after).actions] == ["Evict"]
    without = decided(after, settings=replace(SETTINGS, consolidation=None))
    assert [type(action).__name__ for action in without.actions] == ["Restore"]
