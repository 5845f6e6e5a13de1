"""What a plan rests on, small enough to be saved with it: to describe it later, and to tell whether it still holds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscale.cli.codec import encode
from autoscale.demand.classes import classes
from autoscale.model.plan import Assign, ClaimPods, Disrupt, Evict, Hold, Release, RemoveNode, Restore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.plan import Plan
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Node, NodeGroup
    from autoscale.model.workload import Pod


@dataclass(frozen=True, slots=True)
class GroupFact:
    """A node group. `digest` covers what a node of it looks like; `open_slots` are bought and not yet joined.

    `to_make` names the template of a group that is not made yet.
    """

    name: str
    provider: str
    instance_type: str
    zone: str
    capacity_type: str
    price_microusd_per_hour: int
    interruption_microusd_per_hour: int
    target_nodes: int
    min_nodes: int
    max_nodes: int
    open_slots: int
    digest: str
    to_make: str = ""


@dataclass(frozen=True, slots=True)
class PodFact:
    """A pod that the plan claims, and the slot it held before, if any. `digest` covers what the scheduler looks at."""

    ref: str
    slot: str
    digest: str


@dataclass(frozen=True, slots=True)
class ClassFact:
    """Pods that the scheduler can't tell apart: how many, and what each asks for."""

    pods: int
    requests: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Facts:
    """Groups by id (offline: only those the plan uses), claimed pods by uid, nodes acted on by name, classes by key."""

    groups: Mapping[str, GroupFact]
    pods: Mapping[str, PodFact]
    nodes: Mapping[str, str]
    classes: Mapping[str, ClassFact]


def gather(plan: Plan, snapshot: Snapshot, *, offline: bool = False) -> Facts:
    """The facts of a plan in the snapshot that it was made from; offline without pods, as nobody will look again."""
    claims = () if offline else plan.actions
    claimed = {uid for action in claims if isinstance(action, ClaimPods) for uid, _ in action.pods}
    digests = PodDigests()
    touched = nodes_touched(plan)
    used = {node.group for node in plan.packing}
    keys = {key for node in plan.packing for key, _ in node.pods} | {unmet.class_key for unmet in plan.unmet}
    open_slots = slots_open(snapshot)
    on_node = _workload(snapshot)
    waiting = classes(pod for pod in snapshot.cluster.pods if not pod.node_name and not pod.daemon)
    return Facts(
        groups={
            group.id: group_fact(group, open_slots.get(group.id, 0))
            for group in snapshot.groups
            if not group.catalogued or group.id in used
        },
        pods={
            pod.uid: PodFact(pod.ref, pod.claim.slot if pod.claim else "", digests.of(pod))
            for pod in snapshot.cluster.pods
            if pod.uid in claimed
        },
        nodes={
            node.name: node_digest(node, on_node.get(node.name, []))
            for node in snapshot.cluster.nodes
            if node.name in touched
        },
        classes={each.key: ClassFact(each.count, each.shape.requests.amounts) for each in waiting if each.key in keys},
    )


def nodes_touched(plan: Plan) -> frozenset[str]:
    """Names of the nodes that the plan does something to."""
    kinds = (Assign, Hold, Release, RemoveNode, Disrupt, Restore, Evict)
    return frozenset(action.node for action in plan.actions if isinstance(action, kinds) and action.node)


def nodes_now(snapshot: Snapshot) -> dict[str, str]:
    """Digest of every node."""
    on_node = _workload(snapshot)
    return {node.name: node_digest(node, on_node.get(node.name, [])) for node in snapshot.cluster.nodes}


def slots_open(snapshot: Snapshot) -> dict[str, int]:
    """Group id -> slots that pods claim and no node has."""
    assigned = {node.reservation.slot for node in snapshot.cluster.nodes if node.reservation is not None}
    found: dict[str, set[str]] = {}
    for pod in snapshot.cluster.pods:
        if pod.claim is not None and not pod.node_name and pod.claim.slot not in assigned:
            found.setdefault(pod.claim.group, set()).add(pod.claim.slot)
    return {group: len(slots) for group, slots in found.items()}


def group_fact(group: NodeGroup, open_slots: int) -> GroupFact:
    """What there is to know of a group."""
    return GroupFact(
        name=group.name,
        provider=group.provider,
        instance_type=group.offering.instance_type,
        zone=group.offering.zone,
        capacity_type=group.offering.capacity_type.value,
        price_microusd_per_hour=group.offering.price_microusd_per_hour,
        interruption_microusd_per_hour=group.offering.interruption_microusd_per_hour,
        target_nodes=group.target_nodes,
        min_nodes=group.min_nodes,
        max_nodes=group.max_nodes,
        open_slots=open_slots,
        digest=digest(group.allocatable, group.labels, group.taints, group.devices),
        to_make="" if group.made else group.template,
    )


class PodDigests:
    """What the scheduler looks at in pods; pods of one template share a shape, which is looked at once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, frozenset[tuple[str, str]]], str] = {}

    def of(self, pod: Pod) -> str:
        """The digest. The pods must live as long as this object, which tells shapes apart by their identity."""
        key = id(pod.shape), frozenset(pod.labels.items())
        if key not in self._known:
            self._known[key] = digest(pod.shape, pod.labels)
        return self._known[key]


def node_digest(node: Node, workload: list[str]) -> str:
    """A node, its reservation and what works on it."""
    return digest(
        node.provider_id, node.allocatable, node.taints, node.unschedulable, node.deleting, node.reservation, workload
    )


def digest(*parts: Any) -> str:
    """A short hash of model values."""
    return hashlib.sha256(json.dumps(encode(parts), sort_keys=True).encode()).hexdigest()[:16]


def _workload(snapshot: Snapshot) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for pod in sorted(snapshot.cluster.pods, key=lambda p: p.uid):
        if pod.node_name and not pod.daemon and not pod.mirror:
            out.setdefault(pod.node_name, []).append(pod.uid)
    return out
