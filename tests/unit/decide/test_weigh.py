"""What limits cost, in money and in pods; every figure is the difference of two plans."""

from collections.abc import Sequence

import pytest

from autoscale.cli.words import weight as said
from autoscale.decide.weigh import weigh
from autoscale.decide.what_if import Case
from autoscale.model.explanation import Weight
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Snapshot
from autoscale.model.supply import CapacityType
from autoscale.ports import Policy
from autoscale.solve import solve
from policies.budget import Budget
from policies.limits import Limits
from policies.spot_mix import SpotMix
from tests.builders import GI, GPU, USD, group, node, pods, shape, snapshot

WORLD = snapshot(pods=pods("a", 8, shape(gpus=4)), groups=(group("big", gpus=8, usd=10), group("small", gpus=4, usd=4)))


def weights(world: Snapshot, *policies: Policy) -> list[Weight]:
    """All of them."""
    case = Case(world, policies, lambda problem: solve(problem, time_limit_s=5), DecideSettings())
    return [weight for weight in weigh(case, case.plan()) if weight.matters]


@pytest.mark.parametrize(
    ("policies", "expected", "sentence"),
    [
        (
            [Limits(nodes=6)],  # 4 small and 2 big nodes at $ 36; of 7 nodes 6 are small: $ 34; of 8 all: $ 32
            Weight("limits/nodes", "limits", "6 nodes at most in all groups, 0 there already: 6 more", "1 more node", 2 * USD, 0, 4 * USD, 0),
            "limits: 6 nodes at most in all groups; costs $ 4.00/h, 1 more node would save $ 2.00/h",
        ),
        (
            [Limits(resources={GPU: 24})],  # six pods of eight run
            Weight(f"limits/{GPU}", "limits", f"24 {GPU} at most in all groups, 0 there already: 24 more", f"4 more {GPU}", -4 * USD, 1, -8 * USD, 2),
            f"limits: 24 {GPU} at most in all groups; keeps 2 pods pending, whose nodes would cost $ 8.00/h, 4 more {GPU} would let 1 more pod run for $ 4.00/h",
        ),
        (
            [Limits(resources={"memory": 6 * 768 * GI})],  # as above, in bytes
            Weight("limits/memory", "limits", "4,608 GiB of memory at most in all groups, 0 there already: 4,608 GiB of more", "768Gi more memory", 2 * USD, 0, 4 * USD, 0),
            "limits: 4,608 GiB of memory at most in all groups; costs $ 4.00/h, 768Gi more memory would save $ 2.00/h",
        ),
        (
            [Budget(hard_microusd_per_hour=30 * USD)],
            Weight("budget/hard", "budget", "$ 30.00/h at most for the fleet, $ 0.00/h runs already: $ 30.00/h more", "", 0, 0, -4 * USD, 1),
            "budget: $ 30.00/h at most for the fleet; keeps 1 pod pending, whose nodes would cost $ 4.00/h",
        ),
        ([Limits(nodes=8)], None, ""),
    ],
    ids=["nodes", "gpus", "memory", "budget", "loose"],
)  # fmt: skip
def test_a_rule(policies: Sequence[Policy], expected: Weight | None, sentence: str) -> None:
    """Without it, and with what one node more uses of it; a limit that costs nothing is not said."""
    found = weights(WORLD, *policies)
    assert found == ([expected] if expected else [])
    assert [said(each) for each in found] == ([sentence] if expected else [])


def test_a_groups_maximum() -> None:
    """One more reserved node would save what it replaces, less its price; pods on what is there don't count twice."""
    reserved = group("reserved", gpus=8, usd=1, max_nodes=2, capacity_type=CapacityType.RESERVED)
    world = snapshot(pods=pods("a", 8, shape(gpus=8)), groups=(reserved, group("big", gpus=8, usd=10)))
    (found,) = weights(world)
    assert found == Weight(
        "max/reserved", "limit", "at most 2 nodes of group reserved", "1 more node", 9 * USD, 0, 54 * USD, 0
    )
    assert said(found) == "at most 2 nodes of group reserved; costs $ 54.00/h, 1 more node would save $ 9.00/h"


def test_a_share_has_no_pieces() -> None:
    """Of a share only the whole is weighed."""
    spot = group("spot", gpus=4, usd=1, capacity_type=CapacityType.SPOT)
    world = snapshot(pods=pods("a", 8, shape(gpus=4)), groups=(spot, group("sure", gpus=4, usd=4)))
    (found,) = weights(world, SpotMix(max_spot_ppm=500_000))
    assert (found.key, found.one_more, found.costs_microusd_per_hour, found.runs) == ("spot-mix/spot", "", 12 * USD, 0)


def test_penalties_are_nobodys_money() -> None:
    """A full group with pods left over: the dual is a penalty, what is said are pods and the price of their nodes."""
    world = snapshot(pods=pods("a", 5, shape(gpus=8)), groups=(group("big", gpus=8, usd=10, max_nodes=3),))
    (found,) = weights(world)
    assert said(found) == (
        "at most 3 nodes of group big; keeps 2 pods pending, whose nodes would cost $ 20.00/h, "
        "1 more node would let 1 more pod run for $ 10.00/h"
    )


def test_a_group_that_is_full_already() -> None:
    """It is no part of the solver's question, and in the way all the same: for money, and for pods."""
    cheap = group("cheap", gpus=8, usd=4, running=1, max_nodes=1)
    busy = pods("busy", 1, shape(gpus=8), node_name="cheap-0")
    two = pods("a", 2, shape(gpus=8))
    nodes = (node("cheap-0"),)
    (found,) = weights(snapshot(pods=(*busy, *two), nodes=nodes, groups=(cheap, group("dear", gpus=8, usd=10))))
    assert said(found) == "at most 1 nodes of group cheap; costs $ 12.00/h, 1 more node would save $ 6.00/h"
    (found,) = weights(snapshot(pods=(*busy, *two), nodes=nodes, groups=(cheap,)))
    assert said(found) == (
        "at most 1 nodes of group cheap; keeps 2 pods pending, whose nodes would cost $ 8.00/h, "
        "1 more node would let 1 more pod run for $ 4.00/h"
    )
    assert weights(snapshot(pods=busy, nodes=nodes, groups=(cheap,))) == []


def test_a_limit_that_only_whole_nodes_feel() -> None:
    """Fractions of nodes keep within it at no cost, so it has no dual; whole nodes are held by it."""
    groups = (group("big", gpus=8, usd=11), group("small", gpus=2, usd=4))
    world = snapshot(pods=(*pods("a", 3, shape(gpus=2)), *pods("b", 1, shape(gpus=6))), groups=groups)
    plan = Case(world, (Limits(nodes=2),), lambda problem: solve(problem, time_limit_s=5), DecideSettings()).plan()
    assert plan.bindings == ()
    (found,) = weights(world, Limits(nodes=2))
    assert (found.key, found.costs_microusd_per_hour, found.saves_microusd_per_hour) == (
        "limits/nodes",
        3 * USD,
        3 * USD,
    )
