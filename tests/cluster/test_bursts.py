"""Waves of pods while the nodes of earlier waves are still joining: what is on its way is remembered."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscale.decide import decide
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import ClusterView, Snapshot
from autoscale.observe import decode
from autoscale.solve import solve
from providers.aws import provider_from_settings

from .aws import MotoServer
from .controlplane import ControlPlane, Json, wait_until
from .engine import Engine, environment, grant_shipped_role, nodes_by_slot, slots
from .kubelet import CloudBoot, Instance
from .manifests import daemon_set
from .test_main_job import GPU_TAINT, STARTING, World
from .wire import Wire

pytestmark = pytest.mark.cluster

MIXED = json.loads((Path(__file__).parents[1] / "data/mixed-100.json").read_text())
WAVES = 3
WAVE_GAP_S = 5.0


def all_pods() -> list[Json]:
    """The hundred pods of thirty shapes, in an order that mixes the shapes."""
    pods = [
        (number, shape["name"], _pod(shape, f"{shape['name']}-{number}"))
        for shape in MIXED["pods"]
        for number in range(shape["count"])
    ]
    return [body for _, _, body in sorted(pods, key=lambda p: p[:2])]


def _pod(shape: Json, name: str) -> Json:
    devices = {key: value for key, value in shape["requests"].items() if "/" in key}
    resources = {"requests": shape["requests"], "limits": devices}
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "example.test/work:1", "resources": resources}],
        "nodeSelector": shape["nodeSelector"],
        "tolerations": shape["tolerations"],
    }
    if "affinity" in shape:
        spec["affinity"] = shape["affinity"]
    metadata = {"name": name, "namespace": "default", "labels": shape["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture
def world(binaries: Path, moto: MotoServer) -> Iterator[World]:
    """Sixty groups at 0, whose nodes take 30 to 60 s to join."""
    groups = {group["name"]: group for group in MIXED["groups"]}
    capacity = {group["instance_type"]: group["allocatable"] for group in MIXED["groups"]}

    def boot_delay_s(instance: Instance) -> float:
        return 30 + int(instance.id[-4:], 16) % 31

    for name, group in groups.items():
        moto.create_group(
            name,
            instance_type=group["instance_type"],
            zone=group["zone"],
            spot=group["capacity_type"] == "spot",
            max_nodes=100,
            labels=group["labels"],
            taints=STARTING | (GPU_TAINT if "nvidia.com/gpu" in group["allocatable"] else {}),
            resources=group["allocatable"],
        )
    with (
        ControlPlane(binaries) as plane,
        Wire(moto.url) as wire,
        CloudBoot(
            plane.api(), moto.url, capacity=capacity, boot_delay_s=boot_delay_s, device_delay_s=2.0,
            device_plugin="device-plugin",
        ),
    ):  # fmt: skip
        grant_shipped_role(plane)
        plane.apply(daemon_set("device-plugin", cpu="10m", memory="16Mi", tolerations=[{"operator": "Exists"}]))
        yield World(plane, moto, wire)


def one_plan(url: str, pods: list[Json], plane: ControlPlane) -> tuple[Any, dict[str, int]]:
    """What a single plan for all pods at once would buy, and each group's price in micro-US$ per hour."""
    provider = provider_from_settings(
        {"region": "us-east-1", "quotas": False, "endpoint_url": url}, cluster="test", now_s=lambda: int(time.time())
    )
    cloud = provider.observe()
    assert not cloud.faults
    assert not cloud.skipped
    daemons = plane.api().items("/apis/apps/v1/daemonsets")
    view = ClusterView(
        pods=tuple(
            decode.pod(json.dumps(body | {"metadata": body["metadata"] | {"uid": str(n)}, "status": {"phase": "Pending"}}).encode())
            for n, body in enumerate(pods)
        ),
        daemon_sets=tuple(decode.daemon_set(json.dumps(each).encode()) for each in daemons),
    )  # fmt: skip
    plan = decide(
        Snapshot(int(time.time()), view, (cloud,)), (), lambda p: solve(p, time_limit_s=2.0), DecideSettings()
    )
    return plan, {group.name: group.offering.price_microusd_per_hour for group in cloud.groups}


def test_three_waves_cost_no_more_than_they_must(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes on their way are remembered with their pods: no node ends empty, and waves cost little over one plan."""
    for key, value in environment(world.moto.url).items():
        monkeypatch.setenv(key, value)
    pods = all_pods()
    waves = [pods[wave::WAVES] for wave in range(WAVES)]
    seen = [[pod for wave in waves[: number + 1] for pod in wave] for number in range(WAVES)]
    plans = [one_plan(world.moto.url, each, world.plane) for each in seen]
    prices = plans[0][1]
    assert [len(each.unmet) for each, _ in plans] == [0] * WAVES

    def bought() -> int:
        return sum(prices[name] * size for name, size in world.targets().items())

    spent = []
    with Engine(world.plane, world.wire.url, settings={"solver": {"timeLimit": "1s"}}) as engine:
        wait_until("the first tick", lambda: engine.events("tick"))
        for wave in waves:
            for body in wave:
                world.plane.api().create("/api/v1/namespaces/default/pods", body)
            time.sleep(WAVE_GAP_S)
            spent.append(bought())
        wait_until("all pods are bound", lambda: not world.unbound(), within_s=240)
        engine.stop()
    spent[-1] = bought()
    homes = nodes_by_slot(world.nodes())
    assert slots(world.pods()).keys() == homes.keys()
    assert {each["metadata"]["name"] for each in world.nodes()} == {p["spec"]["nodeName"] for p in world.pods()}
    assert world.misplaced() == {}
    for number, (plan, _) in enumerate(plans):
        assert spent[number] <= 1.02 * plan.cost_microusd_per_hour, (number, spent)
