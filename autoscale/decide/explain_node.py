"""One node, explained: why it exists, who is on it, why it stays or goes, and what its pods would cost elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.disrupt import KEEP
from autoscale.decide.explain_drain import explain_drain
from autoscale.decide.explain_pod import place_of
from autoscale.decide.moving import moving_microusd
from autoscale.decide.protection import protected
from autoscale.decide.what_if import pending
from autoscale.demand.classes import classes
from autoscale.model.explanation import Move, NodeStory, Tenant
from autoscale.model.plan import ClaimPods, RemoveNode, Resize
from autoscale.model.resources import Resources
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.what_if import Case
    from autoscale.model.plan import Plan
    from autoscale.model.settings import Consolidation
    from autoscale.model.supply import Node, NodeGroup
    from autoscale.model.workload import Pod

SOURCE = "explain"


def explain_node(case: Case, node: Node) -> NodeStory:
    """The story of a node of the snapshot."""
    fleet, standing = case.stand()
    plan = case.plan()
    pods = [pod for pod in fleet.bound.get(node.name, ()) if pod.node_name == node.name]
    work = [pod for pod in pods if not (pod.daemon or pod.mirror)]
    going = next((a for a in plan.actions if isinstance(a, RemoveNode) and a.node == node.name), None)
    drained = tuple(explain_drain(fleet, plan, node, work))
    because = drained or tuple(_why_kept(fleet, standing, plan, node))
    if going is not None:
        because = (going.reason,)
    if not because:
        because = (_waits(case),)
    ours = node.name in fleet.group_of
    return NodeStory(
        node=node.name,
        place=place_of(fleet, node.name),
        origin=tuple(_origin(fleet, node)),
        tenants=_tenants(work),
        daemons=tuple(sorted(pod.owner.partition("/")[2] or pod.name for pod in pods if pod.daemon or pod.mirror)),
        used=_used(node, pods),
        kept=going is None,
        because=because,
        drained=bool(drained),
        move=_move(case, fleet, plan, node, work) if ours and work else None,
    )


def _origin(fleet: Fleet, node: Node) -> Iterator[Reason]:
    """Why it exists: a slot of a plan and who claimed it, or another's doing."""
    group = fleet.groups.get(fleet.group_of.get(node.name, ""))
    if group is None:
        yield Reason(
            Code.NOT_OURS, "it belongs to no node group that we know: we neither bought it nor remove it", SOURCE
        )
        return
    slot = node.reservation
    if slot is None:
        text = f"it is in group {group.name} and carries no slot of a plan: others bought it, or a minimum did"
        yield Reason(Code.NOT_OURS, text, SOURCE)
        return
    claimed = [pod for pod in fleet.snapshot.cluster.pods if pod.claim is not None and pod.claim.slot == slot.slot]
    here = sum(pod.node_name == node.name for pod in claimed)
    text = f"plan {slot.slot.rpartition('-')[0]} bought it as slot {slot.slot}, {slot.phase} now"
    if claimed:
        text += f"; of the pods that claimed it {here} run on it, {len(claimed) - here} do not"
    yield Reason(Code.COST, text, SOURCE)
    yield from (replace(reason, hint="") for reason in fleet.wrong.get(group.id, ()))


def _tenants(pods: Sequence[Pod]) -> tuple[Tenant, ...]:
    """Who works on it, by owner, the largest first."""
    by_owner: dict[str, list[Pod]] = {}
    for pod in pods:
        owner = f"{pod.namespace}/{pod.owner}" if pod.owner else pod.ref
        by_owner.setdefault(owner, []).append(pod)
    found = [
        Tenant(
            classes(there[:1])[0].key if there[0].owner else owner,
            len(there),
            sum((pod.shape.requests for pod in there), Resources()).amounts,
        )
        for owner, there in by_owner.items()
    ]
    return tuple(sorted(found, key=lambda tenant: (-tenant.pods, tenant.name)))


def _used(node: Node, pods: Sequence[Pod]) -> tuple[tuple[str, int, int], ...]:
    """(resource, asked for, allocatable) of all that anybody asks for."""
    total = sum((pod.shape.requests for pod in pods), Resources())
    return tuple((name, total[name], node.allocatable[name]) for name in sorted(total) if node.allocatable[name])


