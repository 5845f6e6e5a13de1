"""What the real scheduler makes of scenes, and what the engine's world makes of the same objects."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoscale.demand.sites import Site
from autoscale.demand.volumes import with_volumes
from autoscale.demand.world import World
from autoscale.model.snapshot import ClusterView
from autoscale.model.workload import Code
from autoscale.observe import decode
from autoscale.observe.storage import Collected
from tests.cluster.controlplane import Api, ApiError, Json

from .plane import NODES, Plane, PlaneJudge, answers, canary, condition, path_of, run, try_to_create
from .provisioner import provision
from .scenes import NAMESPACES, Scene

ASKS_LABEL = "example.test/asks"
_JUDGED_BY_ONE = 1500  # pods; a control plane that has grown slow is left for a fresh one

# What the scheduler says when one of its filters keeps a pod off a node, in the order in which it asks them.
_SAYS = (
    (Code.TAINT, "untolerated taint"),
    (Code.NODE_SELECTOR, "didn't match Pod's node affinity/selector"),
    (Code.NODE_AFFINITY, "didn't match Pod's node affinity/selector"),
    (Code.HOST_PORT, "didn't have free ports"),
    (Code.INSUFFICIENT, "Insufficient"),
    (Code.INSUFFICIENT, "Too many pods"),
    (Code.SPREAD, "topology spread constraints"),
    (Code.POD_AFFINITY, "didn't match pod affinity rules"),
    (Code.POD_ANTI_AFFINITY, "anti-affinity rules"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the scheduler did with one pod of a scene, and the objects as they were when it asked."""

    scene: Scene
    ask: int
    nodes: tuple[Json, ...] = ()
    there: tuple[Json, ...] = ()
    pod: Json | None = None
    namespaces: tuple[Json, ...] = ()
    node: str = ""
    message: str = ""
    refused: str = ""
    storage: tuple[Json, ...] = ()


def difference(answer: Answer) -> str:
    """How the engine differs, in the same words for the same kind; empty when it agrees."""
    if answer.refused or answer.pod is None:
        return ""
    opinions = _opinions(answer)
    target = answer.nodes[answer.scene.asks[answer.ask].target]["metadata"]["name"]
    if elsewhere := [name for name, codes in opinions.items() if name != target and not codes]:
        return f"the engine says it fits elsewhere: {len(elsewhere)}"
    ours = opinions[target]
    if answer.node and ours:
        return f"binds, the engine says {', '.join(sorted({code.value for code in ours}))}"
    if not answer.node and not ours:
        return f"does not bind ({answer.message.partition('available: ')[2]}), the engine says it fits"
    if ours:
        if Code.VOLUME in ours or answer.scene.storage:
            return ""  # claims are worked into what other filters judge
        first = next(code for code, _ in _SAYS if code in ours)
        if not any(text in answer.message for code, text in _SAYS if code is first):
            return f"the engine says {first.value} first, the scheduler does not"
    return ""


def _opinions(answer: Answer) -> dict[str, tuple[Code, ...]]:
    """For each node, the codes of why the pod may not go there."""
    labels = [decode.namespace(json.dumps(each).encode()) for each in answer.namespaces]
    world = World({each.name: each.labels for each in labels})
    sites = {}
    pod = decode.pod(json.dumps(answer.pod).encode())
    pods = [decode.pod(json.dumps(each).encode()) for each in answer.there]
    stored = Collected()
    for each in answer.storage:
        stored.read(each["kind"], json.dumps(each).encode())
    nodes = tuple(decode.node(json.dumps(each).encode()) for each in answer.nodes)
    view = with_volumes(ClusterView(nodes, (*pods, pod), storage=stored.view()))
    *pods, pod = view.pods
    for node in view.nodes:
        sites[node.name] = Site(node.name, node.labels, node.taints, node.allocatable)
        world.open(sites[node.name])
    for other in pods:
        if not other.finished:
            world.put(world.kind_of(other), sites[other.node_name])
    if not pod.shape.plannable:
        return dict.fromkeys(sites, (Code.UNMODELLED if pod.shape.unmodelled else Code.VOLUME,))
    kind = world.kind_of(pod)
    out = {name: tuple(reason.code for reason in world.why_not(kind, site)) for name, site in sites.items()}
    assert all(world.takes(kind, site) == (not out[name]) for name, site in sites.items())
    return out


