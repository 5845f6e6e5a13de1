"""`idle`: how long a node must have been without work before it is removed, per group if need be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from autoscale.model.frozen import empty
from autoscale.model.plan import RemoveNode
from autoscale.model.workload import Code, Reason
from policies.option import duration, for_group, option
from policies.pools import pools

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.disruption import Going
    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Seconds without work; None: never remove."""

    name: ClassVar[str] = "idle"
    after_s: int | None = option("after", "duration or never", default=300)
    groups: Mapping[str, int | None] = option("groups", ("by group", "duration or never"), default_factory=empty)

    def adjust(self, settings: DecideSettings) -> DecideSettings:
        """The decision starts from the shortest time of all; `review` holds what has to wait longer."""
        times = [time for time in (self.after_s, *self.groups.values()) if time is not None]
        return replace(settings, idle_after_s=min(times) if times else None)

    def permit(self, going: Sequence[Going], snapshot: Snapshot) -> tuple[Sequence[Going], Sequence[Reason]]:
        """Nodes that go for want of work begin to only once they have been without it for as long as their group says."""
        found, since = pools(snapshot), snapshot.ledger.unused_since_s
        out = []
        for each in going:
            group, node = found.group_of.get(each.node), found.nodes.get(each.node)
            if each.reason.code is Code.IDLE and group is not None and node is not None and node.disruption is None:
                after_s = for_group(self.groups, group, self.after_s)
                if after_s is None or snapshot.now_s - since.get(each.node, snapshot.now_s) < after_s:
                    continue
            out.append(each)
        return out, ()

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:  # noqa: ARG002 - a port's shape
        """Nothing to add: what is bought is not idle."""
        return problem

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """Drop removals that come too early for their group, and say how many were held."""
        groups = {group.id: group for group in snapshot.groups}
        held: Counter[tuple[str, int | None]] = Counter()
        actions = []
        for action in plan.actions:
            if isinstance(action, RemoveNode) and _idle(action) and action.group in groups:
                after_s = for_group(self.groups, groups[action.group], self.after_s)
                idle_s = snapshot.now_s - snapshot.ledger.idle_since_s.get(action.node, snapshot.now_s)
                if after_s is None or idle_s < after_s:
                    held[groups[action.group].name, after_s] += 1
                    continue
            actions.append(action)
        if not held:
            return plan
        notes = tuple(
            Reason(code=Code.POLICY, text=_held(group, count, after_s), source=self.name)
            for (group, after_s), count in sorted(held.items(), key=lambda item: item[0][0])
        )
        return replace(plan, actions=tuple(actions), notes=(*plan.notes, *notes))


def _idle(action: RemoveNode) -> bool:
    """Whether it is a node that goes for want of work; an instance that never became one is not."""
    return bool(action.node) and action.reason.code is Code.IDLE


def _held(group: str, count: int, after_s: int | None) -> str:
    nodes = f"1 idle node of {group} stays" if count == 1 else f"{count} idle nodes of {group} stay"
    if after_s is None:
        return f"{nodes}, its nodes are never removed"
    return f"{nodes} until idle for {duration(after_s)}"
