"""What a plan rests on, as a fingerprint, and its name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from autoscale.demand.pending import may_preempt, waits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from autoscale.model.snapshot import Snapshot
    from autoscale.model.storage import Volume, VolumeClaim
    from autoscale.model.workload import Pod, PodShape


def fingerprint(snapshot: Snapshot) -> str:
    """A hash of the facts: pods that wait, with what they ask for and claim; nodes; groups, targets, limits, prices."""
    shapes: dict[int, str] = {}

    def shape_text(shape: PodShape) -> str:
        known = shapes.get(id(shape))
        if known is None:
            parts = (
                shape, shape.rules, shape.claims, "" if shape.preempts else "never", shape.wishes, shape.preferred_nodes
            )  # fmt: skip
            known = shapes[id(shape)] = " ".join(repr(each) for each in parts if each)
        return known

    lines = [
        f"pod {pod.uid} {shape_text(pod.shape)} {pod.claim.slot if pod.claim else ''}"
        for pod in snapshot.cluster.pods
        if waits(pod)
    ]
    lines += [
        f"node {node.name} {node.allocatable!r} {node.unschedulable} {node.disruption or ''} "
        f"{(node.reservation.slot, node.reservation.phase) if node.reservation else ''}"
        for node in snapshot.cluster.nodes
    ]
    lines += [
        f"group {g.id} {g.target_nodes} {g.min_nodes} {g.max_nodes} {g.offering.key} {g.offering.price_microusd_per_hour}"
        for g in snapshot.groups
    ]
    lines += [
        f"risk {g.id} {g.offering.interruption_microusd_per_hour}"
        for g in snapshot.groups
        if g.offering.interruption_microusd_per_hour
    ]
    lines += [f"quota {q.id} {q.limit} {q.used_elsewhere}" for cloud in snapshot.clouds for q in cloud.quotas]
    waiting = [pod for pod in snapshot.cluster.pods if waits(pod)]
    lines += [f"storage {each!r}" for each in _storage(snapshot, waiting)]
    if any(p.shape.rules or p.shape.wishes for p in waiting) or may_preempt(snapshot.cluster.pods):
        # then it matters who is where
        lines += [f"on {pod.node_name} {pod.uid}" for pod in snapshot.cluster.pods if pod.node_name]
    return _hash(sorted(lines), 16)


def _storage(snapshot: Snapshot, pods: Iterable[Pod]) -> Iterator[VolumeClaim | Volume]:
    """The claims of these pods, and the volumes that they have."""
    storage = snapshot.cluster.storage
    for ref in {f"{pod.namespace}/{use.name}" for pod in pods for use in pod.shape.claims}:
        claim = storage.claims.get(ref)
        if claim is not None:
            yield claim
            if claim.volume in storage.volumes:
                yield storage.volumes[claim.volume]


def name_plan(facts: str, content: Iterable[object], taken: Iterable[str]) -> str:
    """A plan's id: seven hex digits of its facts and content, none that a slot in use starts with."""
    slots = tuple(taken)
    text = [facts, *(repr(item) for item in content)]
    name = _hash(text, 7)
    while any(slot.startswith(name) for slot in slots):
        text.append("again")
        name = _hash(text, 7)
    return name


def _hash(lines: Iterable[str], digits: int) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:digits]
