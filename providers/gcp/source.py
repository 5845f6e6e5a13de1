"""Types and prices as Google tells them now: machine and accelerator types of a region's zones, and the billing catalogue."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from autoscale.errors import ProviderError
from autoscale.model.catalog import Machine, Offer, Reading
from autoscale.model.supply import CapacityType
from providers.gcp.billing import PriceList
from providers.gcp.catalog import Book, groups_of
from providers.gcp.specifications import ACCELERATORS, ATTACHED, REGION, maker, shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.cloud import compute_v1 as compute

    from autoscale.model.catalog import Catalog
    from autoscale.model.supply import NodeGroup
    from providers.gcp.calls import Calls
    from providers.gcp.settings import GcpSettings

_SOURCE = "Compute Engine and Cloud Billing"
_READ_S = 30.0
_ARCHITECTURES = {"ARM64": "arm64"}  # anything else is amd64, machine types that do not say included
_LEAST_MIB = 2048  # smaller machines hold no kubelet


class GcpCatalogSource:
    """One project. `read` needs the permissions of the shipped catalogue role, and the Cloud Billing API switched on."""

    def __init__(self, settings: GcpSettings) -> None:
        self._settings = settings

    @property
    def region(self) -> str:
        """The environment's, as gcloud has it, else the bundled one."""
        return os.environ.get("CLOUDSDK_COMPUTE_REGION") or REGION

    def shipped(self) -> Catalog:
        """What is bundled."""
        return shipped()

    def groups(self, catalog: Catalog) -> tuple[NodeGroup, ...]:
        """Its offerings as groups on paper."""
        return groups_of(Book(catalog))

    def read(self, region: str, say: Callable[[str], None]) -> Reading:
        """Ask Google. Raises ProviderError."""
        from providers.gcp.calls import Calls

        calls = Calls(self._settings, read_timeout_s=_READ_S)
        now_s = int(time.time())
        self._guarded("compute.zones.list", partial(_need_project, calls))
        zones = self._guarded("compute.zones.list", partial(calls.zones, region))
        if not zones:
            fault = _fault("notFound", f"there is no region {region}", now_s)
            raise ProviderError(fault)
        there: dict[str, dict[str, Machine]] = {}
        for zone in zones:
            types = self._guarded("compute.machineTypes.list", partial(calls.machine_types, zone))
            cards = self._guarded("compute.acceleratorTypes.list", partial(calls.accelerator_types, zone))
            most = {each.name: each.maximum_cards_per_instance for each in cards}
            there[zone] = {each.name: each for kind in types for each in machines(kind, most)}
            say(f"{sum(map(len, there.values())):,} machines in {len(there)} of {len(zones)} zones")
        prices = PriceList(region)
        for page in self._guarded_pages("cloudbilling.services.skus.list", calls.skus):
            prices.add(page)
            say(f"{prices.seen:,} prices read, {len(prices):,} of them of machines in {region}")
        return Reading(
            region=region,
            source=_SOURCE,
            at_s=now_s,
            machines=tuple(sorted({m.name: m for each in there.values() for m in each.values()}.values(), key=_name)),
            offers=tuple(_offers(there, prices, now_s)),
            zone_ids={zone: zone for zone in zones},
        )

    def _guarded(self, doing: str, call: Callable[[], Any]) -> Any:
        from providers.gcp.faults import CLOUD_ERRORS, fault_of

        try:
            return call()
        except CLOUD_ERRORS as error:
            raise ProviderError(fault_of(error, group="gcp", at_s=int(time.time()), doing=doing)) from error

    def _guarded_pages(self, doing: str, call: Callable[[str], tuple[list[dict[str, Any]], str]]) -> Iterator[Any]:
        token = ""
        while True:
            page, token = self._guarded(doing, partial(call, token))
            yield page
            if not token:
                return


def machines(kind: compute.MachineType, most: dict[str, int]) -> Iterator[Machine]:
    """The machine type with what is built in, and if nothing is, N1 with each accelerator that the zone attaches to it."""
    if kind.memory_mb < _LEAST_MIB or kind.deprecated.state:
        return
    architecture = _ARCHITECTURES.get(kind.architecture, "amd64")
    built_in = [(each.guest_accelerator_type, each.guest_accelerator_count) for each in kind.accelerators]
    yield _machine(kind, kind.name, architecture, *(built_in[0] if built_in else ("", 0)))
    if kind.name.startswith("n1-"):
        for accelerator, counts in ATTACHED.items():
            for count, most_vcpus in counts:
                if count <= most.get(accelerator, 0) and kind.guest_cpus <= most_vcpus:
                    yield _machine(kind, f"{kind.name}+{accelerator}x{count}", architecture, accelerator, count)


def _machine(kind: compute.MachineType, name: str, architecture: str, accelerator: str, count: int) -> Machine:
    known = ACCELERATORS.get(accelerator)
    return Machine(
        name=name,
        vcpus=kind.guest_cpus,
        memory_mib=kind.memory_mb,
        architecture=architecture,
        manufacturer=maker(accelerator),
        accelerator=accelerator,
        accelerators=count,
        accelerator_memory_mib=known.memory_mib if known else 0,
    )


def _offers(there: dict[str, dict[str, Machine]], prices: PriceList, at_s: int) -> Iterator[Offer]:
    for zone, found in there.items():
        for each in found.values():
            for capacity_type in (CapacityType.ON_DEMAND, CapacityType.SPOT):
                if (price := prices.of(each, capacity_type)) is not None:
                    amount, currency, doubt = price
                    yield Offer(each.name, zone, capacity_type, amount, currency, at_s, doubt)


def _name(machine: Machine) -> str:
    return machine.name


def _need_project(calls: Calls) -> None:
    from google.auth.exceptions import DefaultCredentialsError

    if not calls.project:
        raise DefaultCredentialsError("no project: set gcp.project")  # type: ignore[no-untyped-call]  # no types there


def _fault(code: str, text: str, at_s: int) -> Any:
    from autoscale.model.supply import Fault, FaultKind

    return Fault(group="gcp", kind=FaultKind.NOT_FOUND, code=code, message=text, at_s=at_s)
