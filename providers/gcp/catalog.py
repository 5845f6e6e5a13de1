"""A catalogue as the provider reads it: what machines cost in a zone, every offering as a group for offline plans."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType, NodeGroup, Offering
from providers.gcp import machines
from providers.gcp.specifications import REGION, ZONES, Price, price, shipped, specification_of, specifications
from providers.settings_values import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.model.catalog import Catalog, Quote
    from autoscale.model.supply import InstanceType
    from providers.gcp.specifications import Specification


def capacity_labels(capacity_type: CapacityType) -> dict[str, str]:
    """How GKE and Karpenter label what a machine was bought as."""
    labels = {"karpenter.sh/capacity-type": str(capacity_type)}
    if capacity_type == CapacityType.SPOT:
        labels |= {"cloud.google.com/gke-spot": "true", "cloud.google.com/gke-provisioning": "spot"}
    elif capacity_type == CapacityType.ON_DEMAND:
        labels["cloud.google.com/gke-provisioning"] = "standard"
    elif capacity_type == CapacityType.FLEX_START:
        labels["cloud.google.com/gke-flex-start"] = "true"
    return labels


def zone_labels(zone: str, region: str) -> dict[str, str]:
    """The topology labels; no zone labels when the zone is not known beforehand."""
    labels = {"topology.kubernetes.io/region": region}
    if zone:
        labels |= {"topology.kubernetes.io/zone": zone, "topology.gke.io/zone": zone}
    return labels


class Book:
    """What one catalogue says of machines and prices."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.region = catalog.region
        self.zones = tuple(sorted({quote.zone for quote in catalog.quotes} | set(catalog.zone_ids)))
        self._machines = {each.name: each for each in catalog.machines}
        self._sizes = {each.name.partition("+")[0]: each for each in catalog.machines}
        self._prices = {
            (quote.instance_type, quote.zone, quote.capacity_type): quote.price_microusd_per_hour
            for quote in catalog.quotes
        }
        self._refused = {(each.instance_type, each.zone): each.reason for each in catalog.refusals}

    def specification(self, machine_type: str, accelerator: str = "", accelerators: int = 0) -> Specification | None:
        """The machine, with what is built in when nothing is attached; None for a machine type that nobody knows."""
        size = self._sizes.get(machine_type)
        if size is None:
            return None
        whole = self._machines.get(machine_type)
        if not accelerators or (whole and whole.accelerators):
            return specification_of(whole or replace(size, name=machine_type, accelerator="", accelerators=0))
        name = f"{machine_type}+{accelerator}x{accelerators}"
        return specification_of(replace(size, name=name, accelerator=accelerator, accelerators=accelerators))

    def price(self, spec: Specification, zone: str) -> Price | None:
        """What the machine and its accelerators cost together in a zone; None where one of them is not offered."""
        on_demand = self._prices.get((spec.name, zone, CapacityType.ON_DEMAND), 0)
        spot = self._prices.get((spec.name, zone, CapacityType.SPOT), 0)
        refused = "" if on_demand else self._refused.get((spec.name, zone), "")
        return Price(on_demand, spot, refused) if on_demand or refused else None


@cache
def shipped_book() -> Book:
    """The bundled catalogue's."""
    return Book(shipped())


def catalogue_groups(region: str = REGION, zones: Sequence[str] | None = None) -> tuple[NodeGroup, ...]:
    """Every priced offering of the bundled catalogue as a group that exists on paper only.

    Raises BadInput for a region without prices and for an unknown zone.
    """
    if region != REGION:
        raise BadInput("there are no bundled prices for this region", where="region", expected=REGION, found=region)
    for zone in zones or ():
        if zone not in ZONES:
            raise BadInput(f"unknown zone{nearest(zone, ZONES)}", where="zones", expected=", ".join(ZONES), found=zone)
    groups = groups_of(shipped_book())
    return groups if zones is None else tuple(group for group in groups if group.offering.zone in zones)


def groups_of(book: Book) -> tuple[NodeGroup, ...]:
    """Machine x zone x on-demand or spot as a group on paper, sorted by id: those with accelerators, and bundled others."""
    plain = {name for name, spec in specifications().items() if not spec.accelerators}
    wanted: dict[str, InstanceType] = {}
    for each in book.catalog.machines:
        if each.accelerators or each.name in plain:
            wanted[each.name] = machines.instance_type(specification_of(each))
    groups = [
        _group(wanted[quote.instance_type], quote, book.region)
        for quote in book.catalog.quotes
        if quote.instance_type in wanted
    ]
    return tuple(sorted(groups, key=lambda group: group.id))


def refusals() -> tuple[str, ...]:
    """Why figures of the bundled price list are not believed, one sentence each, sorted."""
    found = {
        known.refused
        for spec in specifications().values()
        for zone in ZONES
        if (known := price(spec, zone)) and known.refused
    }
    return tuple(sorted(found))


def _group(machine: InstanceType, quote: Quote, region: str) -> NodeGroup:
    offering = Offering(machine.name, quote.zone, quote.capacity_type, quote.price_microusd_per_hour)
    return NodeGroup(
        id=f"gcp:{offering.key}",
        provider="gcp",
        name=offering.key,
        offering=offering,
        allocatable=machine.allocatable,
        labels=MappingProxyType(
            {**machine.labels, **zone_labels(quote.zone, region), **capacity_labels(quote.capacity_type)}
        ),
        devices=machine.devices,
        catalogued=True,
    )
