"""Google's machine types, accelerator types and billing catalogue behind a real HTTP server.

Compute Engine's answers pass through the library's own types; SKUs have the form of the Cloud Billing Catalog API.
"""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from google.cloud import compute_v1 as compute

from tests.serving import Served, answer

PROJECT = "demo-project"
ZONES = ("us-central1-a", "us-central1-b")
_ROOT = f"/compute/v1/projects/{PROJECT}/zones"
_SKUS = "/v1/services/6F81-5844-456A/skus"


def sku(
    description: str,
    usd: float,
    *,
    usage: str = "OnDemand",
    currency: str = "USD",
    unit: str = "h",
    region: str = "us-central1",
) -> dict[str, Any]:
    """A row of the billing catalogue."""
    units = int(usd)
    price = {"currencyCode": currency, "units": str(units), "nanos": round((usd - units) * 1e9)}
    return {
        "name": f"services/6F81-5844-456A/skus/{abs(hash((description, usage, region))):X}",
        "description": description,
        "category": {"resourceFamily": "Compute", "usageType": usage},
        "serviceRegions": [region],
        "pricingInfo": [{"pricingExpression": {"usageUnit": unit, "tieredRates": [{"unitPrice": price}]}}],
    }


def both(name: str, part: str, on_demand: float, spot: float) -> list[dict[str, Any]]:
    """A vCPU, a GiB or a GPU, on-demand and spot."""
    if part == "GPU":
        words = f"Nvidia {name} GPU"
        return [
            sku(f"{words} running in Americas", on_demand),
            sku(f"{words} attached to Spot Preemptible VMs running in Americas", spot, usage="Preemptible"),
        ]
    unit = "GiBy.h" if part == "Ram" else "h"
    return [
        sku(f"{name} Instance {part} running in Americas", on_demand, unit=unit),
        sku(f"Spot Preemptible {name} Instance {part} running in Americas", spot, usage="Preemptible", unit=unit),
    ]


def skus() -> list[dict[str, Any]]:
    """What is needed for the machines below, and rows that must not be taken for them."""
    return [
        *both("N1 Predefined", "Core", 0.031611, 0.00698),
        *both("N1 Predefined", "Ram", 0.004237, 0.00094),
        *both("G2", "Core", 0.024988, 0.00998),
        *both("G2", "Ram", 0.002927, 0.00117),
        *both("C4A Arm", "Core", 0.0347, 0.0139),
        *both("A3", "Core", 0.02912, 0.0158),
        *both("A3", "Ram", 0.00254, 0.00138),
        *both("L4", "GPU", 0.56004, 0.2862),
        *both("Tesla T4", "GPU", 0.35, 0.1915),
        *both("H100 80GB", "GPU", 9.796, 4.8),
        sku("N1 Predefined Instance Core running in Finland", 9.0, region="europe-north1"),
        sku("Commitment v1: N1 Cpu in Americas for 1 Year", 0.01, usage="Commit1Yr"),
        sku("N1 Sole Tenancy Instance Core running in Americas", 7.0),
        sku("Storage PD Capacity", 0.04, unit="GiBy.mo"),
    ]


class GcePrices(Served):
    """A context manager. `url` is the address; `actions` are the calls that came, by the permission that each needs."""

    def __init__(self) -> None:
        self.actions: list[str] = []
        self.skus = skus()
        self.errors: dict[str, tuple[int, str]] = {}
        self.machines = [
            ("n1-standard-4", 4, 15360, "", "", 0),
            ("n1-standard-1", 1, 3840, "", "", 0),
            ("f1-micro", 1, 614, "", "", 0),
            ("g2-standard-24", 24, 98304, "X86_64", "nvidia-l4", 2),
            ("a3-highgpu-8g", 208, 1916928, "X86_64", "nvidia-h100-80gb", 8),
            ("c4a-standard-8", 8, 32768, "ARM64", "", 0),
        ]

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        assert handler.command == "GET", handler.command
        address = urlsplit(handler.path)
        action, make = self._route(address.path, {key: each[0] for key, each in parse_qs(address.query).items()})
        self.actions.append(action)
        status, body = 200, ""
        if action in self.errors:
            status, message = self.errors[action]
            body = json.dumps({"error": {"code": status, "message": message, "errors": [{"message": message}]}})
        else:
            body = make()
        answer(handler, status, {"Content-Type": "application/json"}, body.encode())

    def _route(self, path: str, query: dict[str, str]) -> tuple[str, Callable[[], str]]:
        if path == _SKUS:
            return "cloudbilling.services.skus.list", lambda: self._page_of_skus(query)
        if path == _ROOT:
            return "compute.zones.list", self._zones
        zone, _, kind = path.removeprefix(f"{_ROOT}/").partition("/")
        if kind == "machineTypes":
            return "compute.machineTypes.list", self._machine_types
        assert kind == "acceleratorTypes", path
        return "compute.acceleratorTypes.list", lambda: self._accelerator_types(zone)

    def _page_of_skus(self, query: dict[str, str]) -> str:
        assert query["currencyCode"] == "USD"
        half = len(self.skus) // 2
        if query.get("pageToken") == "second":
            return json.dumps({"skus": self.skus[half:], "nextPageToken": ""})
        return json.dumps({"skus": self.skus[:half], "nextPageToken": "second"})

    def _zones(self) -> str:
        region = "https://www.googleapis.com/compute/v1/projects/demo-project/regions/"
        zones = [compute.Zone(name=zone, region=region + "us-central1") for zone in ZONES]
        zones.append(compute.Zone(name="europe-west4-a", region=region + "europe-west4"))
        return _json(compute.ZoneList(items=zones))

    def _machine_types(self) -> str:
        items = []
        for name, vcpus, memory_mb, architecture, accelerator, count in self.machines:
            built_in = [compute.Accelerators(guest_accelerator_type=accelerator, guest_accelerator_count=count)]
            more = {"architecture": architecture} if architecture else {}
            items.append(
                compute.MachineType(
                    name=name,
                    guest_cpus=vcpus,
                    memory_mb=memory_mb,
                    accelerators=built_in if accelerator else [],
                    **more,
                )
            )
        return _json(compute.MachineTypeList(items=items))

    def _accelerator_types(self, zone: str) -> str:
        cards = [compute.AcceleratorType(name="nvidia-l4", maximum_cards_per_instance=8)]
        if zone == ZONES[0]:
            cards.append(compute.AcceleratorType(name="nvidia-tesla-t4", maximum_cards_per_instance=2))
        return _json(compute.AcceleratorTypeList(items=cards))


def _json(message: Any) -> str:
    text: str = type(message).to_json(message, use_integers_for_enums=False, always_print_fields_with_no_presence=False)
    return text
