"""Who else waits beside the pods of a node, and what follows for it: whether it may be opened, and how long it is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.decide.reservations import Phase
from autoscale.decide.turns import closed
from autoscale.demand.fit import admits
from autoscale.demand.kinds import regards
from autoscale.demand.volumes import total_requests
from autoscale.demand.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.reservations import Claims, Slot
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod, PodShape


@dataclass(frozen=True, slots=True)
class Others:
    """Who else waits. `shapes` are of the pods that wait, with the slots that they wait for; none has no name.

    `coming` says that nodes for some of them are on their way, `turning` that nodes are there which are not open yet, as pods
    may not be changed; `free` are those that nothing was bought for.
    """

    shapes: Mapping[PodShape, set[str]]
    coming: bool
    turning: bool
    free: tuple[Pod, ...]


def others_of(fleet: Fleet, claims: Claims) -> Others:
    """Pods that wait for their nodes, and, while rules between them count on who is where, all that wait."""
    found: dict[PodShape, set[str]] = {}
    for slot in claims.slots:
        for shape in {id(pod.shape): pod.shape for pod in slot.pods}.values():
            found.setdefault(shape, set()).add(slot.id)
    if any(shape.rules.about_others for shape in found):
        for shape in {id(pod.shape): pod.shape for pod in claims.waiting}.values():
            found.setdefault(shape, set()).add("")
    coming = any(slot.node is None or not fleet.up(slot.node) for slot in claims.slots)
    turning = not fleet.settings.changes_pods and any(
        slot.phase is not Phase.OPEN and slot.pods and slot.node is not None and closed(slot.node)
        for slot in claims.slots
    )
    return Others(found, coming, turning, claims.waiting)


def others_would_fit(fleet: Fleet, slot: Slot, node: Node, others: Others) -> bool:
    """Whether the scheduler could put a pod here that is planned on another node."""
    room = node.allocatable - total_requests(fleet.bound.get(node.name, ()))
    taints = fleet.taints(node)
    return any(
        slots != {slot.id} and shape.requests.fits(room) and admits(shape, node.labels, taints, node_name=node.name)
        for shape, slots in others.shapes.items()
    )


def since_s(fleet: Fleet, slot: Slot, node: Node) -> int:
    """Since when the node has had the slot; now, when it takes it in this tick."""
    said = node.reservation
    return said.since_s if said is not None and said.slot == slot.id else fleet.now_s


def overdue(fleet: Fleet, slot: Slot, node: Node, others: Others) -> str:
    """How long the node's pods had to be bound, once that is too long; empty while there is time.

    Pods whose rules are about others may have to wait for those: their node has more time while others' are coming, and
    while pods that the rules are about are still to be planned, as when theirs could not be had.
    """
    since = since_s(fleet, slot, node)
    ready = fleet.snapshot.ledger.ready_since_s.get(node.name)
    last = max((pod.claim.claimed_at_s for pod in slot.pods if pod.claim), default=0)
    if not fleet.up(node):
        limit = fleet.settings.provision_timeout_s
        return f"{limit} s after it joined, still without its devices" if fleet.now_s - since >= limit else ""
    if any(pod.moving for pod in slot.pods):
        return ""  # they are evicted in their own time
    limit = fleet.settings.hold_timeout_s
    if not fleet.settings.changes_pods and (slot.phase is not Phase.HELD or closed(node)):
        limit = fleet.settings.provision_timeout_s  # it is not its turn yet
    waited_s = 0 if ready is None else fleet.now_s - max(since, ready, last)
    if waited_s < limit:
        return ""
    if any(pod.shape.rules.about_others for pod in slot.pods) and (others.coming or _counts_on(fleet, slot, others)):
        limit = max(limit, fleet.settings.provision_timeout_s)
    return f"{limit} s after it was ready" if waited_s >= limit else ""


def _counts_on(fleet: Fleet, slot: Slot, others: Others) -> bool:
    """Whether rules of the slot's pods are about where pods are to be that nothing is bought for yet."""
    world = World(fleet.snapshot.cluster.namespaces)  # it makes each kind once
    mine = {world.kind_of(pod): None for pod in slot.pods if pod.shape.rules.about_others}
    free = {world.kind_of(pod): None for pod in others.free}
    return any(regards(kind, other, world.namespaces) for kind in mine for other in free)
