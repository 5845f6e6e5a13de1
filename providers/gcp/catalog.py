"""The bundled catalogue: what machines cost in a zone, and every offering as a group for offline plans."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType, NodeGroup, Offering
from providers.gcp import machines
from providers.gcp.specifications import REGION, ZONES, price, specifications
from providers.settings_values import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.model.supply import InstanceType


def capacity_labels(capacity_type: CapacityType) -> dict[str, str]:
    """How GKE and Karpenter label what a machine was bought as."""
    labels = {"karpenter.sh/capacity-type": str(capacity_type)}
    if capacity_type == CapacityType.SPOT:
        labels |= {"cloud.google.com/gke-spot": "true", "cloud.google.com/gke-provisioning": "spot"}
    elif capacity_type == CapacityType.ON_DEMAND:
        labels["cloud.google.com/gke-provisioning"] = "standard"
    return labels


def zone_labels(zone: str, region: str) -> dict[str, str]:
    """The topology labels; no zone labels when the zone is not known beforehand."""
    labels = {"topology.kubernetes.io/region": region}
    if zone:
        labels |= {"topology.kubernetes.io/zone": zone, "topology.gke.io/zone": zone}
    return labels


def catalogue_groups(region: str = REGION, zones: Sequence[str] | None = None) -> tuple[NodeGroup, ...]:
    """Every priced offering as a group that exists on paper only: machine x zone x on-demand or spot, sorted by id.

    Raises BadInput for a region without prices and for an unknown zone.
    """
    if region != REGION:
        raise BadInput("there are no bundled prices for this region", where="region", expected=REGION, found=region)
    for zone in zones or ():
        if zone not in ZONES:
            raise BadInput(f"unknown zone{nearest(zone, ZONES)}", where="zones", expected=", ".join(ZONES), found=zone)
    chosen = sorted(set(ZONES if zones is None else zones))
    return tuple(sorted(_groups(chosen), key=lambda group: group.id))


def refusals() -> tuple[str, ...]:
    """Why figures of the bundled price list are not believed, one sentence each, sorted."""
    found = {
        known.refused
        for spec in specifications().values()
        for zone in ZONES
        if (known := price(spec, zone)) and known.refused
    }
    return tuple(sorted(found))


def _groups(zones: Sequence[str]) -> list[NodeGroup]:
    groups = []
    for spec in specifications().values():
        machine = machines.instance_type(spec)
        for zone in zones:
            known = price(spec, zone)
            if known is None or known.refused:
                continue
            for capacity_type, amount in (
                (CapacityType.ON_DEMAND, known.on_demand),
                (CapacityType.SPOT, known.spot),
            ):
                if amount:
                    groups.append(_group(machine, zone, capacity_type, amount))
    return groups


def _group(machine: InstanceType, zone: str, capacity_type: CapacityType, amount: int) -> NodeGroup:
    offering = Offering(machine.name, zone, capacity_type, amount)
    return NodeGroup(
        id=f"gcp:{offering.key}",
        provider="gcp",
        name=offering.key,
        offering=offering,
        allocatable=machine.allocatable,
        labels=MappingProxyType({**machine.labels, **zone_labels(zone, REGION), **capacity_labels(capacity_type)}),
        devices=machine.devices,
        catalogued=True,
    )
