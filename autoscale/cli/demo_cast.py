"""Who plays in `autoscale demo`: node groups, DaemonSets, and two waves of pods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscale.sim.aws import AwsGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

GPU = "nvidia.com/gpu"
_PRODUCT = "nvidia.com/gpu.product"
_CAPACITY = "eks.amazonaws.com/capacityType"
_TAINT = {GPU: "present:NoSchedule"}
_A, _B = "us-east-1a", "us-east-1b"

T4 = "Tesla-T4"
A10G = "NVIDIA-A10G"
L4 = "NVIDIA-L4"
L40S = "NVIDIA-L40S"
A100 = "NVIDIA-A100-SXM4-40GB"
H100 = "NVIDIA-H100-80GB-HBM3"


def _gpu(name: str, instance_type: str, zone: str, *, spot: bool = False) -> AwsGroup:
    return AwsGroup(name=name, instance_type=instance_type, zone=zone, spot=spot, taints=_TAINT)


GROUPS = (
    _gpu("t4-od-1a", "g4dn.xlarge", _A),
    _gpu("t4x4-spot-1b", "g4dn.12xlarge", _B, spot=True),
    _gpu("a10g-spot-1a", "g5.xlarge", _A, spot=True),
    _gpu("a10g-big-spot-1b", "g5.2xlarge", _B, spot=True),
    _gpu("a10gx4-spot-1b", "g5.12xlarge", _B, spot=True),
    _gpu("a10gx8-spot-1a", "g5.48xlarge", _A, spot=True),
    _gpu("l4-od-1a", "g6.xlarge", _A),
    _gpu("l4-spot-1b", "g6.xlarge", _B, spot=True),
    _gpu("l4-big-spot-1b", "g6.2xlarge", _B, spot=True),
    _gpu("l4x4-spot-1b", "g6.12xlarge", _B, spot=True),
    _gpu("l40s-spot-1b", "g6e.2xlarge", _B, spot=True),
    _gpu("l40sx4-spot-1a", "g6e.12xlarge", _A, spot=True),
    _gpu("a100x8-od-1a", "p4d.24xlarge", _A),
    _gpu("a100x8-spot-1b", "p4d.24xlarge", _B, spot=True),
    _gpu("h100x8-od-1a", "p5.48xlarge", _A),
    _gpu("h100x8-spot-1a", "p5.48xlarge", _A, spot=True),
    AwsGroup(name="cpu-16-od-1b", instance_type="m7i.4xlarge", zone=_B),
    AwsGroup(name="cpu-32-od-1a", instance_type="m7i.8xlarge", zone=_A),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`count` equal pods. `products` are the GPUs they can use, none meaning any; `on_demand` that spot won't do."""

    namespace: str
    name: str
    count: int
    cpu: int
    memory_gib: int
    gpus: int = 0
    products: tuple[str, ...] = ()
    on_demand: bool = False
    about: str

    def pods(self, first: int = 0) -> Iterator[dict[str, Any]]:
        """The pods, numbered from `first`."""
        requests = {"cpu": str(self.cpu), "memory": f"{self.memory_gib}Gi"}
        spec: dict[str, Any] = {}
        if self.gpus:
            requests[GPU] = str(self.gpus)
            spec["tolerations"] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
        if self.products:
            term = {"matchExpressions": [{"key": _PRODUCT, "operator": "In", "values": list(self.products)}]}
            required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
            spec["affinity"] = {"nodeAffinity": required}
        if self.on_demand:
            spec["nodeSelector"] = {_CAPACITY: "ON_DEMAND"}
        spec["containers"] = [{"name": "main", "resources": {"requests": requests, "limits": requests}}]
        for number in range(first, first + self.count):
            meta = {"namespace": self.namespace, "name": f"{self.name}-{number}", "labels": {"app": self.name}}
            yield {"kind": "Pod", "metadata": meta, "spec": spec}


def _etl(count: int) -> Work:
    return Work(namespace="data", name="etl", count=count, cpu=7, memory_gib=24, about="no GPU")


def _lora(count: int) -> Work:
    products = (A10G, L4, L40S, A100)
    return Work(
        namespace="tune", name="lora", count=count, cpu=22, memory_gib=80, gpus=4, products=products,
        about="24 GB or more each",
    )  # fmt: skip


def _dpo(count: int) -> Work:
    return Work(
        namespace="tune", name="dpo", count=count, cpu=12, memory_gib=120, gpus=2, products=(L40S, A100),
        about="L40S or A100",
    )  # fmt: skip


def _embedder(count: int) -> Work:
    return Work(
        namespace="serve", name="embedder", count=count, cpu=3, memory_gib=10, gpus=1, products=(L4,), about="L4"
    )


def _reranker(count: int) -> Work:
    return Work(
        namespace="serve", name="reranker", count=count, cpu=6, memory_gib=20, gpus=1, products=(L4, A10G),
        about="L4 or A10G",
    )  # fmt: skip


def _speech(count: int) -> Work:
    products = (T4, L4, A10G)
    return Work(
        namespace="serve", name="speech", count=count, cpu=2, memory_gib=8, gpus=1, products=products,
        about="T4, L4 or A10G",
    )  # fmt: skip


def _notebook(count: int) -> Work:
    return Work(
        namespace="lab", name="notebook", count=count, cpu=2, memory_gib=8, gpus=1, on_demand=True,
        about="any GPU, on-demand only",
    )  # fmt: skip


FIRST = (
    Work(
        namespace="train", name="llm", count=2, cpu=88, memory_gib=900, gpus=8, products=(A100, H100),
        about="A100 or H100",
    ),
    _lora(3),
    _dpo(3),
    _embedder(6),
    _reranker(5),
    _speech(7),
    _notebook(3),
    _etl(5),
    Work(namespace="research", name="moe-16", count=1, cpu=64, memory_gib=512, gpus=16, about="on one node"),
)  # fmt: skip
SECOND = (_dpo(1), _embedder(3), _speech(4), _notebook(1), _etl(2))


def daemon_sets() -> Iterator[dict[str, Any]]:
    """A device plugin for nodes with GPUs, and an agent for every node."""
    yield _daemon_set("nvidia-device-plugin", "50m", "64Mi", {"nvidia.com/gpu.present": "true"})
    yield _daemon_set("node-agent", "100m", "128Mi", {})


def _daemon_set(name: str, cpu: str, memory: str, selector: dict[str, str]) -> dict[str, Any]:
    container = {"name": name, "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    spec = {"containers": [container], "nodeSelector": selector, "tolerations": [{"operator": "Exists"}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    selects = {"matchLabels": {"app": name}}
    meta = {"namespace": "kube-system", "name": name}
    return {"kind": "DaemonSet", "metadata": meta, "spec": {"selector": selects, "template": template}}
