"""`disruption`: how many nodes may go at once, when, and for how long a drain may last. Holds with its defaults if not configured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from autoscale.errors import BadInput
from autoscale.model.frozen import empty
from autoscale.model.plan import Disrupt, RemoveNode
from autoscale.model.toll import since
from autoscale.model.units import Part
from autoscale.model.workload import Code, Reason
from policies.option import for_group, matches, option
from policies.pools import pools
from policies.schedule import Window, check, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from autoscale.model.disruption import Going
    from autoscale.model.plan import Action, Plan
    from autoscale.model.problem import Problem
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import NodeGroup
    from autoscale.ports import Question
    from policies.pools import Pools

REASONS = tuple(code.value for code in (Code.DRIFTED, Code.EXPIRED, Code.IDLE, Code.UNDERUTILIZED, Code.UNHEALTHY))
_HOUR_S, _DAY_S = 3600, 86_400
_TOLD_AT_ONCE = 5
_DRY = "would go, but this is a dry run (`disruption.dryRun`)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most `nodes` of each group that `groups` means are going at once for one of `reasons` (none: for any).

    With a schedule it holds for `duration` from each of its times only. Of several, the tightest counts.
    """

    nodes: Part = option("nodes", "count or share")  # noqa: RUF009 - a Part is a value
    reasons: tuple[str, ...] = option("reasons", "words", default=())
    groups: tuple[str, ...] = option("groups", "words", default=())
    schedule: str = option("schedule", "word", default="")
    duration_s: int = option("duration", "duration", default=0)
    timezone: str = option("timezone", "word", default="UTC")

    def __post_init__(self) -> None:
        unknown = [reason for reason in self.reasons if reason not in REASONS]
        if unknown:
            raise BadInput("unknown reason of a budget", expected=", ".join(REASONS), found=unknown[0])
        if bool(self.schedule) != bool(self.duration_s):
            raise BadInput("a budget with half a schedule", expected="schedule and duration, or neither")
        if self.schedule:
            check(self.schedule, self.timezone)

    def holds(self, group: NodeGroup, code: str, now_s: int) -> bool:
        """Whether it has a say in a node of the group that would go for this reason."""
        return (
            (not self.reasons or code in self.reasons)
            and (not self.groups or any(matches(group, pattern) for pattern in self.groups))
            and (not self.schedule or within(self.schedule, self.duration_s, self.timezone, now_s))
        )


