"""`reoptimise`: which nodes of a fleet to empty and what to buy instead, with a bound on what any such answer costs."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from autoscale.errors import BadInput
from autoscale.model.problem import Solution, Status
from autoscale.model.reoptimisation import Reoptimised
from autoscale.solve.check import check
from autoscale.solve.relinear import Fleet, relax
from autoscale.solve.reround import buy, draft, fill, follow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autoscale.model.reoptimisation import Reoptimisation

    Matrix = NDArray[Any]

LINEAR_SHARE = 0.8
"""Of the time, for the linear program; the rest is for whole nodes."""

THRESHOLDS = (0.5, 0.99, 0.01, 0.75, 0.25)
"""A node is kept when the linear program keeps more of it than that; one after the other is tried."""


def reoptimise(question: Reoptimisation, *, time_limit_s: float = 5.0, seed: int = 0) -> Reoptimised:
    """The cheapest fleet that is found, and a proven bound. Never dearer than leaving everything as it is.

    Raises BadInput for numbers that can't be. Rules and caps hold for the answer; the bound leaves them out, so it holds too.
    """
    until = perf_counter() + time_limit_s
    _check(question)
    fleet = Fleet.of(question)
    best = Reoptimised(
        question.staying, _nothing(), stay := question.decided(question.staying), stay, method="as it is"
    )
    if not fleet.movable:
        return best
    relaxed = relax(fleet, seconds=LINEAR_SHARE * time_limit_s)
    tried: set[tuple[int, ...]] = {question.staying}
    for threshold in THRESHOLDS:
        left_s = until - perf_counter()
        if left_s <= 0:
            break
        made = draft(fleet, _within_caps(fleet, np.floor(relaxed.kept + 1 - threshold)))
        if made.emptied in tried:
            continue
        tried.add(made.emptied)
        follow(made, relaxed)
        fill(made, relaxed.value)
        solution = buy(made, seconds=max(0.05, left_s / 2), seed=seed)
        if solution is None:
            continue
        cost = question.decided(made.emptied) + solution.objective_microusd_per_hour
        if cost < best.cost_microusd_per_hour:
            how = f"linear program in {relaxed.rounds} rounds, kept above {threshold:g}"
            best = Reoptimised(made.emptied, solution, cost, 0, method=how)
    proven = int(np.floor(relaxed.bound - 1e-9 * abs(relaxed.bound) - 1))
    return Reoptimised(
        best.emptied,
        best.solution,
        best.cost_microusd_per_hour,
        min(best.cost_microusd_per_hour, max(0, proven)),
        tuple(int(value) for value in relaxed.value),
        best.method,
    )


def _within_caps(fleet: Fleet, kept: Matrix) -> Matrix:
    """More nodes kept where more would be emptied than a cap allows, those first that save least."""
    at = {j: i for i, j in enumerate(fleet.movable)}
    for cap in fleet.question.caps:
        mine = sorted((at[j] for j in cap.residents if j in at), key=lambda i: (fleet.worth[i], i))
        over = sum(fleet.count[i] - kept[i] for i in mine) - cap.most
        for i in mine:
            back = max(0.0, min(over, fleet.count[i] - kept[i]))
            kept[i] += back
            over -= back
    return kept


def _check(question: Reoptimisation) -> None:
    check(question.problem)
    for demand in question.problem.demands:
        if demand.count:
            raise BadInput(
                "a pod waits", where=demand.key, expected="a count of 0: pods come from nodes that are emptied"
            )
    for resident in question.residents:
        if resident.count < 0 or min(resident.keep_microusd_per_hour, resident.empty_microusd_per_hour) < 0:
            raise BadInput("a number of a node is negative", where=resident.key)
        if resident.supply is None:
            continue
        room = question.problem.supplies[resident.supply]
        if room.limit != resident.count or question.problem.price_of(resident.supply):
            raise BadInput(
                "the room of a node is not its own", where=resident.key, expected="a price of 0, its count as limit"
            )


def _nothing() -> Solution:
    return Solution(Status.FEASIBLE, (), {}, 0, 0, 0)
