import time

import pytest

from autoscale.errors import BadInput
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, InstanceType, Offering
from providers.aws import catalogue_groups
from providers.aws.catalog import Book, shipped_book
from providers.aws.specifications import shipped, specifications, spot_prices

GIB, MIB = 2**30, 2**20

BOOK = shipped_book()


def machine(name: str) -> InstanceType:
    """The type, which must be there."""
    found = BOOK.instance_type(name)
    assert found
    return found


def test_a_machine_is_what_its_kubelet_will_report() -> None:
    """g4dn.xlarge by hand: 60+10+10 m and 255+11*29+100 MiB go to the system, 7.5 % of memory to the hypervisor."""
    disk = 20 * GIB
    assert machine("g4dn.xlarge") == InstanceType(
        name="g4dn.xlarge",
        capacity=Resources(
            {
                "cpu": 4000,
                "memory": (16384 - 1229) * MIB,
                "ephemeral-storage": disk,
                "pods": 29,
                "nvidia.com/gpu": 1,
            }
        ),
        allocatable=Resources(
            {
                "cpu": 3920,
                "memory": (16384 - 1229 - 255 - 11 * 29 - 100) * MIB,
                "ephemeral-storage": disk - disk // 10 - GIB,
                "pods": 29,
                "nvidia.com/gpu": 1,
            }
        ),
        labels={
            "node.kubernetes.io/instance-type": "g4dn.xlarge",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux",
            "karpenter.k8s.aws/instance-family": "g4dn",
            "karpenter.k8s.aws/instance-size": "xlarge",
            "karpenter.k8s.aws/instance-category": "g",
            "karpenter.k8s.aws/instance-generation": "4",
            "karpenter.k8s.aws/instance-cpu": "4",
            "karpenter.k8s.aws/instance-memory": "16384",
            "karpenter.k8s.aws/instance-gpu-name": "t4",
            "karpenter.k8s.aws/instance-gpu-count": "1",
            "karpenter.k8s.aws/instance-gpu-manufacturer": "nvidia",
            "karpenter.k8s.aws/instance-gpu-memory": "16384",
            "nvidia.com/gpu.product": "Tesla-T4",
            "nvidia.com/gpu.count": "1",
            "nvidia.com/gpu.memory": "15360",
            "nvidia.com/gpu.present": "true",
            "k8s.amazonaws.com/accelerator": "nvidia-tesla-t4",
        },
        devices=("nvidia.com/gpu",),
    )


@pytest.mark.parametrize(
    ("name", "cpu", "pods", "device", "amount"),
    [
        ("c6a.large", 1930, 29, "", 0),
        ("g5.4xlarge", 15890, 110, "nvidia.com/gpu", 1),
        ("g4dn.metal", 95690, 250, "nvidia.com/gpu", 8),
        ("p5.48xlarge", 191450, 100, "nvidia.com/gpu", 8),
        ("trn1.32xlarge", 127610, 247, "aws.amazon.com/neuron", 16),
        ("inf2.24xlarge", 95690, 250, "aws.amazon.com/neuron", 6),
    ],
)
def test_room_and_devices(name: str, cpu: int, pods: int, device: str, amount: int) -> None:
    """The system's share of the cpu shrinks with the cores; pods stop at the network's limit or EKS's cap."""
    found = machine(name)
    assert (found.allocatable["cpu"], found.allocatable["pods"]) == (cpu, pods)
    assert (found.devices, found.allocatable[device]) == ((device,) if device else (), amount)


@pytest.mark.parametrize(
    ("name", "product", "gpu_memory"),
    [
        ("p3dn.24xlarge", "Tesla-V100-SXM2-32GB", "32768"),
        ("g5g.xlarge", "NVIDIA-T4G", "15360"),
        ("g5.xlarge", "NVIDIA-A10G", "23028"),
        ("g6.xlarge", "NVIDIA-L4", "23034"),
        ("g6e.xlarge", "NVIDIA-L40S", "46068"),
        ("p4d.24xlarge", "NVIDIA-A100-SXM4-40GB", "40960"),
        ("p4de.24xlarge", "NVIDIA-A100-SXM4-80GB", "81920"),
        ("p5.4xlarge", "NVIDIA-H100-80GB-HBM3", "81559"),
        ("p5en.48xlarge", "NVIDIA-H200", "143771"),
        ("p6-b200.48xlarge", "NVIDIA-B200", "183359"),
    ],
)
def test_gpus_are_named_as_gpu_feature_discovery_names_them(name: str, product: str, gpu_memory: str) -> None:
    """The labels that people select by."""
    labels = machine(name).labels
    assert (labels["nvidia.com/gpu.product"], labels["nvidia.com/gpu.memory"]) == (product, gpu_memory)


