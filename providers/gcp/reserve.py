"""Groups of reservations: what pools offer of those there are, how many machines each group may have, until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.supply import Fault
from providers.gcp.groups import zones_of
from providers.gcp.refs import last
from providers.gcp.reservations import Reservation, Reservations, foreign, stock_of
from providers.reserved import Stock, bounded, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscale.model.supply import NodeGroup, Quota
    from providers.books import Books
    from providers.gcp.calls import Calls
    from providers.gcp.catalog import Book
    from providers.gcp.groups import Found
    from providers.gcp.offered import Offered


class Reserve:
    """The project's reservations are read in a look only where a pool offers some, or a group is of one."""

    def __init__(
        self, calls: Calls, offered: Offered, books: Books[Book], *, now_s: Callable[[], int], lead_s: int
    ) -> None:
        """`lead_s`: how long before its end a reservation is left alone and its nodes are drained."""
        self._calls = calls
        self._offered = offered
        self._books = books
        self._lead_s = lead_s
        self._reservations = Reservations(calls, now_s=now_s)
        self._read: tuple[Reservation, ...] | None = None

    def begin(self, faults: list[Fault]) -> None:
        """Have pools offer the reservations that there are now; why they can't be read is added to the faults."""
        self._read = None
        if self._offered.reserved:
            self._offered.update(self._known(faults))

    def bounded(
        self, found: Sequence[Found], groups: Sequence[NodeGroup], faults: list[Fault]
    ) -> tuple[list[NodeGroup], tuple[Quota, ...]]:
        """The groups, no larger than their reservations, and ceilings over those that share one."""
        named = self._named(found, groups)
        known = self._known(faults) if named else ()
        stocks = {id_: stock_of(name, zones, known) for id_, (name, zones) in named.items()}
        out = [self._bounded(each, stocks.get(each.id)) for each in groups]
        return out, shared({each.id: each for each in out}, stocks)

    def _known(self, faults: list[Fault]) -> tuple[Reservation, ...]:
        if self._read is None:
            self._read, fault = self._reservations.read()
            faults += [fault] if fault else []
        return self._read

    def _named(self, found: Sequence[Found], groups: Sequence[NodeGroup]) -> dict[str, tuple[str, list[str]]]:
        """Group's id -> its reservation and zones. Reservations of another project can't be counted from here."""
        out: dict[str, tuple[str, list[str]]] = {}
        for each in found:
            reservation = "" if isinstance(each.template, Fault) else each.template.reservation
            if reservation and not foreign(reservation, self._calls.project):
                out[each.ref.id] = (last(reservation), zones_of(each, self._books.of(each.ref.region)))
        for group in groups:
            offer = self._offered.of(group.id)
            if offer is not None and offer.reservation is not None:
                out[group.id] = (offer.reservation.name, [offer.zone])
        return out

    def _bounded(self, group: NodeGroup, stock: Stock | None) -> NodeGroup:
        return bounded(group, stock, lead_s=self._lead_s) if stock else group
