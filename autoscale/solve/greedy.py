"""Plans by simple rules, in plain Python: the last resort when nothing else runs, and two yardsticks.

The greedy plan values a pod at what it costs where many of it alone are cheapest, and buys again and again the node
whose pods are worth most for its price (Chvatal 1979 for set covering). A bin's filling is made anew only when it no
longer fits what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autoscale.model.problem import Solution, Status
from autoscale.solve.expand import expand
from autoscale.solve.money import objective_of
from autoscale.solve.native import Answer
from autoscale.solve.reduce import reduce

if TYPE_CHECKING:
    from autoscale.model.problem import Problem
    from autoscale.solve.reduce import Matrix, Reduced

    Fill = tuple[float, dict[int, int]]


class State:
    """What is left while a plan is built: pods, supply and room in the rules."""

    def __init__(self, reduced: Reduced) -> None:
        self.reduced = reduced
        self.left = reduced.demand.astype(int)
        self.stock = reduced.limit.astype(int)
        self.slack = reduced.rule_limit.copy()
        self.nodes: list[tuple[int, tuple[tuple[int, int], ...], int]] = []

    def fill(self, b: int, order: list[int]) -> dict[int, int]:
        """As many pods of each class as still fit one node of bin b, class by class in the order given."""
        room, pods = self.reduced.capacity[b].copy(), {}
        for c in order:
            request = self.reduced.request[c]
            asked = request > 0
            most = min(self.left[c], self.reduced.most[c])
            if asked.any():
                most = min(most, np.min(room[asked] // request[asked]))
            if most >= 1:
                pods[c] = int(most)
                room -= int(most) * request
        return pods

    def load(self, b: int, pods: dict[int, int]) -> Matrix:
        """What one such node adds to each rule."""
        load = self.reduced.rule_node[:, b].copy()
        if self.reduced.rule_pod is not None:
            for c, n in pods.items():
                load += self.reduced.rule_pod[:, b, c] * n
        return load

    def take(self, b: int, pods: dict[int, int]) -> bool:
        """Buys as many equal nodes as pods, supply and rules allow; False: not one."""
        times = min((int(self.left[c]) // n for c, n in pods.items()), default=0)
        if self.stock[b] >= 0:
            times = min(times, int(self.stock[b]))
        load = self.load(b, pods)
        for k in np.flatnonzero(load > 0):
            times = min(times, int(max(0.0, self.slack[k]) // load[k]))
        if times < 1:
            return False
        for c, n in pods.items():
            self.left[c] -= n * times
        if self.stock[b] >= 0:
            self.stock[b] -= times
        self.slack = self.slack - load * times
        self.nodes.append((b, tuple(sorted(pods.items())), times))
        return True

    def answer(self, method: str, bound: int = 0) -> Answer:
        """The plan, with what is left pending."""
        reduced = self.reduced
        zeros = ([0.0] * len(reduced.demand), [0.0] * len(reduced.price), [0.0] * len(reduced.rule_limit))
        return Answer(self.nodes, self.left.tolist(), bound, *zeros, method)


def pod_values(reduced: Reduced) -> Matrix:
    """What a pod of each class costs where many of it alone are cheapest, at most its penalty, in micro-US$/h."""
    values = reduced.penalty.copy()
    for c in range(len(values)):
        request, homes = reduced.request[c], reduced.admits[:, c] > 0
        asked = request > 0
        fit = np.full(len(reduced.price), min(reduced.demand[c], reduced.most[c]))
        if asked.any():
            fit = np.minimum(fit, np.min(reduced.capacity[:, asked] // request[asked], axis=1))
        homes &= fit >= 1
        if homes.any():
            values[c] = min(values[c], float(np.min(reduced.price[homes] / fit[homes])))
    return values + 1.0


def greedy(reduced: Reduced, values: Matrix | None = None) -> Answer:
    """A plan in one pass, valid but without a bound of its own."""
    values = pod_values(reduced) if values is None else values
    state = State(reduced)
    fills = [best_fill(state, b, values) for b in range(len(reduced.price))]
    while True:
        b = max(range(len(fills)), key=lambda b: (fills[b][0], -b), default=-1)
        if b < 0 or fills[b][0] <= 0:
            return state.answer("greedy")
        pods = fills[b][1]
        if any(state.left[c] < n for c, n in pods.items()):
            fills[b] = best_fill(state, b, values)
        elif not state.take(b, pods) or state.stock[b] == 0:
            fills[b] = (-1.0, {})


def best_fill(state: State, b: int, values: Matrix) -> Fill:
    """The most valuable of a few fillings, and its value per price; -1 when nothing fits."""
    reduced = state.reduced
    capacity = np.maximum(reduced.capacity[b], 1)
    share = (reduced.request / capacity).sum(axis=1) + 1e-9
    open_classes = [int(c) for c in np.flatnonzero((reduced.admits[b] > 0) & (state.left > 0))]
    by_density = sorted(open_classes, key=lambda c: (-values[c] / share[c], c))
    by_size = sorted(open_classes, key=lambda c: (-share[c], c))
    best: Fill = (-1.0, {})
    for order in (by_density, by_size, *([c, *by_density] for c in by_density[1:3])):
        pods = state.fill(b, list(dict.fromkeys(order)))
        worth = sum(values[c] * n for c, n in pods.items()) / max(reduced.price[b], 1e-6)
        if pods and worth > best[0]:
            best = (float(worth), pods)
    return best


def largest_node_first(problem: Problem) -> Solution:
    """The yardstick of those who buy the biggest machine that fits and fill it; of equally big ones the cheapest."""
    reduced = reduce(problem)
    size = (reduced.capacity / np.maximum(reduced.capacity.max(axis=0, initial=1), 1)).sum(axis=1)
    by_size = sorted(range(len(size)), key=lambda b: (reduced.price[b] > 0, -size[b], reduced.price[b], b))
    state = State(reduced)
    values = pod_values(reduced)
    order = sorted(range(len(values)), key=lambda c: (-values[c], c))
    for c in order:
        for b in by_size:
            while state.left[c] and reduced.admits[b, c]:
                pods = state.fill(b, [c, *(d for d in order if d != c and reduced.admits[b, d])])
                if c not in pods or not state.take(b, pods):
                    break
    return as_solution(problem, reduced, state.answer("largest node first"))


def one_node_per_pod(problem: Problem) -> Solution:
    """The yardstick of a node for each pod: the cheapest that holds it, nothing else on it."""
    reduced = reduce(problem)
    state = State(reduced)
    for c in range(len(state.left)):
        for b in sorted(np.flatnonzero(reduced.admits[:, c]).tolist(), key=lambda b: (reduced.price[b], b)):
            if state.left[c] and bool((reduced.request[c] <= reduced.capacity[b]).all()):
                state.take(b, {c: 1})
    return as_solution(problem, reduced, state.answer("one node per pod"))


def as_solution(problem: Problem, reduced: Reduced, answer: Answer) -> Solution:
    """An answer without bindings, in the problem's own numbers."""
    nodes, pending = expand(problem, reduced, answer)
    cost, objective = objective_of(problem, nodes, pending)
    return Solution(Status.FEASIBLE, nodes, pending, cost, objective, min(answer.bound, objective), (), answer.method)
