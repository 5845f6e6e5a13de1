"""Drains that others have a hand in, and machines that go by themselves, on a real control plane."""

import pytest

from .controlplane import Json, wait_until
from .engine import Engine
from .manifests import pod
from .test_drain import REBALANCE, homes, serve, taint
from .test_main_job import TOLERATION, World, closed_world

__all__ = ["closed_world"]  # the fixture

pytestmark = pytest.mark.cluster

CLUSTER_AUTOSCALER = {"key": "ToBeDeletedByClusterAutoscaler", "value": "1", "effect": "NoSchedule"}
DISRUPTED = "gpu-autoscale.dev/disrupted"
FINALIZER = "example.test/keep"
_POD = "/api/v1/namespaces/default/pods"


def names(world: World) -> set[str]:
    """Of all nodes."""
    return {node["metadata"]["name"] for node in world.nodes()}


def closed(world: World) -> set[str]:
    """Names of the nodes that the engine has closed."""
    return {
        node["metadata"]["name"]
        for node in world.nodes()
        if any(each["key"] == DISRUPTED for each in node["spec"].get("taints", ()))
    }


def on(world: World, node: str) -> list[Json]:
    """The default namespace's pods on a node."""
    return [each for each in world.pods() if each["spec"].get("nodeName") == node]


def test_drains_that_others_have_a_hand_in(closed_world: World) -> None:
    """Another controller's node is left to it; finalizers and bare pods are waited for; a machine that goes is bought once."""
    world, api = closed_world, closed_world.plane.api()
    serve(world, 3, 0)
    with Engine(world.plane, world.wire.url, settings={"policies": [{"idle": {"after": "1h"}}]}):
        wait_until("all pods run", lambda: len(homes(world)) == 3, within_s=240)
        theirs, ours, lost = sorted(homes(world).values())

        taint(world, theirs, CLUSTER_AUTOSCALER)
        taint(world, theirs, REBALANCE)
        (served,) = on(world, ours)
        held = f"{_POD}/{served['metadata']['name']}"
        api.patch(held, {"metadata": {"finalizers": [FINALIZER]}})
        bare = pod("bare", cpu="100m", tolerations=[TOLERATION])
        api.create(_POD, bare | {"spec": bare["spec"] | {"nodeName": ours}})
        taint(world, ours, REBALANCE)

        wait_until("the pod is evicted", lambda: "deletionTimestamp" in api.get(held)["metadata"], within_s=240)
        assert closed(world) == {ours}
        api.patch(held, {"metadata": {"finalizers": None}})
        wait_until("all pods run again", lambda: len(set(homes(world)) - {"bare"}) == 3, within_s=240)
        assert [each["metadata"]["name"] for each in on(world, ours)] == ["bare"]
        api.delete(f"{_POD}/bare", grace_s=0)
        wait_until("the node is gone", lambda: ours not in names(world), within_s=240)
        assert theirs in homes(world).values()

        machine = lost.partition(".")[0]
        world.moto.client("ec2").terminate_instances(InstanceIds=[machine])
        wait_until("the machine's node is gone", lambda: lost not in names(world), within_s=240)
        wait_until("all pods run once more", lambda: len(homes(world)) == 3, within_s=240)
        assert (world.targets(), closed(world)) == ({"g6-xlarge-spot": 3}, set())
