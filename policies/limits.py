"""`limits`: at most so many nodes, and so much of any resource, in all and per group. What runs counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING, ClassVar

from autoscale.model.frozen import empty
from autoscale.model.problem import Rule
from autoscale.model.workload import Code, Reason
from policies.fleet import nodes_by_group
from policies.option import matches, option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import NodeGroup
    from autoscale.ports import Question

NODES = "nodes"
_LARGE = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The limits of one set of groups. Resources count as the groups' nodes allocate them."""

    nodes: int | None = option("nodes", "count", default=None)
    resources: Mapping[str, int] = option("resources", "amounts", default_factory=empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One limit, and how much of it is used. `pattern` is empty for the limit over all groups."""

    pattern: str
    what: str
    limit: int
    used: int
    groups: tuple[NodeGroup, ...]

    @property
    def key(self) -> str:
        """`limits/nodes` over all groups, `limits/PATTERN/nodes` over some."""
        return f"limits/{self.pattern}/{self.what}" if self.pattern else f"limits/{self.what}"

    @property
    def text(self) -> str:
        """The limit, what runs, and what that leaves."""
        scope = f"groups {self.pattern}" if self.pattern else "all groups"
        noun = "node" if self.what == NODES and self.limit == 1 else self.what
        head = f"{_amount(self.what, self.limit)} {noun} at most in {scope}, {_amount(self.what, self.used)} "
        if self.used > self.limit:
            return head + "there already: nothing more is bought, nothing is removed"
        return head + f"there already: {_amount(self.what, self.limit - self.used)} more"

    def of(self, group: NodeGroup) -> int:
        """How much of it one node of the group uses."""
        return 1 if self.what == NODES else group.allocatable[self.what]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hard ceilings. One that is already passed buys nothing more and removes nothing."""

    name: ClassVar[str] = "limits"
    nodes: int | None = option("nodes", "count", default=None)
    resources: Mapping[str, int] = option("resources", "amounts", default_factory=empty)
    groups: Mapping[str, Ceiling] = option("groups", ("by group", Ceiling), default_factory=empty)

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:
        """One rule a limit: what is bought stays within what the limit leaves."""
        rules = tuple(_rule(use, question) for use in self.uses(snapshot))
        return replace(problem, rules=(*problem.rules, *rules))

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """Say which limits are passed."""
        notes = tuple(
            Reason(code=Code.LIMIT, text=use.text, source=self.name)
            for use in self.uses(snapshot)
            if use.used > use.limit
        )
        return replace(plan, notes=(*plan.notes, *notes)) if notes else plan

    def uses(self, snapshot: Snapshot) -> Iterator[Use]:
        """Every limit with what counts against it now."""
        count = nodes_by_group(snapshot)
        yield from _uses("", Ceiling(nodes=self.nodes, resources=self.resources), snapshot.groups, count)
        for pattern, ceiling in self.groups.items():
            yield from _uses(pattern, ceiling, [g for g in snapshot.groups if matches(g, pattern)], count)


def _uses(pattern: str, ceiling: Ceiling, groups: Sequence[NodeGroup], count: Mapping[str, int]) -> Iterator[Use]:
    limits = dict(ceiling.resources) if ceiling.nodes is None else {NODES: ceiling.nodes, **ceiling.resources}
    for what, limit in limits.items():
        empty_use = Use(pattern=pattern, what=what, limit=limit, used=0, groups=tuple(groups))
        yield replace(empty_use, used=sum(empty_use.of(group) * count[group.id] for group in groups))


def _rule(use: Use, question: Question) -> Rule:
    """Bytes are divided by the weights' greatest common divisor, which loses nothing, as nodes are whole."""
    groups = {group.id: group for group in use.groups}
    weights = {
        index: use.of(groups[home.group])
        for index, home in enumerate(question.homes)
        if home.kind == "new" and home.group in groups and use.of(groups[home.group])
    }
    unit = gcd(*weights.values()) if max(weights.values(), default=0) > _LARGE else 1
    return Rule(
        key=use.key,
        source=Limits.name,
        limit=max(0, use.limit - use.used) // unit,
        per_node={index: weight // unit for index, weight in weights.items()},
        text=use.text,
        unit=unit,
        of=use.what,
    )


def _amount(what: str, amount: int) -> str:
    if what == "cpu":
        return f"{amount / 1000:g}"
    if what in ("memory", "ephemeral-storage") and amount >= 2**30:
        return f"{amount / 2**30:,.0f} GiB of"
    return f"{amount:,}"
