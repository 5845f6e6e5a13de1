"""Claims on volumes turned into what the rest of the planner knows: node affinity, and volumes as a resource of nodes.

What the scheduler's VolumeBinding, VolumeZone and NodeVolumeLimits let through is let through, but for what is told in
docs/scheduling.md. A pod whose claim no node could satisfy now is blocked, with the reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.model.resources import Resources
from autoscale.model.rules import Requirement
from autoscale.model.workload import NodeSelectorTerm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.model.snapshot import ClusterView
    from autoscale.model.storage import Storage, StorageClass, Volume, VolumeClaim
    from autoscale.model.supply import Node, NodeGroup
    from autoscale.model.workload import ClaimUse, Pod, PodShape

ATTACHED = "attachable-volumes-csi-"
NO_LIMIT = 10**6
_NOBODY = "kubernetes.io/no-provisioner"
_ZONES = (
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
)
_NO_ZONE = NodeSelectorTerm(tuple(Requirement(key, "DoesNotExist") for key in _ZONES))

Terms = tuple[NodeSelectorTerm, ...]


def with_volumes(view: ClusterView) -> ClusterView:
    """The cluster with claims worked into shapes of pods, and limits into what nodes have. The same when no pod claims."""
    if not any(pod.shape.claims for pod in view.pods):
        return view
    drivers = sorted({driver for each in view.storage.limits.values() for driver in each.by_driver})
    work = _Work(view.storage, frozenset(drivers), _users(view.pods))
    pods = tuple(replace(pod, shape=work.shape(pod)) if pod.shape.claims else pod for pod in view.pods)
    left = _left_attached(view.storage, work.in_use)
    nodes = tuple(_limited(node, view.storage, drivers, left) for node in view.nodes) if drivers else view.nodes
    return replace(view, pods=pods, nodes=nodes)


def unshared(shape: PodShape) -> Resources:
    """What the shape asks for without the volumes that other pods have as well: they count once on a node."""
    if not shape.shared_volumes:
        return shape.requests
    return shape.requests - Resources(Counter(resource for resource, _ in shape.shared_volumes))


def total_requests(pods: Iterable[Pod]) -> Resources:
    """What pods of one node ask for together; a volume that several of them have counts once."""
    total: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    for pod in pods:
        for name, amount in pod.shape.requests.amounts.items():
            total[name] = total.get(name, 0) + amount
        for volume in pod.shape.shared_volumes:
            total[volume[0]] -= volume in seen
            seen.add(volume)
    return Resources(total)


def group_with_limits(group: NodeGroup, nodes: Iterable[Node]) -> NodeGroup:
    """A group whose nodes to come can attach as many volumes as the least of the nodes that are there."""
    least: dict[str, int] = {}
    for node in nodes:
        for name in node.allocatable:
            if name.startswith(ATTACHED):
                least[name] = min(least.get(name, NO_LIMIT), node.allocatable[name])
    return replace(group, allocatable=group.allocatable + Resources(least)) if least else group


class _Work:
    """Resolves claims; equal results are one object."""

    def __init__(self, storage: Storage, drivers: frozenset[str], users: Mapping[str, tuple[str, ...]]) -> None:
        self._storage, self._drivers, self._users = storage, drivers, users
        self._shapes: dict[PodShape, PodShape] = {}
        self.in_use: set[tuple[str, str]] = set()  # (node, volume) of pods that have a node

    def shape(self, pod: Pod) -> PodShape:
        """What the pod asks for, claims worked in."""
        affinity, blocked = pod.shape.node_affinity, ""
        volumes: dict[tuple[str, str], bool] = {}  # whether other pods have it, too
        for use in pod.shape.claims:
            name = f"{pod.name}-{use.name}" if use.ephemeral else use.name
            claim = self._storage.claims.get(f"{pod.namespace}/{name}")
            terms, driver, why = self._use(pod, use, claim, name)
            blocked = blocked or why
            affinity = _both(affinity, terms)
            if pod.node_name and claim is not None:
                self.in_use.add((pod.node_name, claim.volume))
            if driver in self._drivers:
                key = f"{ATTACHED}{driver}", (claim.volume if claim else "") or name
                volumes[key] = not use.ephemeral and len(self._users.get(f"{pod.namespace}/{name}", ())) > 1
        extra = Counter(resource for resource, _ in volumes)
        made = replace(
            pod.shape,
            claims=(),
            node_affinity=affinity,
            affinity_without_volumes=() if affinity == pod.shape.node_affinity else (pod.shape.node_affinity,),
            requests=pod.shape.requests + Resources(extra) if extra else pod.shape.requests,
            blocked=blocked,
            shared_volumes=tuple(sorted(key for key, shared in volumes.items() if shared)),
        )
        return self._shapes.setdefault(made, made)

    def _use(self, pod: Pod, use: ClaimUse, claim: VolumeClaim | None, name: str) -> tuple[Terms | None, str, str]:
        """Where one claim lets the pod go, its driver, and why no node will do."""
        if claim is None:
            if use.ephemeral or use.made:
                return self._new(self._class(use.storage_class), name, use.size_bytes)
            return None, "", f"its volume claim {name} does not exist"
        if claim.lost or claim.deleting:
            return None, "", f"its volume claim {name} {'has lost its volume' if claim.lost else 'is being deleted'}"
        others = [user for user in self._users.get(claim.ref, ()) if user != pod.uid]
        if claim.one_pod and others and self._users[claim.ref][0] != pod.uid:
            return None, "", f"its volume claim {name} is for one pod at a time, and another has it"
        if claim.bound:
            volume = self._storage.volumes.get(claim.volume)
            if volume is None:
                return None, "", f"the volume {claim.volume} of its claim {name} does not exist"
            return _where(volume), volume.driver, ""
        if claim.volume:
            return None, "", f"its volume claim {name} waits for the volume {claim.volume}"
        terms, driver, why = self._new(self._class(claim.storage_class), name, claim.size_bytes)
        if claim.selected_node and not why:
            term = NodeSelectorTerm(fields=(Requirement("metadata.name", "In", (claim.selected_node,)),))
            terms = _both(terms, (term,))
        return terms, driver, why

    def _new(self, of: StorageClass | None, name: str, size: int | None) -> tuple[Terms | None, str, str]:
        """Where a volume could be made."""
        if of is None:
            return None, "", f"its volume claim {name} has no volume and no storage class that exists"
        if not of.delayed:
            return None, "", f"its volume claim {name} is not bound yet, and {of.name} does not wait for the pod"
        if of.provisioner in ("", _NOBODY):
            return None, "", f"its volume claim {name} takes volumes of {of.name} that nobody makes: not planned"
        if size is None or of.provisioner not in self._storage.measured:
            return of.topologies, of.provisioner, ""
        roomy = [
            NodeSelectorTerm(each.nodes)
            for each in self._storage.capacities
            if each.storage_class == of.name
            and each.nodes is not None
            and each.size_bytes is not None
            and each.size_bytes >= size
        ]
        if any(not term.expressions for term in roomy):
            return of.topologies, of.provisioner, ""  # wherever the class makes volumes
        why = "" if roomy else f"{of.provisioner} has nowhere as much room as its volume claim {name} asks for"
        return _both(of.topologies, tuple(roomy)), of.provisioner, why

    def _class(self, name: str | None) -> StorageClass | None:
        if name is not None:
            return self._storage.classes.get(name)
        return next((each for each in self._storage.classes.values() if each.default), None)


def _where(volume: Volume) -> Terms | None:
    terms = volume.affinity
    for key, values in volume.zones:
        terms = _both(terms, (_NO_ZONE, NodeSelectorTerm((Requirement(key, "In", values),))))
    return terms


def _both(one: Terms | None, other: Terms | None) -> Terms | None:
    """Terms that hold where both hold."""
    if one is None or other is None or one == other:
        return other if one is None else one
    return tuple(
        NodeSelectorTerm(a.expressions + b.expressions, a.fields + b.fields)
        for a in one for b in other
        if (a.expressions or a.fields) and (b.expressions or b.fields)
    )  # fmt: skip


def _users(pods: Iterable[Pod]) -> dict[str, tuple[str, ...]]:
    """Claim -> uids of the pods that use it: those that have a node first, then the eldest."""
    found: dict[str, list[Pod]] = {}
    for pod in pods:
        for use in pod.shape.claims:
            if not use.ephemeral and not pod.finished:
                found.setdefault(f"{pod.namespace}/{use.name}", []).append(pod)
    return {
        ref: tuple(p.uid for p in sorted(users, key=lambda p: (not p.node_name, p.created_at_s, p.name)))
        for ref, users in found.items()
    }


def _left_attached(storage: Storage, in_use: set[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """(node, driver) -> volumes that are attached though no pod of the node uses them."""
    csi = (each for each in storage.attachments if each.driver and (v := storage.volumes.get(each.volume)) and v.driver)
    return Counter((each.node, each.driver) for each in csi if (each.node, each.volume) not in in_use)


def _limited(node: Node, storage: Storage, drivers: Iterable[str], left: Mapping[tuple[str, str], int]) -> Node:
    limits = storage.limits.get(node.name)
    known = limits.by_driver if limits else {}
    extra = {
        f"{ATTACHED}{driver}": known.get(driver, NO_LIMIT) - left.get((node.name, driver), 0) for driver in drivers
    }
    return replace(node, allocatable=node.allocatable + Resources(extra))
