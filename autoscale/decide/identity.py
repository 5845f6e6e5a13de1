"""What a plan rests on, as a fingerprint, and its name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from autoscale.demand.pending import may_preempt, waits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscale.model.snapshot import Snapshot
    from autoscale.model.workload import PodShape


def fingerprint(snapshot: Snapshot) -> str:
    """A hash of the facts: pods that wait, with what they ask for and claim; nodes; groups, targets, limits, prices."""
    shapes: dict[int, str] = {}

    def shape_text(shape: PodShape) -> str:
        known = shapes.get(id(shape))
        if known is None:
            parts = (shape, shape.rules, shape.claims, "" if shape.preempts else "never")
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
    if any(p.shape.rules for p in snapshot.cluster.pods if waits(p)) or may_preempt(snapshot.cluster.pods):
        # then it matters who is where
        lines += [f"on {pod.node_name} {pod.uid}" for pod in snapshot.cluster.pods if pod.node_name]
    return _hash(sorted(lines), 16)


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
