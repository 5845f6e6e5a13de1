"""Pods that the scheduler can't tell apart, as classes."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from autoscale.model.workload import DemandClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.model.workload import Pod, PodShape

# Labels that controllers write to tell pods of one template, or revisions of it, apart. Few rules read them.
PER_POD_LABELS = frozenset(
    {
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/job-completion-index",
        "controller-uid",
        "batch.kubernetes.io/controller-uid",
        "controller-revision-hash",
        "pod-template-hash",
        "pod-template-generation",
    }
)
_ORDINAL = re.compile(r"-\d+$")

_Kind = tuple[str, "PodShape", frozenset[tuple[str, str]]]


def classes(pods: Iterable[Pod], read: frozenset[str] = frozenset()) -> tuple[DemandClass, ...]:
    """The classes of the pods, sorted by key. The order of the pods makes no difference.

    Equal are pods of equal namespace, shape and labels, but for the labels that tell pods of one template apart, unless
    they are `read` by some rule. A key is `namespace/owner`, with a hash of what makes the class where that alone would
    name two.
    """
    skipped = PER_POD_LABELS - read
    members: dict[_Kind, list[Pod]] = {}
    near: dict[tuple[str, int, int], list[Pod]] = {}  # by identity first: decoded pods share shapes and labels
    for pod in pods:
        quick = (pod.namespace, id(pod.shape), id(pod.labels))
        found = near.get(quick)
        if found is None:
            kind = (pod.namespace, pod.shape, frozenset(class_labels(pod.labels, skipped).items()))
            found = near[quick] = members.setdefault(kind, [])
        found.append(pod)
    for group in members.values():
        group.sort(key=_age)
    keys = _keys({kind: group[0] for kind, group in members.items()})
    found_classes = [
        DemandClass(keys[kind], kind[0], class_labels(group[0].labels, skipped), kind[1], tuple(group))
        for kind, group in members.items()
    ]
    return tuple(sorted(found_classes, key=lambda c: c.key))


def class_labels(labels: Mapping[str, str], skipped: frozenset[str] = PER_POD_LABELS) -> dict[str, str]:
    """The labels that all pods of a class share."""
    return {key: value for key, value in labels.items() if key not in skipped}


def _age(pod: Pod) -> tuple[int, str, str, str]:
    return pod.created_at_s, pod.namespace, pod.name, pod.uid


def _keys(eldest: Mapping[_Kind, Pod]) -> dict[_Kind, str]:
    names = {kind: f"{pod.namespace}/{_owner_name(pod)}" for kind, pod in eldest.items()}
    taken: dict[str, int] = {}
    for name in names.values():
        taken[name] = taken.get(name, 0) + 1
    return {kind: name if taken[name] == 1 else f"{name}~{_digest(kind)}" for kind, name in names.items()}


def _owner_name(pod: Pod) -> str:
    """What a person calls the workload: a ReplicaSet's name without its hash, a bare pod's without its ordinal."""
    kind, _, name = pod.owner.partition("/")
    if not name:
        return _ORDINAL.sub("", pod.name)
    suffix = pod.labels.get("pod-template-hash", "")
    if kind == "ReplicaSet" and suffix:
        return name.removesuffix(f"-{suffix}")
    return name


def _digest(kind: _Kind) -> str:
    namespace, shape, labels = kind
    text = repr((namespace, shape, sorted(labels)))
    return hashlib.sha256(text.encode()).hexdigest()[:8]