def _why_kept(fleet: Fleet, standing: Standing, plan: Plan, node: Node) -> Iterator[Reason]:
    """Everything that keeps it, the strongest first."""
    group = fleet.groups.get(fleet.group_of.get(node.name, ""))
    if group is None:
        yield Reason(Code.NOT_OURS, "it is not ours to remove", SOURCE)
        return
    work = fleet.workload(node.name)
    if work:
        count = len(work)
        yield Reason(Code.BUSY, f"{count} pod{'s' if count != 1 else ''} work{'s' if count == 1 else ''} on it", SOURCE)
    instance = fleet.instance_of[node.name]
    if instance.protected:
        yield Reason(Code.PROTECTED, f"its instance {instance.id} is protected from scale-in", SOURCE)
    yield from (
        Reason(Code.PROTECTED, f"it is annotated {key}={value}", SOURCE)
        for key, value in KEEP
        if node.annotations.get(key) == value
    )
    if any(slot.node is not None and slot.node.name == node.name for slot in standing.slots):
        yield Reason(Code.STARTING, "pods that claim it are about to be bound to it", SOURCE)
    if not work:
        yield from _idle(standing, plan, group)


def _idle(standing: Standing, plan: Plan, group: NodeGroup) -> Iterator[Reason]:
    """What keeps a node without work."""
    if standing.groups[group.id].target <= group.min_nodes:
        yield Reason(Code.MINIMUM, f"group {group.name} keeps at least {group.min_nodes}", SOURCE)
    if any(isinstance(a, Resize) and a.group == group.id and a.target_nodes > a.current_nodes for a in plan.actions):
        yield Reason(Code.STARTING, f"group {group.name} grows in this plan, so it loses nothing", SOURCE)


def _waits(case: Case) -> Reason:
    """Nothing keeps it but time. How long it has been idle only the engine knows."""
    after_s = case.settings.idle_after_s
    if after_s is None:
        return Reason(Code.POLICY, "it has no work; idle nodes are kept, says the configuration", SOURCE)
    text = f"it has no work; it goes once the engine has seen it so for {after_s} s, unless pods are planned onto it"
    return Reason(Code.IDLE, text, SOURCE)


def _move(case: Case, fleet: Fleet, plan: Plan, node: Node, work: Sequence[Pod]) -> Move:
    """Plan for its pods as if they waited and the node were not there."""
    price = fleet.groups[fleet.group_of[node.name]].offering.price_microusd_per_hour
    uids = {pod.uid for pod in work}
    pods = [replace(pod, node_name="", phase="Pending", claim=None, tolerated_slots=()) for pod in work]
    elsewhere = case.with_pods(uids, pods).without_node(node.name, fleet.instance_of[node.name].id)
    moved = elsewhere.plan()
    stuck = tuple(pod.ref for pod in work if pod.ref in pending(moved))
    why = next((u.reasons[0].text for u in moved.unmet if u.reasons and any(ref in stuck for ref in u.pods)), "")
    more = moved.cost_microusd_per_hour - plan.cost_microusd_per_hour
    protection = next(filter(None, (protected(pod, fleet.now_s) for pod in work)), None)
    wish = case.settings.consolidation
    return Move(
        _homes(fleet, moved, uids, len(work) - len(stuck)),
        more,
        price - more,
        stuck,
        why,
        once_microusd=_once(fleet, node, work, more, wish) if wish else 0,
        horizon_s=wish.horizon_s if wish else 0,
        protected=protection.text if protection and wish else "",
    )


def _once(fleet: Fleet, node: Node, work: Sequence[Pod], more: int, wish: Consolidation) -> int:
    """What moving them costs once: starting what is bought, and their own."""
    group = fleet.groups[fleet.group_of[node.name]]
    starts = max(0, more) * wish.node_start_s // 3600
    return starts + sum(moving_microusd(pod, group, wish, fleet.now_s) for pod in work)


def _homes(fleet: Fleet, plan: Plan, uids: set[str], placed: int) -> tuple[str, ...]:
    """Where the pods would go: `3 x GROUP`, and how many find room on what is there."""
    slots: dict[str, set[str]] = {}
    claimed = 0
    for action in plan.actions:
        if isinstance(action, ClaimPods):
            mine = sum(uid in uids for uid, _ in action.pods)
            if mine:
                claimed += mine
                slots.setdefault(fleet.groups[action.group].name, set()).add(action.slot)
    homes = [f"{len(there)} x {name}" for name, there in sorted(slots.items())]
    return (*homes, *([f"nodes that are there ({placed - claimed} of its pods)"] if placed > claimed else []))
