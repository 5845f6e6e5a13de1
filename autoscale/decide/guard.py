"""When nothing may be taken away: someone has frozen it, or what is seen is too little to be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.snapshot import Crowd
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from autoscale.model.snapshot import Snapshot

SOURCE = "guard"
_FEW = 4  # of so few nodes half may well go at once
_DOUBTED_S = 600  # a view that stays as it is so long is believed after all


def crowd(snapshot: Snapshot) -> Crowd:
    """How much there is to see."""
    view = snapshot.cluster
    return Crowd(snapshot.now_s, len(view.nodes), sum(pod.daemon for pod in view.pods))


def doubt(snapshot: Snapshot) -> Reason | None:
    """Why the snapshot is not believed: much of what was there a moment ago is gone, and not by our doing."""
    before = snapshot.ledger.crowd
    if before is None or not 0 <= snapshot.now_s - before.at_s < _DOUBTED_S:
        return None
    view = snapshot.cluster
    there = {node.name for node in view.nodes}
    ours = sum(name not in there and at >= before.at_s - _DOUBTED_S for name, at in snapshot.ledger.gone_at_s.items())
    if before.nodes >= _FEW and (len(view.nodes) + ours) * 2 < before.nodes:
        text = f"{len(view.nodes)} nodes are seen where {before.nodes} were a moment ago"
    elif view.nodes and before.daemons and not any(pod.daemon for pod in view.pods):
        text = f"no DaemonSet pod is seen where {before.daemons} were a moment ago"
    else:
        return None
    return Reason(Code.POLICY, f"{text}: nothing is removed until that is so for {_DOUBTED_S // 60} min", SOURCE)


def hold(snapshot: Snapshot) -> Reason | None:
    """Why nothing is removed or drained now, but what the cloud takes away anyway; None when it may be."""
    if snapshot.cluster.frozen:
        hint = "`autoscale unfreeze` ends it"
        return Reason(Code.POLICY, f"frozen: {snapshot.cluster.frozen}; no node is drained or removed", SOURCE, hint)
    return doubt(snapshot)
