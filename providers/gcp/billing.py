"""The billing catalogue's SKUs as prices of machines: so much a vCPU, a GiB and a GPU, by family, region and way to pay.

A SKU says what it is for in words, such as `Spot Preemptible N2 Instance Core running in Americas`. Fields:
https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from autoscale.model.supply import CapacityType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.model.catalog import Machine

COMPUTE = "6F81-5844-456A"  # Compute Engine's number among the services
_USAGE = {"OnDemand": CapacityType.ON_DEMAND, "Preemptible": CapacityType.SPOT}

# Words of a family in a SKU; a family that is not here is called by its own name in capitals, such as `E2` or `N2`.
_FAMILIES = {
    "a3-high": "A3", "a3-edge": "A3", "a3-mega": "A3Plus", "a3-ultra": "A3Ultra", "c2": "Compute optimized", "c2d": "C2D AMD",
    "c3d": "C3D", "n2d": "N2D AMD", "t2d": "T2D AMD", "t2a": "T2A Arm", "m1": "Memory-optimized",
}  # fmt: skip
_WHOLE = ("a4", "ct5l", "ct5lp", "ct5p", "ct6e", "tpu7x")  # families whose accelerator's price is all there is
_CORE = re.compile(
    r"(?:Spot Preemptible )?(?P<family>.+?)(?: Predefined)? (?:Instance )?(?P<part>Core|Ram) running in .*"
)
_GPU = re.compile(
    r"(?:Nvidia (?:Tesla )?(?P<model>.+?) GPU|A4 Nvidia (?P<slice>\w+) \(1 gpu slice\))"
    r"(?: attached to Spot Preemptible VMs)?(?: running in .*)?"
)
# Chips of TPUs, in what is not a commitment and is not bought for a time that is agreed on before.
_TPU = re.compile(r"(?!.*(?:Commit|Reserv|DWS|Calendar|Flex)).*\b(?P<model>Tpu-?\w+)\b.*", re.IGNORECASE)
_MODELS = {  # words of an accelerator in a SKU
    "nvidia-tesla-p4": "P4",
    "nvidia-tesla-p100": "P100",
    "nvidia-tesla-v100": "V100",
    "nvidia-tesla-t4": "T4",
    "nvidia-l4": "L4",
    "nvidia-tesla-a100": "A100",
    "nvidia-a100-80gb": "A100 80GB",
    "nvidia-h100-80gb": "H100 80GB",
    "nvidia-h100-mega-80gb": "H100 80GB Plus",
    "nvidia-h200-141gb": "H200 141GB",
    "nvidia-b200": "B200",
    "ct5l": "tpuv5e",
    "ct5lp": "tpuv5e",
    "ct5p": "tpuv5p",
    "ct6e": "tpuv6e",
    "tpu-v5e": "tpuv5e",
    "tpu-v5p": "tpuv5p",
    "tpu-v6e": "tpuv6e",
    "tpu7x": "tpu7x",
}


class Rate(NamedTuple):
    """What one piece costs an hour, in which currency."""

    amount: Decimal
    currency: str


class PriceList:
    """The rates of one region. `seen` counts all SKUs that were looked at."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._rates: dict[tuple[str, str, CapacityType], Rate] = {}
        self.seen = 0

    def __len__(self) -> int:
        return len(self._rates)

    def add(self, skus: Iterable[Mapping[str, Any]]) -> None:
        """Take in a page."""
        for sku in skus:
            self.seen += 1
            category, description = sku.get("category", {}), sku.get("description", "")
            capacity_type = _USAGE.get(category.get("usageType", ""))
            if category.get("resourceGroup") == "TPU":
                what = _chips(description)
                capacity_type = CapacityType.SPOT if capacity_type and "Preemptible" in description else capacity_type
            else:
                what = _what(description)
            rate = _rate(sku)
            if capacity_type and what and rate and self._region in sku.get("serviceRegions", []):
                self._rates[(*what, capacity_type)] = rate

    def of(self, machine: Machine, capacity_type: CapacityType) -> tuple[str, str, str] | None:
        """Amount, currency, and what is to be said against it; None when a part of the machine is not sold so."""
        parts: list[tuple[str, str, Decimal]] = []
        kind = _family(machine.name)
        if kind not in _WHOLE:
            words = _FAMILIES.get(kind, kind.upper())
            parts.append((words, "Core", Decimal(machine.vcpus)))
            parts.append((words, "Ram", Decimal(machine.memory_mib) / 1024))
        if machine.accelerators:
            parts.append((_MODELS.get(machine.accelerator, ""), "GPU", Decimal(machine.accelerators)))
        total, currencies, doubts = Decimal(0), set(), []
        for words, part, pieces in parts:
            rate = self._rates.get((words, part, capacity_type))
            if rate is None:
                return None
            if rate.amount <= 0:
                doubts.append(f"{rate.amount.normalize():f} a unit of {words} {part}")
            currencies.add(rate.currency)
            total += rate.amount * pieces
        return f"{total:f}", "/".join(sorted(currencies)), ", ".join(doubts)


def _family(name: str) -> str:
    """`n2` of `n2-standard-4`; the A3s are sold apart."""
    family, _, rest = name.partition("-")
    return f"{family}-{rest.partition('gpu')[0]}" if family == "a3" else family


def _what(description: str) -> tuple[str, str] | None:
    """Family or model, and which part of a machine."""
    if found := _GPU.fullmatch(description):
        return (found["model"] or found["slice"], "GPU")
    if found := _CORE.fullmatch(description):
        return (found["family"].removesuffix(" Instance"), found["part"])
    return None


def _chips(description: str) -> tuple[str, str] | None:
    """The TPU's model; `Tpu-v5e` and `TpuV5e` are both written."""
    found = _TPU.fullmatch(description)
    return (found["model"].lower().replace("-", ""), "GPU") if found else None


def _rate(sku: Mapping[str, Any]) -> Rate | None:
    """The rate of the last tier of the newest price, None when there is none by the hour."""
    infos = sku.get("pricingInfo", [])
    expression = infos[-1].get("pricingExpression", {}) if infos else {}
    tiers = expression.get("tieredRates", [])
    if not tiers or expression.get("usageUnit") not in ("h", "GiBy.h"):
        return None
    price = tiers[-1].get("unitPrice", {})
    amount = Decimal(str(price.get("units") or 0)) + Decimal(int(price.get("nanos") or 0)).scaleb(-9)
    return Rate(amount, price.get("currencyCode", ""))
