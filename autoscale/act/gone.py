"""Nodes that went, written down where the next engine finds it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from autoscale.errors import ClusterError
from autoscale.model.plan import Disrupt, Receipt, RemoveNode
from autoscale.model.toll import added

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Cluster


def note_gone(cluster: Cluster, snapshot: Snapshot, receipts: Iterable[Receipt], now_s: int) -> None:
    """Count the nodes that these receipts closed for good or removed, each once.

    Best effort: where it can't be written, ceilings hold for what this engine has done itself.
    """
    counted = {node.name for node in snapshot.cluster.nodes if node.disruption is not None}
    new = {
        receipt.action.node
        for receipt in receipts
        if isinstance(receipt.action, Disrupt | RemoveNode)
        and receipt.outcome == "done"
        and receipt.action.node
        and receipt.action.node not in counted
    }
    if new:
        with suppress(ClusterError):
            cluster.note_gone(added(snapshot.cluster.gone, len(new), now_s))
