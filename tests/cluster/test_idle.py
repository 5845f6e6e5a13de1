"""What was bought goes again when nobody needs it."""

import pytest

from .controlplane import wait_until
from .engine import Engine
from .test_main_job import World, closed_world, create_pods

__all__ = ["closed_world"]  # the fixture

pytestmark = pytest.mark.cluster

SHAPES = (
    ("short", 3, {"gpus": 1, "cpu": "3", "memory": "12Gi", "node_selector": {"nvidia.com/gpu.product": "NVIDIA-L4"}}),
    ("long", 1, {"gpus": 4, "cpu": "40", "memory": "150Gi"}),
)


def test_idle_nodes_go_and_busy_ones_stay(closed_world: World) -> None:
    """Nodes with nothing but DaemonSet pods are removed after their quiet time, and their groups' targets with them."""
    world = closed_world
    create_pods(world.plane, SHAPES)
    with Engine(world.plane, world.wire.url, settings={"policies": [{"idle": {"after": "3s"}}]}) as engine:
        wait_until("all pods are bound", lambda: not world.unbound(), within_s=120)
        busy = {p["spec"]["nodeName"] for p in world.pods() if p["metadata"]["name"] == "long-0"}
        assert world.targets() == {"g5-12xlarge-spot": 1, "g6-xlarge-spot": 3}
        for number in range(3):
            world.plane.api().delete(f"/api/v1/namespaces/default/pods/short-{number}", grace_s=0)
        wait_until("the idle nodes are gone", lambda: len(world.nodes()) == 1, within_s=120)
        engine.stop()
    assert {node["metadata"]["name"] for node in world.nodes()} == busy
    assert world.targets() == {"g5-12xlarge-spot": 1}
    removed = [call.parameters for call in world.wire.made("TerminateInstanceInAutoScalingGroup")]
    assert len(removed) == 3
    assert {parameters["ShouldDecrementDesiredCapacity"] for parameters in removed} == {"true"}
