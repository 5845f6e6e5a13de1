"""The engine on Cluster API's objects of a real API server: a group that can't deliver, and pods that run elsewhere."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.capi import CAPACITY, NAMESPACE, Capi, install

from .controlplane import ControlPlane, Json, wait_until
from .engine import ROOT, Engine, grant_shipped_role

pytestmark = pytest.mark.cluster

PODS = "/api/v1/namespaces/default/pods"
GROUPS = ("cheap", "dear")
ROOM = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1", "pods": "110"}


def pod(name: str) -> Json:
    """A pod that wants a GPU."""
    amounts = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"nvidia.com/gpu": "1"}}
    container = {"name": "main", "image": "example.test/work:1", "resources": amounts}
    spec = {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def node(machine: str) -> Json:
    """What a machine registers as, devices and all."""
    ready = {"type": "Ready", "status": "True", "reason": "Test", "message": "it is"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": machine, "labels": {"group": machine.split("-", maxsplit=1)[0]}},
        "spec": {"providerID": f"demo://{machine}"},
        "status": {"capacity": ROOM, "allocatable": ROOM, "conditions": [ready]},
    }


@contextmanager
def controllers(capi: Capi) -> Iterator[list[int]]:
    """What Cluster API and the machines would do, over and over; gives how many machines ran, time after time."""
    stopped = threading.Event()
    running: list[int] = []

    def work() -> None:
        while not stopped.wait(0.3):
            for name in GROUPS:
                capi.settle("MachineDeployment", name)
            started = [
                m["metadata"]["name"] for m in capi.api.items(f"{NAMESPACE}/machines") if "providerID" in m["spec"]
            ]
            there = {each["metadata"]["name"] for each in capi.api.items("/api/v1/nodes")}
            for name in set(started) - there:
                capi.api.create("/api/v1/nodes", node(name))
            for name in there - set(started):
                capi.api.delete(f"/api/v1/nodes/{name}")
            running.append(len(started))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield running
    finally:
        stopped.set()
        thread.join()


def replicas(capi: Capi) -> dict[str, int]:
    """What is asked of each group."""
    found = {name: capi.api.get(f"{NAMESPACE}/machinedeployments/{name}") for name in GROUPS}
    return {name: each["spec"]["replicas"] for name, each in found.items()}


def test_a_group_that_cannot_deliver_is_let_go_and_the_pods_run_elsewhere(binaries: Path) -> None:
    """The owned machines are used up; the rented ones get the pods, no more are ever wanted than pods, and idle ones go."""
    with ControlPlane(binaries) as plane:
        grant_shipped_role(plane)
        plane.apply(ROOT / "deploy/clusterapi/rbac.yaml")
        plane.grant("gpu-autoscale-clusterapi")
        api = plane.api()
        install(api)
        capi = Capi(api)
        room = {f"{CAPACITY}/{key}": value for key, value in (("cpu", "8"), ("memory", "32Gi"), ("gpu-count", "1"))}
        for name in GROUPS:
            capi.group(name, annotations={**room, f"{CAPACITY}/gpu-type": "nvidia.com/gpu"})
        capi.out_of_stock["cheap"] = "no valid host was found"
        clusterapi = {"kubeconfig": str(plane.kubeconfig("autoscaler")), "prices": {"dear": 3}}
        settings = {"providers": {"clusterapi": clusterapi}, "policies": [{"idle": {"after": "3s"}}]}

        def bound() -> list[str]:
            found = [each["spec"].get("nodeName", "") for each in api.items(PODS)]
            return sorted(name.split("-")[0] for name in found)

        with controllers(capi) as running, Engine(plane, "http://127.0.0.1:9", settings=settings, cluster="demo"):
            for name in "abc":
                api.create(PODS, pod(name))
            wait_until("all pods are bound elsewhere", lambda: bound() == ["dear"] * 3, within_s=90)
            assert replicas(capi) == {"cheap": 0, "dear": 3}
            for name in "abc":
                api.delete(f"{PODS}/{name}", grace_s=0)
            wait_until("idle machines are gone", lambda: replicas(capi) == {"cheap": 0, "dear": 0}, within_s=90)
            wait_until("their nodes are, too", lambda: api.items("/api/v1/nodes") == [], within_s=30)
        assert max(running) == 3
