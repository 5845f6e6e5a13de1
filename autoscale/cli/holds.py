"""Whether a saved plan still holds although the world has moved on: every fact it rests on, compared one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.cli.facts import PodDigests, group_fact, nodes_now, nodes_touched, slots_open
from autoscale.cli.words import per_hour
from autoscale.model.plan import DeleteGroup, RemoveNode, Resize, Unclaim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.cli.facts import GroupFact
    from autoscale.cli.planfile import SavedPlan
    from autoscale.model.snapshot import Snapshot


def differences(saved: SavedPlan, snapshot: Snapshot) -> list[str]:
    """What no longer is as the plan found it, one clause each; empty when the plan still holds.

    It holds when every claimed pod is still there, unbound, not claimed otherwise and of the same shape, when every group it
    resizes has the same target, price, limits and kind of nodes, and every node it touches is unchanged. Policies count
    the whole fleet, so with any of them no other group may have grown either.
    """
    return [*_pods(saved, snapshot), *_groups(saved, snapshot), *_nodes(saved, snapshot)]


def _pods(saved: SavedPlan, snapshot: Snapshot) -> Iterator[str]:
    pods = {pod.uid: pod for pod in snapshot.cluster.pods}
    reclaimed = {uid for a in saved.plan.actions if isinstance(a, Unclaim) for uid, _ in a.pods}
    digests = PodDigests()
    for uid, fact in sorted(saved.facts.pods.items(), key=lambda item: (item[1].ref, item[0])):
        pod = pods.get(uid)
        if pod is None or pod.deleting or pod.finished:
            yield f"pod {fact.ref} is gone"
        elif pod.node_name:
            yield f"pod {fact.ref} runs on {pod.node_name} now"
        elif pod.claim is not None and pod.claim.slot != fact.slot and uid not in reclaimed:
            yield f"pod {fact.ref} waits for another node, slot {pod.claim.slot}"
        elif digests.of(pod) != fact.digest:
            yield f"pod {fact.ref} asks for something else"


def _groups(saved: SavedPlan, snapshot: Snapshot) -> Iterator[str]:
    groups = {group.id: group for group in snapshot.groups}
    open_slots = slots_open(snapshot)
    used = {a.group for a in saved.plan.actions if isinstance(a, Resize | RemoveNode | DeleteGroup)}
    buys = any(isinstance(a, Resize) and a.target_nodes > a.current_nodes for a in saved.plan.actions)
    for id_, was in saved.facts.groups.items():
        group = groups.get(id_)
        if id_ in used:
            if group is None:
                yield f"group {was.name} is gone"
            else:
                yield from _changed(was, group_fact(group, open_slots.get(id_, 0)))
        elif buys and group is not None and group.target_nodes > was.target_nodes:
            yield f"group {was.name} has grown from {was.target_nodes} to {group.target_nodes} nodes"
    if buys:
        yield from (f"group {groups[id_].name} is new" for id_ in sorted(set(groups) - set(saved.facts.groups)))


def _changed(was: GroupFact, now: GroupFact) -> Iterator[str]:
    if now.to_make != was.to_make:
        yield f"group {was.name} {'is gone' if now.to_make else 'has been made meanwhile'}"
    if now.target_nodes != was.target_nodes:
        yield f"group {was.name} has a target of {now.target_nodes} nodes, not {was.target_nodes}"
    if now.price_microusd_per_hour != was.price_microusd_per_hour:
        prices = f"{per_hour(now.price_microusd_per_hour)}, not {per_hour(was.price_microusd_per_hour)}"
        yield f"a node of group {was.name} costs {prices}"
    if (now.min_nodes, now.max_nodes) != (was.min_nodes, was.max_nodes):
        yield f"group {was.name} may have {now.min_nodes} to {now.max_nodes} nodes, not {was.min_nodes} to {was.max_nodes}"
    if now.open_slots != was.open_slots:
        yield f"group {was.name} has {now.open_slots} nodes on their way for pods, not {was.open_slots}"
    if (now.digest, now.instance_type, now.zone, now.capacity_type) != (
        was.digest, was.instance_type, was.zone, was.capacity_type,
    ):  # fmt: skip
        yield f"nodes of group {was.name} look different"


def _nodes(saved: SavedPlan, snapshot: Snapshot) -> Iterator[str]:
    now = nodes_now(snapshot)
    for name in sorted(nodes_touched(saved.plan)):
        if name not in now:
            yield f"node {name} is gone"
        elif now[name] != saved.facts.nodes.get(name):
            yield f"node {name} has changed"
