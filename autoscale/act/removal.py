"""Nodes on their way out: closed to new pods, looked at once more, then removed with their group's target."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from autoscale.act.crew import failure
from autoscale.errors import ClusterError, NotFound, ProviderError
from autoscale.model.plan import Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.plan import RemoveNode
    from autoscale.ports import Cluster, Provider


def remove_nodes(
    cluster: Cluster, provider_of: Mapping[str, Provider], plan_id: str, actions: Sequence[RemoveNode]
) -> list[Receipt]:
    """Cordon all, look once more, then one removal for each group; what is not removed is opened again."""
    receipts: list[Receipt] = []
    closed: list[RemoveNode] = []
    for action in actions:
        error = failure(partial(cluster.cordon, action.node, on=True)) if action.node else None
        if error is None or isinstance(error, NotFound):
            closed.append(action)
        else:
            receipts.append(Receipt(action, "refused", str(error)))
    if not closed:
        return receipts
    try:
        busy = _busy(cluster)
    except ClusterError as error:
        for action in closed:
            _reopen(cluster, action)
        return [*receipts, *(Receipt(action, "refused", str(error)) for action in closed)]
    for action in closed:
        if action.node in busy and not action.forced:
            _reopen(cluster, action)
            receipts.append(Receipt(action, "skipped", f"{busy[action.node]} was bound to it meanwhile"))
    by_group: dict[str, list[RemoveNode]] = {}
    for action in closed:
        if action.node not in busy or action.forced:
            by_group.setdefault(action.group, []).append(action)
    for group, mine in by_group.items():
        receipts += _remove(cluster, provider_of.get(group), plan_id, group, mine)
    return receipts


def _remove(
    cluster: Cluster, provider: Provider | None, plan_id: str, group: str, actions: Sequence[RemoveNode]
) -> list[Receipt]:
    if provider is None:
        return [Receipt(action, "skipped", f"no provider runs {group}") for action in actions]
    try:
        provider.remove(group, [a.instance for a in actions], request_id=f"{plan_id}/{group}/remove")
    except ProviderError as error:
        for action in actions:
            _reopen(cluster, action)
        return [Receipt(action, "refused", error.fault.message, error.fault) for action in actions]
    return [Receipt(action, "done") for action in actions]


def _busy(cluster: Cluster) -> dict[str, str]:
    """Nodes with work on them now, and one pod of it."""
    return {
        pod.node_name: pod.ref
        for pod in cluster.observe().pods
        if pod.node_name and not (pod.finished or pod.daemon or pod.mirror)
    }


def _reopen(cluster: Cluster, action: RemoveNode) -> None:
    """Best effort: a node that stays closed is idle still, and the next tick tries again."""
    if action.node:
        failure(lambda: cluster.cordon(action.node, on=False))
