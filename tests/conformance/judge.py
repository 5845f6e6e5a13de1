"""What the real scheduler does with a pod when only one node could take it, for hundreds of cases at once.

Every case gets its own copy of the node and of what runs there, so no verdict changes another. Both copies carry one
label of the case, and the pod selects it: its own rules stay as they are. All nodes and running pods are there, and a
canary has shown that the scheduler knows them, before the first pod asks. So its first verdict is its last. Nothing is
deleted, which would cost as much as all the rest: a control plane that has grown slow is left for a fresh one.
"""

import copy
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster.controlplane import Api, ApiError, ControlPlane, Json, wait_until

from .generate import Case
from .words import DELETING, RUNTIME_CLASSES

CASE, ASKS = "conformance.test/case", "conformance.test/asks"
_JUDGED_BY_ONE = 1_250
_PODS, _NODES = "/api/v1/namespaces/default/pods", "/api/v1/nodes"
_LACKING = re.compile(r"\d+ (?:Insufficient (\S+?)|Too many (pods))\.?")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the scheduler said, with the objects as the API server returned them.

    `refused` is the API server's reason when it did not take the objects: then there is no verdict.
    """

    case: Case
    binds: bool = False
    message: str = ""
    refused: str = ""
    node: Json | None = None
    running: tuple[Json, ...] = ()
    pod: Json | None = None
    written: Json | None = None

    @property
    def lacking(self) -> frozenset[str]:
        """The resources that the scheduler found lacking; only a node that is admitted comes so far."""
        told = self.message.partition("available: ")[2].partition(". ")[0]
        found = (_LACKING.fullmatch(part.strip()) for part in told.split(","))
        return frozenset(match[1] or match[2] for match in found if match)


class Judge:
    """A context manager with a control plane whose only controller is the scheduler, so that nobody evicts."""

    def __init__(self, binaries: Path, *, workers: int = 6) -> None:
        self._binaries, self._workers = binaries, workers
        self._plane: ControlPlane | None = None
        self._batches = count()
        self._judged = 0

    def __enter__(self) -> Self:
        self._fresh()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._plane is not None:
            self._plane.__exit__(kind, error, at)
            self._plane = None

    def verdicts(self, cases: Sequence[Case]) -> list[Verdict]:
        """Judge these, in their order; a few hundred are a good number."""
        if self._judged and self._judged + len(cases) > _JUDGED_BY_ONE:
            self._fresh()
        self._judged += len(cases)
        assert self._plane is not None
        api, batch = self._plane.api(), f"b{next(self._batches)}"
        placed = [place(case, f"{batch}-{i}") for i, case in enumerate(cases)]
        with ThreadPoolExecutor(self._workers) as pool:
            stages = list(pool.map(lambda each: _set_up(api, each), placed))
            self._canary(api, f"{batch}-canary")
            asked = list(pool.map(lambda each, stage: _ask(api, batch, each, stage), placed, stages))
        waiting = {verdict.pod["metadata"]["name"] for verdict in asked if verdict.pod}
        said: dict[str, Json] = {}
        wait_until("every pod has a verdict", lambda: _collect(api, batch, waiting, said), within_s=240, every_s=0.3)
        return [_with_verdict(verdict, case, said) for verdict, case in zip(asked, cases, strict=True)]

    @property
    def version(self) -> str:
        """Kubernetes' version."""
        assert self._plane is not None
        return str(self._plane.api().get("/version")["gitVersion"])

    def _fresh(self) -> None:
        self.__exit__(None, None, None)
        self._judged = 0
        self._plane = ControlPlane(self._binaries, controller_manager=False)
        self._plane.__enter__()
        for name, more in RUNTIME_CLASSES.items():
            meta = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}}
            self._plane.apply({**meta, "handler": name, **more})

    def _canary(self, api: Api, name: str) -> None:
        """A node and a pod for it, made after all others: when it is bound, the scheduler has seen all others."""
        node: Json = {"metadata": {"name": name}, "status": {"allocatable": {"pods": "1"}}}
        spec = {"containers": [{"name": "c", "image": "example.test/work:1"}]}
        canary = Case(name, node, (), {"metadata": {"name": "canary"}, "spec": spec})
        node, _, pod = place(canary, name)
        api.create(_NODES, node)
        api.create(_PODS, pod)
        wait_until("the canary is bound", lambda: api.get(f"{_PODS}/{name}-canary")["spec"].get("nodeName"))


