"""The main job: pending pods become a plan, the plan becomes machines, and the scheduler binds what was planned."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .aws import MotoServer
from .controlplane import ControlPlane, Json, wait_until
from .engine import SLOT, Engine, grant_shipped_role, nodes_by_slot, slots
from .kubelet import CloudBoot, Instance
from .manifests import daemon_set, pod
from .wire import Answer, Call, Wire

pytestmark = pytest.mark.cluster

GPU_TAINT = {"nvidia.com/gpu": "present:NoSchedule"}
STARTING = {"gpu-autoscale.dev/slot": "starting:NoSchedule"}  # closed to all until they are held or opened
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
L4 = {"cpu": "3920m", "memory": "14481Mi", "nvidia.com/gpu": "1", "pods": "58"}
A10G = {"cpu": "47810m", "memory": "177224Mi", "nvidia.com/gpu": "4", "pods": "234"}
TYPES = {"g6.xlarge": L4, "g5.12xlarge": A10G}
PRODUCTS = {"g6.xlarge": "NVIDIA-L4", "g5.12xlarge": "NVIDIA-A10G"}

SHAPES = (  # name, how many, keywords of `pod`
    ("serve-small", 20, {"gpus": 1, "cpu": "2", "memory": "8Gi"}),
    ("serve-l4", 8, {"gpus": 1, "cpu": "3", "memory": "12Gi", "node_selector": {"nvidia.com/gpu.product": "NVIDIA-L4"}}),
    ("tune2", 6, {"gpus": 2, "cpu": "12", "memory": "48Gi"}),
    ("tune4", 3, {"gpus": 4, "cpu": "40", "memory": "150Gi"}),
    ("notebook", 6, {"gpus": 1, "cpu": "2", "memory": "8Gi", "node_selector": {"karpenter.sh/capacity-type": "on-demand"}}),
    ("batch", 15, {"gpus": 1, "cpu": "500m", "memory": "4Gi"}),
    ("big-16", 1, {"gpus": 16, "cpu": "8", "memory": "64Gi"}),
    ("unsold", 1, {"gpus": 1, "cpu": "2", "memory": "8Gi", "node_selector": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM-80GB"}}),
)  # fmt: skip
STUCK = {"big-16-0", "unsold-0"}


def create_groups(moto: MotoServer, *, closed: bool) -> None:
    """Two GPU types, each on spot and on demand. Machines of `closed` groups register with our taint."""
    for kind, allocatable in TYPES.items():
        for capacity_type in ("spot", "on-demand"):
            moto.create_group(
                f"{kind.replace('.', '-')}-{capacity_type}",
                instance_type=kind,
                spot=capacity_type == "spot",
                max_nodes=60,
                labels={
                    "nvidia.com/gpu.product": PRODUCTS[kind],
                    "nvidia.com/gpu.present": "true",
                    "karpenter.sh/capacity-type": capacity_type,
                },
                taints=GPU_TAINT | (STARTING if closed else {}),
                resources=allocatable,
            )


def create_pods(plane: ControlPlane, shapes: tuple[tuple[str, int, Json], ...] = SHAPES) -> None:
    """All pods of the shapes, pending."""
    for name, count, spec in shapes:
        for number in range(count):
            body = pod(f"{name}-{number}", tolerations=[TOLERATION], **spec)
            plane.api().create("/api/v1/namespaces/default/pods", body)


@dataclass(frozen=True)
class World:
    """A control plane, a cloud with a wire in front, and the machines' side."""

    plane: ControlPlane
    moto: MotoServer
    wire: Wire

    def pods(self) -> list[Json]:
        """The pods of the default namespace."""
        return self.plane.api().items("/api/v1/namespaces/default/pods")

    def nodes(self) -> list[Json]:
        """All nodes."""
        return self.plane.api().items("/api/v1/nodes")

    def unbound(self) -> set[str]:
        """Names of the pods without a node."""
        return {p["metadata"]["name"] for p in self.pods() if not p["spec"].get("nodeName")}

    def targets(self) -> dict[str, int]:
        """Each group's target size, where it is not 0."""
        pages = self.moto.client("autoscaling").get_paginator("describe_auto_scaling_groups").paginate()
        sizes = {g["AutoScalingGroupName"]: g["DesiredCapacity"] for page in pages for g in page["AutoScalingGroups"]}
        return {name: size for name, size in sizes.items() if size}

    def planned_targets(self) -> dict[str, int]:
        """How many slots the pods claim in each group."""
        claims = {
            p["metadata"]["annotations"][SLOT]: p["metadata"]["annotations"]["gpu-autoscale.dev/group"]
            for p in self.pods()
            if SLOT in p["metadata"].get("annotations", {})
        }
        return dict(Counter(group.removeprefix("aws:") for group in claims.values()))

    def misplaced(self) -> dict[str, tuple[str, str]]:
        """Pods that are not on the node that was bought for them: name -> (planned, actual)."""
        homes = nodes_by_slot(self.nodes())
        wrong = {}
        for each in self.pods():
            planned = homes.get(each["metadata"].get("annotations", {}).get(SLOT, ""), "")
            actual = each["spec"].get("nodeName", "")
            if planned != actual:
                wrong[each["metadata"]["name"]] = (planned, actual)
        return wrong


def _boot_delay_s(instance: Instance) -> float:
    """From 3 to 8 s; a real machine takes minutes, and its device plugin a good while after that."""
    return 3 + int(instance.id[-2:], 16) % 6


