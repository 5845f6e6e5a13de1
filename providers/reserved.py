"""Machines that are paid for, so many of them and perhaps for so long, behind groups of any cloud. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.model.supply import Quota
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


def bounded(group: NodeGroup, stock: Stock, *, lead_s: int) -> NodeGroup:
    """The group of a reservation: no larger than that, and with its end, `lead_s` before which its nodes are drained."""
    if stock.state:
        note = Reason(
            Code.UNMODELLED, f"its reservation {stock.name} is {stock.state}: nothing is bought", source=group.provider
        )
        return replace(group, max_nodes=min(group.max_nodes, group.target_nodes), notes=(*group.notes, note))
    most = min(group.max_nodes, max(group.target_nodes, len(group.staying) + stock.available))
    return replace(group, max_nodes=most, ends_at_s=stock.ends_at_s, ending_lead_s=lead_s)


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