_BUDGETS = (Budget(nodes=Part(ppm=100_000)),)
_PER_HOUR = Part(ppm=250_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption:
    """Budgets, windows and ceilings for nodes that could stay as well, and the hard end of every drain.

    What the cloud takes away goes whatever is said here. Of nodes that are empty only what is set holds, not a default, nor a
    window. Times in seconds; `grace_s` None: a drain waits as long as it takes.
    """

    name: ClassVar[str] = "disruption"
    budgets: tuple[Budget, ...] | None = option("budgets", ("list of", Budget), default=None)
    windows: tuple[Window, ...] = option("windows", ("list of", Window), default=())
    per_hour: Part | None = option("perHour", "count or share", default=None)  # noqa: RUF009 - a Part is a value
    per_day: Part | None = option("perDay", "count or share", default=None)  # noqa: RUF009 - a Part is a value
    grace_s: int | None = option("terminationGracePeriod", "duration or never", default=None)
    groups: Mapping[str, int | None] = option(
        "terminationGracePeriodOf", ("by group", "duration or never"), default_factory=empty
    )
    dry_run: bool = option("dryRun", "flag", default=False)

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:  # noqa: ARG002 - a port's shape
        """Nothing to add: what is bought is not disrupted."""
        return problem

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """Hold empty nodes that would be too many with those that go; `permit` was asked about these before."""
        found = pools(snapshot)
        counted = _Counted(found, snapshot)
        for action in plan.actions:
            node = found.nodes.get(action.node) if isinstance(action, Disrupt) else None
            if isinstance(action, Disrupt) and node is not None and node.disruption is None:
                counted.begin(found.group_of[node.name], action.reason.code.value)
        kept: list[Action] = []
        held: dict[str, list[str]] = {}
        for action in plan.actions:
            group = found.group_of.get(action.node) if isinstance(action, RemoveNode) else None
            if isinstance(action, RemoveNode) and group is not None and found.nodes[action.node].disruption is None:
                if why := self._held_empty(counted, group, snapshot.now_s):
                    held.setdefault(why, []).append(f"{action.node} ({action.reason.code.value})")
                    continue
                counted.begin(group, Code.IDLE.value)
            kept.append(action)
        if not held:
            return plan
        notes = (_said(why, nodes) for why, nodes in held.items())
        return replace(plan, actions=tuple(kept), notes=(*plan.notes, *notes))

    def permit(self, going: Sequence[Going], snapshot: Snapshot) -> tuple[Sequence[Going], Sequence[Reason]]:
        """Those that go already, those that have to, and of the others as many as may begin now."""
        found = pools(snapshot)
        counted = _Counted(found, snapshot)
        out: list[Going] = []
        held: dict[str, list[str]] = {}
        for each in going:
            group = found.group_of.get(each.node)
            node = found.nodes.get(each.node)
            if group is None or node is None:
                continue
            code = each.reason.code.value
            if node.disruption is None and code in REASONS:
                why = self._held(counted, group, code, snapshot.now_s)
                if why:
                    held.setdefault(why, []).append(f"{each.node} ({code})")
                    continue
                counted.begin(group, code)
            out.append(self._with_end(each, group, node.disruption.since_s if node.disruption else snapshot.now_s))
        return out, tuple(_said(why, nodes) for why, nodes in held.items())

    def _held(self, counted: _Counted, group: NodeGroup, code: str, now_s: int) -> str:
        """Why a node of the group may not begin to go now; empty when it may."""
        if self.dry_run:
            return _DRY
        if self.windows and not any(window.open(now_s) for window in self.windows):
            return "no maintenance window is open (`disruption.windows`)"
        budgets = _BUDGETS if self.budgets is None else self.budgets
        return self._over(counted, self.per_hour or _PER_HOUR) or next(
            _over_budget(budgets, counted, group, code, now_s), ""
        )

    def _held_empty(self, counted: _Counted, group: NodeGroup, now_s: int) -> str:
        """Why an empty node of the group is not removed now; empty when it may be."""
        if self.dry_run:
            return _DRY
        return self._over(counted, self.per_hour) or next(
            _over_budget(self.budgets or (), counted, group, Code.IDLE.value, now_s), ""
        )

    def _over(self, counted: _Counted, per_hour: Part | None) -> str:
        """Which ceiling is reached; empty when none is."""
        if per_hour is not None and counted.last_hour >= per_hour.of(counted.nodes):
            return f"{counted.last_hour} of {counted.nodes} nodes have gone in an hour (`disruption.perHour`)"
        if self.per_day is not None and counted.last_day >= self.per_day.of(counted.nodes):
            return f"{counted.last_day} nodes have gone in a day (`disruption.perDay`)"
        return ""

    def _with_end(self, going: Going, group: NodeGroup, since_s: int) -> Going:
        grace_s = for_group(self.groups, group, self.grace_s)
        if grace_s is None or going.urgent:
            return going
        end_s = since_s + grace_s
        return replace(going, end_s=min(going.end_s, end_s) if going.end_s else end_s)


def _over_budget(
    budgets: Iterable[Budget], counted: _Counted, group: NodeGroup, code: str, now_s: int
) -> Iterator[str]:
    for budget in budgets:
        if budget.holds(group, code, now_s):
            limit = budget.nodes.of(counted.pools.sizes[group.id])
            there = counted.going(group, budget.reasons)
            if there >= limit:
                yield f"a budget lets {limit} nodes of {group.name} go at once, {there} do (`disruption.budgets`)"


class _Counted:
    """What goes already, and what begins with this look."""

    def __init__(self, found: Pools, snapshot: Snapshot) -> None:
        gone = snapshot.ledger.gone_at_s.values()
        there = set(snapshot.ledger.gone_at_s)
        self.pools = found
        self._going = {id_: Counter(codes) for id_, codes in found.going.items()}
        self.last_hour = sum(0 <= snapshot.now_s - at < _HOUR_S for at in gone)
        self.last_day = sum(0 <= snapshot.now_s - at < _DAY_S for at in gone)
        unknown = sum(node.disruption is not None and name not in there for name, node in found.nodes.items())
        self.last_hour += unknown  # begun by an engine before this one
        self.last_day += unknown
        self.last_hour = max(self.last_hour, since(snapshot.cluster.gone, snapshot.now_s, _HOUR_S))
        self.last_day = max(self.last_day, since(snapshot.cluster.gone, snapshot.now_s, _DAY_S))
        lately = sum(
            0 <= snapshot.now_s - at < _HOUR_S and name not in found.nodes
            for name, at in snapshot.ledger.gone_at_s.items()
        )
        self.nodes = len(found.nodes) + lately

    def going(self, group: NodeGroup, reasons: Sequence[str]) -> int:
        """Nodes of the group that go for one of the reasons, or for any that can wait."""
        codes = self._going.get(group.id, Counter())
        return sum(count for code, count in codes.items() if code in (reasons or REASONS))

    def begin(self, group: NodeGroup, code: str) -> None:
        """One more."""
        self._going.setdefault(group.id, Counter())[code] += 1
        self.last_hour += 1
        self.last_day += 1


def _said(why: str, nodes: Sequence[str]) -> Reason:
    """One note for all that are held for the same reason."""
    first = ", ".join(nodes[:_TOLD_AT_ONCE])
    more = f" and {len(nodes) - _TOLD_AT_ONCE} more" if len(nodes) > _TOLD_AT_ONCE else ""
    return Reason(Code.POLICY, f"{first}{more}: {why}", Disruption.name)
