"""DaemonSets and nodes: on which nodes their controller puts a pod, and what is left there for others.

A verdict is about a DaemonSet and a node, or about a pod that asks for what the DaemonSets leave of a node, to the last
unit or one more: the engine works out both from the DaemonSets and the node's labels and taints, as for a node to come.
"""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from autoscale.demand.daemons import Daemons
from autoscale.demand.fit import admits
from autoscale.observe import decode
from tests.cluster.controlplane import Api, ControlPlane, Json, wait_until

from . import pods
from .generate import random_node
from .plane import DEFAULT_PODS, NODES, Plane, PlaneJudge, answers, canary, condition
from .words import LABELS, UNSCHEDULABLE

SCENE, ASKS_LABEL = "example.test/daemons", "example.test/asks"
_HOST = "example.test/host"
_SETS = "/apis/apps/v1/namespaces/default/daemonsets"
_CONTROLLERS = ("daemonset-controller", "node-lifecycle-controller")
_OPERANDS = ("driver", "device-plugin", "dcgm-exporter", "gpu-feature-discovery")
_CPU = 8000  # of each node, in thousandths
_MOST = 400  # pods that ask of one control plane, beside the DaemonSets'
_QUIET_S = 0.8


@dataclass(frozen=True, slots=True)
class Crew:
    """Nodes, DaemonSets, and for each node a pod that asks to go there. Manifests, `@` for the scene."""

    id: str
    nodes: tuple[Json, ...]
    sets: tuple[Json, ...]
    asks: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the controller and the scheduler did on one node: the DaemonSets with a pod there, and whether the pod binds."""

    id: str
    node: Json
    sets: tuple[Json, ...]
    pod: Json
    there: tuple[str, ...] = ()
    binds: bool = False


def crews(seed: int, number: int) -> Crew:
    """One of the seed's scenes."""
    rng = Random(f"daemons/{seed}/{number}")
    plain = [random_node(rng, f"@-n{i}") for i in range(rng.randint(2, 4))]
    sets = tuple(_set(rng, i, plain) for i in range(rng.randint(2, 5)))
    nodes = tuple(_node(rng, i, node) for i, node in enumerate(plain))
    asks = tuple(_ask(rng, i, node, sets) for i, node in enumerate(nodes))
    return Crew(f"{seed}-{number}", nodes, sets, asks)


def verdicts(found: Finding) -> Iterator[tuple[str, set[str], bool]]:
    """How the engine differs (empty when it agrees), what the verdict is about, and whether something goes there."""
    expected = {daemon.name for daemon in _daemons(found).on(*_facts(found), node_name=_name(found))}
    for each in found.sets:
        name = _of(each)
        there = name in found.there
        differs = f"{'a' if there else 'no'} pod of a DaemonSet, the engine says otherwise: {_tells(found, each)}"
        yield "" if there == (name in expected) else differs, set(_about(found, each)), there
    differs = f"beside DaemonSets the pod {'binds' if found.binds else 'does not bind'}, the engine says otherwise"
    yield "" if found.binds == _fits(found) else differs, {"pod beside DaemonSets"}, found.binds


def difference(found: Finding) -> str:
    """The first one."""
    return next((differs for differs, _, _ in verdicts(found) if differs), "")


def _about(found: Finding, daemon_set: Json) -> Iterator[str]:
    spec = daemon_set["spec"]["template"]["spec"]
    yield "DaemonSet"
    if "operand" in daemon_set["metadata"]["labels"]:
        yield "DaemonSet: as the GPU operator's"
    if spec.get("affinity"):
        yield "DaemonSet: affinity"
    if found.node["spec"].get("unschedulable"):
        yield "DaemonSet: unschedulable node"
    for taint in found.node["spec"].get("taints") or ():
        yield f"DaemonSet: taint {taint['effect']}"


