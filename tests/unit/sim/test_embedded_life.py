"""What happens in an embedded cluster by itself: scheduling, DaemonSets, machines, kubelets."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from autoscale.model.resources import Resources
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import CapacityType, Instance, InstanceState, NodeGroup, Offering
from autoscale.model.workload import Taint
from autoscale.sim.boot import BootInstance, CloudBoot, instances_of
from autoscale.sim.cluster import EmbeddedCluster

ROOM = Resources({"cpu": 16_000, "memory": 64 << 30, "pods": 20, "nvidia.com/gpu": 4})
EVERYWHERE = [{"operator": "Exists"}]


def pod(name: str, *, gpus: int = 0, cpu: str = "1", **spec: Any) -> dict[str, Any]:
    """A pod of one container."""
    requests = {"cpu": cpu, "memory": "1Gi", **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
    containers = [{"name": "main", "resources": {"requests": requests}}]
    return {"kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def daemon_set(name: str, **spec: Any) -> dict[str, Any]:
    """A DaemonSet of one small container."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main"}], **spec}}
    return {"kind": "DaemonSet", "metadata": {"name": name, "namespace": "kube-system"}, "spec": {"template": template}}


def machine(name: str, *, taints: tuple[Taint, ...] = (), **labels: str) -> BootInstance:
    """A machine with four GPUs."""
    return BootInstance(
        id=name, provider_id=f"cloud:///{name}", node_name=name, allocatable=ROOM, devices=("nvidia.com/gpu",), labels=labels, taints=taints
    )  # fmt: skip


