"""The solver on problems whose answer can be seen by eye."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from autoscale.errors import BadInput
from autoscale.model.problem import Demand, PackedNode, Problem, Rule, Status, Supply
from autoscale.solve import Cancel, fallback, largest_node_first, one_node_per_pod, solve, verify
from autoscale.solve.expand import expand
from autoscale.solve.money import objective_of
from autoscale.solve.reduce import reduce

M = 10**9
BIG, SMALL = Supply("big", (96, 8), 9_000), Supply("small", (12, 1), 1_500)


def problem(*demands: Demand, supplies: tuple[Supply, ...] = (BIG, SMALL), rules: tuple[Rule, ...] = ()) -> Problem:
    """Cores and GPUs on two machines."""
    return Problem(("cpu", "gpu"), demands, supplies, rules)


def gpus(count: int, *, each: int = 1, key: str = "pods", homes: tuple[int, ...] = (0, 1)) -> Demand:
    """Pods with some GPUs each."""
    return Demand(key, (each, each), count, frozenset(homes), M)


@pytest.mark.parametrize(("pods", "cost"), [(1, 1_500), (5, 7_500), (6, 9_000), (8, 9_000), (9, 10_500)])
def test_small_nodes_until_a_big_one_is_cheaper(pods: int, cost: int) -> None:
    """Few pods go to small nodes, many to a big one, and the plan is proven."""
    solution = solve(problem(gpus(pods)))
    assert (solution.cost_microusd_per_hour, solution.bound_microusd_per_hour) == (cost, cost)
    assert solution.status is Status.OPTIMAL


def test_three_pods_of_five_gpus_need_three_nodes_of_eight() -> None:
    """Sums of requests would fit two nodes; pods don't."""
    assert solve(problem(gpus(3, each=5))).cost_microusd_per_hour == 27_000


def test_an_empty_problem_costs_nothing() -> None:
    """No pods, no nodes, proven."""
    solution = solve(problem())
    assert (solution.nodes, solution.pending, solution.objective_microusd_per_hour) == ((), {}, 0)
    assert solution.status is Status.OPTIMAL


def test_what_fits_nowhere_is_pending_and_the_rest_is_placed() -> None:
    """A class without a home is pending; it does not spoil the proof of the others."""
    solution = solve(problem(gpus(1), gpus(2, each=9, key="huge")))
    assert solution.pending == {1: 2}
    assert solution.objective_microusd_per_hour == solution.bound_microusd_per_hour == 1_500 + 2 * M


def test_room_on_existing_nodes_comes_first() -> None:
    """Free room is filled before anything is bought, as far as it goes."""
    free = Supply("node-1", (4, 4), 0, limit=2)
    solution = solve(problem(gpus(9, homes=(0, 1, 2)), supplies=(BIG, SMALL, free)))
    assert solution.cost_microusd_per_hour == 1_500
    assert PackedNode(2, ((0, 4),), 2) in solution.nodes


def test_a_limit_that_costs_money_is_named_with_its_price() -> None:
    """When a cheap supply runs out, its dual says what one more would save."""
    cheap = Supply("cheap", (12, 1), 100, limit=3)
    solution = solve(problem(gpus(4, homes=(1, 2)), supplies=(BIG, SMALL, cheap)))
    assert solution.cost_microusd_per_hour == 1_800
    assert [(b.key, b.value_microusd_per_hour) for b in solution.bindings] == [("cheap", 1_400)]


def test_a_rule_is_kept_and_named() -> None:
    """At most one big node: the other pods pay for small ones, and the binding says so."""
    rule = Rule("one-big", "limits", 1, per_node={0: 1})
    solution = solve(problem(gpus(16), rules=(rule,)))
    assert solution.cost_microusd_per_hour == 9_000 + 8 * 1_500
    assert [(b.key, b.value_microusd_per_hour) for b in solution.bindings] == [("one-big", 3_000)]


