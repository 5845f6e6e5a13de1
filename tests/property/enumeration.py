"""The exact optimum of a tiny problem, by trying everything in plain Python; it shares nothing with the solver."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.model.problem import Problem

Counts = tuple[int, ...]


def fillings(problem: Problem, offering: int) -> Iterator[Counts]:
    """Every way to load one node, the empty one included."""
    ranges = []
    for demand in problem.demands:
        most = demand.count if offering in demand.offerings else 0
        if demand.max_per_node is not None:
            most = min(most, demand.max_per_node)
        ranges.append(range(most + 1))
    for counts in itertools.product(*ranges):
        if all(
            sum(n * demand.request[r] for n, demand in zip(counts, problem.demands, strict=True)) <= room
            for r, room in enumerate(problem.supplies[offering].capacity)
        ):
            yield counts


def optimum(problem: Problem) -> int | None:
    """The least objective of all plans that keep the rules; None: no plan does.

    Supply by supply and node by node, the cheapest way to each state (pods left, left sides of the rules) is kept. More
    nodes than there are pods are only of use if empty nodes lower a rule, which only limited supplies may do here.
    """
    pods = sum(demand.count for demand in problem.demands)
    start = (tuple(demand.count for demand in problem.demands), (0,) * len(problem.rules))
    cheapest = {start: 0}
    for offering, supply in enumerate(problem.supplies):
        helps = any(rule.per_node.get(offering, 0) < 0 for rule in problem.rules)
        assert supply.limit is not None or not helps, "without end of both nodes and use, nothing can be enumerated"
        limit = pods if supply.limit is None else supply.limit if helps else min(supply.limit, pods)
        price = supply.price_microusd_per_hour
        price += problem.node_cost_microusd_per_hour if price else 0
        ways = [way for way in fillings(problem, offering) if helps or any(way)]
        loads = [tuple(_load(problem, k, offering, way) for k in range(len(problem.rules))) for way in ways]
        frontier = dict(cheapest)
        for _ in range(limit):
            reached: dict[tuple[Counts, Counts], int] = {}
            for (left, sides), cost in frontier.items():
                for way, load in zip(ways, loads, strict=True):
                    if any(n > m for n, m in zip(way, left, strict=True)):
                        continue
                    state = (
                        tuple(m - n for n, m in zip(way, left, strict=True)),
                        tuple(a + b for a, b in zip(sides, load, strict=True)),
                    )
                    if cost + price < reached.get(state, cost + price + 1):
                        reached[state] = cost + price
            frontier = reached
            for state, cost in reached.items():
                cheapest[state] = min(cost, cheapest.get(state, cost))
    return min(
        (
            cost + sum(n * d.pending_penalty_microusd_per_hour for n, d in zip(left, problem.demands, strict=True))
            for (left, sides), cost in cheapest.items()
            if all(side <= rule.limit for side, rule in zip(sides, problem.rules, strict=True))
        ),
        default=None,
    )


def _load(problem: Problem, k: int, offering: int, way: Counts) -> int:
    rule = problem.rules[k]
    return rule.per_node.get(offering, 0) + sum(rule.per_pod.get((c, offering), 0) * n for c, n in enumerate(way))
