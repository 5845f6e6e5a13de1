"""`budget`: what the whole fleet may cost per hour. What runs counts; what a commitment pays for already does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING, ClassVar

from autoscale.errors import BadInput
from autoscale.model.problem import Rule
from autoscale.model.units import MICRO
from autoscale.model.workload import Code, Reason
from policies.fleet import cost_microusd_per_hour
from policies.option import option

if TYPE_CHECKING:
    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem
    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`hard` is never passed by buying; passing `soft` is only said. In micro-US$ per hour."""

    name: ClassVar[str] = "budget"
    hard_microusd_per_hour: int | None = option("hard", "money", default=None)
    soft_microusd_per_hour: int | None = option("soft", "money", default=None)

    def __post_init__(self) -> None:
        hard, soft = self.hard_microusd_per_hour, self.soft_microusd_per_hour
        if hard is None and soft is None:
            raise BadInput("no budget", expected="hard, soft or both")
        if hard is not None and soft is not None and soft > hard:
            raise BadInput("the soft budget is above the hard one", expected=f"at most {_usd(hard)}", found=_usd(soft))

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:
        """One rule: the price of what is bought stays within what the hard budget leaves."""
        hard = self.hard_microusd_per_hour
        if hard is None:
            return problem
        price = {group.id: group.offering.price_microusd_per_hour for group in snapshot.groups}
        weights = {
            index: price[home.group]
            for index, home in enumerate(question.homes)
            if home.kind == "new" and price.get(home.group) and not home.paid_by
        }
        unit = gcd(*weights.values()) or 1
        runs = cost_microusd_per_hour(snapshot)
        rule = Rule(
            key="budget/hard",
            source=self.name,
            limit=max(0, hard - runs) // unit,
            per_node={index: weight // unit for index, weight in weights.items()},
            text=_hard_text(hard, runs),
            unit=unit,
            of="money",
        )
        return replace(problem, rules=(*problem.rules, rule))

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """Say when the fleet passes a budget, before or with this plan."""
        runs, hard, soft = cost_microusd_per_hour(snapshot), self.hard_microusd_per_hour, self.soft_microusd_per_hour
        after = runs + plan.cost_microusd_per_hour
        if hard is not None and runs > hard:
            text = _hard_text(hard, runs)
        elif soft is not None and after > soft:
            text = f"the fleet would cost {_usd(after)}, the soft budget is {_usd(soft)}"
        else:
            return plan
        return replace(plan, notes=(*plan.notes, Reason(code=Code.LIMIT, text=text, source=self.name)))


def _hard_text(hard: int, runs: int) -> str:
    head = f"{_usd(hard)} at most for the fleet, {_usd(runs)} runs already: "
    if runs > hard:
        return head + "nothing more is bought, nothing is removed"
    return head + f"{_usd(hard - runs)} more"


def _usd(microusd_per_hour: int) -> str:
    return f"$ {microusd_per_hour / MICRO:,.2f}/h"
