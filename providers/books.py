"""What a provider makes of a catalogue to look things up in, made once for each catalogue that comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.model.catalog import Catalog
    from autoscale.ports import Catalogs

B = TypeVar("B")


class Books(Generic[B]):
    """The book of each region: the freshest catalogue's, else the bundled one's."""

    def __init__(self, catalogs: Catalogs | None, make: Callable[[Catalog], B], shipped: Callable[[], B]) -> None:
        self._catalogs = catalogs
        self._make = make
        self._shipped = shipped
        self._made: dict[str, tuple[Catalog, B]] = {}

    def of(self, region: str) -> B:
        """The region's book as of now."""
        found = self._catalogs(region) if self._catalogs else None
        if found is None:
            return self._shipped()
        known = self._made.get(region)
        if known is None or known[0] is not found:
            known = self._made[region] = (found, self._make(found))
        return known[1]
