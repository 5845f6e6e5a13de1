"""Google's types and prices by its own library and the billing catalogue's REST, on a local server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from autoscale.catalog.refresh import judge
from autoscale.errors import ProviderError
from autoscale.model.catalog import Machine, Offer, Refusal
from autoscale.model.supply import CapacityType, FaultKind
from providers.gcp.settings import GcpSettings
from providers.gcp.source import GcpCatalogSource

from .gcp_prices import PROJECT, ZONES, GcePrices, both, sku

ROLE = Path(__file__).parents[2] / "deploy" / "gcp" / "catalog-role.yaml"
SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
REGION = "us-central1"


@pytest.fixture
def stage() -> Iterator[GcePrices]:
    """A project with a few machine types."""
    with GcePrices() as started:
        yield started


def source(stage: GcePrices) -> GcpCatalogSource:
    """The source as a configuration would make it."""
    return GcpCatalogSource(GcpSettings.parse({"project": PROJECT, "endpoint_url": stage.url}, cluster="demo"))


def silent(_: str) -> None:
    """Nobody watches."""


def test_machines_come_with_what_is_built_in_or_attached(stage: GcePrices) -> None:
    """N1 with each accelerator that a zone has and lets it have; nothing too small for a kubelet; ARM as ARM."""
    machines = {each.name: each for each in source(stage).read(REGION, silent).machines}
    assert sorted(machines) == [
        "a3-highgpu-8g",
        "c4a-standard-8",
        "g2-standard-24",
        "n1-standard-1",
        "n1-standard-1+nvidia-tesla-t4x1",
        "n1-standard-1+nvidia-tesla-t4x2",
        "n1-standard-4",
        "n1-standard-4+nvidia-tesla-t4x1",
        "n1-standard-4+nvidia-tesla-t4x2",
    ]
    assert machines["g2-standard-24"] == Machine(
        name="g2-standard-24",
        vcpus=24,
        memory_mib=98304,
        manufacturer="NVIDIA",
        accelerator="nvidia-l4",
        accelerators=2,
        accelerator_memory_mib=23034,
    )
    assert machines["c4a-standard-8"].architecture == "arm64"


def test_a_price_is_the_sum_of_its_parts(stage: GcePrices) -> None:
    """vCPUs, GiB and GPUs of the region and way to pay; a machine with a part that is not sold so has no price."""
    reading = source(stage).read(REGION, silent)
    found = {each.key: each for each in reading.offers}
    key = "g2-standard-24/us-central1-b"
    on_demand, spot = 24 * 0.024988 + 96 * 0.002927 + 2 * 0.56004, 24 * 0.00998 + 96 * 0.00117 + 2 * 0.2862
    assert found[f"{key}/on-demand"] == Offer(
        "g2-standard-24", "us-central1-b", ON_DEMAND, found[f"{key}/on-demand"].amount, "USD", reading.at_s
    )
    assert float(found[f"{key}/on-demand"].amount) == pytest.approx(on_demand)
    assert float(found[f"{key}/spot"].amount) == pytest.approx(spot)
    assert float(found["n1-standard-1/us-central1-a/on-demand"].amount) == pytest.approx(0.031611 + 3.75 * 0.004237)
    assert "n1-standard-4+nvidia-tesla-t4x1/us-central1-b/spot" not in found  # that zone has no T4
    assert not [each for each in found if each.startswith("c4a")]  # its memory is not in the list


def test_a_tpu_machine_costs_its_chips(stage: GcePrices) -> None:
    """Rows of the billing catalogue for commitments and queued time are none of a machine's that is bought at once."""
    stage.machines = [
        ("ct5lp-hightpu-4t", 112, 196608, "", "ct5lp", 4),
        ("ct6e-standard-1t-tpu", 44, 180224, "", "tpu-v6e", 1),
    ]
    rows = [
        sku("TpuV5e in Americas", 1.2),
        sku("TpuV5e Preemptible in Americas", 0.5, usage="Preemptible"),
        sku("Commitment v1: TpuV5e in Americas for 1 Year", 0.1),
        sku("DWS Calendar Mode TpuV5e in Americas", 0.2),
        sku("Tpu-v6e in Americas", 2.7),
    ]
    stage.skus = [row | {"category": row["category"] | {"resourceGroup": "TPU"}} for row in rows]
    reading = source(stage).read(REGION, silent)
    assert {each.key: float(each.amount) for each in reading.offers if each.zone == ZONES[0]} == {
        "ct5lp-hightpu-4t/us-central1-a/on-demand": pytest.approx(4.8),
        "ct5lp-hightpu-4t/us-central1-a/spot": pytest.approx(2.0),
        "ct6e-standard-1t-tpu/us-central1-a/on-demand": pytest.approx(2.7),
    }
    assert [(each.name, each.manufacturer, each.accelerators) for each in reading.machines] == [
        ("ct5lp-hightpu-4t", "Google", 4), ("ct6e-standard-1t-tpu", "Google", 1),
    ]  # fmt: skip


