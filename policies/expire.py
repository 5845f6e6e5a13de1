"""`expire`: nodes that are older than nodes may get are replaced; it can wait, so budgets and protected pods are honoured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from autoscale.errors import BadInput
from autoscale.model.disruption import Going
from autoscale.model.frozen import empty
from autoscale.model.workload import Code, Reason
from policies.option import duration, for_group, option
from policies.pools import pools

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem
    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Seconds from a node's creation; None: never. `drifted`: also nodes that are not as their group would make them today."""

    name: ClassVar[str] = "expire"
    after_s: int | None = option("after", "duration or never", default=None)
    groups: Mapping[str, int | None] = option("groups", ("by group", "duration or never"), default_factory=empty)
    drifted: bool = option("drifted", "flag", default=False)

    def __post_init__(self) -> None:
        if self.after_s is None and not self.groups and not self.drifted:
            raise BadInput("nothing expires", expected="after, groups or drifted")
        if 0 in (self.after_s, *self.groups.values()):
            raise BadInput("nodes that expire at once", expected="a time of more than 0, or never")

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:  # noqa: ARG002 - a port's shape
        """Nothing to add: what is bought is new."""
        return problem

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:  # noqa: ARG002 - a port's shape
        """Nothing to add."""
        return plan

    def propose(self, snapshot: Snapshot) -> Sequence[Going]:
        """The oldest first."""
        found = pools(snapshot)
        out = []
        for name, node in sorted(found.nodes.items(), key=lambda item: (item[1].created_at_s, item[0])):
            age_s = snapshot.now_s - node.created_at_s
            after_s = for_group(self.groups, found.group_of[name], self.after_s)
            if after_s is not None and node.created_at_s and age_s >= after_s:
                text = f"it is {duration(age_s)} old, more than {duration(after_s)}"
                out.append(Going(name, Reason(Code.EXPIRED, text, self.name)))
            elif self.drifted and found.instance_of[name].outdated:
                out.append(Going(name, Reason(Code.DRIFTED, found.instance_of[name].outdated, self.name)))
        return out
