"""Big clusters and big manifests, made up: as raw JSON, the way that the API server and people write them."""

from __future__ import annotations

import json
import random
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
import yaml

from autoscale.model.resources import Resources
from autoscale.model.snapshot import CloudView, ClusterView, Snapshot
from autoscale.model.supply import CapacityType, Instance, InstanceState, Node, NodeGroup, Offering
from autoscale.model.workload import DaemonSet, Pod, Taint
from autoscale.observe import decode
from autoscale.observe.kube_store import Changes, Store, pod_matters

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
GPU = "nvidia.com/gpu"
NOW_S = 1_790_000_000
GROUPS = 60
PAGE = 500
PROC = Path("/proc/self/status")
_TOLERATION = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
_ROOM = {"cpu": "95", "memory": "760Gi", GPU: "8", "pods": "110"}


def shapes(count: int, seed: int = 7) -> list[Json]:
    """Pod specs, one per shape: 1 to 8 GPUs, every fifth for on-demand nodes only."""
    draw = random.Random(seed)
    out: list[Json] = []
    for index in range(count):
        gpus = draw.choice([1, 1, 1, 2, 4, 8])
        requests = {
            "cpu": f"{draw.randint(1, 12) * 500 * gpus}m",
            "memory": f"{draw.randint(4, 30) * gpus}Gi",
            GPU: str(gpus),
        }
        resources = {"requests": requests, "limits": {GPU: str(gpus)}}
        spec: Json = {
            "containers": [{"name": "main", "image": "example.test/work:1", "resources": resources}],
            "tolerations": [_TOLERATION],
        }
        if index % 5 == 0:
            spec["nodeSelector"] = {"karpenter.sh/capacity-type": "on-demand"}
        out.append(spec)
    return out


def with_rules(specs: list[Json]) -> list[Json]:
    """The same, a third spread over groups, a third away from each other, a third without rules."""
    out = []
    for index, spec in enumerate(specs):
        selector = {"labelSelector": {"matchLabels": {"app": f"work-{index}"}}}
        spread = {"topologyKey": "group", "maxSkew": 5, "whenUnsatisfiable": "DoNotSchedule", **selector}
        apart = [{"topologyKey": "kubernetes.io/hostname", **selector}]
        required = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": apart}}
        more: list[Json] = [{"topologySpreadConstraints": [spread]}, {"affinity": required}, {}]
        out.append(spec | more[index % 3])
    return out


def deployments(pods: int, kinds: int, *, hopeless: bool = False) -> str:
    """Deployments with so many replicas in all, as YAML; `hopeless` ones want a GPU that nobody sells."""
    made = []
    for index, spec in enumerate(shapes(kinds)):
        if hopeless:
            spec["nodeSelector"] = {"nvidia.com/gpu.product": "NVIDIA-NONE"}
        labels = {"app": f"work-{index}"}
        body = {"replicas": pods // kinds + (index < pods % kinds), "selector": {"matchLabels": labels}}
        body["template"] = {"metadata": {"labels": labels}, "spec": spec}
        made.append(
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"work-{index}"}, "spec": body}
        )
    return str(yaml.safe_dump_all(made))


