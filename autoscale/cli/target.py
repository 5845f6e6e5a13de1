"""What `explain pod` is asked about: a pod, or what makes pods, by as much of its name as a person gives."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from autoscale.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscale.model.admission import Admission, Workload
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod

_KINDS = {
    **dict.fromkeys(("pod", "pods", "po"), "Pod"),
    **dict.fromkeys(("deployment", "deployments", "deploy"), "Deployment"),
    **dict.fromkeys(("replicaset", "replicasets", "rs"), "ReplicaSet"),
    **dict.fromkeys(("statefulset", "statefulsets", "sts"), "StatefulSet"),
    **dict.fromkeys(("job", "jobs"), "Job"),
}
_FORM = "NAMESPACE/NAME or NAMESPACE/KIND/NAME"


class Target(NamedTuple):
    """`kind` is empty when none was given."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        """As it is typed."""
        return "/".join(filter(None, (self.namespace, self.kind.lower(), self.name)))


class Found(NamedTuple):
    """The workload that is meant, if one is, and pods: the one, or all of the workload or prefix."""

    workload: Workload | None
    pods: tuple[Pod, ...]


def parse(text: str) -> Target:
    """`web` in the default namespace, `ml/web`, `ml/deploy/web`. Raises BadInput."""
    parts = text.split("/")
    if not all(parts) or len(parts) > 3:
        raise BadInput("no name of a pod", where=text, expected=_FORM)
    if len(parts) == 3:
        kind = _KINDS.get(parts[1].lower())
        if kind is None:
            raise BadInput(f"unknown kind {parts[1]!r}", where=text, expected=_nearest(parts[1], _KINDS))
        return Target(parts[0], kind, parts[2])
    if len(parts) == 2 and parts[0].lower() in _KINDS:  # as kubectl takes it
        return Target("default", _KINDS[parts[0].lower()], parts[1])
    return Target(parts[0] if len(parts) == 2 else "default", "", parts[-1])


def find(target: Target, pods: Sequence[Pod], admission: Admission) -> Found:
    """Who is meant: a pod of that very name, else what makes pods, else pods whose names begin so. Raises BadInput."""
    here = [pod for pod in pods if pod.namespace == target.namespace]
    if target.kind in ("", "Pod"):
        exact = [pod for pod in here if pod.name == target.name]
        if exact:
            return Found(None, tuple(exact))
    workloads = [w for w in admission.workloads if w.namespace == target.namespace]
    named = [w for w in workloads if w.name == target.name and target.kind in ("", w.kind)]
    if named:
        workload = next((w for w in named if not w.owner), named[0])
        return Found(workload, tuple(_made_by(workload, here, workloads)))
    if target.kind in ("", "Pod"):
        begins = tuple(pod for pod in here if pod.name.startswith(target.name))
        if begins:
            return Found(None, begins)
    raise _unknown(target, pods, admission.workloads)


def find_node(name: str, nodes: Sequence[Node]) -> Node:
    """The node of that name. Raises BadInput with the nearest one."""
    known = {node.name: node for node in nodes}
    if name not in known:
        raise BadInput("there is no such node", where=name, expected=_nearest(name, known) if known else "")
    return known[name]


def _made_by(workload: Workload, pods: Iterable[Pod], workloads: Iterable[Workload]) -> Iterable[Pod]:
    """Pods of the workload; a Deployment's are its ReplicaSets', which manifests give the Deployment's own name."""
    owners = {f"{workload.kind}/{workload.name}"}
    if workload.kind == "Deployment":
        owners |= {f"{w.kind}/{w.name}" for w in workloads if w.owner == f"Deployment/{workload.name}"}
        owners.add(f"ReplicaSet/{workload.name}")
    return (pod for pod in pods if pod.owner in owners)


def _unknown(target: Target, pods: Sequence[Pod], workloads: Sequence[Workload]) -> BadInput:
    if target.kind in ("", "Pod"):
        what = "there is no pod, nor anything that makes pods, of that name that has not finished"
        known = [pod.ref for pod in pods] + [f"{w.namespace}/{w.name}" for w in workloads if not target.kind]
    else:
        what = f"there is no {target.kind} of that name"
        known = [f"{w.namespace}/{w.name}" for w in workloads if w.kind == target.kind]
    expected = _nearest(f"{target.namespace}/{target.name}", known) if known else ""
    return BadInput(what, where=str(target), expected=expected)


def _nearest(word: str, known: Iterable[str]) -> str:
    """The nearest known word, else the first few."""
    words = sorted(set(known))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return close[0]
    if len(words) == 1:
        return words[0]
    few = words[:5]
    return f"one of {', '.join(few)}{' ...' if len(words) > len(few) else ''}"
