"""What we read of Kubernetes' storage objects, as the API server writes them (see `wire`)."""

from __future__ import annotations

from msgspec import Struct

from autoscale.observe.wire import ClaimSpec, Expression, LabelSelector, Meta, NodeSelector  # noqa: TC001 - the decoder reads the annotations


class ClaimStatus(Struct):
    """Where a claim stands."""

    phase: str | None = None


class ClaimObject(Struct):
    """A PersistentVolumeClaim."""

    metadata: Meta
    spec: ClaimSpec | None = None
    status: ClaimStatus | None = None


class CsiSource(Struct):
    """A CSI volume."""

    driver: str = ""


class VolumeAffinity(Struct):
    """Where a volume can be used."""

    required: NodeSelector | None = None


class VolumeSpec(Struct, rename="camel"):
    """A PersistentVolume's spec."""

    node_affinity: VolumeAffinity | None = None
    csi: CsiSource | None = None


class VolumeObject(Struct):
    """A PersistentVolume."""

    metadata: Meta
    spec: VolumeSpec | None = None


class TopologyTerm(Struct, rename="camel"):
    """Where a storage class makes volumes."""

    match_label_expressions: list[Expression] | None = None


class StorageClassObject(Struct, rename="camel"):
    """A StorageClass."""

    metadata: Meta
    provisioner: str = ""
    volume_binding_mode: str | None = None
    allowed_topologies: list[TopologyTerm] | None = None


class DriverLimit(Struct):
    """How many volumes of a driver a node can have."""

    count: int | None = None


class CsiDriverOnNode(Struct):
    """A driver on a node."""

    name: str = ""
    allocatable: DriverLimit | None = None


class CsiNodeSpec(Struct):
    """The drivers of a node."""

    drivers: list[CsiDriverOnNode] | None = None


class CsiNodeObject(Struct):
    """A CSINode."""

    metadata: Meta
    spec: CsiNodeSpec | None = None


class AttachmentSource(Struct, rename="camel"):
    """What is attached."""

    persistent_volume_name: str | None = None


class AttachmentSpec(Struct, rename="camel"):
    """A VolumeAttachment's spec."""

    attacher: str = ""
    node_name: str = ""
    source: AttachmentSource | None = None


class AttachmentObject(Struct):
    """A VolumeAttachment."""

    metadata: Meta
    spec: AttachmentSpec


class CapacityObject(Struct, rename="camel"):
    """A CSIStorageCapacity."""

    metadata: Meta
    storage_class_name: str = ""
    node_topology: LabelSelector | None = None
    capacity: str | int | float | None = None
    maximum_volume_size: str | int | float | None = None


class DriverSpec(Struct, rename="camel"):
    """A CSIDriver's spec."""

    storage_capacity: bool | None = None


class DriverObject(Struct):
    """A CSIDriver."""

    metadata: Meta
    spec: DriverSpec | None = None
