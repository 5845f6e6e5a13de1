"""Quotas of regions as ceilings over groups: GPUs of each kind, spot machines' apart where the project has such a quota.

Only what the region's list has counts: Google keeps the quotas of its newest GPUs elsewhere, and says no to a purchase instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.supply import CapacityType, Quota
from providers.gcp.faults import CLOUD_ERRORS
from providers.gcp.refs import ref_of
from providers.gcp.specifications import built_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.model.supply import NodeGroup
    from providers.gcp.calls import Calls

SPOT = "PREEMPTIBLE_"


class RegionQuotas:
    """Quotas of the regions that groups with GPUs are in. Where they can't be read, what was read last goes on."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._told: dict[str, Mapping[str, tuple[float, float]]] = {}

    def read(self, groups: Iterable[NodeGroup]) -> tuple[Quota, ...]:
        """One call for each region. Never raises: without the right to read them there are none."""
        regions: dict[str, list[NodeGroup]] = {}
        for group in groups:
            ref = ref_of(group.id)
            if ref is not None and gpus(group)[1]:
                regions.setdefault(ref.region, []).append(group)
        out: list[Quota] = []
        for region, its in sorted(regions.items()):
            try:
                self._told[region] = self._calls.quotas(region)
            except CLOUD_ERRORS:
                self._told.setdefault(region, {})
            out += ceilings(region, self._told[region], its)
        return tuple(out)


def metric(accelerator: str) -> str:
    """What Google counts an accelerator's GPUs as: `nvidia-tesla-t4` as `NVIDIA_T4_GPUS`."""
    return f"{accelerator.replace('tesla-', '').replace('-', '_').upper()}_GPUS"


def gpus(group: NodeGroup) -> tuple[str, int]:
    """The accelerator of the group's machines and how many each has, as its offering's name tells."""
    machine_type, plus, attached = group.offering.instance_type.partition("+")
    if not plus:
        return built_in(machine_type)
    accelerator, _, count = attached.rpartition("x")
    return accelerator, int(count)


def ceilings(region: str, told: Mapping[str, tuple[float, float]], groups: Iterable[NodeGroup]) -> list[Quota]:
    """Ceilings of one region. `told`: metric -> limit and usage."""
    bound: dict[str, list[tuple[NodeGroup, int]]] = {}
    for group in groups:
        if group.offering.capacity_type is CapacityType.RESERVED:
            continue  # a reservation has taken what it needs of the quota, used or not
        accelerator, count = gpus(group)
        name, spot = metric(accelerator), SPOT + metric(accelerator)
        if group.offering.capacity_type is CapacityType.SPOT and told.get(spot, (0, 0))[0] > 0:
            name = spot
        if name in told:
            bound.setdefault(name, []).append((group, count))
    return [
        Quota(
            id=f"gcp/{region}/{name}",
            name=f"{name} in {region}",
            unit="GPUs",
            limit=int(told[name][0]),
            per_node={group.id: count for group, count in its},
            used_elsewhere=max(0, int(told[name][1]) - sum(len(group.instances) * count for group, count in its)),
        )
        for name, its in sorted(bound.items())
    ]
