"""Exact reductions: a smaller problem with the same optimum, and the way back.

- Each resource is divided by the greatest common divisor of its requests (capacities rounded down): what a node can
  hold does not change, as every load is a multiple of it.
- Classes with the same request, the same home offerings and the same prices in every rule are one class.
- Offerings that hold the same classes in the same room are one bin; without rules or limits that tell them apart only
  the cheapest is kept. Capacity is first clipped to what all pods together could use.
- An offering without limit that costs no more, holds at least as much and admits at least the same classes makes
  another one superfluous.

Everything is sorted first, so the order of the input can't matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autoscale.model.problem import Problem

    Matrix = NDArray[Any]

NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class Reduced:
    """The small problem in arrays, and where each row came from.

    `members[c]` are the problem's classes merged into class c, `homes[b]` the supplies merged into bin b with the
    number of nodes each can give (-1: without end). `lost` are classes that nothing holds.
    """

    demand: Matrix  # [C]
    penalty: Matrix  # [C]
    most: Matrix  # [C] pods of the class on one node
    request: Matrix  # [C, R]
    capacity: Matrix  # [B, R]
    price: Matrix  # [B] node cost included
    limit: Matrix  # [B] -1: without end
    admits: Matrix  # [B, C] bytes
    rule_limit: Matrix  # [K]
    rule_node: Matrix  # [K, B]
    rule_pod: Matrix | None  # [K, B, C]
    whole: Matrix  # [C] bytes: must be covered exactly
    members: list[list[int]]
    homes: list[list[tuple[int, int]]]
    lost: list[int]
    unit: int = 1
    groups: list[list[int]] = field(default_factory=list)


def reduce(problem: Problem) -> Reduced:
    """The problem without what can't matter."""
    classes, lost, admits = _admission(problem)
    request, capacity = _scaled(problem, classes)
    members = _merge_classes(problem, classes, request, admits)
    first = [group[0] for group in members]
    request, admits = request[first], np.ascontiguousarray(admits[:, first])
    members = [[classes[i] for i in group] for group in members]
    demand = np.array([sum(problem.demands[c].count for c in group) for group in members], dtype=float)
    leaders = [problem.demands[group[0]] for group in members]
    weights = _RuleWeights(problem, members)
    machine = capacity
    capacity = _clipped(capacity, request, demand, admits)
    homes = _merge_supplies(problem, capacity, admits, weights)
    bins = np.array([group[0][0] for group in homes], dtype=int)
    price = np.array([problem.price_of(o) for o in bins], dtype=float)
    limit = np.array([_limit(group) for group in homes], dtype=float)
    signature = [weights.of(int(o)) for o in bins]
    keep = _undominated(capacity[bins], price, limit, admits[bins], signature)
    bins, price, limit, homes = bins[keep], price[keep], limit[keep], [homes[b] for b in keep]
    return Reduced(
        demand=demand,
        penalty=np.array([leader.pending_penalty_microusd_per_hour for leader in leaders], dtype=float),
        most=np.array([_most(leader.max_per_node) for leader in leaders], dtype=float),
        request=request.astype(float),
        capacity=capacity[bins].astype(float),
        price=price,
        limit=limit,
        admits=np.ascontiguousarray(admits[bins], dtype=np.uint8),
        rule_limit=np.array([rule.limit for rule in problem.rules], dtype=float),
        rule_node=weights.per_node(bins),
        rule_pod=weights.per_pod(bins),
        whole=weights.whole(),
        members=members,
        homes=homes,
        lost=lost,
        unit=_unit(price, leaders),
        groups=_groups(machine[bins], price, admits[bins]),
    )


def _most(max_per_node: int | None) -> float:
    return 1e9 if max_per_node is None else float(max_per_node)


def _limit(home: list[tuple[int, int]]) -> int:
    return NO_LIMIT if any(limit < 0 for _, limit in home) else sum(limit for _, limit in home)


def _unit(price: Matrix, leaders: list[Any]) -> int:
    unit = 0
    for amount in {*price.tolist(), *(leader.pending_penalty_microusd_per_hour for leader in leaders)}:
        unit = gcd(unit, int(amount))
    return unit or 1


