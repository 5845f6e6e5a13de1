"""The embedded cluster as model types, kept up with its history: what its scheduler and controllers look at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from autoscale.model.names import SLOT
from autoscale.model.resources import Resources
from autoscale.model.workload import Taint, Toleration
from autoscale.observe import decode
from autoscale.sim.objects import key_of
from autoscale.sim.refusals import Refused

if TYPE_CHECKING:
    from autoscale.model.supply import Node
    from autoscale.model.workload import DaemonSet, Pod, PodShape
    from autoscale.sim.objects import Json, ObjectStore

_UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
_NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoSchedule")


class Mirror:
    """Nodes, unfinished pods and DaemonSets by key, and what the pods of each node ask for together."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._version = 0
        self.nodes: dict[str, Node] = {}
        self.pods: dict[str, Pod] = {}
        self.daemon_sets: dict[str, tuple[DaemonSet, Json]] = {}
        self.used: dict[str, Resources] = {}

    @property
    def version(self) -> int:
        """The version up to which everything is known."""
        return self._version

    def catch_up(self) -> bool:
        """Read what is new; whether there was anything."""
        with self._store.changed:
            before, self._version = self._version, self._store.version
            try:
                changes = self._store.since(before) if before else None
            except Refused:
                changes = None
            if changes is None:
                self.pods, self.nodes, self.daemon_sets, self.used = {}, {}, {}, {}
                found = [(r, "ADDED", obj) for r in ("nodes", "daemonsets", "pods") for obj in self._store.all(r)[1]]
            else:
                found = [(change.resource, change.kind, change.now) for change in changes]
        for resource, kind, obj in found:
            self.see(resource, kind, obj)
        return bool(found)

    def see(self, resource: str, kind: str, obj: Json) -> None:
        """Take in one object as it is now, or that it is gone."""
        key, gone = key_of(obj), kind == "DELETED"
        if resource == "pods":
            self._count(self.pods.pop(key, None), -1)
            pod = decode.pod(msgspec.json.encode(obj))
            if not gone and not pod.finished:
                self.pods[key] = pod
                self._count(pod, 1)
        elif resource == "nodes":
            self.nodes.pop(key, None)
            if not gone:
                self.nodes[key] = decode.node(msgspec.json.encode(obj))
        elif resource == "daemonsets":
            self.daemon_sets.pop(key, None)
            if not gone:
                self.daemon_sets[key] = decode.daemon_set(msgspec.json.encode(obj)), obj

    def room(self, node: Node) -> Resources:
        """What is left of the node."""
        return node.allocatable - self.used.get(node.name, Resources())

    def _count(self, pod: Pod | None, sign: int) -> None:
        if pod is not None and pod.node_name:
            self.used[pod.node_name] = self.used.get(pod.node_name, Resources()) + pod.shape.requests * sign


def taints_of(node: Node) -> tuple[Taint, ...]:
    """The node's taints, with those that the node controller would add."""
    more = (_UNSCHEDULABLE,) * node.unschedulable + (_NOT_READY,) * (not node.ready)
    return node.taints + more


def shape_of(pod: Pod) -> PodShape:
    """The pod's shape, tolerations for slots included."""
    if not pod.tolerated_slots:
        return pod.shape
    slots = tuple(Toleration(SLOT, "Equal", slot, "NoSchedule") for slot in pod.tolerated_slots)
    return replace(pod.shape, tolerations=pod.shape.tolerations + slots)
