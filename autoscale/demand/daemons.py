"""What DaemonSets take of a node before anybody else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.demand.fit import admits, keys_read, reads_name
from autoscale.model.names import SLOT
from autoscale.model.resources import Resources
from autoscale.model.workload import Toleration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.model.workload import DaemonSet, PodShape, Taint

# What the DaemonSet controller adds to each of its pods (network-unavailable, for host network only, comes decoded).
_AUTOMATIC = (
    Toleration("node.kubernetes.io/not-ready", "Exists", "", "NoExecute"),
    Toleration("node.kubernetes.io/unreachable", "Exists", "", "NoExecute"),
    Toleration("node.kubernetes.io/disk-pressure", "Exists", "", "NoSchedule"),
    Toleration("node.kubernetes.io/memory-pressure", "Exists", "", "NoSchedule"),
    Toleration("node.kubernetes.io/pid-pressure", "Exists", "", "NoSchedule"),
    Toleration("node.kubernetes.io/unschedulable", "Exists", "", "NoSchedule"),
)


class Daemons:
    """The DaemonSets of a cluster, asked what of them belongs on a node. Answers are remembered."""

    def __init__(self, daemon_sets: Iterable[DaemonSet]) -> None:
        self._sets = tuple(sorted(daemon_sets, key=lambda d: (d.namespace, d.name)))
        self._shapes: tuple[PodShape, ...] = tuple(
            replace(d.shape, tolerations=(*d.shape.tolerations, *_AUTOMATIC)) for d in self._sets
        )
        self._keys = tuple(sorted({key for shape in self._shapes for key in keys_read(shape)}))
        self._named = any(reads_name(shape) for shape in self._shapes)
        self._known: dict[object, tuple[tuple[DaemonSet, ...], Resources]] = {}

    def on(self, labels: Mapping[str, str], taints: tuple[Taint, ...], *, node_name: str = "") -> tuple[DaemonSet, ...]:
        """The DaemonSets with a pod on such a node, by namespace and name. Our own slot taint comes and goes: ignored."""
        return self._look_up(labels, taints, node_name)[0]

    def overhead(self, labels: Mapping[str, str], taints: tuple[Taint, ...], *, node_name: str = "") -> Resources:
        """What the pods of those DaemonSets ask for together."""
        return self._look_up(labels, taints, node_name)[1]

    def _look_up(
        self, labels: Mapping[str, str], taints: tuple[Taint, ...], node_name: str
    ) -> tuple[tuple[DaemonSet, ...], Resources]:
        key = (tuple([labels.get(k) for k in self._keys]), taints, node_name if self._named else "")
        found = self._known.get(key)
        if found is None:
            lasting = tuple(t for t in taints if t.key != SLOT)
            there = tuple(
                (daemon_set, shape.requests)
                for daemon_set, shape in zip(self._sets, self._shapes, strict=True)
                if admits(shape, labels, lasting, node_name=node_name)
            )
            total = sum((requests for _, requests in there), Resources())
            found = self._known[key] = (tuple(d for d, _ in there), total)
        return found
