"""`cooldown`: leave a group alone for a while after it grew, or after its offering was out of stock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from autoscale.errors import BadInput
from autoscale.model.frozen import empty
from autoscale.model.problem import Rule
from autoscale.model.supply import FaultKind
from policies.option import duration, for_group, option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import NodeGroup
    from autoscale.ports import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How long to wait, in seconds; None is the rule's general setting."""

    after_stock_out_s: int | None = option("afterStockOut", "duration", default=None)
    after_grow_s: int | None = option("afterGrow", "duration", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """Nothing is bought from a group that is cooling down. A stock-out counts for every group of the same offering."""

    name: ClassVar[str] = "cooldown"
    after_stock_out_s: int = option("afterStockOut", "duration", default=0)
    after_grow_s: int = option("afterGrow", "duration", default=0)
    groups: Mapping[str, Pauses] = option("groups", ("by group", Pauses), default_factory=empty)

    def __post_init__(self) -> None:
        if not (self.after_stock_out_s or self.after_grow_s or self.groups):
            raise BadInput("no cool-down", expected="afterStockOut, afterGrow or groups")

    def adjust(self, settings: DecideSettings) -> DecideSettings:
        """A stock-out pause shorter than the engine's own back-off shortens that."""
        if not self.after_stock_out_s:
            return settings
        return replace(settings, backoff_first_s=min(settings.backoff_first_s, self.after_stock_out_s))

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:
        """One rule a group that cools down: no new node of it."""
        stock_out = _stock_outs(snapshot)
        rules: list[Rule] = []
        for group in snapshot.groups:
            text = self._why(group, stock_out.get(_offering(group)), snapshot)
            homes = [i for i, home in enumerate(question.homes) if home.kind == "new" and home.group == group.id]
            if text and homes:
                key = f"cooldown/{group.id}"
                rules.append(Rule(key=key, source=self.name, limit=0, per_node=dict.fromkeys(homes, 1), text=text))
        return replace(problem, rules=(*problem.rules, *rules)) if rules else problem

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:  # noqa: ARG002 - a port's shape
        """Nothing to add: the rules have said it."""
        return plan

    def _why(self, group: NodeGroup, stock_out_s: int | None, snapshot: Snapshot) -> str:
        own = for_group(self.groups, group, Pauses())
        after_out = self.after_stock_out_s if own.after_stock_out_s is None else own.after_stock_out_s
        after_grow = self.after_grow_s if own.after_grow_s is None else own.after_grow_s
        if stock_out_s is not None and (left := stock_out_s + after_out - snapshot.now_s) > 0:
            return f"{group.name} was out of stock, left alone for {duration(left)} more"
        grown_s = snapshot.ledger.grown_at_s.get(group.id)
        if grown_s is not None and (left := grown_s + after_grow - snapshot.now_s) > 0:
            return f"{group.name} has just grown, left alone for {duration(left)} more"
        return ""


def _offering(group: NodeGroup) -> tuple[str, str]:
    return group.provider, group.offering.key


def _stock_outs(snapshot: Snapshot) -> dict[tuple[str, str], int]:
    """Offering -> when it was last out of stock, from what the clouds say and what is remembered."""
    out: dict[tuple[str, str], int] = {}
    for group in snapshot.groups:
        backoff = snapshot.ledger.backoffs.get(group.id) or snapshot.ledger.backoffs.get(group.offering.key)
        for fault in (*group.faults, *((backoff.fault,) if backoff is not None else ())):
            if fault.kind is FaultKind.NO_CAPACITY:
                out[_offering(group)] = max(out.get(_offering(group), 0), fault.at_s)
    return out
