"""What EC2 says of a type, in our words: the makers that the bundled table does not have."""

import json
from typing import Any

import pytest

from autoscale.model.catalog import Machine
from providers.aws import machines
from providers.aws.source import _product, machine


def info(**more: Any) -> Any:
    """A type as EC2 describes it."""
    return {
        "InstanceType": "x.large",
        "VCpuInfo": {"DefaultVCpus": 96},
        "MemoryInfo": {"SizeInMiB": 786432},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "NetworkInfo": {
            "MaximumNetworkInterfaces": 60,
            "Ipv4AddressesPerInterface": 50,
            "EfaInfo": {"MaximumEfaInterfaces": 4},
        },
        **more,
    }


@pytest.mark.parametrize(
    ("devices", "accelerator", "resource"),
    [
        (
            {"GpuInfo": {"Gpus": [{"Name": "Gaudi HL-205", "Manufacturer": "Habana", "Count": 8, "MemoryInfo": {"SizeInMiB": 32768}}]}},
            ("Habana", "Gaudi HL-205", 8, 32768),
            "habana.ai/gaudi",
        ),
        (
            {"GpuInfo": {"Gpus": [{"Name": "Radeon Pro V520", "Manufacturer": "AMD", "Count": 4, "MemoryInfo": {"SizeInMiB": 8192}}]}},
            ("AMD", "Radeon Pro V520", 4, 8192),
            "amd.com/gpu",
        ),
        (
            {"NeuronInfo": {"NeuronDevices": [{"Name": "Trainium2", "Count": 16, "MemoryInfo": {"SizeInMiB": 98304}}]}},
            ("AWS", "Trainium2", 16, 98304),
            "aws.amazon.com/neuron",
        ),
    ],
)  # fmt: skip
def test_every_maker_is_known(devices: Any, accelerator: tuple[str, str, int, int], resource: str) -> None:
    """Name, count and memory of a piece; EFA; and the resource that pods ask for."""
    found = machine(info(**devices))
    maker, name, count, memory_mib = accelerator
    assert found == Machine(
        name="x.large",
        vcpus=96,
        memory_mib=786432,
        manufacturer=maker,
        accelerator=name,
        accelerators=count,
        accelerator_memory_mib=memory_mib,
        efa_interfaces=4,
        eni_pods=60 * 49 + 2,
    )
    room = machines.instance_type(found).allocatable
    assert (room[resource], room[machines.EFA]) == (count, 4)


@pytest.mark.parametrize("architectures", [["i386"], ["x86_64_mac"], ["arm64_mac"], []])
def test_what_runs_no_linux_node_is_left_out(architectures: list[str]) -> None:
    """Macs, and machines of 32 bits."""
    assert machine(info(ProcessorInfo={"SupportedArchitectures": architectures})) is None


def test_a_row_of_the_price_list() -> None:
    """The type, and each price by the hour in its currency."""
    dimensions = {
        "a": {"unit": "Hrs", "pricePerUnit": {"USD": "1.5"}},
        "b": {"unit": "Quantity", "pricePerUnit": {"USD": "9"}},
    }
    row = {
        "product": {"attributes": {"instanceType": "x.large"}},
        "terms": {
            "OnDemand": {"t": {"priceDimensions": dimensions}},
            "Reserved": {"r": {"priceDimensions": dimensions}},
        },
    }
    assert _product(json.loads(json.dumps(row))) == ("x.large", {("1.5", "USD")})
    assert _product({}) == ("", set())
