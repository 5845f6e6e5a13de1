"""Places that pods leave to others: who was bound elsewhere needs no node, and a pod that is just like it may.

A pod with a claim may go wherever the scheduler lets it in. Where rules between pods open a node that runs already, as
others of the plan are bound, it can be quicker there than the pod that the plan counts on. To the scheduler the two are
alike: when each takes the other's place the plan is kept, and nothing more is bought.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.reservations import Phase, refs, room_left
from autoscale.demand.pending import left_to_others
from autoscale.demand.volumes import total_requests
from autoscale.model.plan import ClaimPods, Unclaim
from autoscale.model.workload import Claim, Code, Reason

if TYPE_CHECKING:
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.reservations import Claims, Slot
    from autoscale.model.plan import Action
    from autoscale.model.workload import Pod, PodShape

_FROM_NODE = "topology.kubernetes.io/"
_REASON = Reason(Code.FITS_EXISTING, "it is bound elsewhere, and a pod just like it takes its place", "reservation")
_Kind = tuple[str, "PodShape", frozenset[tuple[str, str]]]


def inherit(fleet: Fleet, claims: Claims) -> tuple[Claims, tuple[Action, ...]]:
    """The claims once pods that wait have the places of those like them which are bound elsewhere, and what that takes.

    Only on nodes that are there: as long as a node is on its way, the plan itself may give the place to anybody.
    """
    astray = _astray(fleet, claims)
    if not astray or not claims.waiting:
        return claims, ()
    heirs = _heirs(fleet, astray, claims)
    slots: list[Slot] = []
    actions: list[Action] = []
    moved: set[str] = set()
    for slot in claims.slots:
        pairs = _pairs(fleet, slot, astray.get(slot.id, []), heirs)
        if pairs:
            claim = Claim(slot.id, slot.group, fleet.now_s)
            new = tuple(replace(heir, claim=claim) for _, heir in pairs)
            actions.append(Unclaim(slot.id, refs(pod for pod, _ in pairs), _REASON))
            actions.append(ClaimPods(slot.id, slot.group, refs(new)))
            moved.update(pod.uid for pod in new)
            slot = replace(slot, pods=(*slot.pods, *new))  # noqa: PLW2901 - the same slot, with whom it is for now
        slots.append(slot)
    waiting = tuple(pod for pod in claims.waiting if pod.uid not in moved)
    return replace(claims, slots=tuple(slots), waiting=waiting), tuple(actions)


def _astray(fleet: Fleet, claims: Claims) -> dict[str, list[Pod]]:
    """Pods that have a claim on a slot and are bound to another node than the slot's, by slot."""
    seats = {slot.id: slot.node.name for slot in claims.slots if slot.phase is not Phase.OPEN and slot.node}
    found: dict[str, list[Pod]] = {}
    for pod in fleet.snapshot.cluster.pods if seats else ():
        if pod.claim is not None and pod.node_name and seats.get(pod.claim.slot, pod.node_name) != pod.node_name:
            found.setdefault(pod.claim.slot, []).append(pod)
    return found


def _heirs(fleet: Fleet, astray: dict[str, list[Pod]], claims: Claims) -> dict[str, list[Pod]]:
    """By uid of a pod that went astray, those that wait and that the scheduler can't tell from it, eldest first."""
    free: dict[_Kind, list[Pod]] = {}
    for pod in sorted(claims.waiting, key=_age):
        if pod.shape.plannable and not pod.moving and not left_to_others(pod, fleet.settings):
            free.setdefault(_kind(pod), []).append(pod)
    return {pod.uid: free.get(_kind(pod), []) for pods in astray.values() for pod in pods}


def _kind(pod: Pod) -> _Kind:
    """What the scheduler tells pods apart by, but for the labels that the API server copies from the node when it binds."""
    labels = frozenset(each for each in pod.labels.items() if not each[0].startswith(_FROM_NODE))
    return pod.namespace, pod.shape, labels


def _age(pod: Pod) -> tuple[int, str, str, str]:
    return pod.created_at_s, pod.namespace, pod.name, pod.uid


def _pairs(fleet: Fleet, slot: Slot, astray: list[Pod], heirs: dict[str, list[Pod]]) -> list[tuple[Pod, Pod]]:
    """Who of the slot's pods leaves its place to whom, as far as there is room; heirs are used up."""
    pairs: list[tuple[Pod, Pod]] = []
    for pod in sorted(astray, key=_age):
        mine = heirs.get(pod.uid)
        if mine and total_requests((*(heir for _, heir in pairs), mine[0])).fits(room_left(fleet, slot)):
            pairs.append((pod, mine.pop(0)))
    return pairs
