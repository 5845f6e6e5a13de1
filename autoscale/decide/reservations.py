"""Where every slot stands, read from claims on pods and annotations on nodes (the protocol of ARCHITECTURE.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from autoscale.decide.fleet import nominated
from autoscale.demand.pending import waits
from autoscale.demand.volumes import total_requests

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscale.decide.fleet import Fleet
    from autoscale.model.resources import Resources
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod


class Phase(StrEnum):
    """How far a slot has come."""

    OPEN = "open"
    ASSIGNED = "assigned"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Slot:
    """A node bought, or about to be, with the unbound pods that claim it, oldest first."""

    id: str
    group: str
    pods: tuple[Pod, ...]
    claimed_at_s: int
    phase: Phase = Phase.OPEN
    node: Node | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Lowest slots take the first nodes."""
        return self.claimed_at_s, self.id


@dataclass(frozen=True, slots=True)
class Claims:
    """All slots, and the pods that wait with no claim that counts.

    `void` are claims that count no more: (slot, pod), the slot's node being released or its group gone. `shared` are
    nodes that say they hold a slot which another node holds.
    """

    slots: tuple[Slot, ...]
    waiting: tuple[Pod, ...]
    void: tuple[tuple[str, Pod], ...]
    shared: tuple[tuple[str, Node], ...] = field(default=())


def read_claims(fleet: Fleet) -> Claims:
    """Slots from the cluster's own record: claims on waiting pods, reservations on nodes that are staying."""
    seats, released, shared = _seats(fleet)
    names = {node.name for node in fleet.nodes}
    displaced = {victim.uid for each in fleet.evictions.values() for victim in each.victims}
    claimed: dict[str, list[Pod]] = {}
    free: list[Pod] = []
    void: list[tuple[str, Pod]] = []
    for pod in fleet.snapshot.cluster.pods:
        settled = pod.uid in fleet.evictions or (nominated(pod, names) and pod.uid not in displaced)
        if settled or not waits(pod):
            continue
        if pod.claim is None:
            free.append(pod)
        elif pod.claim.slot in released or (fleet.whole and pod.claim.group not in fleet.groups):
            void.append((pod.claim.slot, pod))
            free.append(pod)
        else:
            claimed.setdefault(pod.claim.slot, []).append(pod)
    slots = [_slot(id_, pods, seats.get(id_)) for id_, pods in claimed.items()]
    slots += [
        _slot(id_, [], node, fleet.group_of.get(node.name, "")) for id_, node in seats.items() if id_ not in claimed
    ]
    slots.sort(key=lambda s: s.order)
    return Claims(tuple(slots), tuple(free), tuple(void), shared)


def _seats(fleet: Fleet) -> tuple[dict[str, Node], frozenset[str], tuple[tuple[str, Node], ...]]:
    """Slot -> the node that has it; the slots that are released; and second nodes for a slot that has one."""
    seats: dict[str, Node] = {}
    released: set[str] = set()
    shared: list[tuple[str, Node]] = []
    for node in fleet.nodes:
        said = node.reservation
        if said is None:
            continue
        if said.phase == "released":
            released.add(said.slot)
        elif said.slot in seats:
            shared.append((said.slot, node))
        else:
            seats[said.slot] = node
    return seats, frozenset(released - seats.keys()), tuple(shared)


def _slot(id_: str, pods: list[Pod], node: Node | None, group: str = "") -> Slot:
    pods.sort(key=lambda p: (p.created_at_s, p.namespace, p.name, p.uid))
    claims = [pod.claim for pod in pods if pod.claim]
    phase = Phase.OPEN
    if node is not None and node.reservation is not None:
        phase = Phase(node.reservation.phase)
    return Slot(
        id=id_,
        group=claims[0].group if claims else group,
        pods=tuple(pods),
        claimed_at_s=min((claim.claimed_at_s for claim in claims), default=0),
        phase=phase,
        node=node,
    )


def split_full(slot: Slot, room: Resources) -> tuple[tuple[Pod, ...], tuple[Pod, ...]]:
    """The slot's pods that fit its room together, and those too many. Pods let onto the node already come first."""
    kept: list[Pod] = []
    excess: list[Pod] = []
    for pod in sorted(slot.pods, key=lambda p: slot.id not in p.tolerated_slots):
        mine = pod.shape.requests
        if pod.shape.shared_volumes:  # those that a pod before it has count no more
            mine = total_requests((*kept, pod)) - total_requests(kept)
        if mine.fits(room):
            room -= mine
            kept.append(pod)
        else:
            excess.append(pod)
    return tuple(kept), tuple(excess)


def refs(pods: Iterable[Pod]) -> tuple[tuple[str, str], ...]:
    """How actions name pods."""
    return tuple((pod.uid, pod.ref) for pod in pods)


def room_of(fleet: Fleet, slot: Slot) -> Resources:
    """What the slot's node has for the slot's pods."""
    room = fleet.rooms[slot.group]
    if slot.node is None:
        return room
    others = [pod for pod in fleet.bound.get(slot.node.name, ()) if not pod.daemon]
    return room - total_requests(others)


def room_left(fleet: Fleet, slot: Slot) -> Resources:
    """What is left beside the slot's pods."""
    if slot.group not in fleet.groups:
        return total_requests(()) - total_requests(slot.pods)
    return room_of(fleet, slot) - total_requests(slot.pods)
