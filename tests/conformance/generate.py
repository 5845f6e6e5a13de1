"""Clusters from a seed, as cases: one pod and one node with what runs there. The same seed gives the same cases."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from autoscale.model.resources import Resources
from autoscale.observe import decode
from tests.cluster.controlplane import Json

from . import pods
from .words import DEVICES, EFFECTS, LABELS, TAINT_KEYS, TAINT_VALUES

NODES, PODS = 3, 5  # of a cluster; each pod is judged on each node


@dataclass(frozen=True, slots=True)
class Case:
    """One question: may this pod run on this node, beside what is there? Manifests as a user writes them."""

    id: str
    node: Json
    running: tuple[Json, ...]
    pod: Json


def cases(seed: int, count: int) -> Iterator[Case]:
    """The first `count` cases of a seed."""
    made = 0
    for number in range(count):
        for case in cluster(seed, number):
            if made == count:
                return
            made += 1
            yield case


def cluster(seed: int, number: int) -> Iterator[Case]:
    """Every pod on every node of one random cluster."""
    rng = Random(f"{seed}/{number}")
    nodes = [random_node(rng, f"node-{i}") for i in range(NODES)]
    asking = [pods.pod(rng, f"pod-{i}", nodes) for i in range(PODS)]
    for node in nodes:
        name = node["metadata"]["name"]
        running = [pods.running(rng, f"on-{name}-{i}", name) for i in range(rng.choices((0, 1, 2), (50, 30, 20))[0])]
        _give_room(rng, node, running, rng.choice(asking))
        for pod in asking:
            yield Case(f"{seed}-{number}-{name}-{pod['metadata']['name']}", node, tuple(running), pod)


def random_node(rng: Random, name: str) -> Json:
    """A node with labels and taints, perhaps cordoned; its room is not said yet."""
    labels = {key: rng.choice(values) for key, values in LABELS.items() if rng.random() < 0.75}
    spec: Json = {}
    taints: dict[tuple[str, str], Json] = {}
    for _ in range(rng.choices((0, 1, 2, 3), (58, 28, 10, 4))[0]):
        taint = {"key": rng.choice(TAINT_KEYS), "value": rng.choice(TAINT_VALUES), "effect": rng.choice(EFFECTS)}
        if not taint["value"]:
            del taint["value"]
        taints[taint["key"], taint["effect"]] = taint  # the API server refuses a pair that is there twice
    if taints:
        spec["taints"] = list(taints.values())
    if rng.random() < 0.06:
        spec["unschedulable"] = True
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec}


def _give_room(rng: Random, node: Json, running: Sequence[Json], pod: Json) -> None:
    """Capacity: plenty, or what `pod` needs beside the others to the last unit, or one unit less."""
    taken = [_asked(each) for each in running if each["status"]["phase"] not in ("Succeeded", "Failed")]
    need = sum(taken, _asked(pod))
    plenty = {"cpu": 192_000, "memory": 2**40, "ephemeral-storage": 2**40, "pods": 110, "hugepages-2Mi": 2**30}
    plenty |= {kind: rng.choice((0, 8, 16, 16)) for kind in DEVICES}
    asked = sorted(name for name in plenty if need[name])
    tight = rng.sample(asked, min(len(asked), rng.choices((0, 1, 2, 3), (35, 35, 20, 10))[0]))
    room: dict[str, str] = {}
    for name, much in plenty.items():
        amount = much
        if name in tight:
            amount = max(0, need[name] - rng.choices((0, 1, -1), (70, 18, 12))[0])
        if name == "pods" and rng.random() < 0.03:
            amount = 0
        if amount or rng.random() < 0.5:
            room[name] = _spell(rng, name, amount)
    where = "capacity" if rng.random() < 0.05 else "allocatable"
    node["status"] = {where: room, "conditions": [{"type": "Ready", "status": "True"}]}


def _spell(rng: Random, name: str, amount: int) -> str:
    """An amount as one of the ways to write it; memory sometimes with half a byte more."""
    if name == "cpu":
        return f"{amount}m" if rng.random() < 0.7 else f"{amount / 1000:f}"
    if name in ("memory", "ephemeral-storage") and amount:
        return rng.choice((str(amount), f"{amount}000m", f"{amount - 1}500m", f"{amount}e0"))
    if name == "memory" and amount % 1024 == 0:
        return f"{amount // 1024}Ki"
    return str(amount)


def _asked(manifest: Json) -> Resources:
    """What a manifest asks for, by the engine's own sum: it only aims at edges, the scheduler says what is right."""
    return decode.pod(json.dumps(manifest).encode()).shape.requests
