"""A catalogue as the provider reads it: types as nodes, what they cost, every offering as a group for offline plans."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType, InstanceType, NodeGroup, Offering
from providers.aws import machines
from providers.aws.specifications import REGION, ZONE_IDS, shipped, specifications
from providers.settings_values import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.catalog import Catalog, Quote


class Book:
    """What one catalogue says of types and prices. Zones are asked for by ID, such as `use1-az1`."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._machines = {each.name: each for each in catalog.machines}
        self._prices: dict[tuple[str, CapacityType, str], int] = {}
        self._dearest: dict[tuple[str, CapacityType], int] = {}
        for quote in catalog.quotes:
            price = quote.price_microusd_per_hour
            zone = catalog.zone_ids.get(quote.zone, quote.zone)
            self._prices[quote.instance_type, quote.capacity_type, zone] = price
            kind = (quote.instance_type, quote.capacity_type)
            self._dearest[kind] = max(price, self._dearest.get(kind, 0))
        self.instance_type = cache(self._instance_type)
        self.common = cache(self._common)

    def _instance_type(self, name: str) -> InstanceType | None:
        """The machine of that name, None when the catalogue does not have it. Machines with a fraction of a GPU count."""
        machine = self._machines.get(name)
        return machines.instance_type(machine) if machine else None

    def on_demand_price(self, name: str) -> int | None:
        """Micro-US$ per hour in the dearest zone, None when unknown; all zones of a region have one price."""
        return self._dearest.get((name, CapacityType.ON_DEMAND))

    def spot_price(self, name: str, zone_id: str) -> int | None:
        """Micro-US$ per hour; None when there is no supply or no figure."""
        return self._prices.get((name, CapacityType.SPOT, zone_id))

    def gpu_fraction(self, name: str) -> str:
        """How much of one GPU the machine has, such as `0.125`; empty for whole GPUs and none.

        Such machines (g6f, gr6f) are left out of the offerings: the device plugin shows no `nvidia.com/gpu` for a slice that
        is known by memory only, so there is no resource that a pod could ask for.
        """
        machine = self._machines.get(name)
        return machine.gpu_fraction if machine else ""

    def _common(self, names: tuple[str, ...], *, disk_gib: int | None = None) -> InstanceType:
        """What a node has in common whichever of these known types it becomes: least room, labels all agree on.

        `disk_gib` is the root volume, None for the usual one.
        """
        found = [self._machines[name] for name in names]
        first, *others = (
            machines.instance_type(each) if disk_gib is None else machines.instance_type(each, disk_gib=disk_gib)
            for each in found
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


@cache
def shipped_book() -> Book:
    """The bundled catalogue's."""
    return Book(shipped())


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
    """Every offering of the bundled catalogue as a group that exists on paper only.

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
    groups = groups_of(shipped_book())
    return groups if zones is None else tuple(group for group in groups if group.offering.zone in zones)


def groups_of(book: Book) -> tuple[NodeGroup, ...]:
    """Type x zone x capacity type as a group on paper, sorted by id: accelerated types, and the bundled families of others."""
    families = {name.partition(".")[0] for name in specifications()}
    region = book.catalog.region
    wanted = {
        each.name: machine
        for each in book.catalog.machines
        if (each.accelerators or each.name.partition(".")[0] in families)
        and not each.gpu_fraction
        and (machine := book.instance_type(each.name))
    }
    groups = [
        _group(wanted[quote.instance_type], quote, region)
        for quote in book.catalog.quotes
        if quote.instance_type in wanted
    ]
    return tuple(sorted(groups, key=lambda group: group.id))


def _group(machine: InstanceType, quote: Quote, region: str) -> NodeGroup:
    offering = Offering(machine.name, quote.zone, quote.capacity_type, quote.price_microusd_per_hour)
    return NodeGroup(
        id=f"aws:{offering.key}",
        provider="aws",
        name=offering.key,
        offering=offering,
        allocatable=machine.allocatable,
        labels=MappingProxyType(
            {**machine.labels, **zone_labels(quote.zone, region), **capacity_labels(quote.capacity_type)},
        ),
        devices=machine.devices,
        catalogued=True,
    )


def _agreed(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in one.items() if other.get(key) == value}
