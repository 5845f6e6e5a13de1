"""Without the compiled kernel: column generation with OR-Tools' GLOP, patterns by SCIP, plans by greedy on its duals.

Slower and less tight than the kernel, but valid: the bound is the same dual bound (kernel/colgen.c has the proof), made
safe by pricing every bin to SCIP's own proven bound.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from autoscale.errors import BadInput
from autoscale.model.problem import WITHOUT_KERNEL
from autoscale.solve.greedy import State, best_fill, greedy
from autoscale.solve.native import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.solve.reduce import Matrix, Reduced

Pods = tuple[tuple[int, int], ...]


def run(reduced: Reduced, seconds: float, cancelled: Callable[[], bool]) -> Answer:
    """A valid plan, and the best bound that the time allows."""
    deadline = perf_counter() + seconds
    best, best_cost = greedy(reduced), _cost(reduced, greedy(reduced))
    if not _holds(reduced, best):
        raise BadInput("no plan was found that keeps every rule", expected="rules and limits that can hold together")
    if reduced.rule_pod is not None:
        return _finished(best, 0, None)
    master, bound = _Master(reduced), 0.0
    while perf_counter() < deadline and not cancelled():
        duals = master.solve()
        if duals is None:
            break
        new = _price_quickly(reduced, master, duals)
        if not new:
            value, new = _price_all(reduced, master, duals, deadline)
            bound = max(bound, value)
        candidate = greedy(reduced, np.maximum(duals[0], 1.0))
        if _holds(reduced, candidate) and _cost(reduced, candidate) < best_cost:
            best, best_cost = candidate, _cost(reduced, candidate)
        if not new:
            break
    safe = bound - 1e-6 * abs(bound) - 1.0
    return _finished(best, max(0, int(np.floor(safe))), master)


def _finished(plan: Answer, bound: int, master: _Master | None) -> Answer:
    y, limit, rule = (plan.y, plan.limit_price, plan.rule_price) if master is None else master.last
    return Answer(plan.nodes, plan.pending, bound, y, limit, rule, f"greedy on duals of GLOP, {WITHOUT_KERNEL}")


def _cost(reduced: Reduced, plan: Answer) -> float:
    nodes = sum(reduced.price[b] * count for b, _, count in plan.nodes)
    return float(nodes + np.dot(reduced.penalty, plan.pending))


def _holds(reduced: Reduced, plan: Answer) -> bool:
    used = np.zeros(len(reduced.rule_limit))
    for b, pods, count in plan.nodes:
        used += reduced.rule_node[:, b] * count
        if reduced.rule_pod is not None:
            for c, n in pods:
                used += reduced.rule_pod[:, b, c] * n * count
    return bool((used <= reduced.rule_limit).all())


class _Master:
    """The linear program over the patterns found so far; money in US$."""

    def __init__(self, reduced: Reduced) -> None:
        from ortools.linear_solver import pywraplp

        self.reduced = reduced
        self.solver: Any = pywraplp.Solver.CreateSolver("GLOP")
        self.infinity = self.solver.infinity()
        self.demand = [self.solver.Constraint(float(d), self.infinity) for d in reduced.demand]
        self.limit = [self.solver.Constraint(-self.infinity, float(u)) if u >= 0 else None for u in reduced.limit]
        self.rule = [self.solver.Constraint(-self.infinity, float(limit)) for limit in reduced.rule_limit]
        self.seen: set[tuple[int, Pods]] = set()
        self.last = ([0.0] * len(self.demand), [0.0] * len(self.limit), [0.0] * len(self.rule))
        objective = self.solver.Objective()
        objective.SetMinimization()
        dearest = 100 * max([1.0, *reduced.penalty.tolist(), *reduced.price.tolist()])
        for row, penalty in zip(self.demand, reduced.penalty, strict=True):
            self._fine(row, 1.0, float(penalty))
        for row in self.rule:
            self._fine(row, -1.0, dearest)

    def _fine(self, row: Any, coefficient: float, cost: float) -> None:
        variable = self.solver.NumVar(0, self.infinity, "")
        row.SetCoefficient(variable, coefficient)
        self.solver.Objective().SetCoefficient(variable, cost / 1e6)

    def add(self, b: int, pods: Pods) -> bool:
        """A new pattern; False: known."""
        if (b, pods) in self.seen:
            return False
        self.seen.add((b, pods))
        variable = self.solver.NumVar(0, self.infinity, "")
        self.solver.Objective().SetCoefficient(variable, float(self.reduced.price[b]) / 1e6)
        for c, n in pods:
            self.demand[c].SetCoefficient(variable, n)
        limit = self.limit[b]
        if limit is not None:
            limit.SetCoefficient(variable, 1)
        for k, row in enumerate(self.rule):
            row.SetCoefficient(variable, float(self.reduced.rule_node[k, b]))
        return True

    def solve(self) -> tuple[Matrix, Matrix, Matrix] | None:
        """Duals of demand, limits and rules in micro-US$/h, with their signs made right."""
        if self.solver.Solve() != self.solver.OPTIMAL:
            return None
        y = np.array([max(0.0, row.dual_value()) for row in self.demand]) * 1e6
        mu = np.array([min(0.0, row.dual_value()) if row is not None else 0.0 for row in self.limit]) * 1e6
        rho = np.array([min(0.0, row.dual_value()) for row in self.rule]) * 1e6
        self.last = (y.tolist(), mu.tolist(), rho.tolist())
        return np.minimum(y, self.reduced.penalty), mu, rho


def _price_quickly(reduced: Reduced, master: _Master, duals: tuple[Matrix, Matrix, Matrix]) -> int:
    """Greedy fillings that are worth more than their bin costs; how many joined the master."""
    y, mu, rho = duals
    price = reduced.price - rho @ reduced.rule_node - mu
    fresh, new = State(reduced), 0
    for b in np.flatnonzero(reduced.admits.any(axis=1)).tolist():
        _, pods = best_fill(fresh, b, y)
        if sum(y[c] * n for c, n in pods.items()) > price[b] * (1 + 1e-6) + 1.0:
            new += master.add(b, tuple(sorted(pods.items())))
    return new


def _price_all(
    reduced: Reduced, master: _Master, duals: tuple[Matrix, Matrix, Matrix], deadline: float
) -> tuple[float, int]:
    """The dual bound, and how many new patterns joined the master."""
    y, mu, rho = duals
    open_price = reduced.price - rho @ reduced.rule_node
    worth = np.zeros(len(reduced.price))
    new = 0
    for b in range(len(reduced.price)):
        if perf_counter() > deadline:
            return 0.0, 0
        worth[b], pods = _knapsack(reduced, b, y)
        if worth[b] > (open_price[b] - mu[b]) * (1 + 1e-7) + 1.0 and pods:
            new += master.add(b, pods)
        if open_price[b] < -1.0:  # a rule asks for nodes, pods or not
            new += master.add(b, ())
    endless = reduced.limit < 0
    if (open_price[endless] < -1.0).any() or (open_price[endless & (worth > 0)] <= 0).any():
        return 0.0, new
    shares = worth[endless & (worth > 0)] / np.maximum(open_price[endless & (worth > 0)], 1e-9)
    theta = max(1.0, *shares.tolist()) if len(shares) else 1.0
    limited = ~endless
    need = np.maximum(0.0, worth[limited] / theta - np.minimum(open_price[limited], worth[limited] / theta))
    need = np.maximum(need, np.maximum(0.0, -open_price[limited]))
    value = y @ reduced.demand / theta + rho @ reduced.rule_limit - need @ reduced.limit[limited]
    return float(value), new


def _knapsack(reduced: Reduced, b: int, y: Matrix) -> tuple[float, Pods]:
    """The most valuable pattern that SCIP finds, and its proven bound on all of them."""
    from ortools.linear_solver import pywraplp

    request, capacity = reduced.request, reduced.capacity[b]
    items = [int(c) for c in np.flatnonzero((reduced.admits[b] > 0) & (y > 0)) if (request[c] <= capacity).all()]
    if not items:
        return 0.0, ()
    solver: Any = pywraplp.Solver.CreateSolver("SCIP")
    counts = [solver.IntVar(0, float(min(reduced.demand[c], reduced.most[c])), "") for c in items]
    for r in range(request.shape[1]):
        solver.Add(sum(float(request[c, r]) * x for c, x in zip(items, counts, strict=True)) <= float(capacity[r]))
    solver.Maximize(sum(float(y[c]) * x for c, x in zip(items, counts, strict=True)))
    solver.SetTimeLimit(2000)
    status = solver.Solve()
    if status not in (solver.OPTIMAL, solver.FEASIBLE):
        return float(sum(y[c] * reduced.demand[c] for c in items)), ()
    found = ((c, round(x.solution_value())) for c, x in zip(items, counts, strict=True))
    return float(solver.Objective().BestBound()) * (1 + 1e-9), tuple((c, n) for c, n in found if n)
