"""Kubernetes objects as model types: raw bytes to structs to model types, once.

Pods of one template share one PodShape object: a shape is worked out once for each distinct set of bytes that decides
it, and equal shapes are merged after that. So 50,000 pods cost little more than their names.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from autoscale.model import toll
from autoscale.model.frozen import empty
from autoscale.model.names import (
    CLAIMED_AT,
    DISRUPTED,
    DISRUPTED_AT,
    FREEZE,
    GONE,
    GROUP,
    NEXT_CLAIMED_AT,
    NEXT_GROUP,
    NEXT_SLOT,
    PHASES,
    RESERVATION,
    RESERVED_AT,
    SLOT,
)
from autoscale.model.resources import Resources
from autoscale.model.rules import DisruptionBudget
from autoscale.model.supply import Condition, Disruption, Node, NodeReservation
from autoscale.model.units import quantity
from autoscale.model.workload import Claim, DaemonSet, Pod, Taint, Toleration
from autoscale.observe import wire
from autoscale.observe.pod_rules import selector_of
from autoscale.observe.requests import A_QUANTITY, NO_RESIZE, BadQuantity, Resize, told
from autoscale.observe.shapes import NOTHING, read, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

_POD = msgspec.json.Decoder(wire.PodObject)
_NODE = msgspec.json.Decoder(wire.NodeObject)
_DAEMON_SET = msgspec.json.Decoder(wire.DaemonSetObject)
_NAMESPACE = msgspec.json.Decoder(wire.NamespaceObject)
_BUDGET = msgspec.json.Decoder(wire.BudgetObject)
_CONDITIONS = msgspec.json.Decoder(list[wire.PodCondition])
_TEXTS = msgspec.json.Decoder(wire.Texts)
_MIRROR = "kubernetes.io/config.mirror"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # as large as the object, and of no use to us
_HOST_NETWORK = Toleration("node.kubernetes.io/network-unavailable", "Exists", "", "NoSchedule")


class Namespace(NamedTuple):
    """A namespace."""

    name: str
    labels: Mapping[str, str]
    freeze: str = ""
    gone: toll.Toll = ()


def pod(raw: bytes | msgspec.Raw) -> Pod:
    """A pod. Raises msgspec.MsgspecError when it is not one; a bad quantity is noted in `shape.unmodelled`."""
    return pod_from_struct(_POD.decode(raw))


def node(raw: bytes | msgspec.Raw) -> Node:
    """A node. Raises msgspec.MsgspecError when it is not one; a bad quantity counts as nothing there."""
    return node_from_struct(_NODE.decode(raw))


def daemon_set(raw: bytes | msgspec.Raw) -> DaemonSet:
    """A DaemonSet, its pods' shape without the tolerations that its controller adds (see `demand.daemons`)."""
    return daemon_set_from_struct(_DAEMON_SET.decode(raw))


def namespace(raw: bytes | msgspec.Raw) -> Namespace:
    """A namespace's name and labels, and what is written on it for the whole cluster."""
    meta = _NAMESPACE.decode(raw).metadata
    notes = meta.annotations or {}
    freeze = notes.get(FREEZE)
    frozen = "" if freeze is None else freeze or "no reason given"
    return Namespace(meta.name, _texts(bytes(meta.labels)), frozen, toll.read(notes.get(GONE, "")))


def pod_from_struct(obj: wire.PodObject, *, strict: bool = False) -> Pod:
    """A pod from what was read of it. With `strict` a bad quantity raises BadQuantity."""
    meta, spec, status = obj.metadata, obj.spec, obj.status
    resize = _resize(status) if status is not None and spec.node_name else NO_RESIZE
    shape, tolerated_slots = shape_of(spec, resize=resize, strict=strict)
    annotations = _annotations(meta)
    owner = ""
    for reference in meta.owner_references or ():
        if reference.controller:
            owner = f"{reference.kind}/{reference.name}"
    return Pod(
        uid=meta.uid,
        namespace=meta.namespace or "default",
        name=meta.name,
        shape=shape,
        labels=_texts(bytes(meta.labels)),
        annotations=annotations,
        owner=owner,
        node_name=spec.node_name or "",
        phase=(status.phase if status else None) or "Pending",
        created_at_s=_seconds(meta.creation_timestamp),
        started_at_s=_seconds(status.start_time if status else None),
        refused_at_s=0 if status is None or spec.node_name else _refused_at_s(bytes(status.conditions)),
        deleting=meta.deletion_timestamp is not None,
        gated=bytes(spec.scheduling_gates) not in NOTHING,
        mirror=_MIRROR in annotations,
        nominated_node=(status.nominated_node_name if status else None) or "",
        tolerated_slots=tolerated_slots,
        claim=_claim(annotations, SLOT, GROUP, CLAIMED_AT),
        deletion_at_s=_seconds(meta.deletion_timestamp),
        finalizers=tuple(meta.finalizers or ()),
        local_volumes=tuple([volume.name for volume in spec.volumes or () if volume.local]),
        next_claim=_claim(annotations, NEXT_SLOT, NEXT_GROUP, NEXT_CLAIMED_AT),
    )


