"""Who preempts whom: the scheduler's choice of node and victims, and the engine's, on small clusters from a seed.

Three pods ask one after the other. Each that is not bound goes again once it is known whom it would have replaced; those
have been told to end by then and, as there is no kubelet, stay as pods on their way out.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import yaml

from autoscale.demand.preemption import Contest
from autoscale.demand.sites import Site
from autoscale.demand.world import World
from autoscale.observe import decode
from tests.cluster.controlplane import ControlPlane, Json, wait_until
from tests.cluster.controlplane.api import Api

from .among import ASKS_LABEL
from .plane import Plane, answers, canary

CLASSES = {"least": -50, "low": -5, "mid": 100, "high": 1000, "never": 1000}
PODS, NODES, BUDGETS = (
    "/api/v1/namespaces/default/pods",
    "/api/v1/nodes",
    "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
)
ASKS, SCENES = 3, 25
SCENE = "example.test/rivals"
_PLACE, _HOST, _BOOT = "@.example.test/place", "@.example.test/host", "example.test/boot"
_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Rivals:
    """Nodes, pods that run on them, budgets, and pods that ask. Manifests as a user writes them, `@` for the scene."""

    id: str
    nodes: tuple[Json, ...]
    running: tuple[Json, ...]
    budgets: tuple[Json, ...]
    asks: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the scheduler did with one pod, and the objects as they were when it asked."""

    id: str
    nodes: tuple[Json, ...]
    there: tuple[Json, ...]
    budgets: tuple[Json, ...]
    pod: Json
    bound: str = ""
    nominated: str = ""
    victims: tuple[str, ...] = ()


def rivals(seed: int, number: int) -> Rivals:
    """One of the seed's scenes."""
    rng = Random(f"rivals/{seed}/{number}")
    nodes = tuple(_node(rng, i) for i in range(rng.randint(1, 4)))
    running = tuple(pod for i, node in enumerate(nodes) for pod in _fill(rng, i, node))
    budgets = tuple(_budget(rng, app) for app in ("web", "db") if rng.random() < 0.4)
    asks = tuple(_pod(rng, f"ask-{i}", rng.choice(("mid", "mid", "high", "high", "never", "low"))) for i in range(ASKS))
    return Rivals(f"{seed}-{number}", nodes, running, budgets, asks)


def opinion(ruling: Ruling) -> tuple[bool, dict[str, tuple[str, ...]]]:
    """The engine's: whether the pod fits as things are, and else the best nodes for it with whom it would replace there."""
    world = World()
    sites: dict[str, Site] = {}
    there: dict[Site, list[Any]] = {}
    pods = [decode.pod(json.dumps(each).encode()) for each in ruling.there]
    for each in ruling.nodes:
        node = decode.node(json.dumps(each).encode())
        site = sites[node.name] = Site(node.name, node.labels, node.taints, node.allocatable)
        there[site] = [pod for pod in pods if pod.node_name == node.name]
        for pod in there[site]:
            site.change(world.kind_of(pod), 1)
        world.open(site)
    budgets = [decode.budget(json.dumps(each).encode()) for each in ruling.budgets]
    asking = decode.pod(json.dumps(ruling.pod).encode())
    contest = Contest(world, there, budgets, now_s=2**40)
    if contest.fits_somewhere(asking):
        return True, {}
    found = contest.best(asking) if asking.shape.preempts else None
    if found is None:
        return False, {}
    kind, rank = world.kind_of(asking), found[1][:5]
    costs = {site.name: contest.cost(kind, site) for site in there}
    ending = {pod.name for pod in pods if pod.deleting}
    return False, {
        name: tuple(sorted(pod.name for pod in cost.victims if pod.name not in ending))
        for name, cost in costs.items()
        if cost is not None and cost[:5] == rank
    }


def difference(ruling: Ruling) -> str:
    """How the engine differs, in the same words for the same kind; empty when it agrees."""
    fits, best = opinion(ruling)
    if ruling.bound:
        return "" if fits else "binds, the engine says it does not fit"
    if fits:
        return "does not bind, the engine says it fits"
    if bool(best) != bool(ruling.nominated):
        return f"{'preempts' if ruling.nominated else 'does not preempt'}, the engine says otherwise"
    if not best:
        return ""
    if ruling.nominated not in best:
        return "preempts on another node"
    return "" if tuple(sorted(ruling.victims)) == best[ruling.nominated] else "preempts others there"


