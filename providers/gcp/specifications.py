"""The bundled tables of machine types, accelerators and prices: read once, when first needed. Sources: data/README.md.

A machine is a machine type with the accelerators that it comes with, or that a template attaches to it. Its name is the
machine type's, followed by `+ACCELERATORxCOUNT` where they are attached: `n1-standard-8+nvidia-tesla-t4x2`.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.belief import believe
from autoscale.model.catalog import SHIPPED, Catalog, Machine, Offer
from autoscale.model.supply import CapacityType
from autoscale.model.units import usd_per_hour
from providers.gcp import tpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DATA = Path(__file__).parent / "data"  # importlib.resources would cost more than reading the files
REGION = "us-central1"  # the only region with bundled prices
ZONES = ("us-central1-a", "us-central1-b", "us-central1-c", "us-central1-f")
TAKEN_S = int(dt.datetime(2026, 7, 1, tzinfo=dt.UTC).timestamp())  # "mid-2026" is all that the source tells


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A GPU model. `key` is its name in the price table, `product` and `memory_mib` are what NVML tells of it."""

    name: str
    key: str
    product: str
    memory_mib: int


ACCELERATORS: Mapping[str, Accelerator] = MappingProxyType(
    {
        each.name: each
        for each in (
            Accelerator("nvidia-tesla-p4", "P4", "Tesla-P4", 7680),
            Accelerator("nvidia-tesla-p100", "P100", "Tesla-P100-PCIE-16GB", 16384),
            Accelerator("nvidia-tesla-v100", "V100", "Tesla-V100-SXM2-16GB", 16384),
            Accelerator("nvidia-tesla-t4", "T4", "Tesla-T4", 15360),
            Accelerator("nvidia-l4", "L4", "NVIDIA-L4", 23034),
            Accelerator("nvidia-tesla-a100", "A100", "NVIDIA-A100-SXM4-40GB", 40960),
            Accelerator("nvidia-a100-80gb", "A100-80GB", "NVIDIA-A100-SXM4-80GB", 81920),
            Accelerator("nvidia-h100-80gb", "H100", "NVIDIA-H100-80GB-HBM3", 81559),
            Accelerator("nvidia-h100-mega-80gb", "H100-MEGA", "NVIDIA-H100-80GB-HBM3", 81559),
            Accelerator("nvidia-h200-141gb", "H200", "NVIDIA-H200", 143771),
            Accelerator("nvidia-b200", "B200", "NVIDIA-B200", 183359),
        )
    }
)

# Machine types that come with accelerators: pattern -> accelerator; the count is the pattern's group, or in `_L4`.
_BUILT_IN = (
    (re.compile(r"a2-(?:high|mega)gpu-(\d+)g"), "nvidia-tesla-a100"),
    (re.compile(r"a2-ultragpu-(\d+)g"), "nvidia-a100-80gb"),
    (re.compile(r"a3-(?:high|edge)gpu-(\d+)g(?:-nolssd)?"), "nvidia-h100-80gb"),
    (re.compile(r"a3-megagpu-(\d+)g(?:-nolssd)?"), "nvidia-h100-mega-80gb"),
    (re.compile(r"a3-ultragpu-(\d+)g(?:-nolssd)?"), "nvidia-h200-141gb"),
    (re.compile(r"a4-highgpu-(\d+)g(?:-nolssd)?"), "nvidia-b200"),
)
_L4 = {"24": 2, "48": 4, "96": 8}
_G2 = re.compile(r"g2-standard-(\d+)")

# What may be attached to N1: accelerator -> (count, most vCPUs) each. https://cloud.google.com/compute/docs/gpus#n1-gpus
ATTACHED: Mapping[str, tuple[tuple[int, int], ...]] = {
    "nvidia-tesla-t4": ((1, 48), (2, 48), (4, 96)),
    "nvidia-tesla-p4": ((1, 24), (2, 48), (4, 96)),
    "nvidia-tesla-v100": ((1, 12), (2, 24), (4, 48), (8, 96)),
    "nvidia-tesla-p100": ((1, 16), (2, 32), (4, 64)),
}


