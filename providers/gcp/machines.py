"""What a Kubernetes node of a machine will look like: what pods may use of it, its devices and its labels.

The kubelet's share follows GKE, https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes, unless the instance
template's kube-env says what is reserved:

- memory that the kernel keeps: 1/64 of it, 16 MiB, and 64 MiB for bounce buffers (Cluster Autoscaler's
  `cloudprovider/gce/reserved.go`);
- kube-reserved memory: 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112, 2 % above;
- kube-reserved cpu: 6 % of the first core, 1 % of the next, 0.5 % of the next two, 0.25 % of the rest;
- kube-reserved disk: the least of 50 % of the boot disk, 6 GiB + 35 % of it, and 100 GiB;
- hard eviction: 100 MiB of memory, 10 % of the disk; 110 pods.

Wherever images differ the smaller room is taken: a node with more room than foretold wastes a little, a node with less
leaves pods pending.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.resources import Resources
from autoscale.model.supply import InstanceType
from providers.gcp import tpus
from providers.gcp.specifications import ACCELERATORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.gcp.specifications import Specification

_MIB = 2**20
_GIB = 2**30
DISK_GIB = 100  # GKE's boot disk unless the instance template has another
GPU = "nvidia.com/gpu"
_PODS = 110
# (width in GiB, per cent of it that is reserved); the last holds for the rest
_MEMORY_BRACKETS = ((4, 25), (4, 20), (8, 10), (112, 6), (None, 2))


def instance_type(
    spec: Specification, *, disk_gib: int = DISK_GIB, reserved: Mapping[str, int] | None = None
) -> InstanceType:
    """The machine as a node. `reserved` is kube-reserved as the template says it, None for GKE's formulas."""
    capacity = _capacity(spec, disk_gib)
    kept = _reserved(spec, disk_gib) if reserved is None else Resources(reserved)
    evicted = Resources({"memory": 100 * _MIB, "ephemeral-storage": -(-disk_gib * _GIB // 10)})
    return InstanceType(
        name=spec.name,
        capacity=capacity,
        allocatable=(capacity - kept - evicted).max(Resources()),
        labels=MappingProxyType(_labels(spec)),
        devices=(device_of(spec),) if spec.accelerators else (),
    )


def device_of(spec: Specification) -> str:
    """The extended resource that the machine's accelerators appear as."""
    return tpus.RESOURCE if tpus.tpu_of(spec.machine_type) else GPU


def _capacity(spec: Specification, disk_gib: int) -> Resources:
    kernel = -(-spec.memory_gib * _GIB // 64) + (16 + 64) * _MIB
    return Resources(
        {
            "cpu": spec.vcpus * 1000,
            "memory": spec.memory_gib * _GIB - kernel,
            "ephemeral-storage": disk_gib * _GIB,
            "pods": _PODS,
            device_of(spec): spec.accelerators,
        }
    )


def _reserved(spec: Specification, disk_gib: int) -> Resources:
    """GKE's kube-reserved, rounded up."""
    first, second, next_two = (min(max(spec.vcpus - n, 0), width) for n, width in ((0, 1), (1, 1), (2, 2)))
    rest = max(spec.vcpus - 4, 0)
    memory, left = 0, spec.memory_gib
    for width, percent in _MEMORY_BRACKETS:
        part = left if width is None else min(left, width)
        memory += -(-part * percent * _GIB // 100)
        left -= part
    return Resources(
        {
            "cpu": -(-(first * 600 + second * 100 + next_two * 50 + rest * 25) // 10),
            "memory": memory,
            "ephemeral-storage": min(disk_gib * _GIB // 2, 6 * _GIB + -(-disk_gib * _GIB * 35 // 100), 100 * _GIB),
        }
    )


def _labels(spec: Specification) -> dict[str, str]:
    """Labels that the machine decides, as kubelet, GKE and GPU feature discovery write them."""
    labels = {
        "node.kubernetes.io/instance-type": spec.machine_type,
        "kubernetes.io/arch": spec.architecture,
        "kubernetes.io/os": "linux",
        "cloud.google.com/machine-family": spec.machine_type.partition("-")[0],
    }
    if not spec.accelerators or tpus.tpu_of(spec.machine_type):
        return labels | tpus.labels_of(spec.machine_type)
    labels |= {
        "cloud.google.com/gke-accelerator": spec.accelerator,
        "cloud.google.com/gke-accelerator-count": str(spec.accelerators),
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.count": str(spec.accelerators),
    }
    if known := ACCELERATORS.get(spec.accelerator):
        labels |= {"nvidia.com/gpu.product": known.product, "nvidia.com/gpu.memory": str(known.memory_mib)}
    return labels
