"""What a cloud sells in a region: machines, what each costs where and how it is bought, and the prices not believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.supply import CapacityType

SHIPPED = "shipped"
"""The source of a catalogue that comes with the program; any other was read from a cloud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A type as the cloud describes it, before anything is kept for the system.

    `accelerator` is the cloud's name of the model, `accelerator_memory_mib` one piece's. `gpu_fraction` is empty unless it
    has less than a whole GPU. `eni_pods` is how many pods Amazon's network plugin can address, 0 where that is nobody's limit.
    """

    name: str
    vcpus: int
    memory_mib: int
    architecture: str = "amd64"
    manufacturer: str = ""
    accelerator: str = ""
    accelerators: int = 0
    accelerator_memory_mib: int = 0
    gpu_fraction: str = ""
    efa_interfaces: int = 0
    eni_pods: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """What a machine costs in a zone, and when that was said. On-demand, spot or reserved."""

    instance_type: str
    zone: str
    capacity_type: CapacityType
    price_microusd_per_hour: int
    at_s: int

    @property
    def key(self) -> str:
        """`type/zone/capacity-type`, as offerings have it."""
        return f"{self.instance_type}/{self.zone}/{self.capacity_type}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A price that is not believed, as it was written, and why. `kept_microusd_per_hour` is the last good one, 0: none."""

    instance_type: str
    zone: str
    capacity_type: CapacityType
    found: str
    reason: str
    kept_microusd_per_hour: int = 0

    @property
    def key(self) -> str:
        """`type/zone/capacity-type`, as offerings have it."""
        return f"{self.instance_type}/{self.zone}/{self.capacity_type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """One region of one cloud.

    `source` is SHIPPED or what was asked, `at_s` when. `zone_ids`: zone name -> the ID that means the same zone in every
    account; the name itself where a cloud has no such thing. `scores`: (accelerator or type, zone) -> 1 to 10, how likely
    the cloud says a request for spot is to be filled.
    """

    provider: str
    region: str
    source: str
    at_s: int
    machines: tuple[Machine, ...]
    quotes: tuple[Quote, ...]
    refusals: tuple[Refusal, ...] = ()
    zone_ids: Mapping[str, str] = field(default_factory=empty, hash=False)
    scores: Mapping[tuple[str, str], int] = field(default_factory=empty, hash=False)

    def age_s(self, now_s: int) -> int:
        """How old the prices are, 0 when they are from the future."""
        return max(0, now_s - self.at_s)


@dataclass(frozen=True, slots=True)
class Offer:
    """A price as a source says it, not yet believed. `doubt` is what the source itself has against it, empty for nothing."""

    instance_type: str
    zone: str
    capacity_type: CapacityType
    amount: str
    currency: str = "USD"
    at_s: int = 0
    doubt: str = ""

    @property
    def key(self) -> str:
        """`type/zone/capacity-type`, as offerings have it."""
        return f"{self.instance_type}/{self.zone}/{self.capacity_type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a cloud said when it was asked, before anything of it is believed. `notes` say what it would not tell."""

    region: str
    source: str
    at_s: int
    machines: tuple[Machine, ...]
    offers: tuple[Offer, ...]
    zone_ids: Mapping[str, str] = field(default_factory=empty, hash=False)
    scores: Mapping[tuple[str, str], int] = field(default_factory=empty, hash=False)
    notes: tuple[str, ...] = ()