def test_every_nvidia_machine_has_a_product_name() -> None:
    """No GPU in the data goes without its label."""
    bare = [
        spec.name
        for spec in specifications().values()
        if spec.manufacturer == "NVIDIA"
        and spec.accelerators
        and "nvidia.com/gpu.product" not in machine(spec.name).labels
    ]
    assert bare == []


def test_neuron_machines_carry_accelerator_labels_and_no_gpu_ones() -> None:
    """Trainium is no GPU."""
    labels = {
        key: value for key, value in machine("trn1.2xlarge").labels.items() if "accelerator" in key or "gpu" in key
    }
    assert labels == {
        "karpenter.k8s.aws/instance-accelerator-name": "trainium",
        "karpenter.k8s.aws/instance-accelerator-manufacturer": "aws",
        "karpenter.k8s.aws/instance-accelerator-count": "1",
    }


def test_prices_are_those_of_the_files() -> None:
    """On-demand by type; spot by type and zone ID, none where the file says there is no supply."""
    assert BOOK.on_demand_price("p4d.24xlarge") == 21_957_642
    assert (BOOK.spot_price("g4dn.xlarge", "use1-az1"), BOOK.spot_price("g5.xlarge", "use1-az6")) == (215_400, 442_300)
    assert (BOOK.spot_price("p5.48xlarge", "use1-az1"), BOOK.spot_price("p5.4xlarge", "use1-az1")) == (None, None)
    assert (BOOK.on_demand_price("z9.mega"), BOOK.instance_type("z9.mega")) == (None, None)


def test_every_offering_is_a_catalogued_group() -> None:
    """Type x zone x capacity type, each once, sorted, none resizable, fractions of a GPU left out."""
    groups = catalogue_groups()
    ids = [group.id for group in groups]
    assert ids == sorted(set(ids))
    assert all(group.catalogued and group.provider == "aws" and group.target_nodes == 0 for group in groups)
    assert not [group.id for group in groups if BOOK.gpu_fraction(group.offering.instance_type)]
    spot = [group for group in groups if group.offering.capacity_type == CapacityType.SPOT]
    assert len(spot) > 200
    assert all(
        group.offering.price_microusd_per_hour < (BOOK.on_demand_price(group.offering.instance_type) or 0)
        for group in spot
    )


def test_a_catalogued_group_carries_its_offering_and_labels() -> None:
    """What a pod may select by is there without any cloud."""
    (group,) = [each for each in catalogue_groups(zones=["us-east-1b"]) if each.id == "aws:g4dn.xlarge/us-east-1b/spot"]
    assert group.offering == Offering("g4dn.xlarge", "us-east-1b", CapacityType.SPOT, 213_200)
    assert dict(group.labels) == {
        **machine("g4dn.xlarge").labels,
        "topology.kubernetes.io/region": "us-east-1",
        "topology.kubernetes.io/zone": "us-east-1b",
        "karpenter.sh/capacity-type": "spot",
        "eks.amazonaws.com/capacityType": "SPOT",
    }


def test_zones_narrow_the_catalogue() -> None:
    """Only what those zones offer."""
    assert {group.offering.zone for group in catalogue_groups(zones=["us-east-1b", "us-east-1a"])} == {
        "us-east-1a",
        "us-east-1b",
    }


@pytest.mark.parametrize(
    ("region", "zones", "message"),
    [
        ("eu-west-1", None, "region: there are no bundled prices for this region, expected us-east-1, found eu-west-1"),
        (
            "us-east-1",
            ["us-east-1z"],
            (
                "zones: unknown zone; did you mean us-east-1f?, expected us-east-1a, us-east-1b, us-east-1c, us-east-1d, "
                "us-east-1e, us-east-1f, found us-east-1z"
            ),
        ),
    ],
)
def test_an_unknown_region_or_zone_is_bad_input(region: str, zones: list[str] | None, message: str) -> None:
    """One sentence, with what was expected."""
    with pytest.raises(BadInput) as error:
        catalogue_groups(region, zones)
    assert str(error.value) == message


def test_common_promises_only_what_all_types_keep() -> None:
    """Least room; labels and devices that all share."""
    both = BOOK.common(("g4dn.xlarge", "trn1.2xlarge"))
    assert both.devices == ()
    assert both.allocatable == machine("g4dn.xlarge").allocatable.min(machine("trn1.2xlarge").allocatable)
    assert both.labels == {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}


def test_the_catalogue_loads_in_no_time() -> None:
    """Under 50 ms of processor time for all rows, prices and machines; of five times the best, as others use the machine."""

    def seconds() -> float:
        for each in (specifications, spot_prices, shipped):
            each.cache_clear()
        start = time.thread_time()
        book = Book(shipped())
        assert len([book.instance_type(name) for name in specifications()]) == 171
        return time.thread_time() - start

    assert min(seconds() for _ in range(5)) < 0.05
