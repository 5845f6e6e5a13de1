"""Types and prices as Amazon tells them now: EC2's types, offerings and spot history, the price list, placement scores."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autoscale.errors import ProviderError
from autoscale.model.catalog import Machine, Offer, Reading
from autoscale.model.supply import CapacityType
from providers.aws.catalog import Book, groups_of
from providers.aws.specifications import REGION, shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_ec2.type_defs import InstanceTypeInfoTypeDef

    from autoscale.model.catalog import Catalog
    from autoscale.model.supply import NodeGroup
    from providers.aws.clients import Clients
    from providers.aws.settings import AwsSettings

_SOURCE = "EC2 and the AWS Price List"
_READ_S = 30.0
_SPOT = "Linux/UNIX"
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
_PRODUCTS = {  # what an ordinary Linux machine is, among the dozens of ways that the price list has to pay for one
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}


class AwsCatalogSource:
    """One account. `read` makes the calls of the shipped `catalog-policy.json`."""

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._clients: dict[str, Clients] = {}

    @property
    def region(self) -> str:
        """The configuration's, else the environment's, else the bundled one."""
        told = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return self._settings.region or told or REGION

    def shipped(self) -> Catalog:
        """What is bundled."""
        return shipped()

    def groups(self, catalog: Catalog) -> tuple[NodeGroup, ...]:
        """Its offerings as groups on paper."""
        return groups_of(Book(catalog))

    def read(self, region: str, say: Callable[[str], None]) -> Reading:
        """Ask Amazon. Raises ProviderError."""
        clients = self._clients_of(region)
        now_s = int(dt.datetime.now(dt.UTC).timestamp())
        zone_ids = {
            each["ZoneName"]: each["ZoneId"]
            for each in self._call(clients, "ec2", "describe_availability_zones")["AvailabilityZones"]
            if each.get("ZoneType", "availability-zone") == "availability-zone"
        }
        machines = self._machines(clients, say)
        zones = self._zones(clients, say, zone_ids)
        prices = self._prices(clients, region, say)
        offers = [
            Offer(name, zone, CapacityType.ON_DEMAND, *prices[name], at_s=now_s)
            for name in sorted(machines)
            if name in prices
            for zone in zones.get(name, ())
        ]
        for (name, zone), usd in self._spot(clients, say).items():
            if name in machines and zone in zones.get(name, ()) and _differs(usd, prices.get(name)):
                offers.append(Offer(name, zone, CapacityType.SPOT, usd, at_s=now_s))
        scores, notes = self._scores(clients, region, machines.values(), zone_ids, say)
        return Reading(
            region=region,
            source=_SOURCE,
            at_s=now_s,
            machines=tuple(machines[name] for name in sorted(machines)),
            offers=tuple(offers),
            zone_ids=zone_ids,
            scores=scores,
            notes=notes,
        )

    # ---- the calls

    def _clients_of(self, region: str) -> Clients:
        from providers.aws.clients import Clients

        if region not in self._clients:
            self._clients[region] = Clients(replace(self._settings, region=region), read_timeout_s=_READ_S)
        return self._clients[region]

    def _machines(self, clients: Clients, say: Callable[[str], None]) -> dict[str, Machine]:
        found: dict[str, Machine] = {}
        for page in self._pages(clients, "ec2", "describe_instance_types", PaginationConfig={"PageSize": 100}):
            found |= {each.name: each for each in map(machine, page["InstanceTypes"]) if each}
            say(f"{len(found):,} instance types")
        return found

    def _zones(self, clients: Clients, say: Callable[[str], None], zone_ids: Mapping[str, str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        more = {"LocationType": "availability-zone", "PaginationConfig": {"PageSize": 1000}}
        for page in self._pages(clients, "ec2", "describe_instance_type_offerings", **more):
            for each in page["InstanceTypeOfferings"]:
                if each["Location"] in zone_ids:
                    found.setdefault(each["InstanceType"], []).append(each["Location"])
            say(f"{sum(map(len, found.values())):,} offerings")
        return found

    def _prices(self, clients: Clients, region: str, say: Callable[[str], None]) -> dict[str, tuple[str, str]]:
        """Type -> amount and currency."""
        found: dict[str, set[tuple[str, str]]] = {}
        filters = {**_PRODUCTS, "regionCode": region}
        more = {
            "ServiceCode": "AmazonEC2",
            "Filters": [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in filters.items()],
        }
        for page in self._pages(clients, "pricing", "get_products", **more):
            for text in page["PriceList"]:
                name, prices = _product(json.loads(text))
                found.setdefault(name, set()).update(prices)
            say(f"{len(found):,} on-demand prices")
        # Rows of one type that differ can't all be right; the dearest is the one that surprises nobody on the bill.
        return {name: max(prices, key=_number) for name, prices in found.items() if prices}

    def _spot(self, clients: Clients, say: Callable[[str], None]) -> dict[tuple[str, str], str]:
        """Type and zone -> US$ per hour, the newest."""
        newest: dict[tuple[str, str], tuple[Any, str]] = {}
        more = {"StartTime": dt.datetime.now(dt.UTC), "ProductDescriptions": [_SPOT]}
        for page in self._pages(clients, "ec2", "describe_spot_price_history", **more):
            for each in page["SpotPriceHistory"]:
                key = (each["InstanceType"], each["AvailabilityZone"])
                if key not in newest or newest[key][0] < each["Timestamp"]:
                    newest[key] = (each["Timestamp"], each["SpotPrice"])
            say(f"{len(newest):,} spot prices")
        return {key: usd for key, (_, usd) in newest.items()}

    def _scores(
        self,
        clients: Clients,
        region: str,
        machines: Iterable[Machine],
        zone_ids: Mapping[str, str],
        say: Callable[[str], None],
    ) -> tuple[dict[tuple[str, str], int], tuple[str, ...]]:
        """Accelerator and zone -> score. Amazon scores sets of types, so all with one accelerator are asked for at once."""
        names = {id_: name for name, id_ in zone_ids.items()}
        kinds: dict[str, list[str]] = {}
        for each in machines:
            if each.accelerators:
                kinds.setdefault(each.accelerator, []).append(each.name)
        found: dict[tuple[str, str], int] = {}
        for number, (kind, types) in enumerate(sorted(kinds.items()), 1):
            try:
                answer = self._call(
                    clients,
                    "ec2",
                    "get_spot_placement_scores",
                    InstanceTypes=sorted(types),
                    TargetCapacity=1,
                    SingleAvailabilityZone=True,
                    RegionNames=[region],
                )
            except ProviderError as error:
                return found, (f"spot placement scores are not known, {error.fault.message}",)
            for each in answer["SpotPlacementScores"]:
                if (zone := names.get(each.get("AvailabilityZoneId", ""))) and each.get("Score"):
                    found[kind, zone] = each["Score"]
            say(f"spot placement scores of {number} of {len(kinds)} accelerators")
        return found, ()

    def _call(self, clients: Clients, service: str, method: str, **more: Any) -> Any:
        return self._guarded(f"{service}:{_action(method)}", lambda: getattr(clients.client(service), method)(**more))

    def _pages(self, clients: Clients, service: str, method: str, **more: Any) -> Iterable[Any]:
        doing = f"{service}:{_action(method)}"
        pages = self._guarded(doing, lambda: iter(clients.client(service).get_paginator(method).paginate(**more)))
        while (page := self._guarded(doing, lambda: next(pages, None))) is not None:
            yield page

    def _guarded(self, doing: str, call: Callable[[], Any]) -> Any:
        from providers.aws.faults import CLOUD_ERRORS, fault_of

        try:
            return call()
        except CLOUD_ERRORS as error:
            at_s = int(dt.datetime.now(dt.UTC).timestamp())
            raise ProviderError(fault_of(error, group="aws", at_s=at_s, doing=doing)) from error


def machine(info: InstanceTypeInfoTypeDef) -> Machine | None:
    """A type as we know it, None for what runs no Linux node of ours (Macs, 32 bits)."""
    architectures = [
        _ARCHITECTURES[each]
        for each in info.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
        if each in _ARCHITECTURES
    ]
    if not architectures:
        return None
    network = info.get("NetworkInfo", {})
    interfaces, addresses = _default_card(info)
    return Machine(
        name=info["InstanceType"],
        vcpus=info["VCpuInfo"]["DefaultVCpus"],
        memory_mib=info["MemoryInfo"]["SizeInMiB"],
        architecture=architectures[0],
        efa_interfaces=network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0),
        eni_pods=interfaces * (addresses - 1) + 2,
        **_accelerator(info),
    )


def _default_card(info: InstanceTypeInfoTypeDef) -> tuple[int, int]:
    """Interfaces of the default network card, addresses of each."""
    network = info.get("NetworkInfo", {})
    default = network.get("DefaultNetworkCardIndex", 0)
    cards = [each for each in network.get("NetworkCards", []) if each.get("NetworkCardIndex", 0) == default]
    interfaces = cards[0].get("MaximumNetworkInterfaces", 1) if cards else network.get("MaximumNetworkInterfaces", 1)
    return interfaces, network.get("Ipv4AddressesPerInterface", 1)


def _accelerator(info: InstanceTypeInfoTypeDef) -> dict[str, Any]:
    """The machine's GPUs, Neuron devices or, for the first Inferentia, inference accelerators. One kind a machine."""
    for devices, maker in (
        (info.get("GpuInfo", {}).get("Gpus", []), ""),
        (info.get("NeuronInfo", {}).get("NeuronDevices", []), "AWS"),
        (info.get("InferenceAcceleratorInfo", {}).get("Accelerators", []), "AWS"),
    ):
        for device in devices:
            found: Mapping[str, Any] = device
            fraction = found.get("GpuPartitionSize") or 1
            return {
                "manufacturer": found.get("Manufacturer", maker),
                "accelerator": found.get("Name", ""),
                "accelerators": found.get("Count", 0) if fraction == 1 else 0,
                "accelerator_memory_mib": found.get("MemoryInfo", {}).get("SizeInMiB", 0),
                "gpu_fraction": f"{fraction:g}" if fraction != 1 else "",
            }
    return {}


def _product(product: Mapping[str, Any]) -> tuple[str, set[tuple[str, str]]]:
    """The type of a row of the price list, and what an hour of it costs."""
    name = product.get("product", {}).get("attributes", {}).get("instanceType", "")
    return name, {
        (str(amount), currency)
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term.get("priceDimensions", {}).values()
        if dimension.get("unit") in ("Hrs", None)
        for currency, amount in dimension.get("pricePerUnit", {}).items()
    }


def _number(price: tuple[str, str]) -> float:
    try:
        return float(price[0])
    except ValueError:
        return 0.0


def _differs(spot: str, on_demand: tuple[str, str] | None) -> bool:
    """Whether there is spot supply: Amazon shows the on-demand price where there is none."""
    return on_demand is None or _number((spot, "")) != _number(on_demand)


def _action(method: str) -> str:
    return "".join(part.capitalize() for part in method.split("_"))
