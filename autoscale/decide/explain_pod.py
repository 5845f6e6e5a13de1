"""One pod, explained: where it runs or will run and what it costs, or what keeps it pending and what would help."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from autoscale.decide.berths import free
from autoscale.decide.explain import candidates, takes
from autoscale.decide.preempting import why_preempts
from autoscale.decide.remedies import remedies
from autoscale.decide.what_if import home_of, pending
from autoscale.demand.classes import classes
from autoscale.demand.fit import admits
from autoscale.demand.misses import Candidate, Misses
from autoscale.demand.pending import left_to_others, waits
from autoscale.demand.wording import few
from autoscale.model.explanation import Exclusion, Fate, Place, PodStory
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.what_if import Case
    from autoscale.model.plan import Plan, Unmet
    from autoscale.model.resources import Resources
    from autoscale.model.workload import Pod, PodShape

SOURCE = "explain"


class _Asked(NamedTuple):
    """What is explained, and where everything stands. What the pod's volumes ask for is worked into it."""

    case: Case
    fleet: Fleet
    standing: Standing
    pod: Pod
    alike: int


def explain_pod(case: Case, pod: Pod, *, alike: int = 1) -> PodStory:
    """The story of a pod of the snapshot; `alike` is how many pods it stands for."""
    fleet, standing = case.stand()
    if pod.node_name:
        return _running(fleet, pod, alike)
    if not waits(pod):
        return _story(pod, alike, Fate.IGNORED, (_why_ignored(pod),))
    if text := left_to_others(pod, case.settings):
        return _story(pod, alike, Fate.IGNORED, (Reason(Code.NOT_OURS, text, SOURCE),))
    if pod.uid in fleet.evictions:
        return _story(pod, alike, Fate.FITS, (why_preempts(fleet.evictions[pod.uid]),))
    plan = case.plan()
    left = next((unmet for unmet in plan.unmet if pod.ref in unmet.pods), None)
    asked = _Asked(case, fleet, standing, next(p for p in fleet.snapshot.cluster.pods if p.uid == pod.uid), alike)
    return _will_run(asked, plan) if left is None else _stays(asked, left, pod)


def _story(pod: Pod, alike: int, fate: Fate, because: tuple[Reason, ...], place: Place | None = None) -> PodStory:
    return PodStory(pod.ref, alike, pod.shape.requests.amounts, fate, because, place)


def _why_ignored(pod: Pod) -> Reason:
    """Why a pod that is not bound is not planned for."""
    if pod.gated:
        text = "it has a scheduling gate: no scheduler looks at it until whoever set the gate takes it away"
        return Reason(Code.GATED, text, SOURCE)
    for holds, text in (
        (pod.deleting, "it is being deleted"),
        (pod.finished, "it has finished"),
        (pod.daemon, "a DaemonSet made it: it belongs to one node, and no node is bought for it"),
        (pod.mirror, "it is a static pod of its node"),
    ):
        if holds:
            return Reason(Code.NOT_OURS, text, SOURCE)
    return Reason(Code.NOT_OURS, "it does not wait for a node", SOURCE)


def _running(fleet: Fleet, pod: Pod, alike: int) -> PodStory:
    """A pod that is bound: whether its node was bought for it, and its share of what the node costs."""
    node = next((n for n in fleet.snapshot.cluster.nodes if n.name == pod.node_name), None)
    slot = node.reservation.slot if node is not None and node.reservation is not None else ""
    if pod.claim is not None and pod.claim.slot == slot:
        text = f"{pod.node_name} was bought for it: slot {slot} of plan {slot.rpartition('-')[0]}"
        reason = Reason(Code.COST, text, SOURCE)
    else:
        reason = Reason(Code.FITS_EXISTING, f"the scheduler found room for it on {pod.node_name}", SOURCE)
    place = place_of(fleet, pod.node_name, pod)
    cost = round(place.price_microusd_per_hour * place.share)
    return PodStory(pod.ref, alike, pod.shape.requests.amounts, Fate.RUNS, (reason,), place, cost)


def place_of(fleet: Fleet, node_name: str, pod: Pod | None = None) -> Place:
    """A node that is there as a place, with who else works on it."""
    group = fleet.groups.get(fleet.group_of.get(node_name, ""))
    node = next((n for n in fleet.snapshot.cluster.nodes if n.name == node_name), None)
    others = tuple(p.ref for p in fleet.workload(node_name) if pod is None or p.uid != pod.uid)
    labels = node.labels if node is not None else {}
    share = _share(pod.shape, node.allocatable) if pod is not None and node is not None else 0.0
    if group is None:
        zone = labels.get("topology.kubernetes.io/zone", "")
        return Place(node_name, "", labels.get("node.kubernetes.io/instance-type", ""), zone, "", 0, share, others)
    offering = group.offering
    return Place(
        node_name, group.name, offering.instance_type, offering.zone, offering.capacity_type,
        offering.price_microusd_per_hour, share, others,
    )  # fmt: skip


def _share(shape: PodShape, room: Resources) -> float:
    """The largest share of a resource that the pod takes: the rest of the node is of that much less use to others."""
    shares = [asked / room[name] for name, asked in shape.requests.amounts.items() if room[name] > 0]
    return round(min(1.0, max(shares, default=0.0)), 6)