def place(case: Case, prefix: str) -> tuple[Json, tuple[Json, ...], Json]:
    """Copies of the case's objects that only know each other: (node, running pods, pod)."""
    node, running, pod = copy.deepcopy((case.node, list(case.running), case.pod))
    for each in (node, *running, pod):
        meta = each["metadata"]
        meta["name"] = f"{prefix}-{meta['name']}"
        meta["labels"] = dict(meta.get("labels") or {}) | {CASE: prefix}
    for each in running:
        each["spec"]["nodeName"] = node["metadata"]["name"]
    spec = pod["spec"]
    spec["nodeSelector"] = dict(spec.get("nodeSelector") or {}) | {CASE: prefix}
    for field in name_fields(spec):
        field["values"] = [f"{prefix}-{value}" for value in field["values"]]
    return node, tuple(running), pod


def name_fields(spec: Json) -> Iterable[Json]:
    """The requirements on the node's name."""
    required = (
        (spec.get("affinity") or {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", {})
    )
    for term in required.get("nodeSelectorTerms", ()):
        yield from (field for field in term.get("matchFields", ()) if field.get("values"))


def _set_up(api: Api, placed: tuple[Json, tuple[Json, ...], Json]) -> tuple[str, Json, tuple[Json, ...]]:
    """Create the node and what runs there: (why not, node, running pods)."""
    node, running, _ = placed
    try:
        return "", api.create(_NODES, node), tuple(_run(api, each) for each in running)
    except ApiError as error:
        if error.status not in (400, 403, 422):
            raise
        return str(error), {}, ()


def _run(api: Api, manifest: Json) -> Json:
    """Create a pod that is on a node, finished or on its way out if the case says so."""
    path = f"{_PODS}/{manifest['metadata']['name']}"
    made = api.create(_PODS, manifest)
    status = manifest.get("status") or {}
    phase = status.get("phase", "Pending")
    if phase != "Pending":
        made = api.patch(f"{path}/status", {"status": status})
    if phase == "Pending" and DELETING in manifest["metadata"].get("annotations", {}):
        api.delete(path)
        made = api.get(path)
    return made


def _ask(
    api: Api, batch: str, placed: tuple[Json, tuple[Json, ...], Json], stage: tuple[str, Json, tuple[Json, ...]]
) -> Verdict:
    """Create the pod; its verdict comes later."""
    (_, _, written), (refused, node, running) = placed, stage
    case = Case("", *placed)
    written["metadata"]["labels"][ASKS] = batch
    if refused:
        return Verdict(case, refused=refused)
    try:
        pod = api.create(_PODS, written)
    except ApiError as error:
        if error.status not in (400, 403, 422):
            raise
        return Verdict(case, refused=str(error))
    return Verdict(case, node=node, running=running, pod=pod, written=written)


def _collect(api: Api, batch: str, waiting: set[str], said: dict[str, Json]) -> bool:
    """Note the pods that have a verdict by now; say whether all have."""
    if waiting:
        for pod in api.items(_PODS, labelSelector=f"{ASKS}={batch}"):
            name = pod["metadata"]["name"]
            if name in waiting and (pod["spec"].get("nodeName") or _condition(pod).get("status") == "False"):
                said[name] = pod
                waiting.discard(name)
    return not waiting


def _condition(pod: Json) -> Json:
    conditions: list[Json] = pod["status"].get("conditions", [])
    return next((each for each in conditions if each["type"] == "PodScheduled"), {})


def _with_verdict(asked: Verdict, case: Case, said: dict[str, Json]) -> Verdict:
    if asked.pod is None:
        return replace(asked, case=case)
    after = said[asked.pod["metadata"]["name"]]
    condition = _condition(after)
    binds = bool(after["spec"].get("nodeName"))
    assert binds or condition["reason"] == "Unschedulable", condition
    return replace(asked, case=case, binds=binds, message="" if binds else condition["message"])
