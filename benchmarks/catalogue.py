"""What AWS sells in us-east-1, as offerings of a problem file.

Sizes, zones and prices are the tables that ship with the AWS provider. What pods may use of a node follows the formulas
of EKS's node bootstrap, with the VM overhead of 7.5 % that Karpenter's provider assumes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from providers.aws.specifications import specifications, spot_prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.reading import Json

MICRO = 1_000_000
GPU_LABEL = "karpenter.k8s.aws/instance-gpu-name"
GPU_MEMORY_LABEL = "karpenter.k8s.aws/instance-gpu-memory"
FAMILY_LABEL = "karpenter.k8s.aws/instance-family"
PRODUCT_LABEL = "nvidia.com/gpu.product"
ZONE_LABEL = "topology.kubernetes.io/zone"
CAPACITY_TYPE_LABEL = "karpenter.sh/capacity-type"
GPU = "nvidia.com/gpu"

_PRODUCTS = {
    ("T4", 16384): "Tesla-T4",
    ("V100", 32768): "Tesla-V100-SXM2-32GB",
    ("A10G", 22888): "NVIDIA-A10G",
    ("L4", 22888): "NVIDIA-L4",
    ("L40S", 45776): "NVIDIA-L40S",
    ("A100", 40960): "NVIDIA-A100-SXM4-40GB",
    ("A100", 81920): "NVIDIA-A100-SXM4-80GB",
    ("H100", 81920): "NVIDIA-H100-80GB-HBM3",
    ("H200", 144384): "NVIDIA-H200",
    ("B200", 183359): "NVIDIA-B200",
    ("B300", 275040): "NVIDIA-B300",
    ("RTX PRO 4500", 32768): "NVIDIA-RTX-PRO-4500",
    ("RTX PRO Server 6000", 98304): "NVIDIA-RTX-PRO-6000",
}


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One type, sizes as the cloud states them, before anything is taken off for the system."""

    name: str
    cpu: int
    memory_mib: int
    gpus: int
    gpu: str
    gpu_memory_mib: int
    max_pods: int
    zones: tuple[str, ...]
    price: float

    @property
    def family(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]

    @property
    def metal(self) -> bool:
        """Whether the machine is rented without a hypervisor."""
        return ".metal" in self.name

    @property
    def cpu_millicores(self) -> int:
        """What pods may use: the kubelet keeps 6 % of the first core, 1 % of the second, 0.5 % of two, 0.25 % of each more."""
        kept = 60 + 10 * (self.cpu > 1) + 5 * min(2, max(0, self.cpu - 2)) + max(0, self.cpu - 4) * 5 // 2
        return 1000 * self.cpu - kept

    @property
    def usable_memory_mib(self) -> int:
        """What pods may use: less 7.5 % for the VM, 255 MiB and 11 MiB a pod for the kubelet, 100 MiB of eviction threshold."""
        return self.memory_mib * 925 // 1000 - 255 - 11 * self.max_pods - 100

    def capacity(self) -> dict[str, str]:
        """What pods may use, as the file states it."""
        gpus = {GPU: str(self.gpus)} if self.gpus else {}
        return {
            "cpu": f"{self.cpu_millicores}m",
            "memory": f"{self.usable_memory_mib}Mi",
            **gpus,
            "pods": str(self.max_pods),
        }

    def labels(self) -> dict[str, str]:
        """The labels of a node of this type, apart from name, zone and capacity type."""
        labels = {
            FAMILY_LABEL: self.family,
            "karpenter.k8s.aws/instance-size": self.name.partition(".")[2],
            "karpenter.k8s.aws/instance-cpu": str(self.cpu),
            "karpenter.k8s.aws/instance-memory": str(self.memory_mib),
            "kubernetes.io/arch": "amd64",
        }
        if self.gpus:
            labels |= {
                GPU_LABEL: self.gpu.lower().replace(" ", "-"),
                "karpenter.k8s.aws/instance-gpu-count": str(self.gpus),
                GPU_MEMORY_LABEL: str(self.gpu_memory_mib),
                PRODUCT_LABEL: _PRODUCTS.get((self.gpu, self.gpu_memory_mib), "NVIDIA-" + self.gpu.replace(" ", "-")),
            }
        return labels

    def offering(self, zone: str, capacity_type: str, price: float) -> Json:
        """One entry of a problem file's offerings."""
        return {
            "instance_type": self.name,
            "zone": zone,
            "capacity_type": capacity_type,
            "price": round(price, 6),
            "capacity": self.capacity(),
            "labels": self.labels(),
        }


@dataclass(frozen=True, slots=True)
class Catalogue:
    """x86 types without accelerators or with whole NVIDIA GPUs, and real spot prices by type and zone."""

    types: tuple[InstanceType, ...]
    spot: Mapping[tuple[str, str], float]

    def named(self, names: Iterable[str]) -> list[InstanceType]:
        """Pick types by family or full name, in the catalogue's order; names that are not there are passed over."""
        wanted = set(names)
        return [t for t in self.types if t.name in wanted or t.family in wanted]

    def made_up_spot(self, names: Iterable[str], zones: tuple[str, ...], *, salt: str = "") -> list[Json]:
        """On-demand, and spot at 35 to 65 % of it, drawn by a hash of type and zone, in each zone."""
        found = []
        for t in self.named(names):
            for zone in _ZONES_OF_SCARCE.get(t.family, range(len(zones))):
                digest = hashlib.sha256(f"{salt}{t.name}/{zones[zone]}".encode()).digest()
                share = 0.35 + 0.30 * int.from_bytes(digest[:8]) / 2**64
                found += [
                    t.offering(zones[zone], "on-demand", t.price),
                    t.offering(zones[zone], "spot", t.price * share),
                ]
        return found

    def real_spot(self, names: Iterable[str]) -> list[Json]:
        """On-demand in every zone that has the type, and spot where and at what it was really sold.

        The spot prices cover types with GPUs; those without are sold on demand only, in all zones.
        """
        everywhere = sorted({zone for t in self.types for zone in t.zones if zone.startswith("use1-az")})
        found = []
        for t in self.named(names):
            for zone in t.zones if t.gpus else everywhere:
                found.append(t.offering(zone, "on-demand", t.price))
                if (spot := self.spot.get((t.name, zone))) is not None:
                    found.append(t.offering(zone, "spot", spot))
        return found

    def on_demand(self, *, gpus_only: bool, zone: str = "use1-az1") -> list[Json]:
        """Every type on demand in one zone."""
        return [t.offering(zone, "on-demand", t.price) for t in self.types if t.gpus or not gpus_only]


_ZONES_OF_SCARCE: Mapping[str, tuple[int, ...]] = {"p4de": (0, 1), "p5en": (0, 1), "p6-b200": (2,)}


@cache
def load() -> Catalogue:
    """The catalogue, read once."""
    types = [
        InstanceType(
            name=spec.name,
            cpu=spec.vcpus,
            memory_mib=spec.memory_mib,
            gpus=spec.accelerators,
            gpu=spec.accelerator,
            gpu_memory_mib=spec.accelerator_memory_mib,
            max_pods=spec.eni_pods,
            zones=spec.zone_ids,
            price=spec.on_demand_microusd_per_hour / MICRO,
        )
        for spec in specifications().values()
        if spec.architecture == "amd64" and not spec.gpu_fraction and spec.manufacturer in ("", "NVIDIA")
    ]
    spot = {where: price / MICRO for where, price in spot_prices().items()}
    return Catalogue(tuple(sorted(types, key=lambda t: t.name)), spot)
