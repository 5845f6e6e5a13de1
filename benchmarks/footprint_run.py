"""`autoscale run` on the tests' control plane, started again and again, then left alone."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.aws import MotoServer
from tests.cluster.controlplane import ControlPlane, build, wait_until
from tests.cluster.engine import Engine, grant_shipped_role
from tests.cluster.manifests import pod

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOM = {"cpu": "32", "memory": "128Gi", "pods": "110", "nvidia.com/gpu": "1"}
_SETTLE_S = 3.0


@dataclass(frozen=True, slots=True)
class Idle:
    """An engine that nothing happens to."""

    cpu_percent: float
    resident_mb: float
    ticks: int


@contextmanager
def big_cluster(nodes: int, pods: int, groups: int) -> Iterator[tuple[ControlPlane, MotoServer]]:
    """A control plane with nodes, pods bound to them and one that nothing fits, and a cloud with empty groups."""
    with ControlPlane(build.binaries()) as plane, MotoServer() as moto:
        grant_shipped_role(plane)
        for index in range(groups):
            moto.create_group(
                f"g{index}",
                instance_type="g6.xlarge",
                spot=index % 2 == 0,
                max_nodes=100,
                resources={"cpu": "3920m", "memory": "14481Mi", "nvidia.com/gpu": "1", "pods": "58"},
            )
        api = plane.api()
        ready = {"type": "Ready", "status": "True", "reason": "Made", "message": "made up"}
        times = {"lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}

        def make_node(index: int) -> None:
            spec = {"providerID": f"made-up:///{index}"}
            body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"n{index}"}, "spec": spec}
            api.create("/api/v1/nodes", body)
            status = {"allocatable": _ROOM, "capacity": _ROOM, "conditions": [ready | times]}
            api.patch(f"/api/v1/nodes/n{index}/status", {"status": status})

        def make_pod(index: int) -> None:
            body: dict[str, Any] = pod(f"p{index}", cpu="100m")
            body["spec"]["nodeName"] = f"n{index % nodes}"
            api.create("/api/v1/namespaces/default/pods", body)

        with ThreadPoolExecutor(8) as crew:
            list(crew.map(make_node, range(nodes)))
            list(crew.map(make_pod, range(pods)))
        api.create("/api/v1/namespaces/default/pods", pod("hopeless", gpus=16))
        yield plane, moto


def starts(
    plane: ControlPlane, aws_url: str, *, times: int, idle_s: float
) -> Iterator[tuple[float, float, Idle | None]]:
    """Wall and CPU seconds from an engine's start to its first plan; the last engine is then watched while idle."""
    for left in reversed(range(times)):
        with Engine(plane, aws_url) as engine:
            began = time.monotonic()
            wait_until("the first plan", partial(engine.events, "tick"), within_s=60, every_s=0.02)
            wall_s = time.monotonic() - began
            process = engine._process  # noqa: SLF001 - the tests' own
            assert process is not None
            cpu_s = _cpu_s(process.pid)
            idle = None
            if not left:
                time.sleep(_SETTLE_S)
                used_s, ticks, began = _cpu_s(process.pid), len(engine.events("tick")), time.monotonic()
                time.sleep(idle_s)
                share = (_cpu_s(process.pid) - used_s) / (time.monotonic() - began)
                idle = Idle(share * 100, _resident_mb(process.pid), len(engine.events("tick")) - ticks)
            yield wall_s, cpu_s, idle


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
