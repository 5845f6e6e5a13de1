"""Claims, volumes, storage classes and attach limits as model types."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from autoscale.model.rules import Requirement
from autoscale.model.storage import (
    AttachLimits,
    Attachment,
    Driver,
    Storage,
    StorageCapacity,
    StorageClass,
    Volume,
    VolumeClaim,
)
from autoscale.model.workload import ClaimUse, NodeSelectorTerm
from autoscale.observe import wire, wire_storage
from autoscale.observe.pod_rules import selector_of
from autoscale.observe.shapes import NOTHING, class_asked, expressions, size_asked, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from autoscale.model.workload import Pod, PodShape

_CLAIM = msgspec.json.Decoder(wire_storage.ClaimObject)
_VOLUME = msgspec.json.Decoder(wire_storage.VolumeObject)
_CLASS = msgspec.json.Decoder(wire_storage.StorageClassObject)
_CSI_NODE = msgspec.json.Decoder(wire_storage.CsiNodeObject)
_ATTACHMENT = msgspec.json.Decoder(wire_storage.AttachmentObject)
_CAPACITY = msgspec.json.Decoder(wire_storage.CapacityObject)
_DRIVER = msgspec.json.Decoder(wire_storage.DriverObject)
_TEXTS = msgspec.json.Decoder(wire.Texts)
_ZONES = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
_BETA_ZONES = ("failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region")
_BETA = dict(zip(_BETA_ZONES, _ZONES, strict=True))
_DEFAULTS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def claim(raw: bytes | msgspec.Raw) -> VolumeClaim:
    """A PersistentVolumeClaim."""
    obj = _CLAIM.decode(raw)
    meta, spec = obj.metadata, obj.spec or wire.ClaimSpec()
    annotations = meta.annotations or {}
    phase = obj.status.phase if obj.status else None
    named = annotations.get("volume.beta.kubernetes.io/storage-class")
    return VolumeClaim(
        namespace=meta.namespace or "default",
        name=meta.name,
        volume=spec.volume_name or "",
        bound=bool(spec.volume_name) and "pv.kubernetes.io/bind-completed" in annotations,
        lost=phase == "Lost",
        deleting=meta.deletion_timestamp is not None,
        storage_class=named if named is not None else spec.storage_class_name or "",
        selected_node=annotations.get("volume.kubernetes.io/selected-node", ""),
        one_pod="ReadWriteOncePod" in (spec.access_modes or ()),
        size_bytes=size_asked(spec),
    )


def volume(raw: bytes | msgspec.Raw) -> Volume:
    """A PersistentVolume. The labels of old in-tree volumes name zones, several joined by `__`."""
    obj = _VOLUME.decode(raw)
    spec = obj.spec or wire_storage.VolumeSpec()
    labels = _labels(obj.metadata)
    required = spec.node_affinity.required if spec.node_affinity else None
    terms = None
    if required is not None:
        terms = tuple(
            NodeSelectorTerm(expressions(t.match_expressions), expressions(t.match_fields))
            for t in required.node_selector_terms or ()
        )
    zones = tuple(
        (_BETA.get(key, key), tuple(sorted(labels[key].split("__"))))
        for key in (*_BETA_ZONES, *_ZONES)
        if key in labels
    )
    return Volume(obj.metadata.name, terms, zones, spec.csi.driver if spec.csi else "")


def storage_class(raw: bytes | msgspec.Raw) -> StorageClass:
    """A StorageClass."""
    obj = _CLASS.decode(raw)
    terms = tuple(
        NodeSelectorTerm(
            tuple(Requirement(e.key, "In", tuple(sorted(e.values or ()))) for e in term.match_label_expressions or ())
        )
        for term in obj.allowed_topologies or ()
    )
    annotations = obj.metadata.annotations or {}
    return StorageClass(
        name=obj.metadata.name,
        provisioner=obj.provisioner,
        delayed=obj.volume_binding_mode == "WaitForFirstConsumer",
        topologies=terms or None,
        default=any(annotations.get(key) == "true" for key in _DEFAULTS),
    )


def attach_limits(raw: bytes | msgspec.Raw) -> AttachLimits:
    """A CSINode; drivers that say no number have no limit."""
    obj = _CSI_NODE.decode(raw)
    drivers = obj.spec.drivers if obj.spec else None
    limits = {d.name: d.allocatable.count for d in drivers or () if d.allocatable and d.allocatable.count is not None}
    return AttachLimits(obj.metadata.name, limits)


def attachment(raw: bytes | msgspec.Raw) -> Attachment:
    """A VolumeAttachment."""
    obj = _ATTACHMENT.decode(raw)
    source = obj.spec.source
    volume_name = (source.persistent_volume_name if source else None) or ""
    return Attachment(obj.metadata.name, obj.spec.node_name, obj.spec.attacher, volume_name)


def capacity(raw: bytes | msgspec.Raw) -> StorageCapacity:
    """A CSIStorageCapacity; the largest volume counts where it is said."""
    obj = _CAPACITY.decode(raw)
    said = obj.capacity if obj.maximum_volume_size is None else obj.maximum_volume_size
    return StorageCapacity(
        obj.metadata.namespace or "default",
        obj.metadata.name,
        obj.storage_class_name,
        selector_of(obj.node_topology),
        size_of(said),
    )


def csi_driver(raw: bytes | msgspec.Raw) -> Driver:
    """A CSIDriver."""
    obj = _DRIVER.decode(raw)
    return Driver(obj.metadata.name, bool(obj.spec and obj.spec.storage_capacity))


def storage(
    *,
    claims: Iterable[VolumeClaim] = (),
    volumes: Iterable[Volume] = (),
    classes: Iterable[StorageClass] = (),
    limits: Iterable[AttachLimits] = (),
    attachments: Iterable[Attachment] = (),
    capacities: Iterable[StorageCapacity] = (),
    drivers: Iterable[Driver] = (),
) -> Storage:
    """All of it, indexed."""
    return Storage(
        {each.ref: each for each in claims},
        {each.name: each for each in volumes},
        {each.name: each for each in classes},
        {each.node: each for each in limits},
        tuple(attachments),
        tuple(capacities),
        frozenset(each.name for each in drivers if each.tells_capacity),
    )


def _labels(meta: wire.Meta) -> Mapping[str, str]:
    raw = bytes(meta.labels)
    return {} if raw in NOTHING else _TEXTS.decode(raw) or {}


KINDS: Mapping[str, Callable[[bytes | msgspec.Raw], object]] = {
    "PersistentVolumeClaim": claim,
    "PersistentVolume": volume,
    "StorageClass": storage_class,
    "CSINode": attach_limits,
    "VolumeAttachment": attachment,
    "CSIStorageCapacity": capacity,
    "CSIDriver": csi_driver,
}


class Collected:
    """What manifests say of storage."""

    def __init__(self) -> None:
        self._made: dict[str, list[Any]] = {kind: [] for kind in KINDS}

    def read(self, kind: str, raw: bytes | msgspec.Raw) -> object:
        """One object of one of `KINDS`, kept."""
        made = KINDS[kind](raw)
        self._made[kind].append(made)
        return made

    def view(self) -> Storage:
        """All of it."""
        made = self._made
        return storage(
            claims=made["PersistentVolumeClaim"],
            volumes=made["PersistentVolume"],
            classes=made["StorageClass"],
            limits=made["CSINode"],
            attachments=made["VolumeAttachment"],
            capacities=made["CSIStorageCapacity"],
            drivers=made["CSIDriver"],
        )


def with_templates(shape: PodShape, templates: Iterable[wire.ClaimTemplate], pod: str) -> PodShape:
    """A StatefulSet's pod with the claims that are made for it."""
    uses = tuple(
        ClaimUse(
            f"{t.metadata.name if t.metadata else ''}-{pod}",
            made=True,
            storage_class=class_asked(t),
            size_bytes=size_asked(t.spec),
        )
        for t in templates
    )
    return replace(shape, claims=(*shape.claims, *uses)) if uses else shape


def assume_made(pods: tuple[Pod, ...], there: Storage) -> tuple[tuple[Pod, ...], int]:
    """Pods of files that say nothing of storage: claims that are not bound keep nobody anywhere. How many there are."""
    if there.classes:
        return pods, 0
    out, count = [], 0
    for pod in pods:
        bound = tuple(
            use
            for use in pod.shape.claims
            if not use.ephemeral and (known := there.claims.get(f"{pod.namespace}/{use.name}")) and known.volume
        )
        if bound == pod.shape.claims:
            out.append(pod)
            continue
        count += 1
        out.append(replace(pod, shape=replace(pod.shape, claims=bound)))
    return tuple(out), count