def rules(scene: Scene, pod: Json) -> Iterator[str]:
    """The rules of a pod that asks, as it is written."""
    spec = pod["spec"]
    kinds = {"storage capacity" for each in scene.storage if each.get("spec", {}).get("storageCapacity")}
    kinds |= {"allowed topologies" for each in scene.storage if "allowedTopologies" in each}
    affinity = spec.get("affinity") or {}
    for name, word in (("podAffinity", "pod affinity"), ("podAntiAffinity", "pod anti-affinity")):
        for term in (affinity.get(name) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ():
            yield word
            for key in ("namespaces", "namespaceSelector", "matchLabelKeys", "mismatchLabelKeys"):
                if key in term:
                    yield f"{word}: {key}"
    for spread in spec.get("topologySpreadConstraints") or ():
        yield f"topology spread, {spread['whenUnsatisfiable']}"
        for key in ("minDomains", "matchLabelKeys", "nodeAffinityPolicy", "nodeTaintsPolicy"):
            if key in spread:
                yield f"topology spread: {key} {spread[key] if key.startswith('node') else ''}".rstrip()
    for volume in spec.get("volumes") or ():
        waits = volume["name"] == "later"
        yield "claim that waits for its pod" if waits else "claim on a volume"
        yield from (f"claim that waits for its pod: {kind}" for kind in kinds if waits)
    if any(c.get("ports") for c in (*spec["containers"], *(spec.get("initContainers") or ()))):
        yield "host port"


class SceneJudge(PlaneJudge):
    """A context manager with a control plane whose only controller is the scheduler."""

    def __init__(self, binaries: Path, *, workers: int = 6) -> None:
        super().__init__(Plane(binaries, most=_JUDGED_BY_ONE), "s", workers)

    def answers(self, scenes: Sequence[Scene]) -> list[Answer]:
        """Judge these, scene by scene and ask by ask."""
        api, batch = self.batch(sum(len(scene.asks) for scene in scenes))
        stages = [_Stage(api, scene, f"{batch}-{i}") for i, scene in enumerate(scenes)]
        out: list[Answer] = []
        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(_Stage.set_up, stages))
            canary(api, batch)
            for number in range(max(len(scene.asks) for scene in scenes)):
                asking = [stage for stage in stages if number < len(stage.scene.asks)]
                list(pool.map(partial(_Stage.ask, number=number, batch=f"{batch}-{number}"), asking))
                waiting = [stage.asked for stage in asking if stage.asked]
                label = f"{ASKS_LABEL}={batch}-{number}"
                later = any(each["kind"] == "StorageClass" for stage in asking for each in stage.scene.storage)
                said = answers(api, waiting, label, also=partial(provision, api) if later else lambda: None)
                out += pool.map(partial(_Stage.answer, number=number, said=said), asking)
        return out


class _Stage:
    """One scene on the API server."""

    def __init__(self, api: Api, scene: Scene, prefix: str) -> None:
        self.scene = scene
        self.asked = ""
        self._api, self._prefix = api, prefix
        self._nodes: tuple[Json, ...] = ()
        self._there: list[Json] = []
        self._namespaces: list[Json] = []
        self._storage: list[Json] = []
        self._pod: Json | None = None
        self._refused = ""

    def set_up(self) -> None:
        """Create namespaces, nodes and running pods."""
        for name, labels in NAMESPACES.items():
            body = self._made({"metadata": {"name": name, "labels": labels}})
            self._namespaces.append(self._api.create("/api/v1/namespaces", body))
        self._nodes = tuple(self._api.create(NODES, self._made(node)) for node in self.scene.nodes)
        for each in self.scene.storage:
            body = self._made(each)
            made = self._api.create(self._api.path_of(body).rpartition("/")[0], body)
            self._storage.append(made | {"kind": each["kind"]})
        for manifest in self.scene.running:
            try:
                self._there.append(run(self._api, self._made(manifest)))
            except ApiError as error:  # refused by validation: a running pod less
                if error.status not in (400, 403, 422):
                    raise

    def ask(self, number: int, batch: str) -> None:
        """Create the pod that asks now."""
        body = self._made(self.scene.asks[number].pod)
        body["metadata"]["labels"][ASKS_LABEL] = batch
        self._pod, self._refused = try_to_create(self._api, path_of(body), body)
        self.asked = self._pod["metadata"]["uid"] if self._pod else ""

    def answer(self, number: int, said: dict[str, Json]) -> Answer:
        """The answer; a pod that was bound stays, one that was not goes away."""
        if self._pod is None:
            return Answer(self.scene, number, refused=self._refused)
        after = said[self.asked]
        there = tuple(self._there)
        node = after["spec"].get("nodeName", "")
        if node:
            self._there.append(after)
        else:
            self._api.delete(f"{path_of(after)}/{after['metadata']['name']}")
        message = "" if node else str(condition(after)["message"])
        return Answer(
            self.scene, number, self._nodes, there, self._pod, tuple(self._namespaces), node, message,
            storage=tuple(self._storage),
        )  # fmt: skip

    def _made(self, manifest: Json) -> Json:
        made: Json = json.loads(json.dumps(manifest).replace("@", self._prefix))
        return made
