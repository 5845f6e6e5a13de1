"""Where the engine and the scheduler differ, and which rules a case is about."""

from collections.abc import Iterator
from typing import Any

from tests.cluster.controlplane import Json

from .engine import misread, opinion
from .judge import CASE, Verdict
from .words import DELETING, MIRROR, UNSCHEDULABLE


def difference(verdict: Verdict) -> str:
    """How the two differ, in the same words for the same kind of difference; empty when they agree.

    Beyond yes and no: the same resources must lack, and the manifest as written must be read as the one returned.
    """
    if verdict.refused:
        return ""
    assert verdict.node
    assert verdict.pod
    assert verdict.written
    ours = opinion(verdict.node, verdict.running, verdict.pod)
    if verdict.binds and not ours.fits:
        return f"binds, the engine says {', '.join(ours.codes)}"
    if ours.fits and not verdict.binds:
        lacking = ", ".join(sorted(verdict.lacking))
        return f"does not bind ({f'lacks {lacking}' if lacking else 'labels or taints'}), the engine says it fits"
    if ours.lacking != verdict.lacking:
        differing = ", ".join(sorted(ours.lacking ^ verdict.lacking))
        return f"one side alone finds lacking: {differing}"
    if found := misread(verdict.written, verdict.pod):
        return f"read differently from the file: {', '.join(found)}"
    return ""


def rules(verdict: Verdict) -> set[str]:
    """The rules that have a say in a case, as its manifests are written."""
    return {*_of_pod(verdict.case.pod["spec"]), *_of_node(verdict.case.node), *_of_running(verdict.case.running)}


def _of_pod(spec: Json) -> Iterator[str]:
    containers, inits = spec["containers"], spec.get("initContainers") or ()
    if len(containers) > 1:
        yield "several containers"
    for init in inits:
        yield "sidecar init container" if init.get("restartPolicy") == "Always" else "init container"
    for container in (*containers, *inits):
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        if limits.keys() - requests.keys():
            yield "limit without request"
        for name, amount in {**requests, **limits}.items():
            if "/" in name:
                yield f"extended resource {name}"
            elif name.startswith("hugepages"):
                yield "huge pages"
            elif name == "ephemeral-storage":
                yield "ephemeral storage"
            if str(amount) in ("0", "0m"):
                yield "request of zero"
            elif not str(amount).removesuffix("m").removesuffix("Mi").removesuffix("Gi").isdigit():
                yield "odd quantity"
    if "runtimeClassName" in spec or "overhead" in spec:
        yield "overhead of a runtime class"
    if spec.get("resources"):
        yield "pod-level resources"
    if (spec.get("nodeSelector") or {}).keys() - {CASE}:
        yield "node selector"
    yield from _of_affinity((spec.get("affinity") or {}).get("nodeAffinity") or {})
    for toleration in spec.get("tolerations") or ():
        yield f"toleration {toleration.get('operator') or 'Equal'}"
        if not toleration.get("key"):
            yield "toleration of every key"
        if not toleration.get("effect"):
            yield "toleration of every effect"


def _of_affinity(affinity: Json) -> Iterator[str]:
    required: dict[str, Any] = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or ()
    if len(terms) > 1:
        yield "affinity: terms in OR"
    for term in terms:
        if not term:
            yield "affinity: empty term"
        for expression in term.get("matchExpressions") or ():
            yield f"affinity: {expression['operator']}"
        for field in term.get("matchFields") or ():
            yield f"affinity: metadata.name {field['operator']}"
    if "preferredDuringSchedulingIgnoredDuringExecution" in affinity:
        yield "affinity: preferred"


def _of_node(node: Json) -> Iterator[str]:
    for taint in node["spec"].get("taints") or ():
        if taint["key"] != UNSCHEDULABLE:
            yield f"taint {taint['effect']}"
    if node["spec"].get("unschedulable"):
        yield "unschedulable node"
    if "allocatable" not in node["status"]:
        yield "capacity without allocatable"
    room = node["status"].get("allocatable") or node["status"].get("capacity") or {}
    if room.get("pods") != "110":
        yield "few pods allowed"


def _of_running(running: tuple[Json, ...]) -> Iterator[str]:
    for pod in running:
        phase = (pod.get("status") or {}).get("phase", "Pending")
        if phase in ("Succeeded", "Failed"):
            yield "finished pod on the node"
        elif DELETING in pod["metadata"].get("annotations", {}):
            yield "pod on its way out"
        elif MIRROR in pod["metadata"].get("annotations", {}):
            yield "static pod"
        else:
            yield "running pod"
        if "containerStatuses" in (pod.get("status") or {}):
            yield "in-place resize"
