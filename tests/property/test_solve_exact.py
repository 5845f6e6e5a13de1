"""Laws of the solver on problems so small that the truth is known by enumeration, with every feature of the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscale.model.problem import Demand, PackedNode, Problem, Rule, Solution, Status, Supply
from autoscale.solve import native, solve, verify
from tests.property.enumeration import optimum
from tests.property.strategies import problems

if TYPE_CHECKING:
    from random import Random

LIMIT_S = 0.2
UNHURRIED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
RANDOMS = st.randoms(use_true_random=False)
pytestmark = pytest.mark.skipif(native.library() is None, reason="no compiled kernel")


def answer(problem: Problem) -> Solution:
    """The solver's answer, which must verify and carry a bound."""
    found = solve(problem, time_limit_s=LIMIT_S)
    assert verify(problem, found) == []
    assert 0 <= found.bound_microusd_per_hour <= found.objective_microusd_per_hour
    return found


def proven(*answers: Solution) -> bool:
    """Whether all of them are called optimal; objectives this small leave no room within 0.01 %."""
    return all(a.status is Status.OPTIMAL for a in answers)


@UNHURRIED
@given(problems())
def test_the_answer_is_the_optimum(problem: Problem) -> None:
    """Bound <= optimum <= objective, all equal when the answer is called optimal."""
    found, best = answer(problem), optimum(problem)
    assert best is not None
    assert found.bound_microusd_per_hour <= best <= found.objective_microusd_per_hour
    assert not proven(found) or found.objective_microusd_per_hour == best


@UNHURRIED
@given(problems(ruled=True))
def test_the_answer_is_the_optimum_with_rules_too(problem: Problem) -> None:
    """Rules on nodes and on pods, with weights of both signs, cut off nothing that they allow."""
    found, best = answer(problem), optimum(problem)
    assert best is not None
    assert found.bound_microusd_per_hour <= best <= found.objective_microusd_per_hour
    assert not proven(found) or found.objective_microusd_per_hour == best


@UNHURRIED
@given(problems(pods=15, ruled=True, classes=5, offerings=5))
def test_rules_and_limits_hold(problem: Problem) -> None:
    """Left sides are added up here once more, apart from `verify`."""
    found = answer(problem)
    for o, supply in enumerate(problem.supplies):
        bought = sum(node.count for node in found.nodes if node.supply == o)
        assert supply.limit is None or bought <= supply.limit
    for rule in problem.rules:
        on_nodes = sum(rule.per_node.get(node.supply, 0) * node.count for node in found.nodes)
        on_pods = sum(
            rule.per_pod.get((c, node.supply), 0) * pods * node.count for node in found.nodes for c, pods in node.pods
        )
        assert on_nodes + on_pods <= rule.limit


@UNHURRIED
@given(problems(pods=12, classes=4, offerings=4, ruled=True), RANDOMS)
def test_order_never_changes_the_cost(problem: Problem, random: Random) -> None:
    """The order of classes, supplies, resources and rules is of no account."""
    shuffled = shuffle(problem, random)
    first, second = answer(problem), answer(shuffled)
    if proven(first, second):
        assert first.objective_microusd_per_hour == second.objective_microusd_per_hour


@UNHURRIED
@given(problems(pods=12, classes=4, offerings=4), st.integers(0, 3))
def test_more_demand_never_costs_less(problem: Problem, which: int) -> None:
    """One more pod of a class can't lower the optimum."""
    if which >= len(problem.demands):
        return
    grown = tuple(replace(d, count=d.count + (c == which)) for c, d in enumerate(problem.demands))
    before, after = answer(problem), answer(replace(problem, demands=grown))
    assert before.bound_microusd_per_hour <= after.objective_microusd_per_hour
    if proven(before, after):
        assert before.objective_microusd_per_hour <= after.objective_microusd_per_hour


