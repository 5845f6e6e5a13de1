"""The bundled catalogue: instance types as nodes, what they cost, and every offering as a group for offline plans."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType, InstanceType, NodeGroup, Offering
from providers.aws import machines
from providers.aws.specifications import REGION, ZONE_IDS, specifications, spot_prices
from providers.settings_values import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@cache
def instance_type(name: str) -> InstanceType | None:
    """The machine of that name, None when the catalogue does not have it. Machines with a fraction of a GPU count."""
    spec = specifications().get(name)
    return machines.instance_type(spec) if spec else None


def on_demand_price(name: str) -> int | None:
    """Micro-US$ per hour, None when unknown."""
    spec = specifications().get(name)
    return spec.on_demand_microusd_per_hour if spec else None


def spot_price(name: str, zone_id: str) -> int | None:
    """Micro-US$ per hour in a zone, named by its ID such as `use1-az1`; None when there is no supply or no figure."""
    return spot_prices().get((name, zone_id))


def gpu_fraction(name: str) -> str:
    """How much of one GPU the machine has, such as `0.125`; empty for whole GPUs and none.

    Such machines (g6f, gr6f) are left out of the offerings: the device plugin shows no `nvidia.com/gpu` for a slice that is
    known by memory only, so there is no resource that a pod could ask for.
    """
    spec = specifications().get(name)
    return spec.gpu_fraction if spec else ""


def capacity_labels(capacity_type: CapacityType) -> dict[str, str]:
    """How Karpenter and EKS managed node groups label what a machine was bought as."""
    eks = {CapacityType.ON_DEMAND: "ON_DEMAND", CapacityType.SPOT: "SPOT", CapacityType.RESERVED: "CAPACITY_BLOCK"}
    return {
        "karpenter.sh/capacity-type": str(capacity_type),
        "eks.amazonaws.com/capacityType": eks[capacity_type],
    }


def zone_labels(zone: str, region: str) -> dict[str, str]:
    """The well-known topology labels; no zone label when the zone is not known beforehand."""
    labels = {"topology.kubernetes.io/region": region}
    return labels | {"topology.kubernetes.io/zone": zone} if zone else labels


def catalogue_groups(region: str = REGION, zones: Sequence[str] | None = None) -> tuple[NodeGroup, ...]:
    """Every priced offering as a group that exists on paper only: type x zone x on-demand or spot, sorted by id.

    Zones are names such as `us-east-1a`; spot prices are known by zone ID, and IDs are dealt to names in order. Raises
    BadInput for a region without prices and for an unknown zone.
    """
    if region != REGION:
        raise BadInput("there are no bundled prices for this region", where="region", expected=REGION, found=region)
    for zone in zones or ():
        if zone not in ZONE_IDS:
            raise BadInput(
                f"unknown zone{nearest(zone, list(ZONE_IDS))}", where="zones", expected=", ".join(ZONE_IDS), found=zone
            )
    chosen = tuple(sorted(set(ZONE_IDS if zones is None else zones)))
    return tuple(sorted(_groups(chosen), key=lambda group: group.id))


def _groups(zones: tuple[str, ...]) -> list[NodeGroup]:
    groups = []
    for spec in specifications().values():
        machine = instance_type(spec.name)
        if machine is None or spec.gpu_fraction:
            continue
        for zone in zones:
            if ZONE_IDS[zone] not in spec.zone_ids:
                continue
            groups.append(_group(machine, zone, CapacityType.ON_DEMAND, spec.on_demand_microusd_per_hour))
            if spot := spot_price(spec.name, ZONE_IDS[zone]):
                groups.append(_group(machine, zone, CapacityType.SPOT, spot))
    return groups


def _group(machine: InstanceType, zone: str, capacity_type: CapacityType, price: int) -> NodeGroup:
    offering = Offering(machine.name, zone, capacity_type, price)
    return NodeGroup(
        id=f"aws:{offering.key}",
        provider="aws",
        name=offering.key,
        offering=offering,
        allocatable=machine.allocatable,
        labels=MappingProxyType(
            {**machine.labels, **zone_labels(zone, REGION), **capacity_labels(capacity_type)},
        ),
        devices=machine.devices,
        catalogued=True,
    )


@cache
def common(names: tuple[str, ...], *, disk_gib: int | None = None) -> InstanceType:
    """What a node has in common whichever of these known types it becomes: least room, labels all agree on.

    `disk_gib` is the root volume, None for the usual one.
    """
    specs = [specifications()[name] for name in names]
    first, *others = (
        machines.instance_type(spec) if disk_gib is None else machines.instance_type(spec, disk_gib=disk_gib)
        for spec in specs
    )
    allocatable, capacity, labels = first.allocatable, first.capacity, dict(first.labels)
    for other in others:
        allocatable, capacity = allocatable.min(other.allocatable), capacity.min(other.capacity)
        labels = _agreed(labels, other.labels)
    return InstanceType(
        name="|".join(names),
        capacity=capacity,
        allocatable=allocatable,
        labels=MappingProxyType(labels),
        devices=tuple(device for device in first.devices if allocatable[device]),
    )


def _agreed(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in one.items() if other.get(key) == value}
