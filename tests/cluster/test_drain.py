"""Nodes that go before they are empty: the real Eviction API, budgets and controllers."""

import json
import time

import pytest

from .controlplane import Json, wait_until
from .engine import Engine
from .manifests import pod_spec
from .test_main_job import TOLERATION, World, closed_world

__all__ = ["closed_world"]  # the fixture

pytestmark = pytest.mark.cluster

REBALANCE = {"key": "aws-node-termination-handler/rebalance-recommendation", "effect": "NoSchedule"}
QUEUE = "notices"
L4 = {"nvidia.com/gpu.product": "NVIDIA-L4"}


def serve(world: World, replicas: int, available: int) -> None:
    """A Deployment whose pods fill a node each, and a budget."""
    spec = pod_spec(gpus=1, cpu="3", memory="12Gi") | {"nodeSelector": L4, "tolerations": [TOLERATION]}
    selector = {"matchLabels": {"app": "serve"}}
    template = {"metadata": {"labels": {"app": "serve"}}, "spec": spec}
    api = world.plane.api()
    api.create(
        "/apis/apps/v1/namespaces/default/deployments",
        {"metadata": {"name": "serve"}, "spec": {"replicas": replicas, "selector": selector, "template": template}},
    )
    api.create(
        "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
        {"metadata": {"name": "serve"}, "spec": {"minAvailable": available, "selector": selector}},
    )


def taint(world: World, node: str, said: Json) -> None:
    """What the cloud's agent does when it hears of the machine's end."""
    there = world.plane.api().get(f"/api/v1/nodes/{node}")
    taints = [*there["spec"].get("taints", ()), said]
    world.plane.api().patch(f"/api/v1/nodes/{node}", {"spec": {"taints": taints}})


def warn(world: World, node: str) -> None:
    """What Amazon does two minutes before it takes a spot machine back: EventBridge writes to the queue."""
    sqs = world.moto.client("sqs")
    machine = world.plane.api().get(f"/api/v1/nodes/{node}")["spec"]["providerID"].rpartition("/")[2]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    detail = {"instance-id": machine, "instance-action": "terminate"}
    event = {
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "time": now,
        "detail": detail,
    }
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MessageBody=json.dumps(event))


def homes(world: World) -> dict[str, str]:
    """Running pods and their nodes."""
    return {
        p["metadata"]["name"]: p["spec"]["nodeName"]
        for p in world.pods()
        if p["spec"].get("nodeName") and "deletionTimestamp" not in p["metadata"] and p["status"]["phase"] == "Running"
    }


def test_drains_under_budgets(closed_world: World) -> None:
    """A replacement that is up before the eviction, an interruption that waits for nothing, and a budget that says no."""
    world = closed_world
    serve(world, 2, 1)
    world.moto.client("sqs").create_queue(QueueName=QUEUE)
    aws = {"region": "us-east-1", "quotas": False, "interruption_queue": QUEUE}
    settings = {"policies": [{"idle": {"after": "1h"}}], "providers": {"aws": aws}}
    with Engine(world.plane, world.wire.url, settings=settings) as engine:
        wait_until("both pods run", lambda: len(homes(world)) == 2, within_s=180)
        before = homes(world)
        first, second = sorted(before.values())

        taint(world, first, REBALANCE)
        wait_until(
            "the first node is gone", lambda: first not in {n["metadata"]["name"] for n in world.nodes()}, within_s=180
        )
        wait_until("both pods run again", lambda: len(homes(world)) == 2, within_s=60)
        assert world.targets() == {"g6-xlarge-spot": 2}
        (evicted,) = [line for line in engine.events("evict") if line["outcome"] == "done"]
        assert evicted["node"] == first
        assert second in homes(world).values()

        budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/serve"
        world.plane.api().patch(budget, {"spec": {"minAvailable": 2}})
        taint(world, second, REBALANCE)

        def refused() -> list[Json]:
            return [line for line in engine.events("evict") if line["outcome"] == "refused"]

        wait_until("the budget has said no", refused, within_s=180)
        assert "The disruption budget serve needs 2 healthy pods" in refused()[0]["text"]
        assert second in homes(world).values()
        assert world.targets() == {"g6-xlarge-spot": 3}

        world.plane.api().patch(budget, {"spec": {"minAvailable": 1}})
        warn(world, second)
        wait_until(
            "the second is gone", lambda: second not in {n["metadata"]["name"] for n in world.nodes()}, within_s=180
        )
        wait_until("both pods run on others", lambda: len(homes(world)) == 2, within_s=60)
        engine.stop()
    assert world.targets() == {"g6-xlarge-spot": 2}
    removed = [call.parameters for call in world.wire.made("TerminateInstanceInAutoScalingGroup")]
    assert len(removed) == 2
    assert {parameters["ShouldDecrementDesiredCapacity"] for parameters in removed} == {"true"}
