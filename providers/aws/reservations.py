"""On-Demand Capacity Reservations and Capacity Blocks: machines that are paid for, so many of them, until they end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.model.supply import Fault, Quota
from autoscale.model.workload import Code, Reason
from providers.aws.faults import CLOUD_ERRORS, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_ec2.type_defs import CapacityReservationTypeDef

    from autoscale.model.supply import NodeGroup
    from providers.aws.clients import Clients

_DOING = "ec2:DescribeCapacityReservations"
_BLOCK_END_S = 1800  # Amazon begins to end the instances of a block half an hour before the block's end


@dataclass(frozen=True, slots=True)
class Reservation:
    """`available` of `total` machines are free. `ends_at_s` is when they are taken away, None for no end.

    `block`: a Capacity Block; else a reservation that instances have to name, or (`open`) that any matching one gets.
    """

    id: str
    instance_type: str
    zone: str
    state: str
    total: int
    available: int
    block: bool = False
    open: bool = False
    ends_at_s: int | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def chosen_by(self, rules: Iterable[str]) -> bool:
        """Whether a rule names its id or a tag of it, as `KEY=VALUE`."""
        tags = {f"{key}={value}" for key, value in self.tags}
        return any(rule == self.id or rule in tags for rule in rules)


class Reservations:
    """The account's, read with every look. What was known outlives a read that fails."""

    def __init__(self, clients: Clients, *, now_s: Callable[[], int]) -> None:
        self._clients = clients
        self._now_s = now_s
        self._known: tuple[Reservation, ...] = ()

    def read(self) -> tuple[tuple[Reservation, ...], Fault | None]:
        """All that are not over, by id."""
        found = []
        try:
            pages = self._clients.ec2.get_paginator("describe_capacity_reservations").paginate(
                Filters=[{"Name": "state", "Values": ["active", "pending", "scheduled"]}]
            )
            for page in pages:
                found += [_reservation(each) for each in page["CapacityReservations"]]
        except CLOUD_ERRORS as error:
            return self._known, fault_of(error, at_s=self._now_s(), doing=_DOING)
        self._known = tuple(sorted(found, key=lambda each: each.id))
        return self._known, None


def bounded(group: NodeGroup, name: str, known: Mapping[str, Reservation], *, lead_s: int) -> NodeGroup:
    """The group of a reservation: no larger than that, and with its end, `lead_s` before which its nodes are drained."""
    reservation = known.get(name)
    if reservation is None or reservation.state != "active":
        state = "over, or not to be seen" if reservation is None else f"still {reservation.state}"
        return _closed(group, f"its reservation {name} is {state}: nothing is bought")
    most = min(group.max_nodes, len(group.staying) + reservation.available)
    return replace(group, max_nodes=most, ends_at_s=reservation.ends_at_s, ending_lead_s=lead_s)


def shared(groups: Mapping[str, str], known: Mapping[str, Reservation], there: Mapping[str, int]) -> tuple[Quota, ...]:
    """A ceiling for each reservation that several groups launch into. `groups`: id -> reservation; `there`: id -> machines."""
    out = []
    for name, reservation in sorted(known.items()):
        mine = [group for group, its in sorted(groups.items()) if its == name]
        if len(mine) > 1:
            others = reservation.total - reservation.available - sum(there[group] for group in mine)
            text = f"machines of reservation {name}"
            out.append(Quota(name, text, "machines", reservation.total, dict.fromkeys(mine, 1), max(0, others)))
    return tuple(out)


def _closed(group: NodeGroup, text: str) -> NodeGroup:
    note = Reason(Code.UNMODELLED, text, source="aws")
    return replace(group, max_nodes=min(group.max_nodes, group.target_nodes), notes=(*group.notes, note))


def _reservation(found: CapacityReservationTypeDef) -> Reservation:
    block = found.get("ReservationType") == "capacity-block"
    ends = int(found["EndDate"].timestamp()) - (_BLOCK_END_S if block else 0) if found.get("EndDate") else None
    return Reservation(
        id=found["CapacityReservationId"],
        instance_type=found["InstanceType"],
        zone=found["AvailabilityZone"],
        state=found["State"],
        total=found["TotalInstanceCount"],
        available=found["AvailableInstanceCount"],
        block=block,
        open=found.get("InstanceMatchCriteria") == "open",
        ends_at_s=ends,
        tags=tuple((tag.get("Key", ""), tag.get("Value", "")) for tag in found.get("Tags", [])),
    )