def pod_list(pods: int, kinds: int) -> str:
    """Pending pods as a JSON List."""
    specs = shapes(kinds)
    items = [_pod(f"work-{n % kinds}-{n}", specs[n % kinds], app=f"work-{n % kinds}") for n in range(pods)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _pod(name: str, spec: Json, *, app: str, node: str = "") -> Json:
    """A pod with what the API server and controllers add to it, managed fields included: three to four kilobytes."""
    managed: Json = {f"f:field-{number}": {"f:type": {}, "f:value": {}} for number in range(30)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "resourceVersion": "5",
            "creationTimestamp": "2026-09-01T00:00:00Z",
            "labels": {"app": app, "pod-template-hash": "5d8f9c7b6"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{app}-5d8f9c7b6", "controller": True}],
            "managedFields": [{"manager": "kube-controller-manager", "fieldsV1": {"f:metadata": managed}}],
        },
        "spec": spec | ({"nodeName": node} if node else {}),
        "status": {"phase": "Running" if node else "Pending"},
    }


def _node(index: int) -> Json:
    name = f"n{index}"
    labels = {"kubernetes.io/hostname": name, "group": f"g{index % GROUPS}", "kubernetes.io/arch": "amd64"}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "5", "labels": labels},
        "spec": {
            "providerID": f"made-up:///{name}",
            "taints": [{"key": GPU, "value": "present", "effect": "NoSchedule"}],
        },
        "status": {"allocatable": _ROOM, "capacity": _ROOM, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def _pages(objects: Iterator[Json]) -> Iterator[list[msgspec.Raw]]:
    page: list[msgspec.Raw] = []
    for each in objects:
        page.append(msgspec.Raw(json.dumps(each).encode()))
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _all_pods(nodes: int, running: int, pending: int, kinds: int, *, rules: bool) -> Iterator[Json]:
    """Nine in ten nodes are full of GPU work, all have small pods; the pending are of `kinds` shapes."""
    specs = with_rules(shapes(kinds)) if rules else shapes(kinds)
    resources = {"requests": {"cpu": "1", "memory": "2Gi"}}
    small: Json = {"containers": [{"name": "main", "resources": resources}], "tolerations": [_TOLERATION]}
    whole: Json = {"containers": [{"name": "main", "resources": {"requests": {"cpu": "20", GPU: "8"}}}]}
    full = nodes * 9 // 10
    for n in range(running):
        yield _pod(f"run-{n}", whole if n < full else small, app=f"app-{n % 40}", node=f"n{n % nodes}")
    for n in range(pending):
        yield _pod(f"work-{n}", specs[n % kinds], app=f"work-{n % kinds}")


class _List(msgspec.Struct):
    items: list[msgspec.Raw]


LIST = msgspec.json.Decoder(_List)
SIZE = 5000, 50_000, 10_000
"""Nodes, running and pending pods of the biggest cluster."""


def write_pages(path: Path, size: tuple[int, int, int] = SIZE) -> None:
    """A cluster with rules between its pods, as the API server answers lists: a page a line, its kind before it."""
    nodes, running, pending = size
    pods = _all_pods(nodes, running, pending, 30, rules=True)
    with path.open("wb") as file:
        for kind, objects in (("nodes", (_node(i) for i in range(nodes))), ("pods", pods)):
            for page in _pages(objects):
                file.write(kind.encode() + b" " + b'{"items":[' + b",".join(map(bytes, page)) + b"]}\n")


def read_pages(path: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each kind with its pages."""
    with path.open("rb") as file:
        lines = (line.partition(b" ") for line in file)
        for kind, same in groupby(lines, key=lambda line: line[0]):
            yield kind.decode(), (page for _, _, page in same)


def peak_mb() -> float:
    """What this process had resident at most since it began; `ru_maxrss` would count whoever started it as well."""
    for line in PROC.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"{PROC} does not say VmHWM")


class Stores:
    """The engine's own stores of a cluster, filled as its watchers fill them, page by page."""

    def __init__(self, nodes: int, running: int, pending: int, kinds: int = 30, *, rules: bool = False) -> None:
        self._make(nodes)
        for store, objects in (
            (self.nodes, (_node(i) for i in range(nodes))),
            (self.pods, _all_pods(nodes, running, pending, kinds, rules=rules)),
        ):
            listed: list[tuple[str, int, Any]] = []
            for page in _pages(objects):
                listed += store.decode_all(page)
            store.replace(listed, 5)

    @classmethod
    def empty(cls, nodes: int) -> Self:
        """Those of a cluster with so many nodes, before anything is listed."""
        made = cls.__new__(cls)
        made._make(nodes)
        return made

    def _make(self, nodes: int) -> None:
        changes = Changes()
        self.nodes: Store[Node] = Store(changes, decode.node)
        self.pods: Store[Pod] = Store(changes, decode.pod, keep=lambda pod: not pod.finished, matters=pod_matters)
        self.daemon_sets: Store[DaemonSet] = Store(changes, decode.daemon_set)
        self._count = nodes

    def snapshot(self) -> Snapshot:
        """What `decide` sees: the cluster, and a cloud with 60 groups that its nodes belong to."""
        view = ClusterView(self.nodes.all(), self.pods.all(), self.daemon_sets.all())
        return Snapshot(NOW_S, view, (CloudView("made-up", tuple(_group(i, self._count) for i in range(GROUPS))),))


def _group(index: int, nodes: int) -> NodeGroup:
    members = tuple(Instance(f"n{i}", f"made-up:///n{i}", InstanceState.RUNNING) for i in range(index, nodes, GROUPS))
    return NodeGroup(
        id=f"g{index}",
        provider="made-up",
        name=f"g{index}",
        offering=Offering(f"type-{index}", "z", CapacityType.ON_DEMAND, 5_000_000 + 100_000 * (index % 7) + index),
        allocatable=Resources.parse(_ROOM, up=False),
        labels={"group": f"g{index}", "karpenter.sh/capacity-type": "on-demand"},
        taints=(Taint(GPU, "present"),),
        devices=(GPU,),
        target_nodes=len(members),
        instances=members,
    )
