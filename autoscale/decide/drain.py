"""The next step of every node that goes: close it, have its pods evicted once they have another place, remove it.

What has been done is read from the cluster each time, so that a drain that was cut off anywhere goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.decide.disrupt import given_back
from autoscale.decide.explain import said_lately
from autoscale.decide.movers import evictable, has_successor
from autoscale.decide.protection import protected
from autoscale.decide.reservations import refs
from autoscale.demand.wording import few
from autoscale.model.plan import Announce, Disrupt, Evict, RemoveNode, Restore, Unclaim
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from autoscale.decide.answer import Answer
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.model.disruption import Going
    from autoscale.model.plan import Action
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod

SOURCE = "drain"
BLOCKED = "DisruptionBlocked"


@dataclass(frozen=True, slots=True)
class Drains:
    """What is done, and what drains wait for."""

    actions: tuple[Action, ...]
    notes: tuple[Reason, ...]


def unplaced(answer: Answer, standing: Standing, beyond: Iterable[Pod]) -> frozenset[str]:
    """Uids of the pods of nodes that go for whose successors there is no place; `beyond` are those that were not asked about."""
    pending = [*answer.placed.pending, *beyond, *(pod for c in answer.homeless for pod in c.pods)]
    placed = {pod.uid for slot in standing.slots for pod in slot.pods}
    return frozenset(pod.uid for pod in pending if pod.moving and pod.uid not in placed)


def drain(
    fleet: Fleet, standing: Standing, answer: Answer, homeless: frozenset[str], held: Reason | None = None
) -> Drains:
    """Take every drain one step on, with `held` only those that can't wait. `homeless` are uids as `unplaced` gives them."""
    actions: list[Action] = [] if held else [*_taken_back(fleet)]
    if not fleet.going:
        return Drains(tuple(actions), ())
    notes: list[Reason] = []
    nodes = {node.name: node for node in fleet.nodes}
    ready = _with_place(fleet, standing, answer)
    spare = {id_: max(0, state.target - state.group.min_nodes) for id_, state in standing.groups.items()}
    for going in fleet.going.values():
        if held and not going.urgent:
            continue
        step = _step(fleet, nodes[going.node], going, _not_ready(fleet, going, ready, homeless))
        group = fleet.group_of[going.node]
        for action in step.actions:
            if isinstance(action, RemoveNode):
                if not spare[group]:
                    name = fleet.groups[group].name
                    notes.append(
                        Reason(Code.MINIMUM, f"{going.node} is empty and stays: {name} is at its minimum", SOURCE)
                    )
                    continue
                spare[group] -= 1
            actions.append(action)
        notes += step.notes
    return Drains(tuple(actions), tuple(notes))


def _taken_back(fleet: Fleet) -> list[Action]:
    """Nodes that go no more are given back, and what was claimed for pods that stay."""
    over = Reason(Code.UNWANTED, "what it was to go for is over, or may not happen now", SOURCE)
    moving = {pod.uid for pod in fleet.snapshot.cluster.pods if pod.moving}
    void: dict[str, list[Pod]] = {}
    for pod in fleet.snapshot.cluster.pods:
        if pod.next_claim is not None and not pod.deleting and pod.uid not in moving:
            void.setdefault(pod.next_claim.slot, []).append(pod)
    return [
        *(Restore(node.name, over) for node in given_back(fleet, fleet.going.values())),
        *(Unclaim(slot, refs(pods), over) for slot, pods in sorted(void.items())),
    ]


def _with_place(fleet: Fleet, standing: Standing, answer: Answer) -> set[str]:
    """Uids of the pods whose place is there already: on a node of their own that is up, or on one that has room."""
    ready = {
        pod.uid
        for slot in standing.slots
        if slot.node is not None and fleet.up(slot.node) and slot.node.name not in fleet.going
        for pod in slot.pods
    }
    return ready | {pod.uid for one in answer.placed.placements if one.berth.kind == "existing" for pod in one.pods}


def _not_ready(fleet: Fleet, going: Going, ready: Collection[str], homeless: frozenset[str]) -> tuple[str, ...]:
    """What the node's pods still wait for before they are evicted; nothing when each has a place that is ready."""
    mine = {
        pod.uid: pod
        for pod in fleet.leaving.get(going.node, ())
        if has_successor(pod, going, fleet.settings, fleet.now_s)
    }
    waits = [f"no place for {mine[uid].ref}" for uid in sorted(homeless & mine.keys())]
    coming = [pod for uid, pod in mine.items() if uid not in ready and uid not in homeless]
    if coming:
        waits.append(f"the node for {few(sorted(pod.ref for pod in coming))} is not ready yet")
    return tuple(waits)


