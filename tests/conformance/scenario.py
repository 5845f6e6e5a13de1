"""A case as a file: the objects as the API server returned them, and what the scheduler made of them."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.controlplane import Json

from .compare import difference
from .generate import Case
from .judge import Verdict

FOUND = Path(__file__).parent / "found"


def write(verdict: Verdict, *, version: str, folder: Path = FOUND) -> Path:
    """Keep a case; the file's name says how the two differed when it was found."""
    assert verdict.node
    assert verdict.pod
    assert verdict.written
    found = difference(verdict) or "agrees"
    name = re.sub(r"[^a-z0-9]+", "_", found.lower()).strip("_")[:60]
    path, number = folder / f"{name}.yaml", 1
    while path.exists():
        number += 1
        path = folder / f"{name}_{number}.yaml"
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


_DEFAULTS = frozenset(
    {
        "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "dnsPolicy", "securityContext",
        "enableServiceLinks", "preemptionPolicy", "terminationGracePeriodSeconds", "automountServiceAccountToken",
    }
)  # fmt: skip


def _slim(document: Json) -> Json:
    """Without what nobody decides by."""
    spec = {k: v for k, v in document["spec"].items() if k not in _DEFAULTS}
    for kind in ("containers", "initContainers"):
        if kind in spec:
            spec[kind] = [{k: v for k, v in each.items() if k not in _DEFAULTS} for each in spec[kind]]
    metadata = {
        k: v for k, v in document["metadata"].items() if k in ("name", "namespace", "labels", "deletionTimestamp")
    }
    kept = {
        k: v for k, v in document.get("status", {}).items() if k in ("allocatable", "capacity", "phase", "conditions")
    }
    return {**document, "metadata": metadata, "spec": spec, "status": kept}
