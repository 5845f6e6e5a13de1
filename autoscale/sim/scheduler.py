"""A scheduler like the real one where it matters here: the same filters, and scores that spread pods over nodes.

Highest priority first, then the oldest; among the nodes that pass, the one that is least allocated and best balanced in
cpu and memory; ties by lot. It knows no preemption, and retries everything whenever anything changes.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from autoscale.demand.fit import admits
from autoscale.sim.mirror import Mirror, shape_of, taints_of
from autoscale.sim.objects import now_text
from autoscale.sim.refusals import Refused
from autoscale.sim.rules import bind

if TYPE_CHECKING:
    from autoscale.model.resources import Resources
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod, PodShape
    from autoscale.sim.objects import Json, ObjectStore

_NAME = "default-scheduler"
_SCORED = ("cpu", "memory")


class Scheduler:
    """Binds pods in a store, from what a mirror of it shows."""

    def __init__(self, store: ObjectStore, mirror: Mirror, *, seed: int = 0) -> None:
        self._store = store
        self._mirror = mirror
        self._random = Random(seed)  # noqa: S311 - ties of a simulation
        self._told: set[str] = set()  # uids of pods that were told that there is no room

    def schedule(self) -> int:
        """Try all that wait once; how many were bound."""
        waiting = [(key, pod) for key, pod in self._mirror.pods.items() if _waits(pod)]
        waiting.sort(key=lambda item: (-item[1].shape.priority, item[1].created_at_s, item[0]))
        hopeless: set[PodShape] = set()  # room only shrinks while we bind, so one failure speaks for the shape
        bound = 0
        for key, pod in waiting:
            shape = shape_of(pod)
            node = None if shape in hopeless else self._choose(shape)
            if node is None:
                hopeless.add(shape)
                self._tell(key, pod)
                continue
            try:
                self._mirror.see("pods", "MODIFIED", bind(self._store, key, node.name))
            except Refused:  # gone meanwhile
                continue
            bound += 1
        return bound

    def _choose(self, shape: PodShape) -> Node | None:
        best, best_score = None, -1.0
        for name in sorted(self._mirror.nodes):
            node = self._mirror.nodes[name]
            if node.deleting or not admits(shape, node.labels, taints_of(node), node_name=name):
                continue
            room = self._mirror.room(node)
            if not shape.requests.fits(room):
                continue
            score = _score(node.allocatable, room - shape.requests) + self._random.random() * 1e-6
            if score > best_score:
                best, best_score = node, score
        return best

    def _tell(self, key: str, pod: Pod) -> None:
        """Write once onto a pod that it is unschedulable."""
        if pod.uid in self._told:
            return
        self._told.add(pod.uid)
        message = f"0/{len(self._mirror.nodes)} nodes are available"
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}

        def change(obj: Json) -> Json:
            conditions = [{**condition, "lastTransitionTime": now_text()}]
            return {**obj, "status": {**obj["status"], "conditions": conditions}}

        try:
            self._store.update("pods", key, change)
        except Refused:  # gone meanwhile
            return


def _waits(pod: Pod) -> bool:
    return not (pod.node_name or pod.deleting or pod.gated) and pod.shape.scheduler_name == _NAME


def _score(allocatable: Resources, left: Resources) -> float:
    """LeastAllocated and NodeResourcesBalancedAllocation of the real scheduler, each 0 to 1, added."""
    free = [left[name] / allocatable[name] if allocatable[name] else 0.0 for name in _SCORED]
    return sum(free) / 2 + 1 - abs(free[0] - free[1]) / 2
