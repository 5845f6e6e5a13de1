"""Nodes that go: closed, or given back; their pods evicted, as far as their budgets allow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from autoscale.act.crew import failure, side_by_side
from autoscale.errors import Conflict, Disallowed, NotFound
from autoscale.model.plan import Disrupt, Receipt, Restore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscale.errors import ClusterError
    from autoscale.model.plan import Action, Evict
    from autoscale.ports import Clock, Cluster


def close_nodes(cluster: Cluster, clock: Clock, actions: Sequence[Action], threads: int) -> list[Receipt]:
    """Close nodes that go and give those back that don't, nodes side by side."""
    steps = [action for action in actions if isinstance(action, Disrupt | Restore)]
    now_s = clock.now_s()

    def call(action: Disrupt | Restore) -> Callable[[], None]:
        if isinstance(action, Disrupt):
            return partial(cluster.disrupt, action.node, code=action.reason.code.value, at_s=now_s)
        return partial(cluster.restore, action.node)

    failures = side_by_side(failure, [call(action) for action in steps], threads)
    return [_receipt(action, error) for action, error in zip(steps, failures, strict=True)]


def evict_pods(cluster: Cluster, actions: Sequence[Evict], threads: int) -> list[Receipt]:
    """Ask for every pod; what a budget keeps is told, with the budget's own words."""
    calls = [partial(cluster.evict, pod) for action in actions for pod in action.pods]
    failures = iter(side_by_side(failure, calls, threads))
    receipts = []
    for action in actions:
        mine = [next(failures) for _ in action.pods]
        for pod, error in zip(action.pods, mine, strict=True):
            if error is None:
                text = f"evicted from {action.node}, which goes ({action.reason.code}): {action.reason.text}"
                cluster.announce(pod, event="Evicted", text=text, about=action.node)
        receipts.append(_evicted(action, mine))
    return receipts


def _evicted(action: Evict, failures: Sequence[ClusterError | None]) -> Receipt:
    blocked = tuple(
        (uid, str(error))
        for (uid, _), error in zip(action.pods, failures, strict=True)
        if isinstance(error, Disallowed)
    )
    refused = [error for error in failures if error is not None and not isinstance(error, NotFound)]
    text = f"{len(refused)} of {len(failures)} pods stay: {refused[0]}" if refused else ""
    return Receipt(action, "refused" if refused and len(refused) == len(failures) else "done", text, blocked=blocked)


def _receipt(action: Disrupt | Restore, error: ClusterError | None) -> Receipt:
    if error is None:
        return Receipt(action, "done")
    return Receipt(action, "skipped" if isinstance(error, NotFound | Conflict) else "refused", str(error))
