"""Machines that are paid for, so many of them and perhaps for so long, behind groups of any cloud. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.model.supply import Notice, NoticeKind, Quota
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.supply import NodeGroup


@dataclass(frozen=True, slots=True)
class Stock:
    """`available` of `total` machines are free. `state` is empty while it can be used, else what it is instead.

    `ends_at_s` is when its machines are taken away, None for no end.
    """

    name: str
    total: int
    available: int
    state: str = ""
    ends_at_s: int | None = None


def bounded(group: NodeGroup, stock: Stock, *, now_s: int, lead_s: int) -> NodeGroup:
    """The group of a reservation: no larger than that, closed `lead_s` before its end, when its nodes begin to be drained."""
    if stock.state:
        return _closed(group, f"its reservation {stock.name} is {stock.state}: nothing is bought")
    most = min(group.max_nodes, max(group.target_nodes, len(group.staying) + stock.available))
    group = replace(group, max_nodes=most, ends_at_s=stock.ends_at_s)
    if stock.ends_at_s is None or stock.ends_at_s - now_s > lead_s:
        return group
    notice = Notice(NoticeKind.ENDING, f"reservation {stock.name} ends", stock.ends_at_s)
    group = replace(group, instances=tuple(replace(each, notice=each.notice or notice) for each in group.instances))
    return _closed(
        group, f"its reservation {stock.name} ends in {max(0, stock.ends_at_s - now_s)} s: nothing is bought"
    )


def shared(groups: Mapping[str, NodeGroup], stocks: Mapping[str, Stock]) -> tuple[Quota, ...]:
    """A ceiling for each reservation that several groups launch into. `stocks`: group's id -> its reservation."""
    out = []
    for stock in sorted(set(stocks.values()), key=lambda each: each.name):
        mine = sorted(id_ for id_, its in stocks.items() if its == stock and id_ in groups)
        if len(mine) > 1 and not stock.state:
            others = stock.total - stock.available - sum(len(groups[id_].staying) for id_ in mine)
            text = f"machines of reservation {stock.name}"
            out.append(Quota(stock.name, text, "machines", stock.total, dict.fromkeys(mine, 1), max(0, others)))
    return tuple(out)


def _closed(group: NodeGroup, text: str) -> NodeGroup:
    note = Reason(Code.UNMODELLED, text, source=group.provider)
    return replace(group, max_nodes=min(group.max_nodes, group.target_nodes), notes=(*group.notes, note))
