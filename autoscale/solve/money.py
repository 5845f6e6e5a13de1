"""What a plan costs, in whole micro-US$ per hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.problem import PackedNode, Problem


def objective_of(problem: Problem, nodes: Sequence[PackedNode], pending: Mapping[int, int]) -> tuple[int, int]:
    """Cost of the nodes; and the objective, which adds cost per node and penalties."""
    prices = [supply.price_microusd_per_hour for supply in problem.supplies]
    cost = sum(prices[node.supply] * node.count for node in nodes)
    bought = sum(node.count for node in nodes if prices[node.supply])
    penalty = sum(problem.demands[c].pending_penalty_microusd_per_hour * n for c, n in pending.items())
    return cost, cost + bought * problem.node_cost_microusd_per_hour + penalty
