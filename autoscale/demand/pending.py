"""Which pods are ours to plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscale.model.settings import DecideSettings
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
            (plannable if pod.shape.plannable else unmodelled).append(pod)
    return Waiting(tuple(plannable), tuple(unmodelled))


def waits(pod: Pod) -> bool:
    """Whether the pod waits for a node that could be bought for it."""
    return not (pod.node_name or pod.deleting or pod.finished or pod.gated or pod.mirror or pod.daemon)


def expendable(pod: Pod, settings: DecideSettings) -> bool:
    """Whether no node is bought, or kept, for the pod: it runs where there is room."""
    return pod.shape.priority < settings.expendable_below


def left_to_others(pod: Pod, settings: DecideSettings) -> str:
    """Why no node is bought for a pod that waits, as a sentence about it; empty when one is."""
    shape = pod.shape
    if shape.scheduler_name not in settings.scheduler_names:
        return (
            f"its scheduler {shape.scheduler_name} is not one that nodes are bought for (`scheduling.schedulerNames`)"
        )
    if expendable(pod, settings):
        return (
            f"its priority {shape.priority} is below {settings.expendable_below} (`scheduling.expendableBelow`): it runs "
            "where there is room, and no node is bought for it"
        )
    if settings.gpu_pods_only and not any("/" in name for name in shape.requests):
        return "it asks for no device, and the configuration says `pods: gpu`"
    return ""


def may_preempt(pods: Sequence[Pod]) -> bool:
    """Whether a pod that waits has a higher priority than one that has a node, or was promised one."""
    waiting = [pod.shape.priority for pod in pods if pod.shape.preempts and waits(pod)]
    if not waiting:
        return False
    highest = max(waiting)
    return any((pod.node_name or pod.nominated_node) and pod.shape.priority < highest for pod in pods)
