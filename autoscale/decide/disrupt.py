"""Which nodes go: those that were given notice, and those that a policy proposes and all policies let go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.decide.notices import noticed
from autoscale.decide.protection import DO_NOT_DISRUPT, protected
from autoscale.decide.unused import unused
from autoscale.model.disruption import Going
from autoscale.model.supply import CapacityType
from autoscale.model.workload import Code, Reason
from autoscale.ports import Permitter, Proposer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.model.supply import Node, NodeGroup
    from autoscale.ports import Policy

SOURCE = "disruption"
OTHERS = frozenset({"ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"})
"""Taints by which other controllers say that a node is theirs to drain."""
KEEP = (("cluster-autoscaler.kubernetes.io/scale-down-disabled", "true"), (DO_NOT_DISRUPT, "true"))


@dataclass(frozen=True, slots=True)
class Chosen:
    """The nodes that go, the most pressing first, and what kept others."""

    going: tuple[Going, ...]
    notes: tuple[Reason, ...] = ()


def choose(fleet: Fleet, policies: Sequence[Policy], held: Reason | None = None, more: Sequence[Going] = ()) -> Chosen:
    """Which nodes go now, `more` among them if they may. One that goes already and is not chosen again is given back.

    With `held`, nothing begins but what can't be helped, and what goes already stays as it is.
    """
    nodes = {node.name: node for node in fleet.nodes if node.name in fleet.group_of and not in_other_hands(node)}
    found = [
        noticed(
            node,
            fleet.instance_of[name],
            fleet.now_s,
            ends_at_s=ends_soon(fleet, fleet.groups[fleet.group_of[name]]),
            spot=fleet.groups[fleet.group_of[name]].offering.capacity_type is CapacityType.SPOT,
        )
        for name, node in nodes.items()
    ]
    wanted = [each for each in found if each is not None]
    wanted += [each for each in (*unused(fleet), *continued(fleet), *more) if each.node in nodes]
    for policy in policies:
        if isinstance(policy, Proposer):
            wanted += [each for each in policy.propose(fleet.snapshot) if each.node in nodes]
    by_node: dict[str, Going] = {}
    for each in sorted(wanted, key=lambda each: each.rank):
        by_node.setdefault(each.node, each)
    going = [each for each in by_node.values() if _may_go(fleet, nodes[each.node], each)]
    going.sort(key=lambda each: (each.rank, nodes[each.node].disruption is None, each.node))
    notes: list[Reason] = []
    for policy in policies:
        if isinstance(policy, Permitter) and going:
            permitted, said = policy.permit(going, fleet.snapshot)
            going, notes = list(permitted), [*notes, *said]
    if held is not None:
        going = [each for each in going if each.urgent or nodes[each.node].disruption is not None]
    return Chosen(tuple(going), tuple(notes))


def continued(fleet: Fleet) -> tuple[Going, ...]:
    """Nodes that have begun to go to save money go on, while that is wanted at all."""
    if fleet.settings.consolidation is None:
        return ()
    why = Reason(Code.UNDERUTILIZED, "its pods are moved to where they cost less", SOURCE)
    return tuple(
        Going(node.name, why)
        for node in fleet.nodes
        if node.disruption is not None and node.disruption.code == Code.UNDERUTILIZED
    )


def ends_soon(fleet: Fleet, group: NodeGroup) -> int | None:
    """When the group's machines are taken away, if that is so near that they are to be drained."""
    lead_s = fleet.settings.ending_lead_s if group.ending_lead_s is None else group.ending_lead_s
    near = group.ends_at_s is not None and group.ends_at_s - fleet.now_s <= lead_s
    return group.ends_at_s if near else None


def in_other_hands(node: Node) -> bool:
    """Whether another controller drains it, or it is being deleted."""
    return node.deleting or any(taint.key in OTHERS for taint in node.taints)


def kept(node: Node) -> bool:
    """Whether its annotations keep it."""
    return any(node.annotations.get(key) == value for key, value in KEEP)


def _may_go(fleet: Fleet, node: Node, going: Going) -> bool:
    """Whether a node that could stay may go: nothing protects it, and nothing on it would be waited for at the start."""
    if not going.voluntary:
        return True
    if fleet.instance_of[node.name].protected or kept(node):
        return False
    if node.disruption is not None:
        return True
    return not any(protected(pod, fleet.now_s) for pod in fleet.workload(node.name))


def given_back(fleet: Fleet, going: Iterable[Going]) -> tuple[Node, ...]:
    """Nodes of ours that carry our taint and go no more."""
    goes = {each.node for each in going}
    return tuple(
        node
        for node in fleet.nodes
        if node.disruption is not None and node.name in fleet.group_of and node.name not in goes
    )


def beginners(fleet: Fleet, homeless: Collection[str]) -> tuple[str, ...]:
    """Names of nodes that would only begin to go and could wait, and that have one of these pods."""
    begun = {node.name for node in fleet.nodes if node.disruption is not None}
    return tuple(
        name
        for name, going in fleet.going.items()
        if name not in begun and not going.urgent and any(pod.uid in homeless for pod in fleet.leaving.get(name, ()))
    )


def withheld(going: Going, why: str) -> Reason:
    """The note for a node that could not go after all."""
    return Reason(Code.POLICY, f"{going.node} stays ({going.reason.code}): {why}", SOURCE)
