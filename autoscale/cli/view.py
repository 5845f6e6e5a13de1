"""A plan as a person looks at it: per group what changes and what goes where, who stays pending, what it costs.

Made from a saved plan alone, so that `apply` shows the same as `plan` did.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from autoscale.cli import words
from autoscale.cli.moves import MoveView, fleet_line, moves
from autoscale.cli.streams import plain
from autoscale.loop import changes
from autoscale.model.plan import (
    Assign,
    DeleteGroup,
    Disrupt,
    Evict,
    Hold,
    Release,
    RemoveNode,
    Resize,
    Restore,
    Unclaim,
)
from autoscale.model.problem import WITHOUT_KERNEL
from autoscale.wiring import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.cli.facts import ClassFact
    from autoscale.cli.planfile import SavedPlan
    from autoscale.model.plan import Plan, PlannedNode, Unmet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GroupView:
    """One node group: `sign` is + for growing, - for shrinking, = for room that is there or on its way.

    `packing` has a line for nodes that hold the same: (how many nodes with which pods, how full they are).
    """

    sign: str
    name: str
    instance_type: str
    capacity_type: str
    zone: str
    current_nodes: int
    target_nodes: int
    price: str
    packing: tuple[tuple[str, str], ...]
    to_make: bool = False

    @property
    def now(self) -> str:
        """How many nodes it has, `new` for a group that is made now."""
        return "new" if self.to_make and self.target_nodes else f"{self.current_nodes}"


@dataclass(frozen=True, slots=True)
class PendingView:
    """Pods of one class that stay pending: why, and what would help."""

    name: str
    why: tuple[str, ...]
    hint: str


@dataclass(frozen=True, slots=True)
class PlanView:
    """All of it. `facts` are (label, text) lines: cost, policies, what binds, what is under way."""

    title: str
    fleet: str
    groups: tuple[GroupView, ...]
    pending: tuple[PendingView, ...]
    facts: tuple[tuple[str, str], ...]
    summary: str
    changes: bool
    moves: tuple[MoveView, ...] = ()


def view(saved: SavedPlan) -> PlanView:
    """Look at a plan."""
    plan = saved.plan
    groups = tuple(_groups(saved))
    pods = words.counted(plan.pending_pods, "pending pod")
    kinds = words.counted(plan.pending_classes, "shape")
    oldest = f", oldest {words.seconds(plan.oldest_pending_s)}" if plan.oldest_pending_s else ""
    nodes = sum(fact.target_nodes for fact in saved.facts.groups.values())
    fleet = f"{words.counted(nodes, 'node')}, {words.per_hour(plan.fleet_before_microusd_per_hour)}"
    found = PlanView(
        title=f"{pods} in {kinds}{oldest}" if plan.pending_pods else "no pending pods",
        fleet="" if saved.offline else fleet,
        groups=groups,
        pending=tuple(_pending(unmet, saved) for unmet in plan.unmet),
        facts=tuple(_facts(saved)),
        summary=_summary(plan, groups),
        changes=changes(plan),
        moves=moves(plan.reoptimum),
    )
    return _plain(found)


def _plain(value: T) -> T:
    """With every text in it as it may be shown; names come from files that anybody may have written."""
    shown: Any = value
    if isinstance(value, str):
        shown = plain(value)
    elif isinstance(value, tuple):
        shown = tuple(_plain(each) for each in value)
    elif is_dataclass(value) and not isinstance(value, type):
        shown = replace(value, **{each.name: _plain(getattr(value, each.name)) for each in fields(value)})
    return cast("T", shown)


def _groups(saved: SavedPlan) -> Iterable[GroupView]:
    plan, facts = saved.plan, saved.facts
    resized = {action.group: action for action in plan.actions if isinstance(action, Resize)}
    deleted = {action.group: action for action in plan.actions if isinstance(action, DeleteGroup)}
    removed = Counter(action.group for action in plan.actions if isinstance(action, RemoveNode))
    packing: dict[str, list[PlannedNode]] = {}
    for node in plan.packing:
        packing.setdefault(node.group, []).append(node)
    for id_ in sorted(
        {*resized, *removed, *deleted, *packing}, key=lambda i: (facts.groups[i].name if i in facts.groups else i, i)
    ):
        lines = tuple((_holds(node, facts.classes), _fullness(node)) for node in packing.get(id_, []))
        fact = facts.groups.get(id_)
        if fact is None:
            yield GroupView("=", id_ or "nodes of no group", "", "", "", 0, 0, "", lines)
            continue
        current = resized[id_].current_nodes if id_ in resized else fact.target_nodes
        target = (resized[id_].target_nodes if id_ in resized else current) - removed[id_]
        if removed[id_]:
            lines += ((f"{words.counted(removed[id_], 'node')} removed", ""),)
        if id_ in deleted:
            lines += ((f"group deleted: {deleted[id_].reason.text}", ""),)
        yield GroupView(
            sign="+" if target > current else "-" if target < current or id_ in deleted else "=",
            name=fact.name,
            instance_type=fact.instance_type,
            capacity_type=fact.capacity_type,
            zone=fact.zone or "any zone",
            current_nodes=current,
            target_nodes=target,
            price=words.each(fact.price_microusd_per_hour),
            packing=lines,
            to_make=bool(fact.to_make),
        )


def _holds(node: PlannedNode, classes: Mapping[str, ClassFact]) -> str:
    pods = []
    for key, count in node.pods:
        fact = classes.get(key)
        asks = words.asks(fact.requests) if fact is not None else ""
        pods.append(f"{count} x {key}" + (f" ({asks})" if asks else ""))
    place = {"existing": " there", "joining": " on the way"}.get(node.home, "")
    each = ", each" if node.count > 1 else ""
    return f"{words.counted(node.count, 'node')}{place}{each}: {' + '.join(pods)}"


def _fullness(node: PlannedNode) -> str:
    devices = [
        f"{words.percent(used, whole)} {words.device(name)}"
        for name, used, whole in node.used
        if words.is_device(name) and used
    ]
    ordinary = [
        f"{words.percent(used, whole)} {name}"
        for wanted in ("memory", "cpu")
        for name, used, whole in node.used
        if name == wanted
    ]
    return ", ".join([*devices, *ordinary][:2])


def _pending(unmet: Unmet, saved: SavedPlan) -> PendingView:
    fact = saved.facts.classes.get(unmet.class_key)
    asks = words.asks(fact.requests) if fact is not None else ""
    number = len(unmet.pods)
    head = unmet.pods[0] if number == 1 else f"{unmet.class_key}, {words.counted(number, 'pod')}"
    return PendingView(
        name=f"{head} ({asks})" if asks else head,
        why=tuple(reason.text for reason in unmet.reasons) or ("no reason is known",),
        hint=next((reason.hint for reason in unmet.reasons if reason.hint), ""),
    )


def _facts(saved: SavedPlan) -> Iterable[tuple[str, str]]:
    plan = saved.plan
    cost, bound = plan.cost_microusd_per_hour, plan.bound_microusd_per_hour
    if plan.method.startswith(FAILED):
        yield "solver", plan.method
    if WITHOUT_KERNEL in plan.method:
        yield "solver", words.NO_KERNEL
    if cost > 0:
        yield "cost", words.costs(cost, bound)
    if plan.reoptimum is not None:
        yield "fleet", fleet_line(plan.reoptimum)
    if risk := _interruptions(saved):
        yield (
            "interruptions",
            f"{words.per_hour(risk)} of that is what they are expected to cost, by the overlay's rates",
        )
    for note in (*plan.notes, *saved.notes):
        yield (
            note.source if note.source != "autoscale" else "note",
            note.text + (f" -> {note.hint}" if note.hint else ""),
        )
    for action in plan.actions:
        if isinstance(action, Disrupt):
            yield "goes", f"{action.node} is closed and drained ({action.reason.code}): {action.reason.text}"
        elif isinstance(action, Evict):
            yield "evicts", f"{words.counted(len(action.pods), 'pod')} from {action.node} ({action.reason.code})"
    yield from (("binds", text) for each in saved.weights if (text := words.weight(each)))
    under_way = Counter(type(action) for action in plan.actions)
    done = [
        f"{words.counted(under_way[kind], noun)} {verb}"
        for kind, noun, verb in (
            (Assign, "node", "assigned to pods"),
            (Hold, "node", "held for its pods"),
            (Release, "node", "released"),
            (Restore, "node", "given back"),
            (Unclaim, "claim", "taken back"),
        )
        if under_way[kind]
    ]
    if done:
        yield "under way", ", ".join(done)


def _interruptions(saved: SavedPlan) -> int:
    """What interruptions of the nodes bought are expected to cost, in micro-US$ per hour."""
    bought = Counter[str]()
    for node in saved.plan.packing:
        if node.home == "new":
            bought[node.group] += node.count
    groups = saved.facts.groups
    return sum(groups[id_].interruption_microusd_per_hour * nodes for id_, nodes in bought.items() if id_ in groups)


def _summary(plan: Plan, groups: tuple[GroupView, ...]) -> str:
    grow = sum(1 for group in groups if group.sign == "+")
    shrink = sum(1 for group in groups if group.sign == "-" and group.target_nodes < group.current_nodes)
    gone = sum(isinstance(action, DeleteGroup) for action in plan.actions)
    stay = sum(len(unmet.pods) for unmet in plan.unmet)
    parts = []
    if grow:
        bought = sum(group.target_nodes - group.current_nodes for group in groups if group.sign == "+")
        parts.append(
            f"{words.counted(grow, 'group')} {'grows' if grow == 1 else 'grow'} by {words.counted(bought, 'node')}"
        )
    if shrink:
        parts.append(f"{words.counted(shrink, 'group')} {'shrinks' if shrink == 1 else 'shrink'}")
    if gone:
        parts.append(f"{words.counted(gone, 'empty group')} {'is' if gone == 1 else 'are'} deleted")
    if stay:
        parts.append(f"{words.counted(stay, 'pod')} {'stays' if stay == 1 else 'stay'} pending")
    head = ", ".join(parts) if parts else "Nothing to change" if not changes(plan) else "No group changes"
    return f"{head}. Plan {plan.id}."