def _will_run(asked: _Asked, plan: Plan) -> PodStory:
    """A pod that waits for a node which is bought already, which this plan buys, or which is there."""
    case, fleet, standing, pod, alike = asked
    slot = next((s for s in standing.slots if any(p.uid == pod.uid for p in s.pods)), None)
    new = home_of(plan, pod.uid)
    group = fleet.groups.get(new or (slot.group if slot is not None else ""))
    if group is None:
        roomy = [c.node_name for c in _there(fleet) if _lets_in(c, pod.shape)]
        text = f"there is room on {few(roomy) or 'a node that is there'}, and the scheduler will bind it"
        return _story(pod, alike, Fate.FITS, (Reason(Code.FITS_EXISTING, text, SOURCE),))
    offering = group.offering
    place = Place(
        slot.node.name if slot is not None and slot.node is not None and not new else "",
        group.name, offering.instance_type, offering.zone, offering.capacity_type, offering.price_microusd_per_hour,
        _share(pod.shape, fleet.rooms[group.id]), _beside(plan, new, pod, slot.pods if slot is not None else ()),
    )  # fmt: skip
    if slot is not None and not new:
        where = f"node {slot.node.name} is {slot.phase} for it" if slot.node is not None else "its node is on its way"
        reason = Reason(Code.STARTING, f"{where}, slot {slot.id}", SOURCE)
        return _story(pod, alike, Fate.COMING, (reason,), place)
    reason = Reason(Code.COST, "the next plan buys its node, part of the cheapest fleet for all that wait", SOURCE)
    without = case.with_pods({pod.uid}).plan()
    more = max(0, plan.cost_microusd_per_hour - without.cost_microusd_per_hour)
    displaced = len(pending(plan) - pending(without))
    story = PodStory(pod.ref, alike, pod.shape.requests.amounts, Fate.BOUGHT, (reason,), place, more)
    return replace(story, displaced=displaced)


def _beside(plan: Plan, group: str, pod: Pod, pods: Sequence[Pod]) -> tuple[str, ...]:
    """Who shares the node."""
    if not group:
        return tuple(other.ref for other in pods if other.uid != pod.uid)
    for action in plan.actions:
        claimed = getattr(action, "pods", ())
        if getattr(action, "group", "") == group and any(uid == pod.uid for uid, _ in claimed):
            return tuple(ref for uid, ref in claimed if uid != pod.uid)
    return ()


def _stays(asked: _Asked, left: Unmet, as_written: Pod) -> PodStory:
    """A pod that stays: groups and nodes that do not take it, what holds back those that would, what would help.

    Only what is written in the pod can be changed, not what follows from its volumes.
    """
    case, fleet, standing, pod, alike = asked
    (own,) = classes([pod])
    takers = [state for state in standing.groups.values() if takes(fleet, state, own)]
    full = [state for state in takers if state.closed is None and not state.limit]
    by_price = sorted(standing.groups.values(), key=lambda s: (s.group.offering.price_microusd_per_hour, s.group.id))
    return PodStory(
        pod=pod.ref,
        alike=alike,
        requests=pod.shape.requests.amounts,
        fate=Fate.STAYS,
        because=() if pod.shape.plannable else left.reasons,
        held=left.reasons if takers else (),
        takers=tuple(sorted(state.group.name for state in takers)),
        excluded=_excluded(fleet, standing, pod.shape),
        on_nodes=_on_nodes(fleet, pod.shape),
        remedies=remedies(case, as_written, candidates(fleet, by_price), full),
    )


def _excluded(fleet: Fleet, standing: Standing, shape: PodShape) -> tuple[Exclusion, ...]:
    """Which rule excludes it from which groups, nearest miss first."""
    types = {s.group.name: s.group.offering.instance_type for s in standing.groups.values()}
    return _told(Misses(candidates(fleet, standing.groups.values())), shape, types)


def _on_nodes(fleet: Fleet, shape: PodShape) -> tuple[Exclusion, ...]:
    """The same for nodes that are there, with the room they have left; a group's name stands for its type."""
    there = _there(fleet)
    if not there:
        return ()
    types = {c.name: fleet.groups[g].name for c in there if (g := fleet.group_of.get(c.name, "")) in fleet.groups}
    return _told(Misses(there, noun="node"), shape, types)


def _there(fleet: Fleet) -> list[Candidate]:
    """Nodes that take pods now, with the room they have left."""
    nodes = [n for n in fleet.nodes if n.ready and not n.unschedulable and not n.deleting]
    return [Candidate(n.name, n.labels, n.taints, free(fleet, n), n.name) for n in nodes]


def _lets_in(one: Candidate, shape: PodShape) -> bool:
    return admits(shape, one.labels, one.taints, node_name=one.node_name) and shape.requests.fits(one.room)


def _told(misses: Misses, shape: PodShape, types: dict[str, str]) -> tuple[Exclusion, ...]:
    return tuple(
        Exclusion(miss.code, miss.why, miss.hint, tuple(sorted(miss.names)), _types(miss.names, types))
        for miss in misses.grouped(shape)
    )


def _types(names: Iterable[str], types: dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted({types[name] for name in names if name in types}))
