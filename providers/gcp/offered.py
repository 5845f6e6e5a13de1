"""What the pools offer: every group that they may make, as it will be, and those that they made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from google.cloud import compute_v1 as compute

from autoscale.model.supply import CapacityType, Fault, FaultKind, NodeGroup
from autoscale.model.workload import Code, Reason
from providers.gcp.groups import Found, model, own_labels, place_of, region_of, skipped
from providers.gcp.pools import offers, reserved_offers
from providers.gcp.refs import Ref

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscale.model.supply import SkippedGroup
    from providers.books import Books
    from providers.gcp.catalog import Book
    from providers.gcp.making import Maker
    from providers.gcp.pools import Offer
    from providers.gcp.reservations import Reservation
    from providers.gcp.settings import GcpSettings
    from providers.gcp.specifications import Specification
    from providers.gcp.templates import Templates


class Offered:
    """The offers of a configuration's pools, by the id of their group."""

    def __init__(self, settings: GcpSettings, maker: Maker, templates: Templates, books: Books[Book]) -> None:
        self._settings = settings
        self._maker = maker
        self._templates = templates
        self._books = books
        found = [offer for pool in settings.pools for offer in offers(pool, settings.cluster, self._sold)]
        self._always = {Ref(offer.zone, offer.name).id: offer for offer in found}
        self._offers = dict(self._always)

    @property
    def reserved(self) -> bool:
        """Whether any pool offers machines of reservations."""
        return any(pool.reservations for pool in self._settings.pools)

    def update(self, reservations: Iterable[Reservation]) -> None:
        """Offer the reservations that there are now, and no others."""
        known = tuple(reservations)
        found = [each for of in self._settings.pools for each in reserved_offers(of, self._settings.cluster, known)]
        self._offers = {**self._always, **{Ref(offer.zone, offer.name).id: offer for offer in found}}

    def of(self, group: str) -> Offer | None:
        """The offer that makes the group of that id; None when none does."""
        return self._offers.get(group)

    def owner(self, manager: compute.InstanceGroupManager) -> Offer | None:
        """What a pool made the group as; None when none did."""
        offer = self._offers.get(place_of(manager).id)
        return offer if offer is not None and offer.owns(own_labels(manager)) else None

    def pooled(self, found: Found, group: NodeGroup) -> NodeGroup:
        """The group with what its pool says; one of a person that has a pool's name, with a note."""
        offer = self._offers.get(group.id)
        if offer is None:
            return group
        if offer.owns(own_labels(found.manager)):
            return offer.as_pool(group, made=True)
        return replace(group, notes=(*group.notes, Reason(Code.UNMODELLED, taken(offer), source="gcp")))

    def _sold(self, spec: Specification, zone: str) -> bool:
        """Whether the zone has the machine, as far as the catalogue knows; a price of the configuration says so, too."""
        book = self._books.of(region_of(zone))
        priced = any(self._settings.price(spec.name, zone, way) is not None for way in CapacityType)
        return priced or zone not in book.zones or book.price(spec, zone) is not None

    def unmade(self, there: set[str], faults: list[Fault]) -> list[NodeGroup | SkippedGroup]:
        """What pools may make beside the groups that are there; why it can't be told is added to the faults."""
        due = [offer for id_, offer in self._offers.items() if id_ not in there]
        templates = self._templates.read({self._maker.base(offer) for offer in due})
        unread = [each for each in templates.values() if isinstance(each, Fault)]
        faults += [each for each in unread if each.kind != FaultKind.NOT_FOUND]
        out: list[NodeGroup | SkippedGroup] = []
        for offer in due:
            base, ref = templates[self._maker.base(offer)], Ref(offer.zone, offer.name)
            if isinstance(base, Fault):
                why = f"the instance template of pool {offer.of.pool.name} can't be read: {base.message}"
                out.append(skipped(ref, why))
                continue
            manager = compute.InstanceGroupManager(name=offer.name, zone=offer.zone)
            found = Found(ref, manager, offer.template(base), (0, offer.of.pool.max_nodes))
            group = model(found, self._settings, self._books.of(ref.region))
            out.append(offer.as_pool(group, made=False) if isinstance(group, NodeGroup) else group)
        return out


def taken(offer: Offer) -> str:
    """Why the offer's group can't be made."""
    return f"pool {offer.of.pool.name} can't make {offer.name}: a group of this name is there that it did not make"