def _late_boot_delay_s(instance: Instance) -> float:
    """From 10 to 15 s: time enough to end an engine before the first machine that it bought joins."""
    return 7 + _boot_delay_s(instance)


@contextmanager
def _world(binaries: Path, moto: MotoServer, *, closed: bool) -> Iterator[World]:
    with (
        ControlPlane(binaries) as plane,
        Wire(moto.url) as wire,
        CloudBoot(
            plane.api(),
            moto.url,
            capacity=TYPES,
            boot_delay_s=_late_boot_delay_s if closed else _boot_delay_s,
            device_delay_s=8.0,
            device_plugin="device-plugin",
        ),
    ):
        grant_shipped_role(plane)
        create_groups(moto, closed=closed)
        plane.apply(daemon_set("device-plugin", tolerations=[{"operator": "Exists"} if closed else TOLERATION]))
        yield World(plane, moto, wire)


@pytest.fixture
def world(binaries: Path, moto: MotoServer) -> Iterator[World]:
    """A fresh control plane with the shipped ClusterRole, four groups at 0, and machines that boot within 20 s."""
    with _world(binaries, moto, closed=False) as made:
        yield made


@pytest.fixture
def closed_world(binaries: Path, moto: MotoServer) -> Iterator[World]:
    """The same with machines that register closed: nothing happens to them while the engine is down."""
    with _world(binaries, moto, closed=True) as made:
        yield made


def test_pending_pods_are_bound_where_the_plan_put_them(world: World) -> None:
    """Every pod that can run is bound to the node bought for it, the others say why, and then nothing more happens."""
    create_pods(world.plane)
    with Engine(world.plane, world.wire.url) as engine:
        wait_until("all pods that can run are bound", lambda: world.unbound() == STUCK, within_s=120)
        assert {name: where for name, where in world.misplaced().items() if name not in STUCK} == {}
        assert world.targets() == world.planned_targets()
        resizes = len(world.wire.made("SetDesiredCapacity"))
        wait_until("no node is held any more", lambda: not _held(world.nodes()), within_s=30)
        quiet_from = len(engine.events("tick"))
        wait_until("another tick", lambda: len(engine.events("tick")) > quiet_from, within_s=90, every_s=0.5)
        assert not any(tick["changes"] for tick in engine.events("tick")[quiet_from:])
        assert len(world.wire.made("SetDesiredCapacity")) == resizes
        engine.stop()

    texts = {name: _event_texts(world.plane, name, "NotTriggerScaleUp") for name in STUCK}
    assert "asks for 16 nvidia.com/gpu" in " ".join(texts["big-16-0"])
    assert "NVIDIA-A100-SXM-80GB" in " ".join(texts["unsold-0"])
    assert _event_texts(world.plane, "tune4-0", "TriggeredScaleUp")
    assert slots(world.pods()).keys() == nodes_by_slot(world.nodes()).keys()


CRASHES: dict[str, int | None] = {  # moment -> how many resizes reach the cloud, None for all
    "before the first resize": 0,
    "between two resizes": 1,
    "after the resizes and before the nodes join": None,
}


@pytest.mark.parametrize("moment", CRASHES)
def test_a_crash_buys_nothing_twice(closed_world: World, moment: str) -> None:
    """Killed at any point of a purchase and started again, the engine ends with exactly the nodes it planned."""
    world = closed_world
    create_pods(world.plane, SHAPES[:6])
    with Engine(world.plane, world.wire.url) as engine:
        _kill_at(world.wire, engine, moment)
        engine.wait_dead()
        before, planned = slots(world.pods()), world.planned_targets()
        let_through = CRASHES[moment]
        reached = len(planned) if let_through is None else let_through
        wait_until("the cloud has done what reached it", lambda: len(world.targets()) == reached)
        assert len(planned) >= 2
        assert world.targets().items() <= planned.items()
        assert world.nodes() == []
        world.wire.before, world.wire.after = (lambda _: None), (lambda _: None)
        engine.start()
        wait_until("all pods are bound", lambda: not world.unbound(), within_s=120)
        engine.stop()
    assert slots(world.pods()) == before
    assert world.targets() == world.planned_targets()
    assert world.misplaced() == {}
    assert len(world.nodes()) == len(before)


def _kill_at(wire: Wire, engine: Engine, moment: str) -> None:
    """Kill the engine at a moment of its first purchase; a resize that comes at that moment does not reach the cloud."""
    let_through = CRASHES[moment]
    if let_through is None:
        wait_until("a tick that bought", lambda: any(tick["actions"] for tick in engine.events("tick")), within_s=60)
        engine.kill()
        return

    def kill(call: Call) -> Answer | None:
        if call.action != "SetDesiredCapacity" or call.number < let_through:
            return None
        engine.kill()
        return 503, b""

    wire.before = kill
    wait_until("the resize", lambda: len(wire.made("SetDesiredCapacity")) > let_through, within_s=60)


def _held(nodes: list[Json]) -> list[str]:
    return [n["metadata"]["name"] for n in nodes if any(t["key"] == SLOT for t in n["spec"].get("taints", ()))]


def _event_texts(plane: ControlPlane, pod_name: str, reason: str) -> list[str]:
    events = plane.api().items("/api/v1/namespaces/default/events")
    return [
        event.get("message") or event.get("note", "")
        for event in events
        if event["reason"] == reason and event["involvedObject"]["name"] == pod_name
    ]
