"""Pods of nodes that go, as the pods that will take their place: these wait for room before the others are evicted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.protection import protected
from autoscale.demand.pending import left_to_others

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.disruption import Going
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import ClusterView, Snapshot
    from autoscale.model.workload import Pod


def with_movers(snapshot: Snapshot, going: Mapping[str, Going], settings: DecideSettings) -> ClusterView:
    """The cluster with each pod that is to be moved as one that waits.

    A pod that is being deleted is left where it is: its successor is there already, or comes when it is gone.
    """
    view = snapshot.cluster
    moved = [
        as_successor(pod)
        if pod.node_name in going and has_successor(pod, going[pod.node_name], settings, snapshot.now_s)
        else pod
        for pod in view.pods
    ]
    return replace(view, pods=tuple(moved))


def evictable(pod: Pod, going: Going, now_s: int) -> bool:
    """Whether the pod is to be evicted from a node that goes for this reason."""
    if pod.daemon or pod.mirror or pod.deleting or pod.finished:
        return False
    return going.urgent or protected(pod, now_s) is None


def has_successor(pod: Pod, going: Going, settings: DecideSettings, now_s: int) -> bool:
    """Whether an eviction would make its controller start another one, for which there has to be room.

    For pods that are left to others, others make room.
    """
    return bool(pod.owner) and evictable(pod, going, now_s) and not left_to_others(pod, settings)


def as_successor(pod: Pod) -> Pod:
    """The pod that would take its place."""
    return replace(
        pod,
        node_name="",
        nominated_node="",
        phase="Pending",
        tolerated_slots=(),
        claim=pod.next_claim,
        next_claim=None,
        moving=True,
    )
