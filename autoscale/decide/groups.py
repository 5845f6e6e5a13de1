"""One group's standing: what was asked for, what is there, which slots its coming nodes are for, and if it delivers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.decide.disrupt import ends_soon
from autoscale.decide.reservations import Phase, refs
from autoscale.demand.volumes import total_requests
from autoscale.model.plan import Assign, Unclaim
from autoscale.model.supply import Fault, FaultKind
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.reservations import Slot
    from autoscale.model.plan import Action
    from autoscale.model.supply import Instance, Node, NodeGroup


@dataclass(frozen=True, slots=True)
class GroupState:
    """What counts of a group after this tick's lifecycle actions.

    `target` is what the cloud is to be left with before anything new is bought. `established` are registered nodes,
    `open` slots wait for a node, `coming` are instances that can still become one. `closed` says why nothing may be
    bought. `dead` are instances that should have become nodes and did not; `spare` are nodes that are not up yet and that
    nobody waits for, counted as coming.
    """

    group: NodeGroup
    asked: int
    target: int
    established: int
    open: tuple[Slot, ...]
    coming: int
    closed: Reason | None = None
    dead: tuple[Instance, ...] = ()
    spare: frozenset[str] = frozenset()

    @property
    def needed(self) -> int:
        """Nodes that somebody needs: those there, and one for each open slot."""
        return self.established + len(self.open)

    @property
    def surplus(self) -> int:
        """Nodes on their way for nobody. Of a group that can't deliver, only those that can be seen coming."""
        promised = self.target - self.needed
        return max(0, promised if self.closed is None else min(promised, self.coming - len(self.open)))

    @property
    def limit(self) -> int:
        """How many more may be bought."""
        return 0 if self.closed else max(0, self.group.max_nodes - max(self.target, self.needed))


@dataclass(frozen=True, slots=True)
class GroupTurn:
    """A group's standing with what is to be done for it. `assigned` are open slots that take a node in this tick."""

    state: GroupState
    actions: tuple[Action, ...]
    assigned: tuple[Slot, ...]
    fault: Fault | None


def turn_group(fleet: Fleet, group: NodeGroup, slots: Sequence[Slot], faults: Mapping[str, Fault]) -> GroupTurn:
    """Give joined nodes to open slots, give up slots that get none, and say what that leaves the group with."""
    settings, now = fleet.settings, fleet.now_s
    waiting = [slot for slot in slots if slot.phase is Phase.OPEN]
    asked = fleet.target(group)
    established = len(fleet.members[group.id])
    spare = _spare(fleet, group)
    pairs = _assignments(fleet, group, waiting, spare, unfunded=established - len(spare) + len(waiting) - asked)
    given = {node.name for _, node in pairs}
    free = frozenset(node.name for node in spare if node.name not in given)
    established -= len(free)
    served = {slot.id for slot, _ in pairs}
    waiting = [slot for slot in waiting if slot.id not in served]
    taken = _taken(fleet, group, waiting, given, unfunded=established + len(waiting) - asked)
    waiting = waiting[: len(waiting) - len(taken)]
    patience_s = max(settings.provision_timeout_s, group.provision_s or 0)
    late = [slot for slot in waiting if now - slot.claimed_at_s >= patience_s]
    dead = _dead(fleet, group)
    fault = faults.get(group.id) or faults.get(group.offering.key)
    closed = _closed(fleet, group, fault)
    if closed is None and (late or dead):
        fault = _never_came(group, len(late), now)
        closed = _closed(fleet, group, fault)
    coming = len(fleet.starting[group.id]) - len(dead) + len(free)
    hopeful = [slot for slot in waiting if slot not in late]
    if closed is not None:
        hopeful = hopeful[: max(0, coming if fault is not None else asked - established)]
    kept, given_up = _deliverable(fleet, waiting, hopeful, late)
    target = asked
    if closed is not None:
        alive = len(fleet.members[group.id]) + len(fleet.starting[group.id])
        target = min(asked, max(established + len(kept), alive, group.min_nodes))
    actions: list[Action] = [Unclaim(slot.id, refs(slot.pods), _reason(slot, late, closed)) for slot in given_up]
    actions += [Unclaim(slot.id, refs(slot.pods), _full(group)) for slot in taken]
    actions += [Assign(node.name, slot.id) for slot, node in pairs]
    assigned = tuple(replace(slot, phase=Phase.ASSIGNED, node=node) for slot, node in pairs)
    state = GroupState(group, asked, target, established, tuple(kept), coming, closed, dead, free)
    return GroupTurn(state, tuple(actions), assigned, fault)


def fresh_faults(fleet: Fleet) -> dict[str, Fault]:
    """What the clouds say now of purchases that fail, by group or offering; what the ledger has already is old news."""
    ledger, now = fleet.snapshot.ledger, fleet.now_s
    fresh: dict[str, Fault] = {}
    for group in fleet.groups.values():
        since = ledger.grown_at_s.get(group.id, now - fleet.settings.backoff_first_s)
        for fault in group.faults:
            key = fault.offering or group.id
            known = ledger.backoffs.get(key)
            if fault.kind is FaultKind.THROTTLED or fault.at_s < since or (known and fault.at_s <= known.fault.at_s):
                continue
            if key not in fresh or fresh[key].at_s < fault.at_s:
                fresh[key] = replace(fault, group=fault.group or group.id)
    return fresh


def _spare(fleet: Fleet, group: NodeGroup) -> list[Node]:
    """Young nodes of the group that are not up yet and that nobody waits for: as good as on their way."""
    return [
        node
        for node in fleet.members[group.id]
        if _young(fleet, node) and _free(node) and not fleet.up(node) and not fleet.workload(node.name)
    ]