@dataclass(frozen=True, slots=True)
class Specification:
    """A machine with its accelerators. `accelerator` is Google's name of them, empty without.

    `attached`: a template has to name them, since the machine type does not come with them.
    """

    machine_type: str
    vcpus: int
    memory_gib: int
    accelerator: str = ""
    accelerators: int = 0
    architecture: str = "amd64"
    attached: bool = False

    @property
    def name(self) -> str:
        """The machine type's name, with the accelerators where it does not tell them."""
        return f"{self.machine_type}+{self.accelerator}x{self.accelerators}" if self.attached else self.machine_type


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-US$ per hour. `refused` says why the figures are not to be believed, empty when they are; spot 0: no supply."""

    on_demand: int
    spot: int
    refused: str = ""


def built_in(machine_type: str) -> tuple[str, int]:
    """The accelerators that a machine type always has, and how many; empty and 0 for none."""
    if match := _G2.fullmatch(machine_type):
        return "nvidia-l4", _L4.get(match[1], 1)
    for pattern, accelerator in _BUILT_IN:
        if match := pattern.fullmatch(machine_type):
            return accelerator, int(match[1])
    tpu = tpus.tpu_of(machine_type)
    return (tpu.family, tpu.chips) if tpu else ("", 0)


def specification(machine_type: str, accelerator: str = "", accelerators: int = 0) -> Specification | None:
    """The machine, with what is built in when nothing is attached; None for a machine type that nobody knows."""
    size = _sizes().get(machine_type)
    if size is None:
        return None
    there, count = built_in(machine_type)
    if there:
        return Specification(machine_type, *size, there, count)
    return Specification(machine_type, *size, accelerator, accelerators, attached=bool(accelerators))


def specification_of(machine: Machine) -> Specification:
    """A machine of a catalogue, bundled or read."""
    machine_type, attached, _ = machine.name.partition("+")
    return Specification(
        machine_type,
        machine.vcpus,
        machine.memory_mib // 1024,
        machine.accelerator,
        machine.accelerators,
        machine.architecture,
        attached=bool(attached),
    )


@cache
def specifications() -> Mapping[str, Specification]:
    """Every machine that can be had, by name: the accelerator types as they are, N1 alone and with each that fits."""
    found = [each for name in _sizes() for each in _with_accelerators(name)]
    return MappingProxyType({each.name: each for each in found})


def price(spec: Specification, zone: str) -> Price | None:
    """What the machine and its accelerators cost together in a zone; None where one of them is not offered."""
    machine = _machine_prices().get((spec.machine_type, zone))
    if machine is None or not spec.accelerators:
        return machine
    key = ACCELERATORS[spec.accelerator].key if spec.accelerator in ACCELERATORS else ""
    extra = _accelerator_prices().get((key, spec.accelerators, zone))
    if extra is None:
        return None
    spot = machine.spot + extra.spot if extra.spot and (machine.spot or not machine.on_demand) else 0
    return Price(machine.on_demand + extra.on_demand, spot, machine.refused or extra.refused)


@cache
def _sizes() -> Mapping[str, tuple[int, int]]:
    """Machine type -> vCPUs, memory in GiB."""
    told = {row["machine_type"]: (int(row["vcpus"]), int(row["memory_gib"])) for row in _rows("machines")}
    return {**told, **tpus.SIZES}


def _with_accelerators(machine_type: str) -> Iterator[Specification]:
    plain = specification(machine_type)
    assert plain  # noqa: S101 - the name comes from the same table
    yield plain
    if machine_type.startswith("n1-"):
        for accelerator, counts in ATTACHED.items():
            for count, most_vcpus in counts:
                if plain.vcpus <= most_vcpus:
                    yield Specification(machine_type, plain.vcpus, plain.memory_gib, accelerator, count, attached=True)


@cache
def _machine_prices() -> Mapping[tuple[str, str], Price]:
    return {(row["machine_type"], row["zone"]): _price(row, row["machine_type"]) for row in _rows("machines")}


@cache
def _accelerator_prices() -> Mapping[tuple[str, int, str], Price]:
    return {
        (row["accelerator"], int(row["count"]), row["zone"]): _price(row, f"{row['count']} {row['accelerator']}")
        for row in _rows("accelerators")
    }


def _price(row: Mapping[str, str], what: str) -> Price:
    """A row's figures; an on-demand price below the spot price of the same thing can't be right."""
    on_demand, spot = row["on_demand_usd_per_hour"], row["spot_usd_per_hour"]
    refused = ""
    if usd_per_hour(on_demand) < usd_per_hour(spot):
        refused = f"on-demand {on_demand} US$ an hour for {what} in {row['zone']} is below spot {spot}"
    return Price(usd_per_hour(on_demand), usd_per_hour(spot), refused)


@cache
def shipped() -> Catalog:
    """The tables as a catalogue: machines with their accelerators, each at what the parts cost together."""
    offers = []
    for spec in specifications().values():
        for zone in ZONES:
            if (known := price(spec, zone)) is None:
                continue
            for capacity_type, amount in (
                (CapacityType.ON_DEMAND, known.on_demand),
                (CapacityType.SPOT, known.spot),
            ):
                if amount:
                    usd = f"{amount // 1_000_000}.{amount % 1_000_000:06}"
                    offers.append(Offer(spec.name, zone, capacity_type, usd, at_s=TAKEN_S, doubt=known.refused))
    quotes, refusals = believe(offers)
    return Catalog(
        provider="gcp",
        region=REGION,
        source=SHIPPED,
        at_s=TAKEN_S,
        machines=tuple(map(_machine, specifications().values())),
        quotes=quotes,
        refusals=refusals,
        zone_ids=MappingProxyType({zone: zone for zone in ZONES}),
    )


def _machine(spec: Specification) -> Machine:
    known = ACCELERATORS.get(spec.accelerator)
    return Machine(
        name=spec.name,
        vcpus=spec.vcpus,
        memory_mib=spec.memory_gib * 1024,
        architecture=spec.architecture,
        manufacturer=maker(spec.accelerator),
        accelerator=spec.accelerator,
        accelerators=spec.accelerators,
        accelerator_memory_mib=known.memory_mib if known else 0,
    )


def maker(accelerator: str) -> str:
    """Who makes the accelerator of that name; empty for none."""
    return "NVIDIA" if accelerator.startswith("nvidia-") else "Google" if accelerator else ""


def _rows(name: str) -> list[dict[str, str]]:
    lines = (_DATA / f"{name}-{REGION}.csv").read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))
