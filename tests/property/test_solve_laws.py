"""Laws of the solver, on small nasty problems that Hypothesis makes up; the smallest are compared with enumeration."""

from __future__ import annotations

import dataclasses
import itertools
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscale.model.problem import Demand, Problem, Rule, Status, Supply
from autoscale.solve import fallback, native, solve, verify
from autoscale.solve.greedy import as_solution, greedy, largest_node_first, one_node_per_pod
from autoscale.solve.reduce import reduce

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from autoscale.model.problem import Solution

PENALTY = 10_000
LAWS = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
needs_kernel = pytest.mark.skipif(native.library() is None, reason="no compiled kernel")


@st.composite
def problems(draw: st.DrawFn, *, pods: int = 12, rules: bool = False) -> Problem:
    """Up to four classes on up to four supplies of two resources; limits, free supplies, caps per node, and rules."""
    supplies = tuple(
        Supply(
            f"s{o}",
            (draw(st.integers(0, 16)), draw(st.integers(0, 6))),
            draw(st.sampled_from([0, 7, 10, 13, 29, 40])),
            draw(st.sampled_from([None, None, 0, 1, 3])),
        )
        for o in range(draw(st.integers(0, 4)))
    )
    supplies = tuple(
        s if s.price_microusd_per_hour or s.limit is not None else dataclasses.replace(s, limit=2) for s in supplies
    )
    demands = tuple(
        Demand(
            f"c{c}",
            (draw(st.integers(0, 9)), draw(st.integers(0, 4))),
            draw(st.integers(0, pods // 3)),
            frozenset(draw(st.sets(st.integers(0, len(supplies) - 1)))) if supplies else frozenset(),
            draw(st.sampled_from([PENALTY, PENALTY * 2])),
            draw(st.sampled_from([None, None, 1, 2])),
        )
        for c in range(draw(st.integers(0, 4)))
    )
    made = []
    if rules and supplies:
        for k in range(draw(st.integers(1, 2))):
            per_node = draw(st.dictionaries(st.integers(0, len(supplies) - 1), st.integers(-2, 4), max_size=4))
            pairs = st.tuples(st.integers(0, max(0, len(demands) - 1)), st.integers(0, len(supplies) - 1))
            per_pod = draw(st.dictionaries(pairs, st.integers(-2, 3), max_size=3)) if demands else {}
            made.append(Rule(f"r{k}", "test", draw(st.integers(0, 8)), per_node, per_pod))
    return Problem(("cpu", "gpu"), demands, supplies, tuple(made), draw(st.sampled_from([0, 0, 3])))


def patterns(problem: Problem, offering: int) -> Iterator[tuple[int, ...]]:
    """Every way to fill one node of an offering."""
    supply = problem.supplies[offering]
    most = []
    for demand in problem.demands:
        n = demand.count if offering in demand.offerings else 0
        most.append(n if demand.max_per_node is None else min(n, demand.max_per_node))
    for counts in itertools.product(*(range(n + 1) for n in most)):
        loads = [sum(n * d.request[r] for n, d in zip(counts, problem.demands, strict=True)) for r in range(2)]
        if all(load <= room for load, room in zip(loads, supply.capacity, strict=True)):
            yield counts


def optimum(problem: Problem) -> int:
    """The least objective, by looking at every plan (no rules): offering after offering, memoised on what is left."""
    ways = [list(patterns(problem, o)) for o in range(len(problem.supplies))]
    pods = sum(d.count for d in problem.demands)

    @cache
    def best(offering: int, used: int, left: tuple[int, ...]) -> int:
        if offering == len(ways):
            penalties = (d.pending_penalty_microusd_per_hour for d in problem.demands)
            return sum(n * m for n, m in zip(left, penalties, strict=True))
        supply = problem.supplies[offering]
        least = best(offering + 1, 0, left)
        if used >= (pods if supply.limit is None else min(pods, supply.limit)):
            return least
        price = supply.price_microusd_per_hour
        price += problem.node_cost_microusd_per_hour if price else 0
        for way in ways[offering]:
            if any(way) and all(n <= m for n, m in zip(way, left, strict=True)):
                rest = tuple(m - n for n, m in zip(way, left, strict=True))
                least = min(least, price + best(offering, used + 1, rest))
        return least

    return best(0, 0, tuple(d.count for d in problem.demands))


def check(problem: Problem, solution: Solution) -> None:
    """What every answer must satisfy."""
    assert verify(problem, solution) == []
    assert 0 <= solution.bound_microusd_per_hour <= solution.objective_microusd_per_hour


@needs_kernel
@given(problems(pods=9))
@LAWS
def test_small_problems_are_solved_to_the_optimum_of_an_enumeration(problem: Problem) -> None:
    """On problems small enough to enumerate, the optimum is between bound and answer, and equals what is called optimal."""
    solution = solve(problem, time_limit_s=0.5)
    check(problem, solution)
    best = optimum(problem)
    assert solution.bound_microusd_per_hour <= best <= solution.objective_microusd_per_hour
    if solution.status is Status.OPTIMAL:
        assert solution.objective_microusd_per_hour - best <= 1e-4 * best


@needs_kernel
@given(problems(pods=18, rules=True))
@LAWS
def test_rules_hold_and_the_bound_stays_below_any_answer(problem: Problem) -> None:
    """With rules of any sign every answer verifies, and its bound is below an independent answer's objective."""
    solution = solve(problem, time_limit_s=0.2)
    check(problem, solution)
    without = solve(dataclasses.replace(problem, rules=()), time_limit_s=0.2)
    assert without.bound_microusd_per_hour <= solution.objective_microusd_per_hour
    other = as_solution(problem, reduce(problem), greedy(reduce(problem)))
    if not verify(problem, other):
        assert solution.bound_microusd_per_hour <= other.objective_microusd_per_hour


@needs_kernel
@given(problems(pods=9), st.randoms(use_true_random=False))
@LAWS
def test_the_order_of_classes_and_supplies_never_matters(problem: Problem, rng: random.Random) -> None:
    """Shuffled classes and supplies cost the same."""
    order = list(range(len(problem.supplies)))
    rng.shuffle(order)
    place = {o: i for i, o in enumerate(order)}
    demands = [dataclasses.replace(d, offerings=frozenset(place[o] for o in d.offerings)) for d in problem.demands]
    rng.shuffle(demands)
    shuffled = dataclasses.replace(problem, demands=tuple(demands), supplies=tuple(problem.supplies[o] for o in order))
    one, two = solve(problem, time_limit_s=0.5), solve(shuffled, time_limit_s=0.5)
    if Status.FEASIBLE not in {one.status, two.status}:  # else the clock ended the search
        assert one.objective_microusd_per_hour == two.objective_microusd_per_hour


@needs_kernel
@given(problems(pods=9), st.integers(0, 3))
@LAWS
def test_more_demand_never_costs_less(problem: Problem, which: int) -> None:
    """One more pod never lowers the optimum."""
    if not problem.demands:
        return
    at = which % len(problem.demands)
    more = dataclasses.replace(problem.demands[at], count=problem.demands[at].count + 1)
    larger = dataclasses.replace(problem, demands=(*problem.demands[:at], more, *problem.demands[at + 1 :]))
    before, after = solve(problem, time_limit_s=0.5), solve(larger, time_limit_s=0.5)
    assert before.bound_microusd_per_hour <= after.objective_microusd_per_hour
    if before.status is Status.OPTIMAL:
        assert before.objective_microusd_per_hour <= after.objective_microusd_per_hour * (1 + 1e-4)


@needs_kernel
@given(problems(pods=12))
@LAWS
def test_equal_problems_get_equal_answers(problem: Problem) -> None:
    """Solving twice gives the very same solution."""
    one, two = solve(problem, time_limit_s=0.5), solve(problem, time_limit_s=0.5)
    if Status.FEASIBLE not in {one.status, two.status}:  # else the clock ended the search
        assert one == two


@given(problems(pods=12, rules=True))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_without_the_kernel_answers_are_valid_too(problem: Problem) -> None:
    """GLOP, SCIP and greedy keep the same laws: verified, and bounded from below."""
    reduced = reduce(problem)
    if not len(reduced.demand):
        return
    answer = fallback.run(reduced, 1.0, lambda: False)
    solution = as_solution(problem, reduced, answer)
    if any(rule.limit < 0 for rule in problem.rules):
        return
    check(problem, solution)
    if native.library() is not None:
        assert answer.bound <= solve(problem, time_limit_s=0.2).objective_microusd_per_hour


@given(problems(pods=30))
@LAWS
def test_greedy_and_yardsticks_give_valid_plans(problem: Problem) -> None:
    """The greedy plan and both yardsticks verify."""
    reduced = reduce(problem)
    for solution in (
        as_solution(problem, reduced, greedy(reduced)),
        largest_node_first(problem),
        one_node_per_pod(problem),
    ):
        assert verify(problem, solution) == []
