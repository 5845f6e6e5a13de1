"""Re-optimising a fleet: small ones whose best answer is plain, by whole value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscale.errors import BadInput
from autoscale.model.problem import Demand, PackedNode, Problem, Supply
from autoscale.model.reoptimisation import Cap, Reoptimisation, Reoptimised, Resident
from autoscale.solve import reoptimise, reverify
from autoscale.solve.relinear import Fleet, relax
from autoscale.solve.reverify import faults_of_bound

USD = 1_000_000


def demand(*homes: int, gpus: int = 1) -> Demand:
    """Pods of `gpus` GPUs that nobody waits for."""
    return Demand("pods", (gpus,), 0, frozenset(homes), 1000 * USD)


def resident(supply: int, *, pods: int, count: int = 1, keep: int = 10 * USD, empty: int = USD) -> Resident:
    """Equal nodes with so many pods each."""
    return Resident(f"node-{supply}", supply, ((0, pods),), count, keep, empty)


def room(gpus: int, count: int = 1) -> Supply:
    """What such nodes have left."""
    return Supply("room", (gpus,), 0, count)


def asked(
    demand: Demand, supplies: tuple[Supply, ...], *residents: Resident, caps: tuple[Cap, ...] = ()
) -> Reoptimisation:
    """A question about GPUs only."""
    return Reoptimisation(Problem(("gpu",), (demand,), supplies), residents, caps)


def checked(question: Reoptimisation) -> Reoptimised:
    """The answer, after both checks."""
    answer = reoptimise(question, time_limit_s=5.0)
    assert reverify(question, answer) == []
    assert faults_of_bound(question, answer) == []
    return answer


def outcome(answer: Reoptimised) -> tuple[tuple[int, ...], tuple[PackedNode, ...], int]:
    """Who is emptied, what takes their pods in, what it all costs."""
    return answer.emptied, answer.solution.nodes, answer.cost_microusd_per_hour


def test_of_two_half_empty_nodes_one_moves_into_the_other() -> None:
    """The one whose pods cost less to move goes."""
    question = asked(
        demand(0, 1), (room(4), room(4)), resident(0, pods=4, empty=2 * USD), resident(1, pods=4, empty=USD)
    )
    answer = checked(question)
    assert outcome(answer) == ((0, 1), (PackedNode(0, ((0, 4),), 1),), 11 * USD)
    assert answer.bound_microusd_per_hour >= 0.999 * answer.cost_microusd_per_hour


def test_moving_that_does_not_pay_back_is_not_done() -> None:
    """Emptying either costs more than keeping both."""
    question = asked(
        demand(0, 1), (room(4), room(4)), resident(0, pods=4, empty=11 * USD), resident(1, pods=4, empty=12 * USD)
    )
    assert outcome(checked(question)) == ((0, 0), (), 20 * USD)


def test_one_node_becomes_a_cheaper_one_only_when_the_move_pays() -> None:
    """1 -> 1: the price of the new node has its start-up in it."""
    cheaper = Supply("spot", (8,), 4 * USD)
    pays = asked(demand(0, 1), (room(0), cheaper), resident(0, pods=8))
    assert outcome(checked(pays)) == ((1,), (PackedNode(1, ((0, 8),), 1),), 5 * USD)
    not_enough = asked(demand(0, 1), (room(0), replace(cheaper, price_microusd_per_hour=9 * USD)), resident(0, pods=8))
    assert outcome(checked(not_enough)) == ((0,), (), 10 * USD)


def test_one_node_becomes_several() -> None:
    """1 -> N, which Karpenter refuses."""
    small = Supply("small", (1,), 2 * USD)
    question = asked(demand(0, 1), (room(5), small), resident(0, pods=3))
    assert outcome(checked(question)) == ((1,), (PackedNode(1, ((0, 1),), 3),), 7 * USD)


def test_several_nodes_become_one() -> None:
    """N -> 1: no room on any of them for the others."""
    large = Supply("large", (12,), 15 * USD)
    question = asked(demand(0, 1), (room(0, 3), large), resident(0, pods=4, count=3))
    assert outcome(checked(question)) == ((3,), (PackedNode(1, ((0, 12),), 1),), 18 * USD)


def test_equal_nodes_are_decided_by_number() -> None:
    """Of four half-empty ones two go, and the two that stay take their pods."""
    question = asked(demand(0), (room(4, 4),), resident(0, pods=4, count=4))
    assert outcome(checked(question)) == ((2,), (PackedNode(0, ((0, 4),), 2),), 22 * USD)


def test_a_cap_keeps_nodes() -> None:
    """At most so many may be emptied."""
    question = asked(demand(0), (room(4, 4),), resident(0, pods=4, count=4), caps=(Cap((0,), 1),))
    assert outcome(checked(question)) == ((1,), (PackedNode(0, ((0, 4),), 1),), 31 * USD)


def test_pods_that_go_nowhere_else_hold_their_node() -> None:
    """The class is admitted by its own node only."""
    question = asked(demand(0), (room(4), room(8)), resident(0, pods=4))
    assert outcome(checked(question)) == ((0,), (), 10 * USD)


def test_an_empty_node_is_kept_only_if_it_is_of_use() -> None:
    """Its room takes what lets two others go."""
    question = asked(
        demand(0, 1),
        (room(8), room(0, 2)),
        Resident("empty", 0, (), 1, 10 * USD, 0),
        resident(1, pods=4, count=2),
    )
    assert outcome(checked(question)) == ((0, 2), (PackedNode(0, ((0, 8),), 1),), 12 * USD)


def test_without_the_kernel_the_bound_is_looser_and_holds() -> None:
    """Rooms are bounded by one resource at a time."""
    question = asked(demand(0), (room(4, 4),), resident(0, pods=4, count=4))
    fleet = Fleet.of(question)
    fleet.rooms.library = None
    relaxed = relax(fleet, seconds=5.0)
    assert 21 * USD < relaxed.bound <= 22 * USD


def test_wrong_numbers_are_refused() -> None:
    """One sentence each."""
    question = asked(demand(0), (room(4),), resident(0, pods=4))
    waits = replace(question.problem, demands=(replace(question.problem.demands[0], count=1),))
    with pytest.raises(BadInput, match="a pod waits"):
        reoptimise(replace(question, problem=waits))
    with pytest.raises(BadInput, match="negative"):
        reoptimise(replace(question, residents=(resident(0, pods=4, empty=-1),)))
    with pytest.raises(BadInput, match="not its own"):
        reoptimise(replace(question, residents=(resident(0, pods=4, count=2),)))


def test_the_check_finds_every_kind_of_lie() -> None:
    """One change at a time to a right answer."""
    question = asked(demand(0), (room(4, 4),), resident(0, pods=4, count=4), caps=(Cap((0,), 3),))
    right = checked(question)
    lies = {
        "5 of 4 nodes emptied": replace(right, emptied=(5,)),
        "4 nodes emptied where 3 may be": replace(right, emptied=(4,)),
        "0 residents decided on, 1 there": replace(right, emptied=()),
        "cost is 22000000 micro-US$/h, not 1": replace(right, cost_microusd_per_hour=1),
        "is above the cost": replace(right, bound_microusd_per_hour=23 * USD),
        "8 placed and 0 pending of 4 pods": replace(right, emptied=(1,)),
    }
    for text, lie in lies.items():
        assert any(text in fault for fault in reverify(question, lie)), text
    too_high = replace(right, bound_microusd_per_hour=22 * USD, values=(0,))
    assert faults_of_bound(question, too_high) == ["the values of pods prove 4000000 micro-US$/h, not 22000000"]