@UNHURRIED
@given(problems(pods=12, classes=4, offerings=4, ruled=True), st.integers(0, 3))
def test_a_cheaper_price_never_costs_more(problem: Problem, which: int) -> None:
    """One price lowered can't raise the optimum."""
    if which >= len(problem.supplies):
        return
    cheaper = tuple(
        replace(s, price_microusd_per_hour=(s.price_microusd_per_hour + 1) // 2) if o == which else s
        for o, s in enumerate(problem.supplies)
    )
    before, after = answer(problem), answer(replace(problem, supplies=cheaper))
    assert after.bound_microusd_per_hour <= before.objective_microusd_per_hour
    if proven(before, after):
        assert after.objective_microusd_per_hour <= before.objective_microusd_per_hour


@UNHURRIED
@given(problems(pods=15, classes=4, offerings=4, ruled=True))
def test_equal_problems_get_equal_answers(problem: Problem) -> None:
    """Asked twice, the solver says the same to the last node, as long as it ends before the limit."""
    first, second = solve(problem, time_limit_s=LIMIT_S), solve(problem, time_limit_s=LIMIT_S)
    if all(each.bound_microusd_per_hour == each.objective_microusd_per_hour for each in (first, second)):
        assert first == second


@UNHURRIED
@given(problems(pods=12, classes=4, offerings=4))
def test_a_rule_more_never_costs_less(problem: Problem) -> None:
    """A rule only takes plans away."""
    everything = dict.fromkeys(range(len(problem.supplies)), 1)
    ruled = replace(problem, rules=(Rule("few", "law", 2, everything),))
    free, bound = answer(problem), answer(ruled)
    assert free.bound_microusd_per_hour <= bound.objective_microusd_per_hour
    if proven(free, bound):
        assert free.objective_microusd_per_hour <= bound.objective_microusd_per_hour


@UNHURRIED
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.sampled_from((3, 10, 41)))
def test_room_that_costs_nothing_is_used_first(pods: int, room: int, nodes: int, price: int) -> None:
    """Nodes are bought for exactly those pods that the nodes which are there can't hold."""
    there, new = Supply("there", (room,), 0, nodes), Supply("new", (1,), price)
    demand = Demand("pod", (1,), pods, frozenset({0, 1}), 1000)
    found = answer(Problem(("pods",), (demand,), (there, new)))
    bought = sum(node.count for node in found.nodes if node.supply == 1)
    assert bought == max(0, pods - room * nodes)
    assert found.cost_microusd_per_hour == bought * price


@UNHURRIED
@given(problems(pods=12, classes=4, offerings=4), st.integers(2, 1000), st.integers(2, 1000))
def test_units_are_of_no_account(problem: Problem, cpu: int, gpu: int) -> None:
    """Requests and capacities in a smaller unit: the same answer, even when a capacity is no whole multiple."""
    finer = replace(
        problem,
        demands=tuple(replace(d, request=(d.request[0] * cpu, d.request[1] * gpu)) for d in problem.demands),
        supplies=tuple(
            replace(s, capacity=(s.capacity[0] * cpu + cpu - 1, s.capacity[1] * gpu + gpu - 1))
            for s in problem.supplies
        ),
    )
    first, second = answer(problem), answer(finer)
    if proven(first, second):
        assert first.objective_microusd_per_hour == second.objective_microusd_per_hour


@UNHURRIED
@given(problems(pods=12, classes=4, offerings=4))
def test_a_plan_of_ones_own_never_beats_the_bound(problem: Problem) -> None:
    """The plan of one pod per node, where that is allowed, costs at least the bound."""
    plan, left = [], {c: d.count for c, d in enumerate(problem.demands)}
    for o, supply in enumerate(problem.supplies):
        stock = 100 if supply.limit is None else supply.limit
        for c, demand in enumerate(problem.demands):
            fits = all(n <= room for n, room in zip(demand.request, supply.capacity, strict=True))
            if o in demand.offerings and demand.max_per_node != 0 and fits and (n := min(stock, left[c])):
                plan.append(PackedNode(o, ((c, 1),), n))
                stock -= n
                left[c] -= n
    prices = [s.price_microusd_per_hour for s in problem.supplies]
    cost = sum(prices[node.supply] * node.count for node in plan)
    objective = cost + problem.node_cost_microusd_per_hour * sum(n.count for n in plan if prices[n.supply])
    objective += sum(problem.demands[c].pending_penalty_microusd_per_hour * n for c, n in left.items())
    assert verify(problem, Solution(Status.FEASIBLE, tuple(plan), left, cost, objective, 0)) == []
    assert answer(problem).bound_microusd_per_hour <= objective


def shuffle(problem: Problem, random: Random) -> Problem:
    """The same problem with classes, supplies, resources and rules in another order."""
    classes, homes = list(range(len(problem.demands))), list(range(len(problem.supplies)))
    resources, order = list(range(len(problem.resources))), list(range(len(problem.rules)))
    for numbers in (classes, homes, resources, order):
        random.shuffle(numbers)
    class_at = {c: i for i, c in enumerate(classes)}
    home_at = {o: i for i, o in enumerate(homes)}
    return Problem(
        resources=tuple(problem.resources[r] for r in resources),
        demands=tuple(
            replace(
                problem.demands[c],
                request=tuple(problem.demands[c].request[r] for r in resources),
                offerings=frozenset(home_at[o] for o in problem.demands[c].offerings),
            )
            for c in classes
        ),
        supplies=tuple(
            replace(problem.supplies[o], capacity=tuple(problem.supplies[o].capacity[r] for r in resources))
            for o in homes
        ),
        rules=tuple(
            replace(
                problem.rules[k],
                per_node={home_at[o]: w for o, w in problem.rules[k].per_node.items()},
                per_pod={(class_at[c], home_at[o]): w for (c, o), w in problem.rules[k].per_pod.items()},
            )
            for k in order
        ),
        node_cost_microusd_per_hour=problem.node_cost_microusd_per_hour,
    )
