"""A case as a file: the objects as the API server returned them, and what the scheduler made of them."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.controlplane import Json

from . import among
from .among import Answer
from .compare import difference
from .generate import Case
from .judge import Verdict
from .scenes import Ask, Scene

FOUND = Path(__file__).parent / "found"


def write(verdict: Verdict, *, version: str, folder: Path = FOUND) -> Path:
    """Keep a case; the file's name says how the two differed when it was found."""
    assert verdict.node
    assert verdict.pod
    assert verdict.written
    found = difference(verdict) or "agrees"
    path = _free_path(found, folder)
    content = {
        "found": found,
        "case": verdict.case.id,
        "kubernetes": version,
        "scheduler": {"binds": verdict.binds, "message": verdict.message},
        "node": _slim(verdict.node),
        "running": [_slim(pod) for pod in verdict.running],
        "pod": _slim(verdict.pod),
        "written": verdict.written,
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True))
    return path


def read(path: Path) -> Verdict:
    """A kept case with the scheduler's verdict."""
    said: dict[str, Any] = yaml.safe_load(path.read_text())
    running = tuple(said["running"])
    case = Case(said["case"], said["node"], running, said["written"])
    told = said["scheduler"]
    return Verdict(
        case,
        told["binds"],
        told["message"],
        node=said["node"],
        running=running,
        pod=said["pod"],
        written=said["written"],
    )


def write_scene(answer: Answer, *, version: str, folder: Path = FOUND) -> Path:
    """Keep a pod among others."""
    assert answer.pod
    found = among.difference(answer) or "agrees"
    target = answer.scene.asks[answer.ask].target
    content = {
        "found": found,
        "case": answer.scene.id,
        "kubernetes": version,
        "scheduler": {"binds": bool(answer.node), "message": answer.message},
        "target": target,
        "namespaces": [_slim(each) for each in answer.namespaces],
        "nodes": [_slim(each) for each in answer.nodes],
        "there": [_slim(each) for each in answer.there],
        "pod": _slim(answer.pod),
        "storage": list(answer.storage),
    }
    path = _free_path(found, folder)
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True))
    return path


def read_scene(path: Path) -> Answer | None:
    """A kept pod among others with the scheduler's verdict; None for a file of the other kind."""
    said: dict[str, Any] = yaml.safe_load(path.read_text())
    if "target" not in said:
        return None
    nodes, pod, told = tuple(said["nodes"]), said["pod"], said["scheduler"]
    scene = Scene(said["case"], nodes, (), (Ask(pod, said["target"]),))
    node = nodes[said["target"]]["metadata"]["name"] if told["binds"] else ""
    stored = tuple(said.get("storage", ()))
    there, namespaces = tuple(said["there"]), tuple(said["namespaces"])
    return Answer(scene, 0, nodes, there, pod, namespaces, node, told["message"], storage=stored)


def _free_path(found: str, folder: Path) -> Path:
    name = re.sub(r"[^a-z0-9]+", "_", found.lower()).strip("_")[:60]
    path, number = folder / f"{name}.yaml", 1
    while path.exists():
        number += 1
        path = folder / f"{name}_{number}.yaml"
    return path


_DEFAULTS = frozenset(
    {
        "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "dnsPolicy", "securityContext",
        "enableServiceLinks", "preemptionPolicy", "terminationGracePeriodSeconds", "automountServiceAccountToken",
    }
)  # fmt: skip


_STATUS = frozenset(
    {
        "allocatable", "capacity", "phase", "conditions", "containerStatuses", "initContainerStatuses", "resources",
        "allocatedResources",
    }
)  # fmt: skip


def _slim(document: Json) -> Json:
    """Without what nobody decides by."""
    spec = {k: v for k, v in document.get("spec", {}).items() if k not in _DEFAULTS}
    for kind in ("containers", "initContainers"):
        if kind in spec:
            spec[kind] = [{k: v for k, v in each.items() if k not in _DEFAULTS} for each in spec[kind]]
    metadata = {
        k: v for k, v in document["metadata"].items() if k in ("name", "namespace", "labels", "deletionTimestamp")
    }
    status = document.get("status", {}).items()
    kept = {k: v for k, v in status if k in _STATUS}
    return {**document, "metadata": metadata, "spec": spec, "status": kept}
