"""What a Kubernetes node of an instance type will look like: what pods may use of it, its devices and its labels.

The kubelet's share follows Karpenter's AWS provider, `pkg/providers/instancetype/types.go`, and the node bootstrap of
https://github.com/awslabs/amazon-eks-ami, which reserve the same:

- memory that the hypervisor keeps: 7.5 % (Karpenter's `VM_MEMORY_OVERHEAD_PERCENT`);
- kube-reserved cpu: 6 % of the first core, 1 % of the next, 0.5 % of the next two, 0.25 % of the rest;
- kube-reserved memory: 255 MiB + 11 MiB a pod, of as many pods as the VPC CNI can address;
- hard eviction: 100 MiB of memory, 10 % of the disk; kube-reserved disk: 1 GiB;
- pods: what the VPC CNI can address, at most 110 below 30 vCPUs and 250 above (the cap of EKS managed node groups,
  https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html).

Wherever bootstraps differ the smaller room is taken: a node with more room than foretold wastes a little, a node
with less leaves pods pending.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.resources import Resources
from autoscale.model.supply import InstanceType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.catalog import Machine

_MIB = 2**20
_GIB = 2**30
_DISK_GIB = 20  # the root volume of an EKS managed node group unless the launch template says otherwise
EFA = "vpc.amazonaws.com/efa"

# Extended resource by EC2's name of the maker, as the maker's device plugin calls it.
_DEVICE = {
    "NVIDIA": "nvidia.com/gpu",
    "AWS": "aws.amazon.com/neuron",
    "Habana": "habana.ai/gaudi",
    "AMD": "amd.com/gpu",
}

# (EC2's name, EC2's MiB) -> (nvidia.com/gpu.product, nvidia.com/gpu.memory in MiB, k8s.amazonaws.com/accelerator).
# GPU feature discovery writes NVML's product name with dashes for blanks and NVML's total memory, which differs from
# EC2's; where no figure of NVML is published EC2's stands in.
_NVIDIA: Mapping[tuple[str, int], tuple[str, int, str]] = {
    ("V100", 16384): ("Tesla-V100-SXM2-16GB", 16384, "nvidia-tesla-v100"),
    ("V100", 32768): ("Tesla-V100-SXM2-32GB", 32768, "nvidia-tesla-v100"),
    ("T4", 16384): ("Tesla-T4", 15360, "nvidia-tesla-t4"),
    ("T4g", 16384): ("NVIDIA-T4G", 15360, "nvidia-t4g"),
    ("A10G", 22888): ("NVIDIA-A10G", 23028, "nvidia-a10g"),
    ("L4", 22888): ("NVIDIA-L4", 23034, "nvidia-l4"),
    ("L40S", 45776): ("NVIDIA-L40S", 46068, "nvidia-l40s"),
    ("A100", 40960): ("NVIDIA-A100-SXM4-40GB", 40960, "nvidia-tesla-a100"),
    ("A100", 81920): ("NVIDIA-A100-SXM4-80GB", 81920, "nvidia-tesla-a100"),
    ("H100", 81920): ("NVIDIA-H100-80GB-HBM3", 81559, "nvidia-h100"),
    ("H200", 144384): ("NVIDIA-H200", 143771, "nvidia-h200"),
    ("B200", 183359): ("NVIDIA-B200", 183359, "nvidia-b200"),
    ("B300", 275040): ("NVIDIA-B300-SXM6-AC", 275040, "nvidia-b300"),
    ("RTX PRO 4500", 32768): ("NVIDIA-RTX-PRO-4500-Blackwell-Server-Edition", 32768, "nvidia-rtx-pro-4500"),
    ("RTX PRO Server 6000", 98304): ("NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition", 97887, "nvidia-rtx-pro-6000"),
}

# family prefix letters, generation: Karpenter's `instanceTypeScheme`
_NAME = re.compile(r"(?P<family>(?P<category>[a-z]+)(?:-[0-9]+tb)?(?P<generation>[0-9]+)[^.]*)\.(?P<size>.+)")


def instance_type(spec: Machine, *, disk_gib: int = _DISK_GIB) -> InstanceType:
    """The machine as a node. `disk_gib` is its root volume."""
    capacity = _capacity(spec, disk_gib)
    device = device_of(spec)
    return InstanceType(
        name=spec.name,
        capacity=capacity,
        allocatable=capacity - _kept(spec, disk_gib),
        labels=MappingProxyType(_labels(spec)),
        devices=(device,) if device else (),
    )


def device_of(spec: Machine) -> str:
    """The extended resource that the machine's accelerators appear as, empty without a whole one."""
    return _DEVICE.get(spec.manufacturer, "") if spec.accelerators else ""