def _admission(problem: Problem) -> tuple[list[int], list[int], Matrix]:
    """Classes with pods and a home, those without a home, and which supplies admit which of the former."""
    order = sorted(range(len(problem.demands)), key=lambda c: (problem.demands[c].request, problem.demands[c].key))
    wanted = [c for c in order if problem.demands[c].count]
    admits = np.zeros((len(problem.supplies), len(wanted)), dtype=bool)
    capacity = _capacities(problem)
    possible = np.array([supply.limit != 0 for supply in problem.supplies], dtype=bool)
    for i, c in enumerate(wanted):
        demand = problem.demands[c]
        if demand.offerings and demand.max_per_node != 0:
            admits[list(demand.offerings), i] = True
            admits[:, i] &= possible & (capacity >= np.array(demand.request, dtype=np.int64)).all(axis=1)
    housed: Matrix = np.any(admits, axis=0)
    classes = [c for c, good in zip(wanted, housed, strict=True) if good]
    lost = [c for c, good in zip(wanted, housed, strict=True) if not good]
    return classes, lost, admits[:, housed]


def _capacities(problem: Problem) -> Matrix:
    rows = np.array([supply.capacity for supply in problem.supplies], dtype=np.int64)
    return rows.reshape(len(problem.supplies), len(problem.resources))


def _scaled(problem: Problem, classes: list[int]) -> tuple[Matrix, Matrix]:
    """Requests and capacities in the largest whole units, without resources that nobody asks for."""
    request = np.array([problem.demands[c].request for c in classes], dtype=np.int64)
    request = request.reshape(len(classes), len(problem.resources))
    capacity = _capacities(problem)
    divisor = np.gcd.reduce(request, axis=0) if classes else np.zeros(len(problem.resources), dtype=np.int64)
    used = np.flatnonzero(divisor)
    return request[:, used] // divisor[used], capacity[:, used] // divisor[used]


def _merge_classes(problem: Problem, classes: list[int], request: Matrix, admits: Matrix) -> list[list[int]]:
    per_pod: dict[int, list[tuple[int, int, int]]] = {}
    for k, rule in enumerate(problem.rules):
        for (c, o), weight in rule.per_pod.items():
            if weight:
                per_pod.setdefault(c, []).append((k, o, weight))
    columns = np.packbits(admits, axis=0)
    merged: dict[object, list[int]] = {}
    for i, c in enumerate(classes):
        demand = problem.demands[c]
        alone = None if demand.max_per_node is None else i
        rules = tuple(sorted(per_pod.get(c, ())))
        key = (request[i].tobytes(), columns[:, i].tobytes(), demand.pending_penalty_microusd_per_hour, alone, rules)
        merged.setdefault(key, []).append(i)
    return list(merged.values())


def _clipped(capacity: Matrix, request: Matrix, demand: Matrix, admits: Matrix) -> Matrix:
    useful = admits.astype(float) @ (request * demand[:, None])
    clipped: Matrix = np.minimum(capacity, np.minimum(useful, 2.0**53).astype(np.int64))
    return clipped


class _RuleWeights:
    """The rules' weights by supply and merged class."""

    def __init__(self, problem: Problem, members: list[list[int]]) -> None:
        self.rules = problem.rules
        self.of_class = {group[0]: i for i, group in enumerate(members)}
        self.count = len(members)
        self.by_supply: dict[int, list[tuple[int, int, int]]] = {}
        for k, rule in enumerate(problem.rules):
            for o, weight in rule.per_node.items():
                if weight:
                    self.by_supply.setdefault(o, []).append((k, -1, weight))
            for (c, o), weight in rule.per_pod.items():
                if weight and c in self.of_class:
                    self.by_supply.setdefault(o, []).append((k, self.of_class[c], weight))
        for weights in self.by_supply.values():
            weights.sort()

    def of(self, supply: int) -> tuple[tuple[int, int, int], ...]:
        """All of a supply's weights: equal ones are told apart by no rule."""
        return tuple(self.by_supply.get(supply, ()))

    def per_node(self, bins: Matrix) -> Matrix:
        matrix = np.zeros((len(self.rules), len(bins)))
        for b, o in enumerate(bins):
            for k, c, weight in self.of(int(o)):
                if c < 0:
                    matrix[k, b] = weight
        return matrix

    def per_pod(self, bins: Matrix) -> Matrix | None:
        if not any(rule.per_pod for rule in self.rules):
            return None
        matrix = np.zeros((len(self.rules), len(bins), self.count))
        for b, o in enumerate(bins):
            for k, c, weight in self.of(int(o)):
                if c >= 0:
                    matrix[k, b, c] = weight
        return matrix

    def whole(self) -> Matrix:
        """Classes with a negative weight: counting one pod twice would loosen a rule, so these are covered exactly."""
        flags = np.zeros(self.count, dtype=np.uint8)
        for weights in self.by_supply.values():
            for _, c, weight in weights:
                if c >= 0 and weight < 0:
                    flags[c] = 1
        return flags