def eventually(what: str, holds: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait until it holds."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.005)


def homes(cluster: EmbeddedCluster) -> dict[str, str]:
    """Where the pods of the default namespace are bound."""
    found = (p for p in cluster.pods() if p["metadata"]["namespace"] == "default")
    return {p["metadata"]["name"]: p["spec"].get("nodeName", "") for p in found}


@pytest.fixture
def machines() -> list[BootInstance]:
    """What the cloud runs."""
    return []


@pytest.fixture
def cluster(machines: list[BootInstance]) -> Iterator[EmbeddedCluster]:
    """A cluster whose machines boot at once."""
    before = set(threading.enumerate())
    with (
        EmbeddedCluster() as embedded,
        CloudBoot(embedded, lambda: list(machines), boot_s=0.05, devices_s=0.15, poll_s=0.02),
    ):
        yield embedded
    assert set(threading.enumerate()) - before == set()


def test_a_machine_becomes_a_node_and_gets_its_devices_last(
    cluster: EmbeddedCluster, machines: list[BootInstance]
) -> None:
    """The node comes with its labels and taints, then its DaemonSet pods, then its devices; then GPU pods run."""
    cluster.create(daemon_set("plugin", tolerations=EVERYWHERE))
    cluster.create(pod("train", gpus=4, tolerations=[{"key": "gpu", "operator": "Exists"}]))
    machines.append(machine("m1", taints=(Taint("gpu", "", "NoSchedule"),), zone="a"))
    eventually("the node is there", lambda: len(cluster.nodes()) == 1)
    node = cluster.get("Node", "m1")
    assert node["spec"] == {
        "providerID": "cloud:///m1",
        "taints": [{"key": "gpu", "value": "", "effect": "NoSchedule"}],
    }
    assert node["metadata"]["labels"] == {"kubernetes.io/hostname": "m1", "zone": "a"}
    assert "nvidia.com/gpu" not in node["status"]["allocatable"]
    eventually("the daemon is bound", lambda: any(p["spec"].get("nodeName") == "m1" for p in cluster.pods()))
    eventually("the pod is bound", lambda: homes(cluster) == {"train": "m1"})
    assert cluster.get("Node", "m1")["status"]["allocatable"]["nvidia.com/gpu"] == "4"
    eventually("all run", lambda: {p["status"]["phase"] for p in cluster.pods()} == {"Running"})


def test_a_machine_that_goes_takes_its_node_and_pods(cluster: EmbeddedCluster, machines: list[BootInstance]) -> None:
    """Nothing of a terminated instance stays."""
    cluster.create(daemon_set("agent"))
    cluster.create(pod("work"))
    machines.append(machine("m1"))
    eventually("the pod is bound", lambda: homes(cluster) == {"work": "m1"})
    machines.clear()
    eventually("all is gone", lambda: (cluster.nodes(), cluster.pods()) == ([], []))


def test_pods_are_spread_over_nodes(cluster: EmbeddedCluster, machines: list[BootInstance]) -> None:
    """Left alone, the scheduler takes the emptiest node, as the real one does."""
    machines += [machine(f"m{i}") for i in range(4)]
    eventually("the nodes are there", lambda: len(cluster.nodes()) == 4)
    for i in range(8):
        cluster.create(pod(f"p{i}"))
    eventually("all are bound", lambda: all(homes(cluster).values()) and len(homes(cluster)) == 8)
    assert sorted(homes(cluster).values()) == ["m0", "m0", "m1", "m1", "m2", "m2", "m3", "m3"]


def test_only_nodes_that_pass_the_filters_are_taken(cluster: EmbeddedCluster, machines: list[BootInstance]) -> None:
    """Selector, taint, slot, cordon, room and gate each keep a pod away; taking the obstacle away lets it in."""
    machines += [
        machine("m1", color="red"),
        machine("m2", color="blue", taints=(Taint("gpu-autoscale.dev/slot", "s-0"),)),
    ]
    eventually("the nodes are there", lambda: len(cluster.nodes()) == 2)
    cluster.create(pod("red", nodeSelector={"color": "red"}))
    cluster.create(pod("blue", nodeSelector={"color": "blue"}))
    cluster.create(pod("huge", cpu="17"))
    cluster.create(pod("gated", schedulingGates=[{"name": "wait"}]))
    cluster.create(pod("other", schedulerName="other-scheduler"))
    eventually("what can be bound is", lambda: homes(cluster)["red"] == "m1")
    eventually("the others are told", lambda: "conditions" in cluster.get("Pod", "default/huge")["status"])
    assert homes(cluster) == {"red": "m1", "blue": "", "huge": "", "gated": "", "other": ""}
    slot = {"key": "gpu-autoscale.dev/slot", "operator": "Equal", "value": "s-0", "effect": "NoSchedule"}
    blue = cluster.get("Pod", "default/blue")
    cluster.update({**blue, "spec": {**blue["spec"], "tolerations": [slot]}})
    eventually("blue is let onto the slot's node", lambda: homes(cluster)["blue"] == "m2")
    node = cluster.get("Node", "m1")
    cluster.update({**node, "spec": {**node["spec"], "unschedulable": True}})
    cluster.create(pod("late"))
    eventually("the scheduler has looked at it", lambda: "conditions" in cluster.get("Pod", "default/late")["status"])
    assert homes(cluster)["late"] == ""


def test_deleted_pods_make_room(cluster: EmbeddedCluster, machines: list[BootInstance]) -> None:
    """A pod that is deleted or has ended gives its room to one that waits."""
    machines.append(machine("m1"))
    for name in ("a", "b"):
        cluster.create(pod(name, gpus=4))
    eventually("one is bound", lambda: sorted(homes(cluster).values()) == ["", "m1"])
    first = next(name for name, node in homes(cluster).items() if node)
    cluster.delete("Pod", f"default/{first}")
    eventually("the other is bound", lambda: list(homes(cluster).values()) == ["m1"])
    cluster.create(pod("c", gpus=4))
    cluster.finish(f"default/{next(iter(homes(cluster)))}")
    eventually("the third is bound", lambda: homes(cluster)["c"] == "m1")


def test_pods_of_a_daemon_set_that_goes_are_removed(cluster: EmbeddedCluster, machines: list[BootInstance]) -> None:
    """One pod on each node that it fits, none when it is gone."""
    machines += [machine("m1", kind="gpu"), machine("m2", kind="cpu")]
    cluster.create(daemon_set("agent", nodeSelector={"kind": "gpu"}))
    eventually("it is on its node", lambda: [p["spec"].get("nodeName") for p in cluster.pods()] == ["m1"])
    eventually("both nodes are there", lambda: len(cluster.nodes()) == 2)
    assert len(cluster.pods()) == 1
    cluster.delete("DaemonSet", "kube-system/agent")
    eventually("it is gone", lambda: cluster.pods() == [])


def test_a_cloud_that_fails_is_asked_again() -> None:
    """A list of instances that raises is a passing trouble, and no node is lost by it."""
    answers: list[list[BootInstance] | Exception] = [[machine("m1")], RuntimeError("throttled"), [machine("m1")]]
    asked = []

    def listed() -> list[BootInstance]:
        asked.append(1)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    with EmbeddedCluster() as cluster, CloudBoot(cluster, listed, boot_s=0, devices_s=0, poll_s=0.02):
        eventually("it was asked often", lambda: len(asked) > 5)
        assert [node["metadata"]["name"] for node in cluster.nodes()] == ["m1"]


def test_a_providers_view_says_what_boots() -> None:
    """Instances that are not on their way out become machines as their group promises."""
    group = NodeGroup(
        id="aws/g",
        provider="aws",
        name="g",
        offering=Offering("p", "", CapacityType.SPOT, 1),
        allocatable=ROOM,
        labels={"a": "b"},
        taints=(Taint("t"),),
        devices=("nvidia.com/gpu",),
        instances=(
            Instance("i-1", "aws:///z/i-1", InstanceState.PENDING, zone="z"),
            Instance("i-2", "aws:///z/i-2", InstanceState.TERMINATING, zone="z"),
        ),
    )
    assert list(instances_of(CloudView("aws", (group,)))) == [
        BootInstance(
            id="i-1",
            provider_id="aws:///z/i-1",
            node_name="i-1",
            allocatable=ROOM,
            devices=("nvidia.com/gpu",),
            labels={"a": "b", "topology.kubernetes.io/zone": "z"},
            taints=(Taint("t"),),
        )
    ]


def test_rules_between_pods_are_kept(cluster: EmbeddedCluster, machines: list[BootInstance]) -> None:
    """Two that keep apart take a node each and a third waits; company goes where the others are, whenever they come."""
    machines += [machine("m1"), machine("m2")]
    eventually("the nodes are there", lambda: len(cluster.nodes()) == 2)

    def term(app: str) -> dict[str, Any]:
        required = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": app}}}
        return {"requiredDuringSchedulingIgnoredDuringExecution": [required]}

    def labelled(name: str, app: str, **spec: Any) -> dict[str, Any]:
        made = pod(name, **spec)
        made["metadata"]["labels"] = {"app": app}
        return made

    cluster.create(labelled("friend", "friend", affinity={"podAffinity": term("web-2")}))
    for i in range(3):
        cluster.create(labelled(f"web-{i}", f"web-{i}" if i == 2 else "web", affinity={"podAntiAffinity": term("web")}))
    eventually("two are bound", lambda: sum(bool(homes(cluster)[f"web-{i}"]) for i in range(2)) == 2)
    eventually("the third is told", lambda: "conditions" in cluster.get("Pod", "default/web-2")["status"])
    assert {homes(cluster)["web-0"], homes(cluster)["web-1"]} == {"m1", "m2"}
    assert (homes(cluster)["web-2"], homes(cluster)["friend"]) == ("", "")
    machines.append(machine("m3"))
    eventually("both have a node", lambda: homes(cluster)["web-2"] == homes(cluster)["friend"] == "m3")
