"""Duals as explanations: what one more unit of a limit, rule or class would change, in micro-US$/h."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.problem import Binding

if TYPE_CHECKING:
    from autoscale.model.problem import Problem
    from autoscale.solve.native import Answer
    from autoscale.solve.reduce import Reduced


def bindings(problem: Problem, reduced: Reduced, answer: Answer) -> tuple[Binding, ...]:
    """Rules and limits whose dual in the root's linear program is not 0, dearest first; the value is what one more saves.

    A dual holds for small changes of the relaxation without whole numbers: it ranks and explains, it promises nothing.
    """
    found = [
        Binding(rule.key, rule.source, round(-price))
        for rule, price in zip(problem.rules, answer.rule_price, strict=True)
        if round(-price) > 0
    ]
    for homes, price in zip(reduced.homes, answer.limit_price, strict=True):
        if round(-price) > 0:
            found += [Binding(problem.supplies[o].key, "limit", round(-price)) for o, limit in homes if limit >= 0]
    return tuple(sorted(found, key=lambda binding: (-binding.value_microusd_per_hour, binding.key)))
