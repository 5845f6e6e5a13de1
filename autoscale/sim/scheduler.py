"""A scheduler like the real one where it matters here: the same filters, and scores that spread pods over nodes.

Highest priority first, then the oldest; among the nodes that pass, the one that is least allocated and best balanced in
cpu and memory; ties by lot. Rules between pods are judged by `demand.World`, made anew for each turn and only when a pod
has such rules. It knows no preemption, and retries everything whenever anything changes.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from autoscale.demand.fit import admits
from autoscale.demand.sites import Site
from autoscale.demand.world import World
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
_NAMESPACE = "kubernetes.io/metadata.name"


class _Ground:
    """The nodes and who is on them, as rules between pods see them."""

    def __init__(self, store: ObjectStore, mirror: Mirror) -> None:
        labels = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in store.all("namespaces")[1]}
        self._world = World({name: {**own, _NAMESPACE: name} for name, own in labels.items()})
        self._sites = {n.name: Site(n.name, n.labels, taints_of(n), n.allocatable) for n in mirror.nodes.values()}
        for pod in mirror.pods.values():
            if pod.node_name in self._sites:
                self._sites[pod.node_name].change(self._world.kind_of(pod), 1)
        for site in self._sites.values():
            self._world.open(site)

    def obeys(self, pod: Pod, node: Node) -> bool:
        """Whether the rules let the pod go there now."""
        return self._world.obeys(self._world.kind_of(pod), self._sites[node.name])

    def put(self, pod: Pod, node: Node) -> None:
        """It is there."""
        self._world.put(self._world.kind_of(pod), self._sites[node.name])


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
        rules = any(pod.shape.rules for pod in self._mirror.pods.values())
        ground = _Ground(self._store, self._mirror) if rules else None
        hopeless: set[PodShape] = set()  # room only shrinks while we bind, so one failure speaks for the shape
        bound = 0
        for key, pod in waiting:
            shape = shape_of(pod)
            node = None if shape in hopeless else self._choose(pod, shape, ground)
            if node is None:
                if ground is None:  # else others that come may change it
                    hopeless.add(shape)
                self._tell(key, pod)
                continue
            try:
                self._mirror.see("pods", "MODIFIED", bind(self._store, key, node.name))
            except Refused:  # gone meanwhile
                continue
            if ground is not None:
                ground.put(pod, node)
            bound += 1
        return bound

    def _choose(self, pod: Pod, shape: PodShape, ground: _Ground | None) -> Node | None:
        best, best_score = None, -1.0
        for name in sorted(self._mirror.nodes):
            node = self._mirror.nodes[name]
            if node.deleting or not admits(shape, node.labels, taints_of(node), node_name=name):
                continue
            room = self._mirror.room(node)
            if not shape.requests.fits(room) or not (ground is None or ground.obeys(pod, node)):
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
