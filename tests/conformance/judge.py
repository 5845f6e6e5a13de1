"""What the real scheduler does with a pod when only one node could take it, for hundreds of cases at once.

Every case gets its own copy of the node and of what runs there, so no verdict changes another. Both copies carry one
label of the case, and the pod selects it: its own rules stay as they are. All nodes and running pods are there, and a
canary has shown that the scheduler knows them, before the first pod asks. So its first verdict is its last.
"""

import copy
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.cluster.controlplane import Api, ApiError, ControlPlane, Json

from .generate import Case
from .plane import DEFAULT_PODS, NODES, Plane, PlaneJudge, answers, canary, condition, run, try_to_create
from .words import RUNTIME_CLASSES

CASE, ASKS = "conformance.test/case", "conformance.test/asks"
_JUDGED_BY_ONE = 750
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


class Judge(PlaneJudge):
    """A context manager with a control plane whose only controller is the scheduler, so that nobody evicts."""

    def __init__(self, binaries: Path, *, workers: int = 6) -> None:
        super().__init__(Plane(binaries, most=_JUDGED_BY_ONE, prepare=_runtime_classes), "b", workers)

    def verdicts(self, cases: Sequence[Case]) -> list[Verdict]:
        """Judge these, in their order; a few hundred are a good number."""
        api, batch = self.batch(len(cases))
        placed = [place(case, f"{batch}-{i}") for i, case in enumerate(cases)]
        with ThreadPoolExecutor(self._workers) as pool:
            stages = list(pool.map(lambda each: _set_up(api, each), placed))
            canary(api, batch)
            asked = list(pool.map(lambda each, stage: _ask(api, batch, each, stage), placed, stages))
        waiting = [verdict.pod["metadata"]["uid"] for verdict in asked if verdict.pod]
        said = answers(api, waiting, f"{ASKS}={batch}")
        return [_with_verdict(verdict, case, said) for verdict, case in zip(asked, cases, strict=True)]


def _runtime_classes(plane: ControlPlane) -> None:
    for name, more in RUNTIME_CLASSES.items():
        meta = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}}
        plane.apply({**meta, "handler": name, **more})


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
        return "", api.create(NODES, node), tuple(run(api, each) for each in running)
    except ApiError as error:
        if error.status not in (400, 403, 422):
            raise
        return str(error), {}, ()


def _ask(
    api: Api, batch: str, placed: tuple[Json, tuple[Json, ...], Json], stage: tuple[str, Json, tuple[Json, ...]]
) -> Verdict:
    """Create the pod; its verdict comes later."""
    (_, _, written), (refused, node, running) = placed, stage
    case = Case("", *placed)
    written["metadata"]["labels"][ASKS] = batch
    if refused:
        return Verdict(case, refused=refused)
    pod, refused = try_to_create(api, DEFAULT_PODS, written)
    if pod is None:
        return Verdict(case, refused=refused)
    return Verdict(case, node=node, running=running, pod=pod, written=written)


def _with_verdict(asked: Verdict, case: Case, said: dict[str, Json]) -> Verdict:
    if asked.pod is None:
        return replace(asked, case=case)
    after = said[asked.pod["metadata"]["uid"]]
    why = condition(after)
    binds = bool(after["spec"].get("nodeName"))
    assert binds or why["reason"] == "Unschedulable", why
    return replace(asked, case=case, binds=binds, message="" if binds else why["message"])
