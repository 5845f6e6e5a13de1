"""The project's reservations: machines of one kind in one zone that are paid for, used or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from providers.gcp.endings import seconds
from providers.gcp.faults import CLOUD_ERRORS, fault_of
from providers.gcp.refs import last
from providers.gcp.specifications import built_in
from providers.reserved import Stock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from google.cloud import compute_v1 as compute

    from autoscale.model.supply import Fault
    from providers.gcp.calls import Calls

_DOING = "compute.reservations.list"
_READY = "READY"


@dataclass(frozen=True, slots=True)
class Reservation:
    """`machine` is the machine's name with what is attached. `named`: only machines that name it are of it."""

    name: str
    zone: str
    machine: str
    named: bool
    stock: Stock

    @property
    def ends(self) -> bool:
        """Whether it is for a time that was agreed on, with which its machines end."""
        return self.stock.ends_at_s is not None


class Reservations:
    """Read with every look where anything is of one. What was known outlives a read that fails."""

    def __init__(self, calls: Calls, *, now_s: Callable[[], int]) -> None:
        self._calls = calls
        self._now_s = now_s
        self._known: tuple[Reservation, ...] = ()

    def read(self) -> tuple[tuple[Reservation, ...], Fault | None]:
        """All of them, by zone and name."""
        try:
            found = [_reservation(each) for each in self._calls.reservations() if each.specific_reservation.count]
        except CLOUD_ERRORS as error:
            return self._known, fault_of(error, at_s=self._now_s(), doing=_DOING)
        self._known = tuple(sorted(found, key=lambda each: (each.zone, each.name)))
        return self._known, None


def stock_of(name: str, zones: Iterable[str], known: Iterable[Reservation]) -> Stock:
    """What a group in these zones has of the reservation of that name, one in each zone."""
    wanted = set(zones)
    found = [each.stock for each in known if each.name == name and each.zone in wanted]
    ready = [each for each in found if not each.state]
    if not ready:
        return found[0] if found else Stock(name, 0, 0, "over, or not to be seen")
    ends = [each.ends_at_s for each in ready if each.ends_at_s is not None]
    return Stock(
        name,
        sum(each.total for each in ready),
        sum(each.available for each in ready),
        ends_at_s=min(ends) if ends else None,
    )


def foreign(reservation: str, project: str) -> bool:
    """Whether a reservation, as templates name it, is another project's: its machines can't be counted from here."""
    return reservation.startswith("projects/") and reservation.split("/")[1] != project


def _reservation(found: compute.Reservation) -> Reservation:
    what = found.specific_reservation
    total = what.assured_count if found.status != _READY and what.assured_count else what.count
    return Reservation(
        name=found.name,
        zone=last(found.zone),
        machine=_machine(what.instance_properties),
        named=found.specific_reservation_required,
        stock=Stock(
            found.name,
            total,
            max(0, total - what.in_use_count),
            "" if found.status == _READY else f"still {found.status.lower() or 'of unknown state'}",
            seconds(found.delete_at_time) or None,
        ),
    )


def _machine(properties: compute.AllocationSpecificSKUAllocationReservedInstanceProperties) -> str:
    attached = [each for each in properties.guest_accelerators if each.accelerator_count]
    if not attached or built_in(properties.machine_type)[1]:
        return properties.machine_type
    return f"{properties.machine_type}+{last(attached[0].accelerator_type)}x{attached[0].accelerator_count}"
