"""What runs or is on its way, as the rules count it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import NodeGroup
    from autoscale.model.workload import Pod


def nodes_by_group(snapshot: Snapshot) -> dict[str, int]:
    """Group id -> nodes that run or will: never fewer than the cloud's target, our own, or nodes plus open slots."""
    on_nodes = {node.reservation.slot for node in snapshot.cluster.nodes if node.reservation is not None}
    open_slots: dict[str, set[str]] = {}
    for pod in snapshot.cluster.pods:
        if _claims(pod) and pod.claim is not None and pod.claim.slot not in on_nodes:
            open_slots.setdefault(pod.claim.group, set()).add(pod.claim.slot)
    registered = {node.provider_id for node in snapshot.cluster.nodes}
    out: dict[str, int] = {}
    for group in snapshot.groups:
        staying = group.staying
        joined = sum(1 for instance in staying if instance.provider_id in registered)
        needed = joined + len(open_slots.get(group.id, ()))
        ours = snapshot.ledger.targets.get(group.id, 0)
        out[group.id] = max(group.target_nodes, ours, needed, len(staying))
    return out


def cost_microusd_per_hour(snapshot: Snapshot) -> int:
    """What the nodes of all groups cost beyond what is paid for already, those on their way included."""
    count = nodes_by_group(snapshot)
    left = _beyond_commitments(snapshot, count) if snapshot.commitments else count
    return sum(left[group.id] * group.offering.price_microusd_per_hour for group in snapshot.groups)


def _beyond_commitments(snapshot: Snapshot, count: dict[str, int]) -> dict[str, int]:
    """Group id -> nodes that no commitment pays for.

    A group counts for the first that means it; of those that share one the cheapest are covered first, and what would only
    be covered in part is not, so that no cost is overlooked.
    """
    left = dict(count)
    rest = sorted(snapshot.groups, key=lambda each: (each.offering.price_microusd_per_hour, each.id))
    for commitment in snapshot.commitments:
        meant = [group for group in rest if commitment.selector.matches(group)]
        rest = [group for group in rest if group not in meant]
        size = commitment.size
        for group in meant:
            each = commitment.takes_of(group.offering)
            covered = min(left[group.id], size // each)
            left[group.id] -= covered
            size -= covered * each
    return left


def placed(snapshot: Snapshot) -> list[tuple[Pod, NodeGroup | None]]:
    """Pods that run on a node, or wait for one that was bought for them, with the node's group if it has one."""
    groups = {group.id: group for group in snapshot.groups}
    of_provider_id = {i.provider_id: group for group in groups.values() for i in group.instances}
    of_node = {node.name: of_provider_id.get(node.provider_id) for node in snapshot.cluster.nodes}
    void = {
        node.reservation.slot
        for node in snapshot.cluster.nodes
        if node.reservation is not None and node.reservation.phase == "released"
    }
    out: list[tuple[Pod, NodeGroup | None]] = []
    for pod in snapshot.cluster.pods:
        if pod.node_name:
            out.append((pod, of_node.get(pod.node_name)))
        elif _claims(pod) and pod.claim is not None and pod.claim.slot not in void:
            out.append((pod, groups.get(pod.claim.group)))
    return out


def _claims(pod: Pod) -> bool:
    return pod.claim is not None and not pod.node_name and not pod.deleting and not pod.finished
