"""Objects to test with, and waiting."""

import time
from collections.abc import Callable
from typing import Any

from autoscale.sim.cluster import EmbeddedCluster

Json = dict[str, Any]
OTHERS_TAINT = {"key": "example.test/other", "value": "x", "effect": "NoSchedule", "timeAdded": "2026-01-02T03:04:05Z"}


def add_pod(embedded: EmbeddedCluster, name: str, **meta: object) -> tuple[str, str]:
    """Create a pod of one container; its uid and namespace/name."""
    containers = [{"name": "main", "resources": {"requests": {"cpu": "1", "nvidia.com/gpu": "1"}}}]
    pod = {"kind": "Pod", "metadata": {"name": name, **meta}, "spec": {"containers": containers}}
    return embedded.create(pod)["metadata"]["uid"], f"default/{name}"


def add_node(embedded: EmbeddedCluster, name: str, *taints: Json) -> None:
    """Create a ready node."""
    status = {
        "allocatable": {"cpu": "8", "memory": "32Gi", "pods": "110", "nvidia.com/gpu": "4"},
        "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
    }
    embedded.create({"kind": "Node", "metadata": {"name": name}, "spec": {"taints": list(taints)}, "status": status})


def eventually(what: str, holds: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait until it holds."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.005)