def _capacity(spec: Machine, disk_gib: int) -> Resources:
    hypervisor_mib = -(-spec.memory_mib * 75 // 1000)  # 7.5 %, rounded up
    return Resources(
        {
            "cpu": spec.vcpus * 1000,
            "memory": (spec.memory_mib - hypervisor_mib) * _MIB,
            "ephemeral-storage": disk_gib * _GIB,
            "pods": min(spec.eni_pods, 110 if spec.vcpus < 30 else 250),
            EFA: spec.efa_interfaces,
            **({device: spec.accelerators} if (device := device_of(spec)) else {}),
        }
    )


def _kept(spec: Machine, disk_gib: int) -> Resources:
    """What kubelet and system keep, rounded up."""
    first, second, next_two = (min(max(spec.vcpus - n, 0), width) for n, width in ((0, 1), (1, 1), (2, 2)))
    rest = max(spec.vcpus - 4, 0)
    return Resources(
        {
            "cpu": -(-(first * 600 + second * 100 + next_two * 50 + rest * 25) // 10),
            "memory": (255 + 11 * spec.eni_pods + 100) * _MIB,
            "ephemeral-storage": -(-disk_gib * _GIB // 10) + _GIB,
        }
    )


def _labels(spec: Machine) -> dict[str, str]:
    """Labels that the type decides, as kubelet, Karpenter, GPU feature discovery and eksctl write them."""
    match = _NAME.fullmatch(spec.name)
    parts = match.groupdict() if match else {}
    return {
        "node.kubernetes.io/instance-type": spec.name,
        "kubernetes.io/arch": spec.architecture,
        "kubernetes.io/os": "linux",
        **{f"karpenter.k8s.aws/instance-{part}": text for part, text in parts.items()},
        "karpenter.k8s.aws/instance-cpu": str(spec.vcpus),
        "karpenter.k8s.aws/instance-memory": str(spec.memory_mib),
        **_accelerator_labels(spec),
    }


def _accelerator_labels(spec: Machine) -> dict[str, str]:
    if not spec.accelerators:
        return {}
    name = spec.accelerator.lower().replace(" ", "-")
    kind = "accelerator" if spec.manufacturer == "AWS" else "gpu"
    labels = {
        f"karpenter.k8s.aws/instance-{kind}-name": name,
        f"karpenter.k8s.aws/instance-{kind}-manufacturer": spec.manufacturer.lower(),
        f"karpenter.k8s.aws/instance-{kind}-count": str(spec.accelerators),
    }
    if kind == "gpu":
        labels["karpenter.k8s.aws/instance-gpu-memory"] = str(spec.accelerator_memory_mib)
    nvidia = _NVIDIA.get((spec.accelerator, spec.accelerator_memory_mib)) if spec.manufacturer == "NVIDIA" else None
    if nvidia:
        product, memory_mib, accelerator = nvidia
        labels |= {
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.product": product,
            "nvidia.com/gpu.count": str(spec.accelerators),
            "nvidia.com/gpu.memory": str(memory_mib),
            "k8s.amazonaws.com/accelerator": accelerator,
        }
    return labels