def _young(fleet: Fleet, node: Node) -> bool:
    young = fleet.now_s - node.created_at_s < fleet.settings.provision_timeout_s
    return young and not node.unschedulable and not node.deleting and node.name not in fleet.going


def _free(node: Node) -> bool:
    return node.reservation is None or node.reservation.phase == "released"


def _assignments(
    fleet: Fleet, group: NodeGroup, waiting: Sequence[Slot], spare: Sequence[Node], *, unfunded: int
) -> list[tuple[Slot, Node]]:
    """The lowest open slots with the nodes that take them.

    A node that registered after the claim is what was bought. One that came before it, between a look at the cloud and
    the claim, is meant as well if it isn't up, or if the cloud owes fewer nodes than there are open slots.
    """
    spares = {node.name for node in spare}
    nodes = sorted(
        (n for n in fleet.members[group.id] if n.name in spares or (n.reservation is None and _young(fleet, n))),
        key=lambda n: (n.created_at_s, n.name),
    )
    pairs: list[tuple[Slot, Node]] = []
    left = list(waiting)
    for node in nodes:
        room = fleet.rooms[group.id] - total_requests(fleet.workload(node.name))
        for slot in left:
            meant = node.created_at_s >= slot.claimed_at_s or node.name in spares or unfunded > 0
            if meant and total_requests(slot.pods).fits(room):
                pairs.append((slot, node))
                left.remove(slot)
                unfunded -= node.name not in spares
                break
    return pairs


def _taken(fleet: Fleet, group: NodeGroup, waiting: Sequence[Slot], given: set[str], *, unfunded: int) -> list[Slot]:
    """Slots, the last first to go, whose node came and that has other pods on it by now.

    The cloud owes fewer nodes than there are open slots, and nodes are there which registered after the claims and
    never got a slot. To buy others would be to buy twice: whoever is on them left room elsewhere.
    """
    since = min((slot.claimed_at_s for slot in waiting), default=0)
    strange = [
        node
        for node in fleet.members[group.id]
        if node.reservation is None and node.name not in given and _young(fleet, node) and node.created_at_s >= since
    ]
    lost = max(0, min(unfunded, len(strange), len(waiting)))
    return list(waiting[len(waiting) - lost :])


def _full(group: NodeGroup) -> Reason:
    return Reason(Code.INSUFFICIENT, f"other pods are on the node of {group.name} that came for them", "reservation")


def _deliverable(
    fleet: Fleet, waiting: Sequence[Slot], hopeful: Sequence[Slot], late: Sequence[Slot]
) -> tuple[list[Slot], list[Slot]]:
    """Open slots that still get a node, lowest first, and those that don't.

    While the group is closed nothing is bought, so only what the cloud was asked for is waited for; and once it said
    that it can't deliver, only what can be seen coming. What an engine before this one asked for a moment ago may not be
    seen yet.
    """
    kept = {slot.id for slot in hopeful} | {slot.id for slot in waiting if _unseen(fleet, slot)}
    kept -= {slot.id for slot in late}
    return [slot for slot in waiting if slot.id in kept], [slot for slot in waiting if slot.id not in kept]


def _unseen(fleet: Fleet, slot: Slot) -> bool:
    """Whether its node may have been bought by an engine before this one, so lately that the cloud shows nothing of it."""
    began_at_s = fleet.snapshot.ledger.began_at_s
    lately = fleet.now_s - slot.claimed_at_s < fleet.settings.target_memory_s
    return began_at_s is not None and slot.claimed_at_s < began_at_s and lately


def _dead(fleet: Fleet, group: NodeGroup) -> tuple[Instance, ...]:
    since, now = fleet.snapshot.ledger.starting_since_s, fleet.now_s
    timeout = fleet.settings.provision_timeout_s
    return tuple(i for i in fleet.starting[group.id] if now - since.get(i.id, now) >= timeout)


def _never_came(group: NodeGroup, slots: int, now_s: int) -> Fault:
    text = f"{max(slots, 1)} of its nodes did not register in time"
    return Fault(group.id, FaultKind.OTHER, Code.TIMEOUT.value, text, now_s)


def _closed(fleet: Fleet, group: NodeGroup, fault: Fault | None) -> Reason | None:
    """Why nothing is bought from the group now."""
    if fault is not None:
        return Reason(Code.FAULT, f"{group.name} can't deliver: {fault.code}: {fault.message}", source="backoff")
    ends_at_s = ends_soon(fleet, group)
    if ends_at_s is not None:
        text = f"{group.name} ends in {max(0, ends_at_s - fleet.now_s)} s, with its reservation"
        return Reason(Code.ENDING, text, source="backoff")
    backoffs, now = fleet.snapshot.ledger.backoffs, fleet.now_s
    for key in (group.id, group.offering.key):
        backoff = backoffs.get(key)
        if backoff is not None and backoff.until_s > now:
            text = (
                f"{group.name} is left alone for {backoff.until_s - now} s more after {backoff.failures} "
                f"failure{'s' if backoff.failures != 1 else ''}: {backoff.fault.code}: {backoff.fault.message}"
            )
            return Reason(Code.BACKOFF, text, source="backoff")
    return None


def _reason(slot: Slot, late: list[Slot], closed: Reason | None) -> Reason:
    if slot in late or closed is None:
        return Reason(Code.TIMEOUT, f"no node of {slot.group} took slot {slot.id} in time", source="reservation")
    return closed
