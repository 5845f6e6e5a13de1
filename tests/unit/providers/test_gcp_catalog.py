import time

import pytest

from autoscale.errors import BadInput
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, InstanceType, Offering
from providers.gcp import catalogue_groups, machines
from providers.gcp import specifications as table
from providers.gcp.catalog import Book, groups_of, refusals
from providers.gcp.specifications import Price, price, specification, specifications
from providers.gcp.tpus import Tpu, tpu_of

GIB, MIB = 2**30, 2**20


def machine(name: str) -> InstanceType:
    """The machine, which must be there."""
    return machines.instance_type(specifications()[name])


def test_a_machine_is_what_its_kubelet_will_report() -> None:
    """g2-standard-4 by hand: 80 m of cpu; of 16 GiB memory 1/64 and 80 MiB to the kernel, 1 + 0.8 + 0.8 GiB reserved."""
    reserved = 1 * GIB + -(-80 * GIB // 100) + -(-80 * GIB // 100)
    visible = 16 * GIB - 16 * GIB // 64 - 80 * MIB
    assert machine("g2-standard-4") == InstanceType(
        name="g2-standard-4",
        capacity=Resources(
            {
                "cpu": 4000,
                "memory": visible,
                "ephemeral-storage": 100 * GIB,
                "pods": 110,
                "nvidia.com/gpu": 1,
            }
        ),
        allocatable=Resources(
            {
                "cpu": 3920,
                "memory": visible - reserved - 100 * MIB,
                "ephemeral-storage": (100 - 41 - 10) * GIB,
                "pods": 110,
                "nvidia.com/gpu": 1,
            }
        ),
        labels={
            "node.kubernetes.io/instance-type": "g2-standard-4",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux",
            "cloud.google.com/machine-family": "g2",
            "cloud.google.com/gke-accelerator": "nvidia-l4",
            "cloud.google.com/gke-accelerator-count": "1",
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.count": "1",
            "nvidia.com/gpu.product": "NVIDIA-L4",
            "nvidia.com/gpu.memory": "23034",
        },
        devices=("nvidia.com/gpu",),
    )


@pytest.mark.parametrize(
    ("name", "accelerator", "count"),
    [
        ("n1-standard-4", "", 0),
        ("n1-standard-96+nvidia-tesla-v100x8", "nvidia-tesla-v100", 8),
        ("g2-standard-32", "nvidia-l4", 1),
        ("g2-standard-24", "nvidia-l4", 2),
        ("g2-standard-96", "nvidia-l4", 8),
        ("a2-highgpu-4g", "nvidia-tesla-a100", 4),
        ("a2-megagpu-16g", "nvidia-tesla-a100", 16),
        ("a2-ultragpu-2g", "nvidia-a100-80gb", 2),
        ("a3-highgpu-8g", "nvidia-h100-80gb", 8),
        ("a3-megagpu-8g", "nvidia-h100-mega-80gb", 8),
        ("a3-ultragpu-8g-nolssd", "nvidia-h200-141gb", 8),
        ("a4-highgpu-8g", "nvidia-b200", 8),
    ],
)
def test_accelerators_come_with_the_type_or_are_attached(name: str, accelerator: str, count: int) -> None:
    """A machine has one name, whichever way its template spells it."""
    found = specifications()[name]
    assert (found.accelerator, found.accelerators, machine(name).allocatable["nvidia.com/gpu"]) == (
        accelerator,
        count,
        count,
    )
    assert specification(found.machine_type, accelerator, count) == found


@pytest.mark.parametrize(
    ("name", "chips", "label", "topology"),
    [
        ("ct5lp-hightpu-1t", 1, "tpu-v5-lite-podslice", "1x1"),
        ("ct5lp-hightpu-4t", 4, "tpu-v5-lite-podslice", "2x2"),
        ("ct5l-hightpu-8t", 8, "tpu-v5-lite-device", "2x4"),
        ("ct6e-standard-4t", 4, "tpu-v6e-slice", "2x2"),
    ],
)
def test_a_tpu_machine_promises_its_chips(name: str, chips: int, label: str, topology: str) -> None:
    """As GKE's device plugin and labels tell it; nothing of NVIDIA's."""
    found = machine(name)
    assert (found.devices, found.allocatable["google.com/tpu"]) == (("google.com/tpu",), chips)
    assert {key: value for key, value in found.labels.items() if "gke" in key or "nvidia" in key} == {
        "cloud.google.com/gke-tpu-accelerator": label,
        "cloud.google.com/gke-tpu-topology": topology,
        "cloud.google.com/gke-accelerator-count": str(chips),
    }


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ct6e-standard-4t-tpu", Tpu("ct6e", 4, "tpu-v6e-slice", "2x2")),
        ("ct5p-hightpu-4t", Tpu("ct5p", 4, "tpu-v5p-slice", "2x2x1")),
        ("ct4p-hightpu-8t", Tpu("ct4p", 8, "tpu-v4-podslice", "")),
        ("tpu7x-standard-4t", Tpu("tpu7x", 4, "tpu7x", "2x2x1")),
        ("tpu9-standard-1t", Tpu("tpu9", 1, "", "1x1")),
        ("c3-standard-4", None),
        ("g2-standard-4", None),
    ],
)
def test_tpus_are_told_by_the_machine_type(name: str, found: Tpu | None) -> None:
    """Of one that nobody has named yet only the chips are known."""
    assert tpu_of(name) == found


