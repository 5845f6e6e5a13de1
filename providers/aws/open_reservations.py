"""On-Demand Capacity Reservations that any matching machine gets: paid for already, so bought first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.overlay import Commitment, Selector
from autoscale.model.supply import CapacityType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscale.model.supply import NodeGroup
    from providers.aws.reservations import Reservation


def commitments(groups: Iterable[NodeGroup], reserved: Iterable[Reservation]) -> tuple[Commitment, ...]:
    """One for each type and zone: as many nodes as are free, and as the groups that would get them have already.

    Whether those that run have theirs from a reservation is not told; those that are free are.
    """
    free: dict[tuple[str, str], list[Reservation]] = {}
    for each in reserved:
        if each.open and each.state == "active" and not each.block:
            free.setdefault((each.instance_type, each.zone), []).append(each)
    out = []
    there = [group for group in groups if group.offering.capacity_type is CapacityType.ON_DEMAND]
    for (instance_type, zone), mine in sorted(free.items()):
        selector = Selector(
            providers=("aws",), zones=(zone,), types=(instance_type,), capacity_types=(CapacityType.ON_DEMAND.value,)
        )
        taken = sum(len(group.staying) for group in there if selector.matches(group))
        name = f"open reservation {mine[0].id}" + (f" and {len(mine) - 1} more" if mine[1:] else "")
        out.append(Commitment(name, selector, nodes=sum(each.available for each in mine) + taken))
    return tuple(out)