def _merge_supplies(
    problem: Problem, capacity: Matrix, admits: Matrix, weights: _RuleWeights
) -> list[list[tuple[int, int]]]:
    """Bins as lists of (supply, nodes it can give), cheapest first; those that can hold nothing are left out."""
    useful: Matrix = np.any(admits, axis=1)
    packed = np.packbits(admits, axis=1)
    order = sorted(
        (
            o
            for o in range(len(problem.supplies))
            if (useful[o] or o in weights.by_supply) and problem.supplies[o].limit != 0
        ),
        key=lambda o: (problem.price_of(o), problem.supplies[o].limit is not None, problem.supplies[o].key),
    )
    alike: dict[object, dict[int, list[tuple[int, int]]]] = {}
    endless: set[object] = set()
    for o in order:
        key = (capacity[o].tobytes(), packed[o].tobytes(), weights.of(o))
        if key in endless:
            continue
        limit = problem.supplies[o].limit
        alike.setdefault(key, {}).setdefault(problem.price_of(o), []).append((o, NO_LIMIT if limit is None else limit))
        if limit is None:
            endless.add(key)
    return [home for prices in alike.values() for home in prices.values()]


def _undominated(capacity: Matrix, price: Matrix, limit: Matrix, admits: Matrix, signature: list[Any]) -> list[int]:
    """Bins for which no other without limit is at most as dear, as large and as open."""
    order = sorted(
        range(len(price)), key=lambda b: (price[b], limit[b] >= 0, -int(admits[b].sum()), (-capacity[b]).tolist())
    )
    numbers = {s: i for i, s in enumerate(sorted(set(signature)))}
    kind = np.array([numbers[s] for s in signature])
    closed = np.packbits(~admits, axis=1)
    kept: list[int] = []
    rulers: Matrix = np.empty(0, dtype=int)
    for b in order:
        if len(rulers):
            larger: Matrix = np.all(capacity[rulers] >= capacity[b], axis=1)
            rivals = rulers[larger & (kind[rulers] == kind[b])]
            opener: Matrix = np.all(closed[rivals] & closed[b] == closed[rivals], axis=1)
            if np.any(opener):
                continue
        kept.append(b)
        if limit[b] < 0:
            rulers = np.append(rulers, b)
    return sorted(kept)


def _groups(machine: Matrix, price: Matrix, admits: Matrix) -> list[list[int]]:
    """Sets of bins whose total number of nodes is worth branching on, largest sets first.

    All; those that admit a class; one machine; one price; one machine at one price; all at least as dear as one; one.
    """
    bins = range(len(price))
    rows = [tuple(row) for row in machine.tolist()]
    groups = {tuple(bins), *((b,) for b in bins)}
    groups |= {tuple(np.flatnonzero(admits[:, c]).tolist()) for c in range(admits.shape[1])}
    groups |= {tuple(np.flatnonzero(price >= p).tolist()) for p in set(price.tolist())}
    for key in (lambda b: rows[b], lambda b: price[b], lambda b: (rows[b], price[b])):
        alike: dict[object, list[int]] = {}
        for b in bins:
            alike.setdefault(key(b), []).append(b)
        groups |= {tuple(group) for group in alike.values()}
    return [list(group) for group in sorted(groups, key=lambda g: (-len(g), g)) if group]