def _step(fleet: Fleet, node: Node, going: Going, waits: Sequence[str]) -> Drains:
    begun = node.disruption
    actions: list[Action] = []
    notes: list[Reason] = []
    if begun is None or begun.code != going.reason.code:
        actions.append(Disrupt(node.name, going.reason))
    since_s = begun.since_s if begun else fleet.now_s
    work = [pod for pod in fleet.leaving.get(node.name, ()) if not (pod.daemon or pod.mirror)]
    instance = fleet.instance_of[node.name]
    remove = RemoveNode(fleet.group_of[node.name], node.name, instance.id, going.reason)
    if going.end_s and fleet.now_s >= going.end_s:
        notes.append(
            Reason(Code.DRAIN_BLOCKED, f"{node.name} is removed with {len(work)} pods, its time is up", SOURCE)
        )
        return Drains((*actions, replace(remove, forced=True)), tuple(notes))
    if not work:
        if fleet.now_s < going.keep_until_s:
            text = f"{node.name} is empty and kept for inspection for {going.keep_until_s - fleet.now_s} s more"
            return Drains(tuple(actions), (Reason(going.reason.code, text, SOURCE),))
        if begun is None or _detaching(fleet, node):
            return Drains(tuple(actions), ())
        return Drains((*actions, remove), ())
    movable = [pod for pod in work if evictable(pod, going, fleet.now_s)]
    if movable and (going.urgent or (begun is not None and not waits)):
        due = _due(fleet, movable, urgent=going.urgent)
        if due:
            actions.append(Evict(node.name, refs(due), going.reason))
    elif movable and waits:
        notes += [
            Reason(Code.DRAIN_BLOCKED, f"{node.name} goes ({going.reason.code}) and waits: {why}", SOURCE)
            for why in waits
        ]
    actions += [said for said in _overdue(fleet, node, going, work, since_s) if not said_lately(fleet, said)]
    return Drains(tuple(actions), tuple(notes))


def _due(fleet: Fleet, movable: Sequence[Pod], *, urgent: bool) -> list[Pod]:
    """Those of the lowest priority first, all when there is no time; what a budget held back is tried again after a pause."""
    ledger, settings = fleet.snapshot.ledger, fleet.settings
    lowest = min(pod.shape.priority for pod in movable)
    return [
        pod
        for pod in sorted(movable, key=lambda pod: (pod.shape.priority, pod.ref))
        if (urgent or pod.shape.priority == lowest)
        and (
            pod.uid not in ledger.blocked or fleet.now_s - ledger.blocked[pod.uid].tried_at_s >= settings.evict_again_s
        )
    ]


def _detaching(fleet: Fleet, node: Node) -> bool:
    """Whether volumes are still being taken off it, and not for too long."""
    empty_since = fleet.snapshot.ledger.idle_since_s.get(node.name, fleet.now_s)
    return bool(node.volumes) and fleet.now_s - empty_since < fleet.settings.detach_timeout_s


def _overdue(fleet: Fleet, node: Node, going: Going, work: Sequence[Pod], since_s: int) -> list[Announce]:
    """Events on pods that have held a drain up for too long: by what, and what would free it."""
    if fleet.now_s - since_s < fleet.settings.drain_warn_s:
        return []
    waited = (
        f"{node.name} has been drained for {(fleet.now_s - since_s) // 60} min ({going.reason.code}) and waits for it"
    )
    out = []
    for pod in work:
        why = hold_up(fleet, pod, going)
        if why is not None:
            hint = f"; {why.hint}" if why.hint else ""
            out.append(Announce(pod.uid, pod.ref, BLOCKED, f"{waited}: {why.text}{hint}", why.code))
    return out


def hold_up(fleet: Fleet, pod: Pod, going: Going) -> Reason | None:
    """What keeps the pod on a node that goes, and what would free it; None when nothing is known to."""
    owner = f", of {pod.owner}" if pod.owner else ""
    if pod.deleting:
        late_s = fleet.now_s - pod.deletion_at_s
        if late_s <= 0:
            return None
        if pod.finalizers:
            text = f"{pod.ref}{owner} should have ended {late_s} s ago, finalizer {pod.finalizers[0]} keeps it"
            return Reason(Code.DRAIN_BLOCKED, text, SOURCE, "whoever set the finalizer has to take it off")
        text = f"{pod.ref}{owner} should have ended {late_s} s ago, its kubelet does not say that it has"
        return Reason(Code.DRAIN_BLOCKED, text, SOURCE, "look at the node's kubelet")
    blocked = fleet.snapshot.ledger.blocked.get(pod.uid)
    if blocked is not None:
        hint = "give its owner more ready replicas, or the budget more room"
        return Reason(Code.DRAIN_BLOCKED, f"{pod.ref}{owner}: {blocked.text}", SOURCE, hint)
    return None if going.urgent else protected(pod, fleet.now_s)
