"""Pods that preemption nominated to a node: who may take room beside them, and who may have theirs.

On small clusters from a seed one pod after the other asks. Whoever is nominated stays, and so do its victims, on their way
out: there is no kubelet. What the engine makes of it is what plans are made from: `survey`.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random

from autoscale.decide.berths import free
from autoscale.decide.fleet import survey
from autoscale.demand.fit import admits
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import ClusterView, Ledger, Snapshot
from autoscale.observe import decode
from tests.cluster.controlplane import Api, Json, wait_until

from .plane import DEFAULT_PODS, NODES, Plane, answers, canary, path_of

SCENE, ASKS_LABEL = "example.test/nominees", "example.test/asks"
ASKS = 5
_PLACE = "@.example.test/place"
_TOLD_S = 5.0


@dataclass(frozen=True, slots=True)
class Nominees:
    """Nodes, the pods on them, and pods that ask. Manifests, `@` for the scene."""

    id: str
    nodes: tuple[Json, ...]
    running: tuple[Json, ...]
    asks: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the scheduler did with one pod, and the objects as they were when it asked."""

    id: str
    nodes: tuple[Json, ...]
    there: tuple[Json, ...]
    pod: Json
    bound: str = ""
    nominated: str = ""

    @property
    def beside(self) -> int:
        """How many pods were nominated when it asked."""
        return sum("nominatedNodeName" in pod["status"] and not pod["spec"].get("nodeName") for pod in self.there)


def nominees(seed: int, number: int) -> Nominees:
    """One of the seed's scenes."""
    rng = Random(f"nominees/{seed}/{number}")
    nodes: list[Json] = []
    running: list[Json] = []
    for index in range(rng.randint(1, 3)):
        room = rng.choice((3, 4, 6))
        nodes.append(_node(index, room))
        left = room - rng.choice((0, 1, 1, 2))
        while left > 0:
            asked = min(left, rng.choice((1, 2)))
            left -= asked
            name = f"on-{index}-{len(running)}"
            pod = _pod(name, rng.choice(("low", "low", "low", "mid")), asked)
            pod["spec"]["nodeName"] = f"@-n{index}"
            started = f"2026-01-01T00:00:{len(running):02}Z"  # each its own: ties go by lot
            pod["status"] = {"phase": "Running", "startTime": started}
            running.append(pod)
    ranks = ["mid", *(rng.choice(("low", "mid", "mid", "high")) for _ in range(ASKS - 1))]
    asks = [_pod(f"ask-{i}", rank, rng.choice((1, 2, 3) if i == 0 else (1, 1, 2))) for i, rank in enumerate(ranks)]
    return Nominees(f"{seed}-{number}", tuple(nodes), tuple(running), tuple(asks))


def opinion(answer: Answer) -> str:
    """The engine's: `fits`, `preempts` or `stays`."""
    nodes = tuple(decode.node(json.dumps(each).encode()) for each in answer.nodes)
    pods = tuple(decode.pod(json.dumps(each).encode()) for each in (*answer.there, answer.pod))
    asking = pods[-1]
    fleet = survey(Snapshot(asking.created_at_s, ClusterView(nodes, pods), (), Ledger()), DecideSettings())
    eviction = fleet.evictions.get(asking.uid)
    if eviction is not None:
        return "preempts" if any(pod.node_name for pod in eviction.victims) else "fits"
    shape = asking.shape
    roomy = (n for n in fleet.nodes if admits(shape, n.labels, n.taints) and shape.requests.fits(free(fleet, n)))
    return "fits" if next(roomy, None) is not None else "stays"


def difference(answer: Answer) -> str:
    """How the engine differs, in the same words for the same kind."""
    theirs = "fits" if answer.bound else "preempts" if answer.nominated else "stays"
    ours = opinion(answer)
    return "" if ours == theirs else f"beside nominated pods it {theirs}, the engine says it {ours}"


