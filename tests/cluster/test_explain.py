"""Pods that are never created: what a real API server and its controllers say of it, explained."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .aws import MotoServer
from .controlplane import ControlPlane, Json, wait_until
from .controlplane.plane import CONTROLLERS
from .engine import environment, grant_shipped_role
from .manifests import pod_spec

pytestmark = pytest.mark.cluster

NAMESPACE = "/api/v1/namespaces/team"


def workload(kind: str, name: str, *, gpus: int, replicas: int = 1, **spec: Any) -> Json:
    """A workload in the namespace `team`; `spec` is of its pods, but for `podManagementPolicy`."""
    policy = {key: spec.pop(key) for key in ("podManagementPolicy",) if key in spec}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod_spec(gpus=gpus) | spec}
    body: Json = {"template": template}
    if kind == "Job":
        template["spec"]["restartPolicy"] = "Never"
        body |= {"parallelism": replicas, "completions": replicas}
    else:
        body |= {"replicas": replicas, "selector": {"matchLabels": {"app": name}}} | policy
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "team"}, "spec": body}


@pytest.fixture
def plane(binaries: Path, moto: MotoServer) -> Iterator[ControlPlane]:
    """A namespace with a quota of two GPUs, at most four a container, and one group of four."""
    moto.create_group("g5", instance_type="g5.12xlarge", max_nodes=5)
    with ControlPlane(binaries, controllers=(*CONTROLLERS, "resourcequota-controller")) as made:
        fill(made)
        yield made


def fill(plane: ControlPlane) -> None:
    """Make the namespace and three workloads whose pods are refused."""
    api = plane.api()
    api.create("/api/v1/namespaces", {"metadata": {"name": "team"}})
    quota = {"metadata": {"name": "gpus"}, "spec": {"hard": {"requests.nvidia.com/gpu": "2"}}}
    api.create(f"{NAMESPACE}/resourcequotas", quota)
    wait_until("the quota counts", lambda: "used" in api.get(f"{NAMESPACE}/resourcequotas/gpus").get("status", {}))
    limits = {"type": "Container", "max": {"nvidia.com/gpu": "4"}, "default": {"nvidia.com/gpu": "0"}}
    api.create(f"{NAMESPACE}/limitranges", {"metadata": {"name": "most"}, "spec": {"limits": [limits]}})
    plane.apply(
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "gold"}, "value": 9}
    )
    scope = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["gold"]}]}
    golden = {"metadata": {"name": "gold"}, "spec": {"hard": {"pods": "1"}, "scopeSelector": scope}}
    api.create(f"{NAMESPACE}/resourcequotas", golden)
    wait_until("both count", lambda: "used" in api.get(f"{NAMESPACE}/resourcequotas/gold").get("status", {}))
    sidecar = pod_spec(gpus=5)["containers"][0] | {"name": "side"}
    two: Json = {"containers": [*pod_spec(gpus=0)["containers"], sidecar]}
    for each in (
        workload("Deployment", "web", gpus=1, replicas=3),
        workload("Job", "pair", gpus=0, **two),
        workload(
            "StatefulSet",
            "vip",
            gpus=0,
            replicas=2,
            podManagementPolicy="Parallel",
            priorityClassName="gold",
            schedulerName="own",
        ),
        workload("Job", "train", gpus=8),
        workload("StatefulSet", "lab", gpus=0, priorityClassName="nobody"),
    ):
        plane.apply(each)
    wait_until("all have been refused", lambda: len(refused(plane)) == 5, within_s=60)


def refused(plane: ControlPlane) -> set[str]:
    """Workloads whose pods could not be created."""
    events = plane.api().items(f"{NAMESPACE}/events", fieldSelector="reason=FailedCreate")
    return {event["involvedObject"]["name"].partition("-")[0] for event in events}


def explain(plane: ControlPlane, moto: MotoServer, folder: Path, name: str, user: str = "admin") -> str:
    """What `autoscale explain pod` prints for a user."""
    config = folder / "autoscaler.yaml"
    config.write_text(
        "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\ncluster: test\nproviders: {aws: {region: us-east-1, quotas: false}}\n"
    )
    words = ["explain", "pod", name, "--config", str(config), "--kubeconfig", str(plane.kubeconfig(user))]
    said = subprocess.run(
        [sys.executable, "-m", "autoscale", *words],
        env=environment(moto.url), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, "")
    return re.sub(r"web-[0-9a-z]+-[0-9a-z]{5}\b", "web-POD", said.stdout)


def test_pods_that_are_not_created(plane: ControlPlane, moto: MotoServer, tmp_path: Path) -> None:
    """A quota with who uses it, a limit range, a missing PriorityClass; and what would become of the pods."""
    web = explain(plane, moto, tmp_path, "team/deploy/web").partition("\npod team/")
    assert web[0] == (
        "deployment team/web   2 of 3 pods made\n\n"
        "  1 pod not created, so nothing is pending and nothing is bought\n"
        "  ! quota gpus: 2 of 2 nvidia.com/gpu used (web 2), one more pod asks for 1\n"
        "      -> raise quota gpus to 3 nvidia.com/gpu, or end what uses it\n\n"
        "once they are created   1 nvidia.com/gpu, 100m cpu, 64Mi memory\n\n"
        "  will run: the next plan buys its node, part of the cheapest fleet for all that wait\n"
        "  where   group g5, g5.12xlarge, on-demand, us-east-1a\n"
        "  beside  team/web-POD and team/web-POD\n"
        "  cost    $ 0.00/h more than without it; the node is $ 5.67/h\n"
    )
    assert explain(plane, moto, tmp_path, "team/train") == (
        "job team/train   0 of 1 pod made\n\n"
        "  1 pod not created, so nothing is pending and nothing is bought\n"
        "  ! quota gpus: 2 of 2 nvidia.com/gpu used (web 2), one more pod asks for 8\n"
        "      -> raise quota gpus to 10 nvidia.com/gpu, or end what uses it\n"
        "  ! limit range most: at most 4 nvidia.com/gpu a container, it asks for 8\n"
        "      -> ask for 4 nvidia.com/gpu or less\n\n"
        "once they are created   8 nvidia.com/gpu, 100m cpu, 64Mi memory\n\n"
        "  stays pending: no node group takes it\n\n"
        "  which rule excludes it from which node groups\n"
        "  - node group g5: asks for 8 nvidia.com/gpu, a node has 4\n\n"
        "  what would let it run, each planned through\n"
        "  + ask for 4 nvidia.com/gpu instead of 8: no node has more; use 2 pods of 4\n"
        "      2 pods, on group g5 (g5.12xlarge), $ 11.34/h more\n"
    )
    pair = explain(plane, moto, tmp_path, "team/pair").partition("\n\nonce ")[0]
    assert pair == (
        "job team/pair   0 of 1 pod made\n\n"
        "  1 pod not created, so nothing is pending and nothing is bought\n"
        "  ! quota gpus: 2 of 2 nvidia.com/gpu used (web 2), one more pod asks for 5\n"
        "      -> raise quota gpus to 7 nvidia.com/gpu, or end what uses it\n"
        "  ! limit range most: at most 4 nvidia.com/gpu a container, container side asks for 5\n"
        "      -> ask for 4 nvidia.com/gpu or less"
    )
    vip = explain(plane, moto, tmp_path, "team/sts/vip").partition("\n\nonce ")[0]
    assert vip == (
        "statefulset team/vip   1 of 2 pods made\n\n"
        "  1 pod not created, so nothing is pending and nothing is bought\n"
        "  ! quota gold, of pods of priority class gold: 1 of 1 pods used (vip 1), one more pod asks for 1\n"
        "      -> raise quota gold to 2 pods, or end what uses it"
    )
    lab = "its PriorityClass nobody does not exist: no PriorityClass with name nobody was found"
    assert f"\n  ! {lab}\n" in explain(plane, moto, tmp_path, "team/sts/lab")
    grant_shipped_role(plane)
    assert explain(plane, moto, tmp_path, "team/web-", "autoscaler").endswith(
        "  note  Deployments, ReplicaSets, StatefulSets, Jobs, ResourceQuotas, LimitRanges, Events of team can't be read: the API\n"
        "        server refused our credentials (403)\n"
    )
