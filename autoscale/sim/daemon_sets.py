"""The DaemonSet controller: one pod of each DaemonSet on every node that it fits, for the scheduler to bind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.demand.fit import admits
from autoscale.model.workload import Toleration
from autoscale.sim.mirror import Mirror, taints_of
from autoscale.sim.objects import key_of
from autoscale.sim.refusals import Refused
from autoscale.sim.rules import admitted

if TYPE_CHECKING:
    from autoscale.model.workload import DaemonSet, Pod
    from autoscale.sim.objects import Json, ObjectStore

_ADDED = (
    ("node.kubernetes.io/not-ready", ""),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_TOLERATIONS = tuple(Toleration(key, "Exists", "", effect) for key, effect in _ADDED)


class DaemonSets:
    """Makes and removes DaemonSet pods in a store, from what a mirror of it shows."""

    def __init__(self, store: ObjectStore, mirror: Mirror) -> None:
        self._store = store
        self._mirror = mirror

    def reconcile(self) -> int:
        """Make the pods that are missing, remove those whose DaemonSet is gone; how many of both."""
        there = {
            (f"{pod.namespace}/{pod.owner}", _target(pod)): key for key, pod in self._mirror.pods.items() if pod.daemon
        }
        wanted = {
            (f"{daemon_set.namespace}/DaemonSet/{daemon_set.name}", name): obj
            for daemon_set, obj in self._mirror.daemon_sets.values()
            for name in self._nodes_for(daemon_set)
        }
        owners = {f"{d.namespace}/DaemonSet/{d.name}" for d, _ in self._mirror.daemon_sets.values()}
        orphans = [key for (owner, _), key in there.items() if owner not in owners]
        missing = [(node, obj) for (owner, node), obj in wanted.items() if (owner, node) not in there]
        for node, obj in missing:
            made = self._store.create("pods", admitted("pods", _pod(obj, node)))
            self._mirror.see("pods", "ADDED", made)
        for key in orphans:
            try:
                self._mirror.see("pods", "DELETED", self._store.delete("pods", key))
            except Refused:  # gone already
                continue
        return len(missing) + len(orphans)

    def complete(self, node: str) -> bool:
        """Whether every DaemonSet pod that belongs on the node is bound to it."""
        bound = {f"{p.namespace}/{p.owner}" for p in self._mirror.pods.values() if p.daemon and p.node_name == node}
        return all(
            f"{d.namespace}/DaemonSet/{d.name}" in bound
            for d, _ in self._mirror.daemon_sets.values()
            if node in self._nodes_for(d)
        )

    def _nodes_for(self, daemon_set: DaemonSet) -> list[str]:
        shape = replace(daemon_set.shape, tolerations=daemon_set.shape.tolerations + _TOLERATIONS)
        return [
            name
            for name, node in sorted(self._mirror.nodes.items())
            if not node.deleting and admits(shape, node.labels, taints_of(node), node_name=name)
        ]


def _target(pod: Pod) -> str:
    """The node that a DaemonSet pod was made for."""
    if pod.node_name or not pod.shape.node_affinity:
        return pod.node_name
    return next((v for term in pod.shape.node_affinity for field in term.fields for v in field.values), "")


def _pod(daemon_set: Json, node: str) -> Json:
    meta, template = daemon_set["metadata"], daemon_set["spec"]["template"]
    spec = dict(template["spec"])
    only = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = dict(spec.get("affinity") or {})
    own = (affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = [{**term, **only} for term in own.get("nodeSelectorTerms", ())] or [only]
    affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    more = [{"key": key, "operator": "Exists", **({"effect": effect} if effect else {})} for key, effect in _ADDED]
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": meta["name"], "uid": meta["uid"], "controller": True}
    return {
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": key_of(daemon_set).partition("/")[0],
            "labels": (template.get("metadata") or {}).get("labels", {}),
            "ownerReferences": [owner],
        },
        "spec": {**spec, "affinity": affinity, "tolerations": [*(spec.get("tolerations") or ()), *more]},
    }
