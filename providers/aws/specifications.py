"""The bundled tables of instance types and prices, as rows: read once, when first needed. Sources: data/README.md."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.belief import believe
from autoscale.model.catalog import SHIPPED, Catalog, Machine, Offer
from autoscale.model.supply import CapacityType
from autoscale.model.units import usd_per_hour

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA = Path(__file__).parent / "data"  # importlib.resources would cost more than reading the files
REGION = "us-east-1"  # the only region with bundled prices
TAKEN_S = int(dt.datetime(2026, 7, 20, tzinfo=dt.UTC).timestamp())

# An account's zone names are dealt out by AWS; without an account there is no telling, so they are dealt in order.
ZONE_IDS: Mapping[str, str] = MappingProxyType(
    {f"{REGION}{letter}": f"use1-az{n}" for n, letter in enumerate("abcdef", 1)}
)


@dataclass(frozen=True, slots=True)
class Specification:
    """One instance type as EC2 describes it. `gpu_fraction` is empty unless the machine has less than a whole GPU.

    `eni_pods` is what the VPC CNI can address; `zone_ids` are the zones that offer the type.
    """

    name: str
    vcpus: int
    memory_mib: int
    architecture: str
    manufacturer: str
    accelerator: str
    accelerators: int
    accelerator_memory_mib: int
    gpu_fraction: str
    efa_interfaces: int
    eni_pods: int
    zone_ids: tuple[str, ...]
    on_demand_microusd_per_hour: int


@cache
def specifications() -> Mapping[str, Specification]:
    """All instance types by name, in the order of the file (by name)."""
    return MappingProxyType({row["instance_type"]: _specification(row) for row in _rows("us-east-1.csv")})


def known_machines(read: Mapping[str, Machine]) -> Mapping[str, Machine]:
    """The bundled types, and those that were read from the cloud, which go before them."""
    return {**{name: _machine(spec) for name, spec in specifications().items()}, **read}


@cache
def spot_prices() -> Mapping[tuple[str, str], int]:
    """(Instance type, zone ID) -> micro-US$ per hour. No entry: no spot supply there."""
    prices = {}
    for row in _rows("spot-us-east-1.csv"):
        spot = row["spot_usd_per_hour"]
        if spot and usd_per_hour(spot) < usd_per_hour(row["on_demand_usd_per_hour"]):
            prices[row["instance_type"], row["zone_id"]] = usd_per_hour(spot)
    return MappingProxyType(prices)


@cache
def shipped() -> Catalog:
    """The tables as a catalogue. On-demand prices hold in every zone that offers the type."""
    names = {id_: name for name, id_ in ZONE_IDS.items()}
    offers = [
        Offer(spec.name, names[id_], CapacityType.ON_DEMAND, _usd(spec.on_demand_microusd_per_hour), at_s=TAKEN_S)
        for spec in specifications().values()
        for id_ in spec.zone_ids
        if id_ in names  # local zones are none of ours
    ]
    offers += [
        Offer(name, names[id_], CapacityType.SPOT, _usd(price), at_s=TAKEN_S)
        for (name, id_), price in spot_prices().items()
        if id_ in names and name in specifications() and id_ in specifications()[name].zone_ids
    ]
    quotes, refusals = believe(offers)
    return Catalog(
        provider="aws",
        region=REGION,
        source=SHIPPED,
        at_s=TAKEN_S,
        machines=tuple(map(_machine, specifications().values())),
        quotes=quotes,
        refusals=refusals,
        zone_ids=ZONE_IDS,
    )


def _usd(microusd: int) -> str:
    return f"{microusd // 1_000_000}.{microusd % 1_000_000:06}"


def _machine(spec: Specification) -> Machine:
    return Machine(
        name=spec.name,
        vcpus=spec.vcpus,
        memory_mib=spec.memory_mib,
        architecture=spec.architecture,
        manufacturer=spec.manufacturer,
        accelerator=spec.accelerator,
        accelerators=spec.accelerators,
        accelerator_memory_mib=spec.accelerator_memory_mib,
        gpu_fraction=spec.gpu_fraction,
        efa_interfaces=spec.efa_interfaces,
        eni_pods=spec.eni_pods,
    )


def _rows(name: str) -> list[dict[str, str]]:
    lines = (_DATA / name).read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def _specification(row: Mapping[str, str]) -> Specification:
    return Specification(
        name=row["instance_type"],
        vcpus=int(row["vcpus"]),
        memory_mib=int(row["memory_mib"]),
        architecture=row["architecture"],
        manufacturer=row["accelerator_manufacturer"],
        accelerator=row["accelerator_name"],
        accelerators=int(row["accelerator_count"]),
        accelerator_memory_mib=int(row["accelerator_memory_mib"] or 0),
        gpu_fraction=row["gpu_fraction"],
        efa_interfaces=int(row["efa_interfaces"]),
        eni_pods=int(row["eni_pods"]),
        zone_ids=tuple(row["zone_ids"].split()),
        on_demand_microusd_per_hour=usd_per_hour(row["on_demand_usd_per_hour"]),
    )
