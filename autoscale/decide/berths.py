"""Where pods may go, cheapest first: nodes that are there, slots with room left, nodes on their way, nodes to buy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.commitments import PAID_MICROUSD_PER_HOUR, cover_of, covers
from autoscale.decide.lifecycle import missing_daemons
from autoscale.decide.question import Berth
from autoscale.decide.reservations import Phase
from autoscale.demand.fit import keys_read, reads_name
from autoscale.demand.volumes import total_requests, unshared
from autoscale.model.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.ground import Ground
    from autoscale.decide.lifecycle import Standing
    from autoscale.model.supply import Node, NodeGroup
    from autoscale.model.workload import DemandClass


def berths(
    fleet: Fleet, standing: Standing, classes: Sequence[DemandClass], ground: Ground | None = None, *, replan: bool
) -> list[Berth]:
    """All of them. With `replan`, open slots count as empty: their pods are part of the question.

    With a `ground`, nodes that rules between pods can tell apart are not merged.
    """
    return [
        *_existing(fleet, standing, classes, ground),
        *_joining(fleet, standing, classes, ground, replan=replan),
        *_new(fleet, standing),
    ]


def _existing(
    fleet: Fleet, standing: Standing, classes: Sequence[DemandClass], ground: Ground | None
) -> Iterable[Berth]:
    """Nodes with room, equal ones as one."""
    keys = sorted({key for c in classes for key in keys_read(c.shape)})
    named = any(reads_name(c.shape) for c in classes)
    wanted = _wanted(classes)
    least = {unshared(c.shape) for c in classes}
    taken = {slot.node.name for slot in standing.slots if slot.node is not None}
    taken |= {name for state in standing.groups.values() for name in state.spare}
    merged: dict[object, list[Node]] = {}
    rooms: dict[object, Resources] = {}  # by the same keys
    useful: dict[Resources, bool] = {}
    for node in fleet.nodes:
        if (
            node.name in taken
            or node.name in fleet.going
            or (node.disruption and not fleet.returning(node))
            or node.deleting
            or node.unschedulable
            or not node.ready
        ):
            continue
        room = _only(free(fleet, node), wanted)
        if room not in useful:
            useful[room] = any(request.fits(room) for request in least)
        if not useful[room]:
            continue
        taints = fleet.taints(node)
        signature = (*(node.labels.get(key) for key in keys), *_told_apart(ground, node.name))
        alike = (fleet.group_of.get(node.name, ""), signature, taints, node.name if named else "", room)
        merged.setdefault(alike, []).append(node)
        rooms[alike] = room
    for key, nodes in merged.items():
        yield Berth(
            kind="existing",
            group=fleet.group_of.get(nodes[0].name, ""),
            room=rooms[key],
            limit=len(nodes),
            names=tuple(node.name for node in nodes),
            labels=nodes[0].labels,
            taints=fleet.taints(nodes[0]),
        )


def _joining(
    fleet: Fleet, standing: Standing, classes: Sequence[DemandClass], ground: Ground | None, *, replan: bool
) -> Iterable[Berth]:
    """Slots with room left beside their pods, equal ones as one; then nodes on their way for nobody."""
    wanted = _wanted(classes)
    merged: dict[tuple[str, Resources, tuple[object, ...]], list[str]] = {}
    for slot in standing.slots:
        if slot.group not in fleet.groups or (replan and slot.phase is Phase.OPEN):
            continue
        room = _only(standing.room[slot.id], wanted)
        merged.setdefault((slot.group, room, _told_apart(ground, slot.id)), []).append(slot.id)
    for (id_, room, _), slots in merged.items():
        yield _of_group(fleet.groups[id_], "joining", room, len(slots), names=tuple(slots))
    for state in standing.groups.values():
        limit = state.surplus + (len(state.open) if replan else 0)
        if limit:
            yield _of_group(state.group, "joining", fleet.rooms[state.group.id], limit)


def _new(fleet: Fleet, standing: Standing) -> Iterable[Berth]:
    """Nodes to buy; of a group that a commitment still pays for, those first."""
    found = covers(fleet)
    for state in standing.groups.values():
        if not state.limit:
            continue
        group, room = state.group, fleet.rooms[state.group.id]
        if cover := cover_of(found, group.id):
            price = PAID_MICROUSD_PER_HOUR + group.offering.interruption_microusd_per_hour
            paid = _of_group(group, "new", room, min(state.limit, cover.nodes(group.id)), price=price)
            yield replace(paid, paid_by=cover.commitment.name)
        yield _of_group(group, "new", room, state.limit, price=group.offering.weighed_microusd_per_hour)


def _of_group(
    group: NodeGroup, kind: str, room: Resources, limit: int, *, price: int = 0, names: tuple[str, ...] = ()
) -> Berth:
    return Berth(kind, group.id, room, limit, price, names, group.labels, group.taints)


def _told_apart(ground: Ground | None, name: str) -> tuple[object, ...]:
    site = ground.sites.get(name) if ground else None
    return ground.signature(site) if ground and site else ()


def free(fleet: Fleet, node: Node) -> Resources:
    """What the node has left once its DaemonSets are all there."""
    left = dict((node.allocatable - total_requests(fleet.bound.get(node.name, ()))).amounts)
    for daemon in missing_daemons(fleet, node):
        for name, amount in daemon.shape.requests.amounts.items():
            left[name] = left.get(name, 0) - amount
    return Resources(left)


def _wanted(classes: Sequence[DemandClass]) -> frozenset[str]:
    return frozenset(name for c in classes for name in c.shape.requests)


def _only(room: Resources, wanted: frozenset[str]) -> Resources:
    """The room in what anybody asks for: nodes that differ elsewhere are equal. Overfull is full."""
    return Resources({name: amount for name, amount in room.amounts.items() if amount > 0 and name in wanted})
