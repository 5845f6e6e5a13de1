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
from autoscale.solve.cluster import MANY_CLASSES, class_values, clusters, shared_rows, shrunk, typical
from autoscale.solve.expand import expand
from autoscale.solve.money import objective_of
from autoscale.solve.native import Answer, Cancel, Cost, Guide
from autoscale.solve.realise import realise
from autoscale.solve.reduce import Reduced, reduce

if TYPE_CHECKING:
    from autoscale.model.problem import Problem
    from autoscale.solve.reduce import Matrix

OUTLINE_SHARE = 0.2
"""Of the time, for a plan of the clusters when pods are all different; the rest is for the pods themselves."""

COARSE_CLUSTERS = 300
"""For that plan: more clusters are closer to the pods, but their linear program takes longer."""

MOST_CLASSES = 4000
"""Pricing takes so many classes as they are; of more, the most alike are thrown together first."""

MOST_ROWS = 450
"""Classes that share rows give the better bound when they need no more of these."""

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
    """A bound; beside it a plan for clusters at their mean, then a search for the true pods."""
    until = perf_counter() + seconds
    values, known = class_values(reduced), Cost()
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(_bound, reduced, values, until, seed=seed, cancel=cancel, known=known)
        answer = _search_from_outline(reduced, values, until, seed=seed, cancel=cancel, known=known)
        proof, y = beside.result()
    return replace(answer, bound=proof.bound, y=y.tolist(), limit_price=proof.limit_price, rule_price=proof.rule_price)


def _bound(
    reduced: Reduced, values: Matrix, until: float, *, seed: int, cancel: Cancel, known: Cost
) -> tuple[Answer, Matrix]:
    """A bound, and the value of a pod by class: of classes that share rows, or of clusters at their smallest."""
    groups, asked, worth = [[c] for c in range(len(reduced.demand))], reduced, values
    if len(groups) > MOST_CLASSES:
        groups = clusters(reduced, values, MOST_CLASSES, seconds=0.1 * _left(until))
        asked = shrunk(reduced, groups)
        worth = class_values(asked)
    rows = shared_rows(asked, worth)
    if len(rows.rhs) <= MOST_ROWS:
        answer = native.bound(asked, _left(until), rows=rows, seed=seed, cancel=cancel, known=known)
    else:
        groups = clusters(reduced, values, seconds=0.1 * _left(until))
        answer = native.bound(shrunk(reduced, groups), _left(until), seed=seed, cancel=cancel, known=known)
    return answer, np.array(answer.y)[_cluster_of(groups)]


def _search_from_outline(
    reduced: Reduced, values: Matrix, until: float, *, seed: int, cancel: Cancel, known: Cost
) -> Answer:
    groups = clusters(reduced, values, COARSE_CLUSTERS, seconds=0.1 * _left(until))
    mean = typical(reduced, groups)
    begun = native.run(mean, OUTLINE_SHARE * _left(until), seed=seed, cancel=cancel, workers=1)
    y = np.array(begun.y)[_cluster_of(groups)]
    guide = Guide(y, realise(reduced, groups, mean, begun.nodes, y))
    return native.search(reduced, _left(until), guide=guide, seed=seed, cancel=cancel, known=known)


def _left(until: float) -> float:
    return max(0.001, until - perf_counter())


def _cluster_of(groups: list[list[int]]) -> Matrix:
    found = np.zeros(sum(map(len, groups)), dtype=int)
    for g, members in enumerate(groups):
        found[members] = g
    return found


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
