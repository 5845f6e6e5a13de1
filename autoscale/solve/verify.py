"""An independent check of a solution: it shares no code with the solver and trusts nothing that the solver says.

Everything is whole-number arithmetic on patterns, so 100,000 pods take as long as the different nodes they are on.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.model.problem import PackedNode, Problem, Solution


def verify(problem: Problem, solution: Solution) -> list[str]:
    """What is wrong with the solution, one sentence each; empty when it keeps every promise."""
    faults = [fault for node in solution.nodes for fault in _node(problem, node)]
    faults += [
        f"pending: class {cls} does not exist" for cls in solution.pending if not 0 <= cls < len(problem.demands)
    ]
    if faults:
        return faults
    return [
        *_coverage(problem, solution),
        *_limits(problem, solution),
        *_rules(problem, solution),
        *_arithmetic(problem, solution),
    ]


def _node(problem: Problem, node: PackedNode) -> Iterator[str]:
    if not 0 <= node.supply < len(problem.supplies):
        yield f"supply {node.supply} does not exist"
        return
    supply = problem.supplies[node.supply]
    if node.count < 1:
        yield f"{supply.key}: a node is counted {node.count} times"
    if len({cls for cls, _ in node.pods}) < len(node.pods):
        yield f"{supply.key}: a class is listed twice on one node"
    load = [0] * len(problem.resources)
    for cls, pods in node.pods:
        if not 0 <= cls < len(problem.demands):
            yield f"{supply.key}: class {cls} does not exist"
            return
        demand = problem.demands[cls]
        if pods < 1:
            yield f"{supply.key}: holds {pods} pods of {demand.key}"
        if node.supply not in demand.offerings:
            yield f"{supply.key} does not admit {demand.key}"
        if demand.max_per_node is not None and pods > demand.max_per_node:
            yield f"{supply.key}: holds {pods} pods of {demand.key}, {demand.max_per_node} are allowed on one node"
        load = [used + pods * asked for used, asked in zip(load, demand.request, strict=True)]
    for name, used, capacity in zip(problem.resources, load, supply.capacity, strict=True):
        if used > capacity:
            yield f"{supply.key}: {used} of {name} used, {capacity} there"


def _coverage(problem: Problem, solution: Solution) -> Iterator[str]:
    placed: Counter[int] = Counter()
    for node in solution.nodes:
        for cls, pods in node.pods:
            placed[cls] += pods * node.count
    for cls, demand in enumerate(problem.demands):
        pending = solution.pending.get(cls, 0)
        if pending < 0:
            yield f"{demand.key}: {pending} pods pending"
        if placed[cls] + pending != demand.count:
            yield f"{demand.key}: {placed[cls]} placed and {pending} pending of {demand.count} pods"


def _limits(problem: Problem, solution: Solution) -> Iterator[str]:
    bought: Counter[int] = Counter()
    for node in solution.nodes:
        bought[node.supply] += node.count
    for offering, count in sorted(bought.items()):
        supply = problem.supplies[offering]
        if supply.limit is not None and count > supply.limit:
            yield f"{supply.key}: {count} nodes, {supply.limit} can be had"


def _rules(problem: Problem, solution: Solution) -> Iterator[str]:
    for rule in problem.rules:
        total = 0
        for node in solution.nodes:
            each = rule.per_node.get(node.supply, 0)
            each += sum(rule.per_pod.get((cls, node.supply), 0) * pods for cls, pods in node.pods)
            total += each * node.count
        if total > rule.limit:
            yield f"rule {rule.key}: {total}, at most {rule.limit}"


def _arithmetic(problem: Problem, solution: Solution) -> Iterator[str]:
    cost = nodes = 0
    for node in solution.nodes:
        price = problem.supplies[node.supply].price_microusd_per_hour
        cost += price * node.count
        nodes += node.count if price else 0
    if cost != solution.cost_microusd_per_hour:
        yield f"cost is {cost} micro-US$/h, not {solution.cost_microusd_per_hour}"
    objective = cost + nodes * problem.node_cost_microusd_per_hour
    objective += sum(problem.demands[cls].pending_penalty_microusd_per_hour * n for cls, n in solution.pending.items())
    if objective != solution.objective_microusd_per_hour:
        yield f"objective is {objective} micro-US$/h, not {solution.objective_microusd_per_hour}"
    if solution.bound_microusd_per_hour > objective:
        yield f"bound {solution.bound_microusd_per_hour} is above the objective {objective}"
