"""What is paid for already is used first, as far as it reaches, whichever groups share it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from autoscale.decide import decide
from autoscale.model.overlay import Commitment, Selector
from autoscale.model.plan import Plan, Resize
from autoscale.model.settings import DecideSettings
from autoscale.model.supply import CapacityType, NodeGroup, Offering
from autoscale.solve import solve
from policies.budget import Budget
from tests.builders import USD, group, instance, node, pods, snapshot

if TYPE_CHECKING:
    from autoscale.model.problem import Problem, Solution
    from autoscale.model.snapshot import Snapshot


def solver(problem: Problem) -> Solution:
    """The real one, briefly."""
    return solve(problem, time_limit_s=5)


def plan_for(world: Snapshot, *commitments: Commitment) -> Plan:
    """The decision with these commitments."""
    return decide(world, (), solver, DecideSettings(commitments=commitments))


def targets(plan: Plan) -> dict[str, int]:
    """What groups grow to."""
    return {each.group: each.target_nodes for each in plan.actions if isinstance(each, Resize)}


def of(id_: str, kind: str, price: int, **more: object) -> NodeGroup:
    """A group of eight-GPU nodes at so many US$ an hour."""
    offering = Offering(kind, "a", CapacityType.ON_DEMAND, price * USD)
    return replace(group(id_), offering=offering, **more)  # type: ignore[arg-type]  # fields of a group


CHEAP, OWNED = of("cheap", "a100", 10), of("owned", "h100", 30)
NODES = Commitment("reserved", Selector(types=("h100",)), nodes=2)


def test_paid_nodes_come_first_and_only_as_many_as_there_are() -> None:
    """Three nodes' worth of pods: two on what is paid for, one on the cheapest; the cost is the third's alone."""
    plan = plan_for(snapshot(pods=pods("a", 24), groups=(CHEAP, OWNED)), NODES)
    assert targets(plan) == {"owned": 2, "cheap": 1}
    assert plan.cost_microusd_per_hour == 10 * USD + 2
    assert plan.bound_microusd_per_hour == plan.cost_microusd_per_hour
    assert [note.text for note in plan.notes] == ["reserved pays for 2 of the new nodes already"]


def test_what_a_cloud_tells_of_counts_after_the_overlays() -> None:
    """Of two for one group the overlay's holds; alone the cloud's does."""
    world = snapshot(pods=pods("a", 24), groups=(CHEAP, OWNED))
    told = replace(world, clouds=(replace(world.clouds[0], commitments=(replace(NODES, name="open", nodes=1),)),))
    assert targets(plan_for(told)) == {"owned": 1, "cheap": 2}
    assert targets(plan_for(told, NODES)) == {"owned": 2, "cheap": 1}


def test_nodes_that_are_there_use_it_up() -> None:
    """One of the two is taken: one more is free."""
    there = of("owned", "h100", 30, target_nodes=1, instances=(instance("i-1"),))
    full = tuple(replace(each, node_name="i-1") for each in pods("run", 8))
    world = snapshot(pods=(*full, *pods("a", 16)), groups=(CHEAP, there), nodes=(node("i-1"),))
    plan = plan_for(world, NODES)
    assert targets(plan) == {"owned": 2, "cheap": 1}
    assert plan.cost_microusd_per_hour == 10 * USD + 1


@pytest.mark.parametrize("most", [10, 1])
def test_groups_share_it_within_their_own_limits(most: int) -> None:
    """Two nodes are paid for over both groups, wherever they are; no group grows beyond its maximum."""
    first = of("owned", "h100", 30, max_nodes=most)
    second = of("other", "h100", 31)
    plan = plan_for(snapshot(pods=pods("a", 24), groups=(CHEAP, first, second)), NODES)
    found = targets(plan)
    assert found["cheap"] == 1
    assert found.get("owned", 0) + found.get("other", 0) == 2
    assert found.get("owned", 0) <= most
    assert plan.cost_microusd_per_hour == 10 * USD + 2


def test_a_group_with_two_prices_has_one_maximum() -> None:
    """Its paid nodes and those it would still sell count together."""
    plan = plan_for(snapshot(pods=pods("a", 16), groups=(of("owned", "h100", 30, max_nodes=1),)), NODES)
    assert targets(plan) == {"owned": 1}
    assert sum(len(unmet.pods) for unmet in plan.unmet) == 8


def test_money_covers_what_it_reaches_at_its_own_rate() -> None:
    """50 US$ an hour at 20 % off pay for two nodes of 30, not for a third; that one costs what the cloud asks."""
    spend = Commitment("savings plan", Selector(), spend_microusd_per_hour=50 * USD, discount_ppm=200_000)
    plan = plan_for(snapshot(pods=pods("a", 24), groups=(OWNED,)), spend)
    assert targets(plan) == {"owned": 3}
    assert plan.cost_microusd_per_hour == 30 * USD + 2


def test_a_group_counts_for_the_first_that_means_it() -> None:
    """Two commitments never pay for one node."""
    second = Commitment("again", Selector(), nodes=1)
    plan = plan_for(snapshot(pods=pods("a", 24), groups=(OWNED,)), NODES, second)
    assert plan.cost_microusd_per_hour == 30 * USD + 2


def test_a_budget_counts_what_is_paid_for_neither_when_it_runs_nor_when_it_is_bought() -> None:
    """12 US$ an hour are left: two nodes that are paid for, and one of 10; the third of those is not bought."""
    there = of("owned", "h100", 30, target_nodes=1, instances=(instance("i-1"),))
    full = tuple(replace(each, node_name="i-1") for each in pods("run", 8))
    world = snapshot(pods=(*full, *pods("a", 40)), groups=(CHEAP, there), nodes=(node("i-1"),))
    three = replace(NODES, nodes=3)
    budget = Budget(hard_microusd_per_hour=12 * USD)
    plan = decide(world, (budget,), solver, DecideSettings(commitments=(three,)))
    assert targets(plan) == {"owned": 3, "cheap": 1}
    assert [note.text for note in plan.notes] == [
        "$ 12.00/h at most for the fleet, $ 0.00/h runs already: $ 12.00/h more",
        "reserved pays for 2 of the new nodes already",
    ]
    without = decide(world, (budget,), solver, DecideSettings())
    assert targets(without) == {}


def test_without_any_nothing_is_different() -> None:
    """A commitment about nothing here changes no plan."""
    world = snapshot(pods=pods("a", 24), groups=(CHEAP, OWNED))
    other = Commitment("elsewhere", Selector(providers=("moon",)), nodes=9)
    assert plan_for(world, other) == plan_for(world)
