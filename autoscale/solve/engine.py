"""`solve`: check, reduce, search, expand, and the arithmetic of the answer in whole numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from autoscale.errors import BadInput
from autoscale.model.problem import Solution, Status
from autoscale.solve import fallback, native
from autoscale.solve.bindings import bindings
from autoscale.solve.check import check
from autoscale.solve.cluster import MANY_CLASSES, clusters, shrunk, typical
from autoscale.solve.expand import expand
from autoscale.solve.money import objective_of
from autoscale.solve.native import Answer, Cancel, Guide
from autoscale.solve.realise import realise
from autoscale.solve.reduce import Reduced, reduce

if TYPE_CHECKING:
    from autoscale.model.problem import Problem

OUTLINE_SHARE = 0.4
"""Of the time, for bound and outline when pods are all different; the rest is for the pods themselves."""

OPTIMAL_GAP = 1e-4
"""An answer is called optimal when it is proven to be within 0.01 % of the best."""


def solve(
    problem: Problem,
    *,
    time_limit_s: float = 1.0,
    seed: int = 0,
    cancel: Cancel | None = None,
) -> Solution:
    """The cheapest plan that can be found and a proven bound for all others, within the time limit.

    The answer is always complete: what is not placed is pending. Equal problems get equal answers as long as the
    search ends before the limit. `cancel` ends it early from another thread. Raises BadInput for numbers that can't be.
    """
    started = perf_counter()
    if not time_limit_s >= 0:  # NaN included
        raise BadInput("the time limit is wrong", expected="0 seconds or more", found=str(time_limit_s))
    check(problem)
    reduced = reduce(problem)
    answer = _search(reduced, time_limit_s - (perf_counter() - started), seed, cancel or Cancel())
    return _solution(problem, reduced, answer)


def _search(reduced: Reduced, seconds: float, seed: int, cancel: Cancel) -> Answer:
    if not len(reduced.demand) and not len(reduced.rule_limit):
        return Answer([], [], 0, [], [0.0] * len(reduced.price), [], "nothing to place")
    if native.library() is not None and len(reduced.demand) > MANY_CLASSES and reduced.rule_pod is None:
        return _search_by_clusters(reduced, max(seconds, 0.001), seed, cancel)
    if native.library() is not None:
        return native.run(reduced, max(seconds, 0.001), seed=seed, cancel=cancel)
    return fallback.run(reduced, seconds, lambda: bool(cancel.flag.value))


def _search_by_clusters(reduced: Reduced, seconds: float, seed: int, cancel: Cancel) -> Answer:
    """A bound from the clusters at their smallest beside a plan for them at their mean, then a search for the true pods."""
    started = perf_counter()
    groups = clusters(reduced, seconds=0.2 * seconds)
    kin = np.zeros(len(reduced.demand), dtype=int)
    for g, members in enumerate(groups):
        kin[members] = g
    small, mean = shrunk(reduced, groups), typical(reduced, groups)
    share = max(0.001, min(OUTLINE_SHARE * seconds, 0.75 * (seconds - (perf_counter() - started))))
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(native.run, mean, share, seed=seed, cancel=cancel, workers=1)
        outline = native.run(small, share, seed=seed, cancel=cancel, workers=1)
        begun = beside.result()
    y = np.array(begun.y)[kin]
    guide = Guide(outline.bound, y, kin, realise(reduced, groups, mean, begun.nodes, y))
    left = seconds - (perf_counter() - started)
    answer = native.search(reduced, max(left, 0.001), guide=guide, seed=seed, cancel=cancel)
    y = np.array(outline.y)[kin]
    return replace(answer, y=y.tolist(), limit_price=outline.limit_price, rule_price=outline.rule_price)


def _solution(problem: Problem, reduced: Reduced, answer: Answer) -> Solution:
    nodes, pending = expand(problem, reduced, answer)
    cost, objective = objective_of(problem, nodes, pending)
    lost = sum(problem.demands[c].pending_penalty_microusd_per_hour * problem.demands[c].count for c in reduced.lost)
    bound = min(objective, max(0, answer.bound) + lost)
    return Solution(
        status=Status.OPTIMAL if objective - bound <= OPTIMAL_GAP * objective else Status.FEASIBLE,
        nodes=nodes,
        pending=pending,
        cost_microusd_per_hour=cost,
        objective_microusd_per_hour=objective,
        bound_microusd_per_hour=bound,
        bindings=bindings(problem, reduced, answer),
        method=answer.method,
    )
