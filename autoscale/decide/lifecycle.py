"""The next step of every reservation: assign, hold, release, take back. What remains is where new pods may go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.decide.company import Others, others_of, others_would_fit, overdue, since_s
from autoscale.decide.groups import fresh_faults, turn_group
from autoscale.decide.heirs import inherit
from autoscale.decide.reservations import Phase, read_claims, refs, room_left, room_of, split_full
from autoscale.decide.turns import admissions, closed
from autoscale.demand.fit import untolerated
from autoscale.model.names import SLOT, STARTING
from autoscale.model.plan import Hold, Release, Unclaim
from autoscale.model.supply import Fault, FaultKind
from autoscale.model.workload import Code, Reason, Taint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.groups import GroupState
    from autoscale.decide.reservations import Claims, Slot
    from autoscale.model.plan import Action
    from autoscale.model.resources import Resources
    from autoscale.model.supply import Node
    from autoscale.model.workload import DaemonSet, Pod

SOURCE = "reservation"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where everything stands once this tick's lifecycle actions are done.

    `slots` still have claims that count, with the room that is left beside them in `room`; `waiting` are the pods that
    nothing was bought for. `faults` are new and the ledger's to remember.
    """

    groups: Mapping[str, GroupState]
    slots: tuple[Slot, ...]
    room: Mapping[str, Resources]
    waiting: tuple[Pod, ...]
    actions: tuple[Action, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """What becomes of one slot that has a node: its actions, the slot with the pods it keeps, or None when it is over."""

    actions: tuple[Action, ...]
    slot: Slot | None
    fault: Fault | None = None


def stand(fleet: Fleet) -> Standing:
    """Take every reservation one step on."""
    claims, inherited = inherit(fleet, read_claims(fleet))
    others = others_of(fleet, claims)
    turned = [_step(fleet, slot, others) for slot in claims.slots if slot.phase is not Phase.OPEN]
    said = fresh_faults(fleet)
    stuck = {step.fault.group: step.fault for step in turned if step.fault is not None}
    open_slots = _by_group(slot for slot in claims.slots if slot.phase is Phase.OPEN)
    turns = [
        turn_group(fleet, g, open_slots.get(id_, ()), {**stuck, **said}) for id_, g in sorted(fleet.groups.items())
    ]
    turned += [_step(fleet, slot, others) for turn in turns for slot in turn.assigned]
    trimmed = [_trim(fleet, slot) for turn in turns for slot in turn.state.open]
    opened = {step.slot.id: step.slot for step in trimmed if step.slot is not None}
    slots = (*(step.slot for step in turned if step.slot is not None), *opened.values())
    actions = (
        *_taken_back(claims),
        *inherited,
        *(action for turn in turns for action in turn.actions),
        *(action for step in (*turned, *trimmed) for action in step.actions),
        *(Release(n.name, id_, Reason(Code.FAULT, "another node has the slot", SOURCE)) for id_, n in claims.shared),
        *(() if fleet.settings.changes_pods else admissions(fleet, slots, claims.waiting)),
        *_opened(fleet, slots),
    )
    staying = {pod.uid for slot in slots for pod in slot.pods}
    unknown = {pod.uid for id_, group in open_slots.items() if id_ not in fleet.groups for s in group for pod in s.pods}
    return Standing(
        groups={
            turn.state.group.id: replace(
                turn.state, open=tuple(opened[slot.id] for slot in turn.state.open if slot.id in opened)
            )
            for turn in turns
        },
        slots=slots,
        room={slot.id: room_left(fleet, slot) for slot in slots},
        waiting=_waiting(claims, staying | unknown),
        actions=actions,
        faults=_new_faults(said, stuck, (turn.fault for turn in turns)),
    )


def _waiting(claims: Claims, staying: set[str]) -> tuple[Pod, ...]:
    """Pods without a claim that counts, those whose claim is taken back now included."""
    freed = [pod for slot in claims.slots for pod in slot.pods if pod.uid not in staying]
    return tuple(sorted((*claims.waiting, *freed), key=lambda p: (p.created_at_s, p.namespace, p.name, p.uid)))


def _by_group(slots: Iterable[Slot]) -> dict[str, list[Slot]]:
    found: dict[str, list[Slot]] = {}
    for slot in slots:
        found.setdefault(slot.group, []).append(slot)
    return found


def _new_faults(
    said: Mapping[str, Fault], stuck: Mapping[str, Fault], more: Iterable[Fault | None]
) -> tuple[Fault, ...]:
    found = {fault.offering or fault.group: fault for fault in more if fault is not None}
    found |= stuck
    found |= said
    return tuple(found[key] for key in sorted(found))


def _taken_back(claims: Claims) -> list[Action]:
    """Claims on nodes that are released count no more; left on, they would ask for a node again once that one is gone."""
    void: dict[str, list[Pod]] = {}
    for slot, pod in claims.void:
        void.setdefault(slot, []).append(pod)
    reason = Reason(Code.TIMEOUT, "the node bought for them is open to all pods, or its group is gone", SOURCE)
    return [Unclaim(slot, refs(pods), reason) for slot, pods in sorted(void.items())]


def _step(fleet: Fleet, slot: Slot, others: Others) -> _Step:
    """The next step of a slot that has a node.

    A node whose own pods are bound stays closed while pods that wait for other nodes would fit on it as well; so would one
    that no plan found a place for, and that could keep out others there. What may use the room gets a claim on the slot.
    """
    node = slot.node
    if node is None:
        return _Step((), slot)
    if not slot.pods:
        if not others_would_fit(fleet, slot, node, others) and not _succeeded(fleet, slot):
            return _Step(
                (Release(node.name, slot.id, Reason(Code.STARTING, "its pods are bound or gone", SOURCE)),), None
            )
        shut = slot.phase is Phase.HELD and (fleet.settings.changes_pods or closed(node))
        return _Step(() if shut else (Hold(node.name, slot.id, ()),), slot)
    late = overdue(fleet, slot, node, others)
    if late:
        return _give_up(fleet, slot, node, late)
    if others.turning and not closed(node):
        return _Step((), slot)  # who took a place here leaves another: that is seen when all nodes are open
    trimmed = _trim(fleet, slot)
    kept = trimmed.slot
    if kept is None:
        return _Step(
            (*trimmed.actions, Release(node.name, slot.id, Reason(Code.INSUFFICIENT, "none fits", SOURCE))), None
        )
    return _Step((*trimmed.actions, *_hold(fleet, kept, node)), kept)


def _succeeded(fleet: Fleet, slot: Slot) -> bool:
    """Whether pods that are being evicted meant the slot for those that take their place, who must be about to come."""
    return any(
        pod.deleting
        and pod.next_claim is not None
        and pod.next_claim.slot == slot.id
        and fleet.now_s < pod.deletion_at_s + fleet.settings.hold_timeout_s
        for there in fleet.leaving.values()
        for pod in there
    )


def _give_up(fleet: Fleet, slot: Slot, node: Node, late: str) -> _Step:
    """Open the node to all pods; whatever kept its own away would do so again, so the group rests as well."""
    text = f"{len(slot.pods)} of its pods were not bound {late}"
    reason = Reason(Code.TIMEOUT, text, SOURCE)
    known = fleet.snapshot.ledger.backoffs.get(slot.group)
    fault = None
    ours = fleet.settings.changes_pods  # else others may have been let onto it as well
    if ours and slot.group in fleet.groups and (known is None or known.until_s <= fleet.now_s):
        fault = Fault(slot.group, FaultKind.OTHER, "PodsNotBound", f"on {node.name} {text}", fleet.now_s)
    return _Step((Unclaim(slot.id, refs(slot.pods), reason), Release(node.name, slot.id, reason)), None, fault)


def _hold(fleet: Fleet, slot: Slot, node: Node) -> tuple[Action, ...]:
    """Taint the node once its DaemonSet pods are on it; let those of its pods in that are still kept out.

    Labels that come late may call for more DaemonSets, without which no device appears. Then the node is let go: from the
    next tick on it counts as coming for nobody, and its pods take it again with a new slot, once the DaemonSets are on.
    """
    held = Taint(SLOT, slot.id)
    kept_out = [d for d in missing_daemons(fleet, node) if untolerated(d.shape.tolerations, (held,))]
    why = f"{', '.join(f'{d.namespace}/{d.name}' for d in kept_out)} has to get on first"
    if slot.phase is Phase.HELD:
        young = fleet.now_s - node.created_at_s < fleet.settings.provision_timeout_s
        if kept_out and young and not fleet.up(node):
            return (Release(node.name, slot.id, Reason(Code.STARTING, f"held too early: {why}", SOURCE)),)
        if not fleet.settings.changes_pods:
            return ()
        out = [pod for pod in slot.pods if slot.id not in pod.tolerated_slots and not pod.moving]
        return (Hold(node.name, slot.id, refs(out), tainted=True),) if out else ()
    if kept_out and fleet.now_s - since_s(fleet, slot, node) < fleet.settings.daemon_timeout_s:
        return (Release(node.name, STARTING, Reason(Code.STARTING, why, SOURCE)),) if _starting(node) else ()
    mine = [pod for pod in slot.pods if fleet.settings.changes_pods and not pod.moving]
    return (Hold(node.name, slot.id, refs(mine)),)


def _starting(node: Node) -> bool:
    """Whether the node still has the taint that its group's machines register with."""
    return any(taint.key == SLOT and taint.value == STARTING for taint in node.taints)


def _opened(fleet: Fleet, slots: Iterable[Slot]) -> list[Action]:
    """Nodes that registered closed and that nobody waits for are opened to all."""
    ours = {slot.node.name for slot in slots if slot.node is not None}
    reason = Reason(Code.STARTING, "no pod waits for it in particular", SOURCE)
    return [Release(n.name, STARTING, reason) for n in fleet.nodes if _starting(n) and n.name not in ours]


def missing_daemons(fleet: Fleet, node: Node) -> tuple[DaemonSet, ...]:
    """DaemonSets that belong on the node, start-up taints aside, and have no pod bound to it yet."""
    group = fleet.groups.get(fleet.group_of.get(node.name, ""))
    taints = group.taints if group else node.taints
    there = {(pod.namespace, pod.owner) for pod in fleet.bound.get(node.name, ()) if pod.daemon}
    return tuple(
        daemon
        for daemon in fleet.daemons.on(node.labels, taints, node_name=node.name)
        if (daemon.namespace, f"DaemonSet/{daemon.name}") not in there
    )


def _trim(fleet: Fleet, slot: Slot) -> _Step:
    """Take back the claims that are too many for the node: a move of claims was cut off, or it offers less than said."""
    group = fleet.groups.get(slot.group)
    if group is None:
        return _Step((), slot)
    kept, excess = split_full(slot, room_of(fleet, slot))
    if not excess:
        return _Step((), slot)
    reason = Reason(Code.INSUFFICIENT, f"slot {slot.id} has no room for them", SOURCE)
    return _Step((Unclaim(slot.id, refs(excess), reason),), replace(slot, pods=kept) if kept else None)
