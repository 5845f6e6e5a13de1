"""What a problem must satisfy before anything is solved; one sentence when it doesn't."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.errors import BadInput

if TYPE_CHECKING:
    from autoscale.model.problem import Demand, Problem, Rule, Supply

LARGEST = 2**53
"""Whole numbers up to here are exact in double precision; sums that the kernels form stay below it."""

MOST_RESOURCES = 32
"""So many the kernels have room for (kernel/core.h has the same number); those that no pod asks for don't count."""


def check(problem: Problem) -> None:
    """Raises BadInput for a problem that has no meaning; an unsatisfiable one is not an error."""
    width = len(problem.resources)
    _whole("node cost", "problem", problem.node_cost_microusd_per_hour)
    for supply in problem.supplies:
        _supply(supply, width)
    for demand in problem.demands:
        _demand(demand, width, len(problem.supplies))
    for rule in problem.rules:
        _rule(rule, len(problem.demands), len(problem.supplies))
    asked = sum(any(demand.request[r] for demand in problem.demands) for r in range(width))
    if asked > MOST_RESOURCES:
        raise BadInput("too many resources are asked for", expected=f"at most {MOST_RESOURCES}", found=str(asked))
    pods = sum(demand.count for demand in problem.demands)
    dearest = max((demand.pending_penalty_microusd_per_hour for demand in problem.demands), default=0)
    price = max((supply.price_microusd_per_hour for supply in problem.supplies), default=0)
    if pods * max(dearest, price + problem.node_cost_microusd_per_hour) >= LARGEST * 1024:
        raise BadInput("the objective overflows", expected="pods x dearest price below 9e18 micro-US$/h")


def _supply(supply: Supply, width: int) -> None:
    if len(supply.capacity) != width:
        raise BadInput(
            "wrong number of capacities", where=supply.key, expected=str(width), found=str(len(supply.capacity))
        )
    for amount in supply.capacity:
        _whole("capacity", supply.key, amount)
    _whole("price", supply.key, supply.price_microusd_per_hour)
    if supply.limit is not None:
        _whole("limit", supply.key, supply.limit)


def _demand(demand: Demand, width: int, supplies: int) -> None:
    if len(demand.request) != width:
        raise BadInput(
            "wrong number of requests", where=demand.key, expected=str(width), found=str(len(demand.request))
        )
    for amount in demand.request:
        _whole("request", demand.key, amount)
    _whole("count", demand.key, demand.count)
    _whole("penalty", demand.key, demand.pending_penalty_microusd_per_hour)
    if demand.max_per_node is not None:
        _whole("max_per_node", demand.key, demand.max_per_node)
    for offering in demand.offerings:
        _index("offering", demand.key, offering, supplies)


def _rule(rule: Rule, demands: int, supplies: int) -> None:
    for weight in (rule.limit, *rule.per_node.values(), *rule.per_pod.values()):
        if not _is_whole(weight) or abs(weight) > LARGEST:
            raise BadInput("bad number in a rule", where=rule.key, expected="a whole number", found=repr(weight))
    for offering in rule.per_node:
        _index("offering", rule.key, offering, supplies)
    for cls, offering in rule.per_pod:
        _index("class", rule.key, cls, demands)
        _index("offering", rule.key, offering, supplies)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(what: str, where: str, value: int) -> None:
    if not _is_whole(value):
        raise BadInput(f"{what} is not a whole number", where=where, found=repr(value))
    if value < 0:
        raise BadInput(f"{what} is negative", where=where, found=str(value))
    if value > LARGEST:
        raise BadInput(f"{what} is too large", where=where, expected=f"at most {LARGEST}", found=str(value))


def _index(what: str, where: str, value: int, size: int) -> None:
    if not 0 <= value < size:
        raise BadInput(f"unknown {what}", where=where, expected=f"0 to {size - 1}", found=str(value))