class CrewJudge(PlaneJudge):
    """A context manager with a control plane that runs the scheduler, the DaemonSet and the node controller."""

    def __init__(self, binaries: Path, *, workers: int = 6) -> None:
        super().__init__(Plane(binaries, most=_MOST, controllers=_CONTROLLERS, prepare=_wait_for_kube), "d", workers)

    def findings(self, scenes: Sequence[Crew]) -> list[Finding]:
        """Judge these."""
        api, batch = self.batch(sum(len(scene.asks) for scene in scenes))
        made = [_made(scene, f"{batch}-{i}") for i, scene in enumerate(scenes)]
        for pod in (pod for scene in made for pod in scene.asks):
            pod["metadata"]["labels"] = {ASKS_LABEL: batch}
        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(partial(_create, api, NODES), [node for scene in made for node in scene.nodes]))
            canary(api, batch)
            wait_until("the nodes are ready", partial(_settled, api, batch), within_s=60, every_s=0.2)
            list(pool.map(partial(_create, api, _SETS), [one for scene in made for one in scene.sets]))
            wait_until("the DaemonSets have their pods", partial(_staffed, api, batch), within_s=120, every_s=0.3)
            there = _crew_by_node(api, batch)
            asked = list(pool.map(partial(_create, api, DEFAULT_PODS), [pod for scene in made for pod in scene.asks]))
        said = answers(api, [pod["metadata"]["uid"] for pod in asked], f"{ASKS_LABEL}={batch}")
        nodes = {node["metadata"]["name"]: node for node in api.items(NODES)}
        return [
            Finding(
                f"{scene.id}-{i}", nodes[_of(node)], scene.sets, pod, tuple(sorted(there.get(_of(node), ()))),
                bool(said[uid]["spec"].get("nodeName")),
            )
            for scene in made
            for i, (node, pod) in enumerate(zip(scene.nodes, scene.asks, strict=True))
            for uid in [next(a["metadata"]["uid"] for a in asked if a["metadata"]["name"] == _of(pod))]
        ]  # fmt: skip


def _wait_for_kube(plane: ControlPlane) -> None:
    wait_until("the namespaces are there", lambda: plane.api().find("/api/v1/namespaces/default"), within_s=60)


def _of(document: Json) -> str:
    name: str = document["metadata"]["name"]
    return name


def _made(scene: Crew, prefix: str) -> Crew:
    fields = json.loads(json.dumps([scene.nodes, scene.sets, scene.asks]).replace("@", prefix))
    return Crew(scene.id, *map(tuple, fields))


def _create(api: Api, path: str, body: Json) -> Json:
    return api.create(path, body)


def _settled(api: Api, batch: str) -> bool:
    """Whether the node controller has told of every node what its conditions and spec say."""
    for node in api.items(NODES, labelSelector=SCENE):
        if not node["metadata"]["labels"][SCENE].startswith(f"{batch}-"):
            continue
        taints = {taint["key"] for taint in node["spec"].get("taints") or ()}
        if "node.kubernetes.io/not-ready" in taints or (UNSCHEDULABLE in taints) != bool(
            node["spec"].get("unschedulable")
        ):
            return False
    return True


def _staffed(api: Api, batch: str) -> bool:
    """Whether every DaemonSet has all pods that it is to have, and goes on having so for a moment."""
    before = _counts(api, batch)
    if any(want is None or want != have for want, have in before.values()):
        return False
    time.sleep(_QUIET_S)
    return _counts(api, batch) == before and all(
        pod["spec"].get("nodeName") or condition(pod) for pod in _crew(api, batch)
    )


def _counts(api: Api, batch: str) -> dict[str, tuple[int | None, int | None]]:
    found = {}
    for each in api.items(_SETS):
        if each["metadata"]["name"].startswith(f"{batch}-"):
            status = each.get("status") or {}
            seen = status.get("observedGeneration") == each["metadata"]["generation"]
            found[_of(each)] = (
                status.get("desiredNumberScheduled") if seen else None, status.get("currentNumberScheduled")
            )  # fmt: skip
    return found


def _crew(api: Api, batch: str) -> list[Json]:
    return [
        pod
        for pod in api.items(DEFAULT_PODS)
        if any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())
        and pod["metadata"]["name"].startswith(f"{batch}-")
    ]


def _crew_by_node(api: Api, batch: str) -> dict[str, set[str]]:
    """Node -> DaemonSets: the controller names each pod's node in its affinity."""
    found: dict[str, set[str]] = {}
    for pod in _crew(api, batch):
        required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (field,) = required["nodeSelectorTerms"][0]["matchFields"]
        owner = next(o["name"] for o in pod["metadata"]["ownerReferences"] if o["kind"] == "DaemonSet")
        found.setdefault(field["values"][0], set()).add(owner)
    return found


def _daemons(found: Finding) -> Daemons:
    return Daemons(decode.daemon_set(json.dumps(each).encode()) for each in found.sets)


