"""`quota`: what the clouds themselves allow several groups together. Holds always, without being configured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from autoscale.model.problem import Rule
from autoscale.model.supply import FaultKind
from autoscale.model.workload import Code, Reason
from policies.fleet import nodes_by_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Fault, Quota
    from autoscale.ports import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """One quota with what counts against it. `refused`: the cloud has just said that it is used up, whatever we count."""

    quota: Quota
    used: int
    refused: bool

    @property
    def left(self) -> int:
        """How much may still be bought."""
        return 0 if self.refused else max(0, self.quota.limit - self.used)

    @property
    def text(self) -> str:
        """`quota L-417A185B: 96 of 96 vCPUs, Running On-Demand P instances`."""
        quota = self.quota
        said = "; the cloud says that it is used up" if self.refused and self.used < quota.limit else ""
        return f"quota {quota.id}: {self.used:,} of {quota.limit:,} {quota.unit}{said}, {quota.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """One rule a quota: what is bought stays within what is left of it. What runs and what is on its way counts."""

    name: ClassVar[str] = "quota"

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:
        """Over all that may be bought of the quota's groups."""
        rules = tuple(
            Rule(
                key=f"quota/{ceiling.quota.id}",
                source=self.name,
                limit=ceiling.left,
                per_node={
                    index: weight
                    for index, home in enumerate(question.homes)
                    if home.kind == "new" and (weight := ceiling.quota.per_node.get(home.group, 0))
                },
                text=ceiling.text,
                of=ceiling.quota.unit,
            )
            for ceiling in ceilings(snapshot)
        )
        rules = tuple(rule for rule in rules if rule.per_node)
        return replace(problem, rules=(*problem.rules, *rules)) if rules else problem

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """Say which quotas are passed."""
        notes = tuple(
            Reason(Code.QUOTA, f"{ceiling.text}: nothing more is bought", self.name)
            for ceiling in ceilings(snapshot)
            if ceiling.used > ceiling.quota.limit
        )
        return replace(plan, notes=(*plan.notes, *notes)) if notes else plan


def ceilings(snapshot: Snapshot) -> Iterator[Ceiling]:
    """Every quota with what counts against it now."""
    count = nodes_by_group(snapshot) if any(cloud.quotas for cloud in snapshot.clouds) else {}
    for cloud in snapshot.clouds:
        refused = {group.id for group in cloud.groups if _refused(group.id, group.offering.key, snapshot)}
        refused |= {group.id for group in cloud.groups if any(_of_stock(fault) for fault in group.faults)}
        for quota in cloud.quotas:
            used = sum(weight * count.get(group, 0) for group, weight in quota.per_node.items())
            yield Ceiling(quota=quota, used=quota.used_elsewhere + used, refused=not refused.isdisjoint(quota.per_node))


def _refused(group: str, offering: str, snapshot: Snapshot) -> bool:
    """Whether a purchase was refused for want of quota a moment ago."""
    found = (snapshot.ledger.backoffs.get(key) for key in (group, offering))
    return any(each is not None and each.until_s > snapshot.now_s and _of_stock(each.fault) for each in found)


def _of_stock(fault: Fault) -> bool:
    """Quota of machines; one of something else, such as the number of groups, names no offering."""
    return fault.kind is FaultKind.QUOTA and bool(fault.offering)
