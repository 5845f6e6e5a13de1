"""A trial without a cloud: the engine on a real control plane, with nodes that are simulated."""

from pathlib import Path

import pytest

from .controlplane import ControlPlane, Json, wait_until
from .engine import ROOT, Engine, grant_shipped_role

pytestmark = pytest.mark.cluster

PODS = "/api/v1/namespaces/default/pods"
POOL = "gpu-autoscale.dev/kwok-pool"
ROOM = {"cpu": "16", "memory": "64Gi"}
POOLS = {
    "small": {"resources": {**ROOM, "nvidia.com/gpu": 1}, "price": 1.0},
    "large": {"resources": {**ROOM, "nvidia.com/gpu": 4}, "price": 3.0},
}


def pod(name: str, gpus: int) -> Json:
    """A pod that a simulated node may have."""
    amounts = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"nvidia.com/gpu": str(gpus)}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "example.test/work:1", "resources": amounts}],
            "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
        },
    }


def test_pods_get_simulated_nodes_and_idle_ones_go(binaries: Path) -> None:
    """The cheapest nodes that hold the pods, no more; the scheduler binds them; without pods the nodes are removed."""
    with ControlPlane(binaries) as plane:
        grant_shipped_role(plane)
        plane.apply(ROOT / "deploy/kwok/rbac.yaml")
        plane.grant("gpu-autoscale-kwok")
        api = plane.api()

        def pools() -> list[str]:
            return sorted(node["metadata"]["labels"][POOL] for node in api.items("/api/v1/nodes"))

        def bound() -> list[str]:
            found = [each["spec"].get("nodeName", "") for each in api.items(PODS)]
            return sorted(name.rpartition("-")[0] for name in found)

        kwok = {"kubeconfig": str(plane.kubeconfig("autoscaler")), "pools": POOLS}
        settings = {"providers": {"kwok": kwok}, "policies": [{"idle": {"after": "3s"}}]}
        with Engine(plane, "http://127.0.0.1:9", settings=settings):
            for name, gpus in (("a", 2), ("b", 2), ("c", 1)):
                api.create(PODS, pod(name, gpus))
            wait_until("all pods are bound", lambda: bound() == ["large", "large", "small"], within_s=60)
            assert pools() == ["large", "small"]
            for name in "abc":
                api.delete(f"{PODS}/{name}", grace_s=0)
            wait_until("idle nodes are gone", lambda: pools() == [], within_s=60)