def test_figures_that_can_not_be_right_are_refused(stage: GcePrices) -> None:
    """An H100 on-demand below spot, a currency, a price of 0: each with its reason, the rest is kept."""
    stage.skus = [each for each in stage.skus if "H100" not in each["description"] and "T4" not in each["description"]]
    stage.skus += both("H100 80GB", "GPU", 4.20076, 5.3387)
    stage.skus += [sku("Nvidia Tesla T4 GPU running in Americas", 0.0)]
    stage.skus += [sku("N1 Predefined Instance Ram running in Americas", 0.004, currency="EUR", unit="GiBy.h")]
    catalog = judge(source(stage).read(REGION, silent), provider="gcp", known=None).catalog
    assert catalog is not None
    assert {each.instance_type for each in catalog.quotes} == {"g2-standard-24", "n1-standard-1", "n1-standard-4"}
    assert {(each.instance_type, each.capacity_type, each.reason) for each in catalog.refusals} == {
        ("a3-highgpu-8g", ON_DEMAND, "on-demand below spot 48.5794"),
        ("a3-highgpu-8g", SPOT, "spot above on-demand 44.4179"),
        *((f"n1-standard-{n}", ON_DEMAND, "in EUR/USD, not in US$") for n in (1, 4)),
        *(
            (f"n1-standard-{n}+nvidia-tesla-t4x{m}", ON_DEMAND, "0 a unit of T4 GPU")
            for n in (1, 4)
            for m in (1, 2)
        ),
    }  # fmt: skip
    assert all(isinstance(each, Refusal) and each.kept_microusd_per_hour == 0 for each in catalog.refusals)


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("compute.zones.list", 403, FaultKind.DENIED),
        ("compute.machineTypes.list", 403, FaultKind.DENIED),
        ("compute.acceleratorTypes.list", 403, FaultKind.DENIED),
        ("cloudbilling.services.skus.list", 403, FaultKind.DENIED),
    ],
)
def test_a_part_that_fails_fails_the_whole(stage: GcePrices, action: str, status: int, kind: FaultKind) -> None:
    """The error names the permission that is missing."""
    stage.errors[action] = (status, "Permission denied")
    with pytest.raises(ProviderError) as error:
        source(stage).read(REGION, silent)
    assert (error.value.fault.kind, str(error.value)) == (kind, f"gcp: {action}: Permission denied")


def test_an_unknown_region_is_said(stage: GcePrices) -> None:
    """Rather than an empty catalogue."""
    with pytest.raises(ProviderError, match="gcp: there is no region mars-north1"):
        source(stage).read("mars-north1", silent)


def test_the_shipped_role_grants_what_a_refresh_calls(stage: GcePrices) -> None:
    """Reading the billing catalogue needs no permission in a project; all else is in the role, and nothing more."""
    source(stage).read(REGION, silent)
    granted = yaml.safe_load(ROLE.read_text())["includedPermissions"]
    assert sorted({*stage.actions} - {"cloudbilling.services.skus.list"}) == sorted(granted)
    assert len(stage.actions) == 1 + 2 * len(ZONES) + 2