def rules(ruling: Ruling) -> Iterator[str]:
    """What had a say."""
    if ruling.budgets:
        yield "budgets"
    if any("deletionTimestamp" in pod["metadata"] for pod in ruling.there):
        yield "victims on their way out"
    if ruling.pod["spec"].get("preemptionPolicy") == "Never":
        yield "never"
    if ruling.pod["spec"].get("affinity"):
        yield "pod affinity"
    if len(ruling.victims) > 1:
        yield "several victims"


def priorities(plane: ControlPlane) -> None:
    """Make the classes."""
    for name, value in CLASSES.items():
        meta = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        more = {"preemptionPolicy": "Never"} if name == "never" else {}
        plane.apply({**meta, "value": value, **more})


class RivalJudge:
    """Asks on a plane that was filled by `priorities`."""

    def __init__(self, plane: Plane, *, workers: int = 6) -> None:
        self._plane, self._workers = plane, workers
        self._batches = count()

    def rulings(self, scenes: Sequence[Rivals]) -> Iterator[Ruling]:
        """Judge these, scene by scene and ask by ask."""
        api, batch = self._plane.api(ASKS * len(scenes)), f"r{next(self._batches)}"
        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(lambda i, scene: _set_up(api, scene, f"{batch}-{i}"), count(), scenes))
            canary(api, batch)
            for number in range(ASKS):
                label = f"{batch}-{number}"
                befores = list(pool.map(lambda i, s: _ask(api, s, number, f"{batch}-{i}", label), count(), scenes))  # noqa: B023 - done at once
                waiting = [each.pod["metadata"]["uid"] for each in befores]
                said = answers(api, waiting, f"{ASKS_LABEL}={label}")
                yield from pool.map(partial(_ruled, api, said), befores)


def _set_up(api: Api, scene: Rivals, prefix: str) -> None:
    for budget in scene.budgets:
        made = _made(budget, prefix)
        path = f"{BUDGETS}/{made['metadata']['name']}"
        api.create(BUDGETS, made)
        api.patch(f"{path}/status", {"status": made["status"]})
    for node in scene.nodes:
        api.create(NODES, _made(node, prefix))
    for manifest in scene.running:
        made = _made(manifest, prefix)
        api.create(PODS, made)
        api.patch(f"{PODS}/{made['metadata']['name']}/status", {"status": made["status"]})


def _ask(api: Api, scene: Rivals, number: int, prefix: str, label: str) -> Ruling:
    """Note what is there, then create the pod."""
    mine = {"labelSelector": f"{SCENE}={prefix}"}
    nodes, there = tuple(api.items(NODES, **mine)), tuple(api.items(PODS, **mine))
    budgets = tuple(api.items(BUDGETS, **mine))
    made = _made(scene.asks[number], prefix)
    made["metadata"]["labels"][ASKS_LABEL] = label
    return Ruling(f"{scene.id}-{number}", nodes, there, budgets, api.create(PODS, made))


def _ruled(api: Api, said: dict[str, Json], before: Ruling) -> Ruling:
    """The answer, once whoever it costs their place has been told."""
    meta = before.pod["metadata"]
    after = said[meta["uid"]]
    bound, nominated = after["spec"].get("nodeName", ""), after["status"].get("nominatedNodeName", "")
    ended = {pod["metadata"]["name"] for pod in before.there if "deletionTimestamp" in pod["metadata"]}
    victims: set[str] = set()
    if nominated:
        expected = opinion(before)[1].get(nominated, ())

        def told() -> bool:
            mine = api.items(PODS, labelSelector=f"{SCENE}={meta['labels'][SCENE]}")
            victims.update(p["metadata"]["name"] for p in mine if "deletionTimestamp" in p["metadata"])
            return victims - ended >= set(expected) and bool(victims)

        with suppress(TimeoutError):  # then they are others than expected
            wait_until("the victims are told", told, within_s=_WITHIN_S, every_s=0.2)
    if not bound:
        api.delete(f"{PODS}/{meta['name']}")
    return Ruling(
        before.id, before.nodes, before.there, before.budgets, before.pod, bound, nominated,
        tuple(sorted(victims - ended)),
    )  # fmt: skip


