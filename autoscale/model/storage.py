"""Claims on volumes, as far as they decide on which node a pod may run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.rules import Selector
    from autoscale.model.workload import NodeSelectorTerm


@dataclass(frozen=True, slots=True)
class VolumeClaim:
    """A PersistentVolumeClaim.

    `volume` is what it asks for or has, `bound` whether that is settled; `storage_class` is empty for none.
    `selected_node` is where the scheduler has a volume being made for it; `one_pod` is `ReadWriteOncePod`. `size_bytes` is
    what it asks for, None when it does not say.
    """

    namespace: str
    name: str
    volume: str = ""
    bound: bool = False
    lost: bool = False
    deleting: bool = False
    storage_class: str = ""
    selected_node: str = ""
    one_pod: bool = False
    size_bytes: int | None = None

    @property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Volume:
    """A PersistentVolume: where it can be used, by node affinity and by the labels of zones, and the CSI driver, if any."""

    name: str
    affinity: tuple[NodeSelectorTerm, ...] | None = None
    zones: tuple[tuple[str, tuple[str, ...]], ...] = ()
    driver: str = ""


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A class. `delayed` is `WaitForFirstConsumer`; `topologies` are where it makes volumes, None for anywhere."""

    name: str
    provisioner: str
    delayed: bool = False
    topologies: tuple[NodeSelectorTerm, ...] | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class AttachLimits:
    """How many volumes of each CSI driver a node can have."""

    node: str
    by_driver: Mapping[str, int] = field(default_factory=empty, hash=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A VolumeAttachment: a PersistentVolume that is attached to a node, whether a pod uses it or not."""

    name: str
    node: str
    driver: str
    volume: str


@dataclass(frozen=True, slots=True)
class StorageCapacity:
    """A CSIStorageCapacity: how large a volume of a class can be on nodes with these labels; without `nodes` on none."""

    namespace: str
    name: str
    storage_class: str
    nodes: Selector | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Driver:
    """A CSIDriver; `tells_capacity` says that its volumes are only made where a StorageCapacity has room."""

    name: str
    tells_capacity: bool = False


@dataclass(frozen=True, slots=True)
class Storage:
    """All of these, by `namespace/name` or name; `measured` names the drivers that tell their capacity."""

    claims: Mapping[str, VolumeClaim] = field(default_factory=empty, hash=False)
    volumes: Mapping[str, Volume] = field(default_factory=empty, hash=False)
    classes: Mapping[str, StorageClass] = field(default_factory=empty, hash=False)
    limits: Mapping[str, AttachLimits] = field(default_factory=empty, hash=False)
    attachments: tuple[Attachment, ...] = ()
    capacities: tuple[StorageCapacity, ...] = ()
    measured: frozenset[str] = frozenset()


NO_STORAGE = Storage()
