"""Pods that need no node, as the scheduler will give them the place of pods of lower priority."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.demand.pending import left_to_others, may_preempt, waits
from autoscale.demand.preemption import Contest
from autoscale.demand.sites import Site
from autoscale.demand.wording import few
from autoscale.demand.world import World
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.demand.preemption import Eviction
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod

SOURCE = "preemption"


def foresee(
    snapshot: Snapshot, settings: DecideSettings, nodes: Sequence[Node], bound: Mapping[str, Sequence[Pod]]
) -> list[Eviction]:
    """Who will preempt whom where. `bound`: the pods of each node, those nominated to it included.

    Pods that something was bought for wait for that; those that have to leave a node displace nobody. One that the scheduler has refused for long is not waited for: its
    preemption may be switched off.
    """
    pods = snapshot.cluster.pods
    if not may_preempt(pods):
        return []
    lowest = min((pod.shape.priority for there in bound.values() for pod in there), default=0)
    there = {pod.uid for on in bound.values() for pod in on}
    asking = [
        pod
        for pod in pods
        if pod.shape.priority > lowest
        and waits(pod)
        and pod.uid not in there
        and pod.claim is None
        and not pod.moving
        and pod.shape.plannable
        and not left_to_others(pod, settings)
        and not (pod.refused_at_s and snapshot.now_s - pod.refused_at_s >= settings.preemption_timeout_s)
    ]
    if not any(pod.shape.preempts for pod in asking):
        return []
    world = World(snapshot.cluster.namespaces)
    sites: dict[Site, Sequence[Pod]] = {}
    for node in nodes:
        site = Site(node.name, node.labels, node.taints, node.allocatable)
        for pod in bound.get(node.name, ()):
            site.change(world.kind_of(pod), 1)
        world.open(site)
        if node.ready and not node.unschedulable and not node.deleting:
            sites[site] = bound.get(node.name, ())
    return Contest(world, sites, snapshot.cluster.budgets, now_s=snapshot.now_s).settle(asking)


def after(bound: Mapping[str, tuple[Pod, ...]], evictions: Sequence[Eviction]) -> Mapping[str, tuple[Pod, ...]]:
    """The pods of each node once those have taken their places."""
    if not evictions:
        return bound
    gone = {victim.uid for each in evictions for victim in each.victims}
    out = dict(bound)
    for each in evictions:
        out[each.node] = (*out.get(each.node, ()), each.pod)
    touched = {each.node for each in evictions}
    return {
        name: tuple(pod for pod in pods if pod.uid not in gone) if name in touched else pods
        for name, pods in out.items()
    }


def why_preempts(eviction: Eviction) -> Reason:
    """Why no node is bought for the pod."""
    whom = few(f"{pod.ref} ({pod.shape.priority})" for pod in eviction.victims)
    text = (
        f"kube-scheduler will bind it to {eviction.node} in place of pods of lower priority than its "
        f"{eviction.pod.shape.priority}: {whom}"
    )
    return Reason(Code.PREEMPTS, text, SOURCE)


def preemption_notes(fleet: Fleet) -> Iterator[Reason]:
    """One note on all pods that preempt others."""
    found = list(fleet.evictions.values())
    if not found:
        return
    victims = sum(len(each.victims) for each in found)
    text = (
        f"no node for {_pods(len(found))} that will take the place of {_pods(victims)} of lower priority: "
        f"{few(each.pod.ref for each in found)}"
    )
    yield Reason(Code.PREEMPTS, text, SOURCE)


def _pods(count: int) -> str:
    return f"{count} pod{'s' if count != 1 else ''}"
