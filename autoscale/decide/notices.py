"""What clouds and their agents say of a machine's end: in its state, in taints and in conditions of its node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.disruption import Going
from autoscale.model.supply import Notice, NoticeKind
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.model.supply import Instance, Node

SOURCE = "notice"

TAINTS = {
    "aws-node-termination-handler/spot-itn": NoticeKind.INTERRUPTED,
    "aws-node-termination-handler/asg-lifecycle-termination": NoticeKind.INTERRUPTED,
    "aws-node-termination-handler/scheduled-maintenance": NoticeKind.ENDING,
    "aws-node-termination-handler/rebalance-recommendation": NoticeKind.REBALANCE,
    "cloud.google.com/impending-node-termination": NoticeKind.INTERRUPTED,
    "node.cloudprovider.kubernetes.io/shutdown": NoticeKind.INTERRUPTED,
}
"""Taints of AWS Node Termination Handler, GKE and the clouds' own node controllers."""

EVENTS = {
    "PreemptScheduled": NoticeKind.INTERRUPTED,
    "TerminateScheduled": NoticeKind.INTERRUPTED,
    "RedeployScheduled": NoticeKind.ENDING,
    "RebootScheduled": NoticeKind.ENDING,
}
"""Azure's scheduled events, as a condition of that type or as the reason of `VMEventScheduled`."""

_CODES = {
    NoticeKind.INTERRUPTED: Code.INTERRUPTED,
    NoticeKind.REBALANCE: Code.REBALANCE,
    NoticeKind.ENDING: Code.ENDING,
}
_URGENT_S = 300  # what ends within this ends whatever we do
_MARGIN_S = 10  # so long before a machine ends it is removed by us, lest its group start another in its place
_UNSAID_S = 110  # a spot machine's two minutes, when nobody said when they end, less that margin


def noticed(
    node: Node, instance: Instance, now_s: int, *, ends_at_s: int | None = None, spot: bool = False
) -> Going | None:
    """Whether the node goes because of what was said of it, the most pressing first.

    `ends_at_s` is when its group's reservation ends, once that is near enough. A `spot` machine's interruption is never taken
    back: it holds though only the last engine, or another, has heard of it.
    """
    said = list(_notices(node, instance))
    begun = node.disruption
    if spot and begun is not None and begun.code == Code.INTERRUPTED:
        said.append(Notice(NoticeKind.INTERRUPTED, "it was said to be taken back"))
    if ends_at_s is not None:
        said.append(Notice(NoticeKind.ENDING, "its reservation ends", ends_at_s))
    notices = sorted(said, key=lambda notice: list(NoticeKind).index(notice.kind))
    if not notices:
        return None
    notice = notices[0]
    left_s = notice.ends_at_s - now_s
    text = notice.text + (f", in {left_s} s" if notice.ends_at_s and left_s > 0 else "")
    urgent = notice.kind is NoticeKind.INTERRUPTED or (0 < notice.ends_at_s <= now_s + _URGENT_S)
    end_s = notice.ends_at_s - _MARGIN_S if notice.ends_at_s else 0
    if notice.kind is NoticeKind.INTERRUPTED and not end_s:
        end_s = (begun.since_s if begun and begun.code == Code.INTERRUPTED else now_s) + _UNSAID_S
    return Going(node.name, Reason(_CODES[notice.kind], text, SOURCE), urgent=urgent, end_s=end_s)


def _notices(node: Node, instance: Instance) -> Iterator[Notice]:
    if instance.notice is not None:
        yield instance.notice
    for taint in node.taints:
        if taint.key in TAINTS:
            yield Notice(TAINTS[taint.key], f"it is tainted {taint.key}")
    for condition in node.conditions:
        event = condition.reason if condition.type == "VMEventScheduled" else condition.type
        if condition.status == "True" and event in EVENTS:
            yield Notice(EVENTS[event], f"its condition says {event}")