def test_only_what_may_be_attached_is_offered() -> None:
    """One V100 goes with 12 vCPUs at most."""
    names = set(specifications())
    assert "n1-standard-8+nvidia-tesla-v100x1" in names
    assert "n1-standard-16+nvidia-tesla-v100x1" not in names


def test_a_price_is_machine_and_accelerators_together() -> None:
    """By hand from both files; None where one of them is not offered."""
    assert price(specifications()["g2-standard-24"], "us-central1-a") == Price(2_000_830, 1_022_500)
    assert price(specifications()["a4-highgpu-8g"], "us-central1-b") == Price(90_216_000, 37_746_400)
    assert price(specifications()["n1-standard-4+nvidia-tesla-p100x1"], "us-central1-a") is None
    assert specification("z9-mega") is None


def test_figures_that_cannot_be_right_are_refused_with_a_reason() -> None:
    """On-demand below spot: H100 and A100-80GB, and nothing made of them is offered."""
    assert len(refusals()) == 20
    assert refusals()[-1] == "on-demand 8.40152 US$ an hour for 2 H100 in us-central1-c is below spot 10.6774"
    assert {text.split()[7] for text in refusals()} == {"H100", "A100-80GB"}
    offered = {group.offering.instance_type for group in catalogue_groups()}
    assert not [name for name in offered if name.startswith(("a3-highgpu", "a3-edgegpu", "a2-ultragpu"))]
    assert {"a3-megagpu-8g", "a3-ultragpu-8g", "a2-highgpu-1g"} <= offered


def test_every_offering_is_a_catalogued_group() -> None:
    """Machine x zone x capacity type, each once, sorted, none resizable, spot cheaper than on-demand."""
    groups = catalogue_groups()
    ids = [group.id for group in groups]
    assert ids == sorted(set(ids))
    assert len(ids) == 616
    assert all(group.catalogued and group.provider == "gcp" and group.target_nodes == 0 for group in groups)
    cost = {group.offering.key: group.offering.price_microusd_per_hour for group in groups}
    spot = [key for key in cost if key.endswith("/spot")]
    assert len(spot) == 308
    assert all(0 < cost[key] < cost[key.replace("/spot", "/on-demand")] for key in spot)


def test_a_catalogued_group_carries_its_offering_and_labels() -> None:
    """What a pod may select by is there without any cloud."""
    wanted = "gcp:g2-standard-4/us-central1-b/spot"
    (group,) = [each for each in catalogue_groups(zones=["us-central1-b"]) if each.id == wanted]
    assert group.offering == Offering("g2-standard-4", "us-central1-b", CapacityType.SPOT, 361_220)
    assert dict(group.labels) == {
        **machine("g2-standard-4").labels,
        "topology.kubernetes.io/region": "us-central1",
        "topology.kubernetes.io/zone": "us-central1-b",
        "topology.gke.io/zone": "us-central1-b",
        "karpenter.sh/capacity-type": "spot",
        "cloud.google.com/gke-spot": "true",
        "cloud.google.com/gke-provisioning": "spot",
    }


@pytest.mark.parametrize(
    ("region", "zones", "message"),
    [
        (
            "europe-west4",
            None,
            "region: there are no bundled prices for this region, expected us-central1, found europe-west4",
        ),
        (
            "us-central1",
            ["us-central1-z"],
            (
                "zones: unknown zone; did you mean us-central1-f?, expected us-central1-a, us-central1-b, us-central1-c, "
                "us-central1-f, found us-central1-z"
            ),
        ),
    ],
)
def test_an_unknown_region_or_zone_is_bad_input(region: str, zones: list[str] | None, message: str) -> None:
    """One sentence, with what was expected."""
    with pytest.raises(BadInput) as error:
        catalogue_groups(region, zones)
    assert str(error.value) == message


def test_the_catalogue_loads_in_no_time() -> None:
    """Under 100 ms of processor time for all rows, prices and machines."""
    for each in (specifications, table._sizes, table._machine_prices, table._accelerator_prices, table.shipped):
        each.cache_clear()
    start = time.process_time()
    assert len(groups_of(Book(table.shipped()))) == 616
    assert time.process_time() - start < 0.1


def test_machines_without_accelerators_are_there() -> None:
    """Pods that ask for no GPU are not to wait for one; sizes of a family cost in proportion."""
    offered = {g.offering.key: g.offering.price_microusd_per_hour for g in catalogue_groups() if not g.devices}
    assert {key.partition("-")[0] for key in offered} == {"c3", "e2", "n1", "n2"}
    assert [offered[f"e2-standard-{n}/us-central1-f/on-demand"] for n in (2, 4, 8, 16, 32)] == [
        67_010,
        134_020,
        268_050,
        536_090,
        1_072_180,
    ]
    assert offered["c3-standard-22/us-central1-a/spot"] == 258_630