def _made(manifest: Json, prefix: str) -> Json:
    made: Json = json.loads(json.dumps(manifest).replace("@", prefix))
    return made


def _node(rng: Random, index: int) -> Json:
    name = f"@-n{index}"
    spec: Json = {"taints": [{"key": _BOOT, "effect": "NoSchedule"}]} if rng.random() < 0.15 else {}
    room = {_PLACE: str(rng.choice((2, 4, 4, 8))), "pods": "110"}
    meta = {"name": name, "labels": {SCENE: "@", _HOST: name}}
    status = {"allocatable": room, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": meta, "spec": spec, "status": status}


def _fill(rng: Random, index: int, node: Json) -> Iterator[Json]:
    """Pods on a node until it is full, or nearly."""
    left = int(node["status"]["allocatable"][_PLACE]) - rng.choice((0, 0, 0, 1))
    number = 0
    while left > 0:
        asked = min(left, rng.choice((1, 1, 2, 2, 3)))
        left -= asked
        pod = _pod(rng, f"on-{index}-{number}", rng.choice(("", "least", "low", "low", "mid", "high")), asked)
        pod["spec"]["nodeName"] = node["metadata"]["name"]
        started = f"2026-01-01T00:{rng.randrange(60):02}:{10 * index + number:02}Z"  # each its own: ties go by lot
        pod["status"] = {"phase": "Running", "startTime": started}
        yield pod
        number += 1


def _pod(rng: Random, name: str, rank: str, asked: int = 0) -> Json:
    amount = str(asked or rng.choice((1, 1, 2, 3, 4, 5)))
    container = {
        "name": "c",
        "image": "example.test/work:1",
        "resources": {"requests": {_PLACE: amount}, "limits": {_PLACE: amount}},
    }
    spec: Json = {
        "containers": [container],
        "terminationGracePeriodSeconds": 600,
        "automountServiceAccountToken": False,
    }
    if rank:
        spec["priorityClassName"] = rank
    if rng.random() < 0.5:
        spec["tolerations"] = [{"key": _BOOT, "operator": "Exists"}]
    if rng.random() < 0.2:
        term = {"topologyKey": _HOST, "labelSelector": {"matchLabels": {SCENE: "@", "app": rng.choice(("web", "db"))}}}
        kind = "podAntiAffinity" if rng.random() < 0.8 else "podAffinity"
        spec["affinity"] = {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    labels = {SCENE: "@", "app": rng.choice(("web", "db", "job"))}
    return {"metadata": {"name": f"@-{name}", "labels": labels}, "spec": spec}


def _budget(rng: Random, app: str) -> Json:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {SCENE: "@", "app": app}}}
    status = {
        "disruptionsAllowed": rng.choice((0, 0, 1)), "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1,
        "observedGeneration": 1,
    }  # fmt: skip
    return {"metadata": {"name": f"@-{app}", "labels": {SCENE: "@"}}, "spec": spec, "status": status}


def write(ruling: Ruling, *, version: str, folder: Path) -> Path:
    """Keep one that differs."""
    found = difference(ruling) or "agrees"
    path = folder / f"rivals_{found.replace(',', '').replace(' ', '_')}_{ruling.id}.yaml"
    content = {name: getattr(ruling, name) for name in Ruling.__slots__}
    kept = json.loads(json.dumps({"found": found, "kubernetes": version, "rivals": content}))
    path.write_text(yaml.safe_dump(kept, sort_keys=False, width=120))
    return path


def read(path: Path) -> Ruling | None:
    """One that was kept; None for a file of another kind."""
    said = yaml.safe_load(path.read_text()).get("rivals")
    if said is None:
        return None
    fields: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in said.items()}
    return Ruling(**fields)
