"""Pods that no scheduler looks at: gated, finished before they had a node, on their way out, other schedulers', and some that it does.

A pod for which there is plenty of room is bound exactly when the engine says that it waits for a node.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import Random

from autoscale.demand.pending import left_to_others, waits
from autoscale.model.settings import DecideSettings
from autoscale.observe import decode
from tests.cluster.controlplane import Api, Json, wait_until

from .plane import DEFAULT_PODS, NODES, Plane, canary, condition

_ROOM = "@.example.test/room"  # `@` is the batch: nodes of those before have no room for it
_BATCH = "example.test/unasked"
_GRACE_S, _WITHIN_S = 2.0, 20.0
_FINALIZER = "example.test/kept"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a pod, as it was when the scheduler could have looked: whether it has a node, and if it is gated."""

    id: str
    about: tuple[str, ...]
    pod: Json
    bound: bool = False
    gated: bool = False


def pods(seed: int, number: int) -> Iterator[tuple[tuple[str, ...], Json]]:
    """A handful of pods of a seed, each with what is the matter with it."""
    rng = Random(f"unasked/{seed}/{number}")
    for index in range(5):
        about = tuple(word for word in ("gated", "opened", "finished", "going", "other") if rng.random() < 0.25)
        container: Json = {"name": "c", "image": "example.test/work:1"}
        container["resources"] = {"requests": {_ROOM: "1"}, "limits": {_ROOM: "1"}}
        spec: Json = {"automountServiceAccountToken": False, "containers": [container]}
        meta: Json = {"name": f"{number}-{index}", "labels": {}}
        if {"gated", "opened"} & set(about):
            spec["schedulingGates"] = [{"name": "example.test/quota"}]
        if "other" in about:
            spec["schedulerName"] = "another"
        if "going" in about:
            meta["finalizers"] = [_FINALIZER]
        yield about or ("nothing",), {"metadata": meta, "spec": spec}


def difference(fate: Fate) -> str:
    """How the engine differs, in the same words for the same kind."""
    pod = decode.pod(json.dumps(fate.pod).encode())
    if pod.gated != fate.gated:
        return f"the pod is {'gated' if fate.gated else 'not gated'}, the engine says otherwise"
    if expected(fate.pod) == fate.bound:
        return ""
    return f"{'bound' if fate.bound else 'not looked at'}, the engine says otherwise ({', '.join(fate.about)})"


class UnaskedJudge:
    """Asks on a plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._batches = count()

    def fates(self, asking: Sequence[tuple[tuple[str, ...], Json]]) -> list[Fate]:
        """What becomes of these."""
        api, batch = self._plane.api(len(asking)), f"u{next(self._batches)}"
        before = [_make(api, batch, about, body) for about, body in asking]
        ready = [{"type": "Ready", "status": "True"}]
        room = {"pods": "1000", _ROOM.replace("@", batch): "1000"}
        api.create(NODES, {"metadata": {"name": f"{batch}-n"}, "status": {"allocatable": room, "conditions": ready}})
        canary(api, batch)
        due = {_name(fate) for fate in before if expected(fate.pod)}
        with suppress(TimeoutError):  # then some are not, and that is a difference
            wait_until("those that we expect are bound", lambda: due <= _bound(api, batch), within_s=_WITHIN_S)
        time.sleep(_GRACE_S)  # whoever is looked at against what we expect, has been by now
        bound = _bound(api, batch)
        return [Fate(fate.id, fate.about, fate.pod, _name(fate) in bound, fate.gated) for fate in before]


def expected(pod: Json) -> bool:
    """Whether the engine says that the pod waits for a node."""
    read = decode.pod(json.dumps(pod).encode())
    return waits(read) and not left_to_others(read, DecideSettings())


def _make(api: Api, batch: str, about: tuple[str, ...], body: Json) -> Fate:
    """Create the pod, and do to it what it is about; there is no node for it yet."""
    body = json.loads(json.dumps(body).replace("@", batch))
    name = f"{batch}-{body['metadata']['name']}"
    meta = body["metadata"] | {"name": name, "labels": {_BATCH: batch}}
    path = f"{DEFAULT_PODS}/{name}"
    api.create(DEFAULT_PODS, body | {"metadata": meta})
    if "opened" in about:
        api.patch(path, {"spec": {"schedulingGates": []}})
    if "finished" in about:
        api.patch(f"{path}/status", {"status": {"phase": "Failed"}})
    if "going" in about:
        api.delete(path)
    made = api.get(path)
    return Fate(name, about, made, gated=condition(made).get("reason") == "SchedulingGated" and "opened" not in about)


def _name(fate: Fate) -> str:
    name: str = fate.pod["metadata"]["name"]
    return name


def _bound(api: Api, batch: str) -> set[str]:
    mine = api.items(DEFAULT_PODS, labelSelector=f"{_BATCH}={batch}")
    return {pod["metadata"]["name"] for pod in mine if pod["spec"].get("nodeName")}
