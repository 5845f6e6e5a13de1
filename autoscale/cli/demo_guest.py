"""What `autoscale demo --cluster` writes to somebody's cluster, and how it takes all of it away again."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from autoscale.demand.fit import untolerated
from autoscale.demand.pending import waits
from autoscale.errors import AutoscaleError, BadInput, ClusterError, NotFound
from autoscale.model.workload import Taint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from autoscale.model.workload import Pod
    from autoscale.observe.kube_http import Http

NAMESPACE = "gpu-autoscale-demo"
GPU = "nvidia.com/gpu"
_POOL = "gpu-autoscale.dev/kwok-pool"
_CLOSED = ["kwok.x-k8s.io/node=fake:NoSchedule", "gpu-autoscale.dev/slot=starting:NoSchedule"]
_PATIENCE_S = 60.0


def _pool(cpu: int, memory_gib: int, gpus: int, instance_type: str, price: float) -> Mapping[str, Any]:
    resources = {"cpu": cpu, "memory": f"{memory_gib}Gi", GPU: gpus}
    return {"resources": resources, "instanceType": instance_type, "price": price, "taints": _CLOSED, "max": 20}


# Real machines with their on-demand prices of us-east-1.
POOLS: Mapping[str, Mapping[str, Any]] = {
    "gpu-autoscale-demo-t4": _pool(4, 16, 1, "g4dn.xlarge", 0.526),
    "gpu-autoscale-demo-t4x4": _pool(48, 192, 4, "g4dn.12xlarge", 3.912),
    "gpu-autoscale-demo-a10gx4": _pool(48, 192, 4, "g5.12xlarge", 5.672),
    "gpu-autoscale-demo-a10gx8": _pool(192, 768, 8, "g5.48xlarge", 16.288),
}
# Name, how many, CPUs, GiB and GPUs of each.
WORK = (("chat", 5, 2, 8, 1), ("embed", 3, 3, 12, 1), ("lora", 3, 8, 40, 2), ("sft", 1, 90, 600, 8))


class Guest:
    """A context manager: a namespace with the demo's pods in it; when it ends, nothing of the demo is left."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def refuse_leftovers(self) -> None:
        """Raises BadInput when something of that name is there: it may be somebody's."""
        with suppress(NotFound):
            self._http.get(f"/api/v1/namespaces/{NAMESPACE}")
            raise BadInput(
                f"the namespace {NAMESPACE} is there already; if an earlier demo left it, {_by_hand()}",
                where="demo --cluster",
            )

    def refuse_strangers(self, pods: Iterable[Pod]) -> None:
        """Raises BadInput when a pod that waits would let itself be put onto a simulated node, where it would never run."""
        taint = Taint("kwok.x-k8s.io/node", "fake")
        could = sorted(
            p.ref for p in pods if waits(p) and not p.daemon and not untolerated(p.shape.tolerations, (taint,))
        )
        if could:
            raise BadInput(
                f"{could[0]}{f' and {len(could) - 1} more' if could[1:] else ''} would tolerate the simulated nodes while it waits, "
                "and never run there; wait until it is bound",
                where="demo --cluster",
            )

    def __enter__(self) -> Self:
        labels = {"app.kubernetes.io/managed-by": "gpu-autoscale-demo"}
        self._http.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}})
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.clean_up()

    def create_pods(self, go_on: Callable[[], None]) -> None:
        """All that wait, once the namespace can have pods. `go_on` is asked before each, and raises what ends it."""
        until_s = time.monotonic() + 10
        while time.monotonic() < until_s and not self._has_account():
            time.sleep(0.2)
        for name, count, cpu, memory_gib, gpus in WORK:
            for number in range(count):
                go_on()
                self._http.post(f"/api/v1/namespaces/{NAMESPACE}/pods", _pod(f"{name}-{number}", cpu, memory_gib, gpus))

    def clean_up(self) -> None:
        """Pods first, which no kubelet would ever end; then their nodes and the namespace. Raises AutoscaleError."""
        try:
            self._http.delete(f"/api/v1/namespaces/{NAMESPACE}/pods", {"gracePeriodSeconds": 0})
            self._http.delete("/api/v1/nodes", {"labelSelector": f"{_POOL} in ({','.join(POOLS)})"})
            with suppress(NotFound):
                self._http.delete(f"/api/v1/namespaces/{NAMESPACE}")
            until_s = time.monotonic() + _PATIENCE_S
            while self._there():
                if time.monotonic() > until_s:
                    raise AutoscaleError(f"the namespace {NAMESPACE} takes its time to end; {_by_hand()}")
                time.sleep(0.3)
        except ClusterError as error:
            raise AutoscaleError(f"the demo could not be taken away again ({error}); {_by_hand()}") from error

    def _there(self) -> bool:
        try:
            self._http.get(f"/api/v1/namespaces/{NAMESPACE}")
        except NotFound:
            return False
        return True

    def _has_account(self) -> bool:
        """Pods are refused in a new namespace until it has its service account."""
        try:
            found = json.loads(self._http.get(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"))
        except ClusterError:
            return True  # whoever may not look finds out by creating a pod
        return any(each["metadata"]["name"] == "default" for each in found.get("items", []))


def _by_hand() -> str:
    return f"`kubectl delete namespace {NAMESPACE}` and `kubectl delete nodes -l '{_POOL} in ({','.join(POOLS)})'`"


def _pod(name: str, cpu: int, memory_gib: int, gpus: int) -> dict[str, Any]:
    """One that only a simulated node may have, whatever else is free in the cluster."""
    amounts = {"cpu": str(cpu), "memory": f"{memory_gib}Gi", GPU: str(gpus)}
    container = {
        "name": "main",
        "image": "demo.invalid/nothing-runs:1",
        "resources": {"requests": amounts, "limits": amounts},
    }
    spec = {
        "automountServiceAccountToken": False,
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
        "containers": [container],
    }
    return {"metadata": {"name": name, "labels": {"app": name.rpartition("-")[0]}}, "spec": spec}