def test_a_share_of_spot_holds_for_pods() -> None:
    """At most half of the pods on spot, as a rule with a negative weight."""
    spot = Supply("spot", (12, 1), 500)
    share = Rule("half", "spot-mix", 0, per_pod={(0, 2): 1, (0, 0): -1, (0, 1): -1})
    solution = solve(problem(gpus(4, homes=(1, 2)), supplies=(BIG, SMALL, spot), rules=(share,)))
    assert solution.cost_microusd_per_hour == 2 * 1_500 + 2 * 500


def test_rules_that_contradict_each_other_are_bad_input() -> None:
    """A rule that nothing can satisfy is an error in one sentence, not a wrong plan."""
    with pytest.raises(BadInput, match="no plan was found that keeps every rule"):
        solve(problem(gpus(1), rules=(Rule("never", "limits", -1, per_node={0: 1}),)), time_limit_s=0.2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"count": -1}, "count is negative"),
        ({"request": (1,)}, "wrong number of requests"),
        ({"request": (-1, 1)}, "request is negative"),
        ({"request": (2**60, 1)}, "request is too large"),
        ({"offerings": frozenset({9})}, "unknown offering"),
        ({"pending_penalty_microusd_per_hour": -5}, "penalty is negative"),
        ({"count": 1.5}, "count is not a whole number"),
    ],
)
def test_bad_demand_is_refused_in_a_sentence(change: dict[str, Any], says: str) -> None:
    """Each wrong number is named with the class that has it."""
    with pytest.raises(BadInput, match=says):
        solve(problem(dataclasses.replace(gpus(1), **change)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"price_microusd_per_hour": -1}, "price is negative"),
        ({"capacity": (1, 2, 3)}, "wrong number of capacities"),
        ({"limit": -2}, "limit is negative"),
        ({"price_microusd_per_hour": float("nan")}, "price is not a whole number"),
    ],
)
def test_bad_supply_is_refused_in_a_sentence(change: dict[str, Any], says: str) -> None:
    """Each wrong number is named with the supply that has it."""
    with pytest.raises(BadInput, match=says):
        solve(problem(gpus(1), supplies=(dataclasses.replace(BIG, **change), SMALL)))


def test_a_cancelled_solve_still_gives_a_complete_answer() -> None:
    """Cancelled before it began, the answer covers every pod and has a valid bound."""
    cancel = Cancel()
    cancel.set()
    asked = problem(gpus(100), gpus(40, each=3, key="three"), gpus(7, each=5, key="five"))
    solution = solve(asked, cancel=cancel)
    assert verify(asked, solution) == []
    assert not solution.pending


def test_the_fallback_proves_easy_problems() -> None:
    """Without the kernel the same cost is reached on an easy problem, with a bound below it."""
    asked = problem(gpus(8))
    reduced = reduce(asked)
    answer = fallback.run(reduced, 5.0, lambda: False)
    nodes, pending = expand(asked, reduced, answer)
    assert (objective_of(asked, nodes, pending), dict(pending)) == ((9_000, 9_000), {})
    assert 8_900 <= answer.bound <= 9_000


@pytest.mark.parametrize("seconds", [float("nan"), -1.0])
def test_a_time_limit_that_makes_no_sense_is_refused(seconds: float) -> None:
    """NaN seconds would never be over."""
    with pytest.raises(BadInput, match="time limit is wrong, expected 0 seconds or more"):
        solve(problem(gpus(1)), time_limit_s=seconds)


def test_yardsticks_cost_what_they_should() -> None:
    """The biggest machine for everybody, and a machine for each."""
    asked = problem(gpus(9))
    assert largest_node_first(asked).cost_microusd_per_hour == 18_000
    assert one_node_per_pod(asked).cost_microusd_per_hour == 13_500


def test_equal_classes_and_equal_offerings_are_merged() -> None:
    """Two equal classes and two offerings that differ in price only become one of each."""
    dear = dataclasses.replace(SMALL, key="dear", price_microusd_per_hour=1_600)
    asked = problem(gpus(2, homes=(0, 1, 2)), gpus(3, key="more", homes=(0, 1, 2)), supplies=(BIG, SMALL, dear))
    reduced = reduce(asked)
    assert reduced.members == [[1, 0]]
    assert sorted(home[0][0] for home in reduced.homes) == [0, 1]
    assert verify(asked, solve(asked)) == []