def _name(found: Finding) -> str:
    return _of(found.node)


def _facts(found: Finding) -> tuple[Any, Any]:
    node = decode.node(json.dumps(found.node).encode())
    return node.labels, node.taints


def _fits(found: Finding) -> bool:
    node = decode.node(json.dumps(found.node).encode())
    shape = decode.pod(json.dumps(found.pod).encode()).shape
    left = node.allocatable - _daemons(found).overhead(node.labels, node.taints, node_name=node.name)
    return admits(shape, node.labels, node.taints, node_name=node.name) and shape.requests.fits(left)


def _tells(found: Finding, daemon_set: Json) -> str:
    """What the set and the node have to do with each other, as a kind of difference."""
    spec = daemon_set["spec"]["template"]["spec"]
    parts = [word for word in ("nodeSelector", "affinity", "tolerations") if len(spec.get(word) or ())]
    return ", ".join([*parts, *sorted({taint["effect"] for taint in found.node["spec"].get("taints") or ()})])


def _node(rng: Random, index: int, plain: Json) -> Json:
    labels = {SCENE: "@", _HOST: f"n{index}"}
    if rng.random() < 0.7:
        labels["nvidia.com/gpu.present"] = "true"
        labels |= {f"nvidia.com/gpu.deploy.{word}": rng.choice(("true", "true", "false")) for word in _OPERANDS}
    meta = plain["metadata"] | {"labels": plain["metadata"]["labels"] | labels}
    room = {"cpu": f"{_CPU}m", "memory": "64Gi", "pods": "110"}
    status = {"allocatable": room, "conditions": [{"type": "Ready", "status": "True"}]}
    return plain | {"metadata": meta, "status": status}


def _set(rng: Random, index: int, nodes: list[Json]) -> Json:
    labels = {"set": f"@-{index}"}
    cpu = rng.choice(("50m", "100m", "0.25", "333m"))
    container: Json = {"name": "c", "image": "example.test/daemon:1", "resources": {"requests": {"cpu": cpu}}}
    spec: Json = {"automountServiceAccountToken": False, "containers": [container], "nodeSelector": {SCENE: "@"}}
    if rng.random() < 0.4:  # as the GPU operator's
        spec["nodeSelector"] |= {f"nvidia.com/gpu.deploy.{rng.choice(_OPERANDS)}": "true"}
        spec["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
        labels["operand"] = "true"
    else:
        if rng.random() < 0.3:
            key = rng.choice(sorted(LABELS))
            spec["nodeSelector"][key] = rng.choice(LABELS[key])
        if rng.random() < 0.35:
            spec["affinity"] = {"nodeAffinity": pods.affinity(rng, nodes)}
        if rng.random() < 0.5:
            spec["tolerations"] = [pods.toleration(rng, nodes) for _ in range(rng.choice((1, 1, 2)))]
        if rng.random() < 0.2:
            spec["tolerations"] = [{"operator": "Exists"}]
    template = {"metadata": {"labels": labels}, "spec": spec}
    body = {"selector": {"matchLabels": {"set": labels["set"]}}, "template": template}
    meta = {"name": f"@-set-{index}", "namespace": "default", "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta, "spec": body}


def _ask(rng: Random, index: int, node: Json, sets: tuple[Json, ...]) -> Json:
    """A pod for one node that asks for what is left there by our reckoning, one unit more, or less."""
    seen = Finding("", json.loads(json.dumps(node)), sets, {})
    if node["spec"].get("unschedulable"):  # as the node controller will say
        seen.node["spec"]["taints"] = [
            *seen.node["spec"].get("taints", ()), {"key": UNSCHEDULABLE, "effect": "NoSchedule"}
        ]  # fmt: skip
    taken = _daemons(seen).overhead(*_facts(seen), node_name=_name(seen))["cpu"]
    cpu = _CPU - taken + rng.choice((-50, 0, 0, 1, 1, 50))
    container = {"name": "c", "image": "example.test/work:1", "resources": {"requests": {"cpu": f"{cpu}m"}}}
    spec = {
        "automountServiceAccountToken": False,
        "containers": [container],
        "nodeSelector": {SCENE: "@", _HOST: f"n{index}"},
        "tolerations": [{"operator": "Exists"}],
    }
    meta = {"name": f"@-ask-{index}", "labels": {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
