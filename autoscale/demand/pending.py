"""Which pods are ours to plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscale.model.workload import Pod


class Waiting(NamedTuple):
    """Pods that wait for a node; `unmodelled` are reported, never planned: a rule is not known, or no node would help."""

    plannable: tuple[Pod, ...]
    unmodelled: tuple[Pod, ...]


def waiting(pods: Iterable[Pod]) -> Waiting:
    """The pods that wait for a node, in the given order; claims are not looked at.

    Left out: bound, finished and gated pods, those on their way out, static pods and pods of DaemonSets.
    """
    plannable: list[Pod] = []
    unmodelled: list[Pod] = []
    for pod in pods:
        if waits(pod):
            (unmodelled if pod.shape.unmodelled or pod.shape.blocked else plannable).append(pod)
    return Waiting(tuple(plannable), tuple(unmodelled))


def waits(pod: Pod) -> bool:
    """Whether the pod waits for a node that could be bought for it."""
    return not (pod.node_name or pod.deleting or pod.finished or pod.gated or pod.mirror or pod.daemon)