def node_from_struct(obj: wire.NodeObject, *, strict: bool = False) -> Node:
    """A node from what was read of it. With `strict` a bad quantity raises BadQuantity."""
    meta, spec, status = obj.metadata, obj.spec or wire.NodeSpec(), obj.status or wire.NodeStatus()
    annotations = _annotations(meta)
    return Node(
        name=meta.name,
        provider_id=spec.provider_id or "",
        allocatable=_room(status.allocatable or status.capacity or {}, strict=strict),
        labels=_texts(bytes(meta.labels)),
        annotations=annotations,
        taints=tuple(Taint(t.key, t.value or "", t.effect) for t in spec.taints or ()),
        unschedulable=bool(spec.unschedulable),
        ready=any(c.type == "Ready" and c.status == "True" for c in status.conditions or ()),
        deleting=meta.deletion_timestamp is not None,
        created_at_s=_seconds(meta.creation_timestamp),
        reservation=_reservation(annotations),
        conditions=_conditions(status.conditions or ()),
        disruption=_disruption(annotations, spec.taints or ()),
        volumes=tuple(volume.name for volume in status.volumes_attached or ()),
    )


def daemon_set_from_struct(obj: wire.DaemonSetObject, *, strict: bool = False) -> DaemonSet:
    """A DaemonSet from what was read of it. With `strict` a bad quantity raises BadQuantity."""
    spec = obj.spec.template.spec
    shape, slots = shape_of(spec, strict=strict)
    if "" in slots:  # it may run on nodes that are held, whoever for
        shape = replace(shape, tolerations=(*shape.tolerations, Toleration(SLOT, "Exists")))
    if spec.host_network:
        shape = replace(shape, tolerations=(*shape.tolerations, _HOST_NETWORK))
    made = obj.spec.template.metadata
    labels = _texts(bytes(made.labels)) if made else empty()
    return DaemonSet(obj.metadata.namespace or "default", obj.metadata.name, shape, labels)


def budget(raw: bytes | msgspec.Raw) -> DisruptionBudget:
    """A PodDisruptionBudget."""
    obj = _BUDGET.decode(raw)
    meta, status = obj.metadata, obj.status or wire.BudgetStatus()
    return DisruptionBudget(
        meta.namespace or "default",
        meta.name,
        selector_of(obj.spec.selector if obj.spec else None),
        status.disruptions_allowed or 0,
        frozenset(status.disrupted_pods or ()),
    )


def _resize(status: wire.PodStatus) -> Resize:
    """What the kubelet says that the pod has."""
    said = (*(status.container_statuses or ()), *(status.init_container_statuses or ()))
    containers = tuple([(s.name, bytes(s.resources), bytes(s.allocated_resources)) for s in said if bytes(s.resources)])
    pod = bytes(status.resources), bytes(status.allocated_resources)
    if not containers and not pod[0]:
        return NO_RESIZE
    raw = bytes(status.conditions)
    pending = b'"PodResizePending"' in raw and any(
        each.type == "PodResizePending" and each.reason == "Infeasible"
        for each in read(_CONDITIONS, raw, "status.conditions")
    )
    return Resize(containers, pod, pending)


def _refused_at_s(raw: bytes) -> int:
    """Since when the scheduler has said that no node takes the pod."""
    if b'"Unschedulable"' not in raw:
        return 0
    for each in read(_CONDITIONS, raw, "status.conditions"):
        if each.type == "PodScheduled" and each.status == "False" and each.reason == "Unschedulable":
            return _seconds(each.last_transition_time)
    return 0


@lru_cache(maxsize=16384)
def _texts(raw: bytes) -> Mapping[str, str]:
    """Labels, shared by all objects that have the same."""
    if raw in NOTHING:
        return empty()
    return MappingProxyType(read(_TEXTS, raw, "metadata.labels") or {})


def _annotations(meta: wire.Meta) -> Mapping[str, str]:
    if not meta.annotations:
        return empty()
    meta.annotations.pop(_LAST_APPLIED, None)
    return meta.annotations


def _seconds(at: datetime | None) -> int:
    return int(at.timestamp()) if at else 0


def _claim(annotations: Mapping[str, str], slot_key: str, group_key: str, at_key: str) -> Claim | None:
    """The claim. A time that can't be read is 0: a claim as old as the world, which runs out at once."""
    slot = annotations.get(slot_key)
    if not slot:
        return None
    return Claim(slot, annotations.get(group_key, ""), _whole(annotations.get(at_key, "")))


def _conditions(said: Iterable[wire.Condition]) -> tuple[Condition, ...]:
    """What a node says of itself, beside the heartbeats."""
    return tuple(Condition(c.type, c.status, _seconds(c.last_transition_time), c.reason or "") for c in said)


def _disruption(annotations: Mapping[str, str], taints: Iterable[wire.TaintObject]) -> Disruption | None:
    """Our taint is what counts; a node that only has the annotations is open. A time that can't be read is 0."""
    for taint in taints:
        if taint.key == DISRUPTED:
            since_s = _whole(annotations.get(DISRUPTED_AT, ""))
            return Disruption(annotations.get(DISRUPTED) or taint.value or "", since_s)
    return None


def _reservation(annotations: Mapping[str, str]) -> NodeReservation | None:
    slot, phase = annotations.get(SLOT), annotations.get(RESERVATION)
    if not slot or phase not in PHASES:
        return None
    return NodeReservation(slot, phase, _whole(annotations.get(RESERVED_AT, "")))


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _room(quantities: Mapping[str, object], *, strict: bool) -> Resources:
    """Capacity, rounded up as the scheduler rounds it; what can't be read is not there, unless `strict`."""
    room = {}
    for name, value in quantities.items():
        try:
            room[name] = quantity(str(value), milli=name == "cpu")
        except ValueError as error:
            room[name] = -1
            if strict:
                raise BadQuantity("allocatable", name, A_QUANTITY, told(value)) from error
        if room[name] < 0 and strict:
            raise BadQuantity("allocatable", name, A_QUANTITY, told(value))
    return Resources({name: amount for name, amount in room.items() if amount > 0})