class NomineeJudge:
    """Asks on a plane that was filled by `rivals.priorities`."""

    def __init__(self, plane: Plane, *, workers: int = 6) -> None:
        self._plane, self._workers = plane, workers
        self._batches = count()

    def answers(self, scenes: Sequence[Nominees]) -> Iterator[Answer]:
        """Judge these, scene by scene and ask by ask."""
        api, batch = self._plane.api(ASKS * len(scenes)), f"n{next(self._batches)}"
        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(lambda i, scene: _set_up(api, scene, f"{batch}-{i}"), count(), scenes))
            canary(api, batch)
            for number in range(ASKS):
                label = f"{batch}-{number}"
                ask = partial(_ask, api, number=number, label=label)
                before = list(pool.map(ask, scenes, [f"{batch}-{i}" for i in range(len(scenes))]))
                said = answers(api, [each.pod["metadata"]["uid"] for each in before], f"{ASKS_LABEL}={label}")
                yield from pool.map(partial(_answered, api, said), before)


def _set_up(api: Api, scene: Nominees, prefix: str) -> None:
    for each in scene.nodes:
        api.create(NODES, _made(each, prefix))
    for each in scene.running:
        made = _made(each, prefix)
        api.create(DEFAULT_PODS, made)
        api.patch(f"{DEFAULT_PODS}/{made['metadata']['name']}/status", {"status": made["status"]})


def _ask(api: Api, scene: Nominees, prefix: str, *, number: int, label: str) -> Answer:
    """Note what is there, then create the pod."""
    mine = {"labelSelector": f"{SCENE}={prefix}"}
    nodes, there = tuple(api.items(NODES, **mine)), tuple(api.items(DEFAULT_PODS, **mine))
    made = _made(scene.asks[number], prefix)
    made["metadata"]["labels"][ASKS_LABEL] = label
    return Answer(f"{scene.id}-{number}", nodes, there, api.create(DEFAULT_PODS, made))


def _answered(api: Api, said: dict[str, Json], before: Answer) -> Answer:
    """The answer. Who is nominated stays, once those in its place have been told; who stays pending goes."""
    after = said[before.pod["metadata"]["uid"]]
    bound, nominated = after["spec"].get("nodeName", ""), after["status"].get("nominatedNodeName", "")
    if nominated:
        scene = before.pod["metadata"]["labels"][SCENE]
        ended = _ending(before.there)
        mine = {"labelSelector": f"{SCENE}={scene}"}
        with suppress(TimeoutError):  # then all whom it replaces were on their way out already
            wait_until(
                "the victims are told", lambda: _ending(api.items(DEFAULT_PODS, **mine)) - ended, within_s=_TOLD_S
            )
    elif not bound:
        api.delete(f"{path_of(after)}/{after['metadata']['name']}")
    return Answer(before.id, before.nodes, before.there, before.pod, bound, nominated)


def _ending(pods: Sequence[Json]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]}


def _made(manifest: Json, prefix: str) -> Json:
    made: Json = json.loads(json.dumps(manifest).replace("@", prefix))
    return made


def _node(index: int, room: int) -> Json:
    meta = {"name": f"@-n{index}", "labels": {SCENE: "@"}}
    ready = [{"type": "Ready", "status": "True"}]
    return {"metadata": meta, "status": {"allocatable": {_PLACE: str(room), "pods": "110"}, "conditions": ready}}


def _pod(name: str, rank: str, asked: int) -> Json:
    amount = {_PLACE: str(asked)}
    container = {"name": "c", "image": "example.test/work:1", "resources": {"requests": amount, "limits": amount}}
    spec = {
        "containers": [container],
        "priorityClassName": rank,
        "terminationGracePeriodSeconds": 600,
        "automountServiceAccountToken": False,
    }
    return {"metadata": {"name": f"@-{name}", "labels": {SCENE: "@"}}, "spec": spec}
