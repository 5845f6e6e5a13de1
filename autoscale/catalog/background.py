"""Catalogues refreshed beside the loop: when they are old enough, again after a while when that failed, never in a tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscale.model.catalog import Catalog

_RETRY_S = 600


class Place(NamedTuple):
    """One region of one cloud: its last good catalogue, None before the first, and how it is read anew and kept."""

    provider: str
    region: str
    latest: Callable[[], Catalog | None]
    refresh: Callable[[], Catalog]


class Listener(Protocol):
    """Who is told."""

    def refreshed(self, provider: str, catalog: Catalog) -> None:
        """A good one was kept."""
        ...

    def failed(self, provider: str, error: Exception) -> None:
        """The last good one stays."""
        ...


class Refresher:
    """`turn` is called over and over, each time after as many seconds as the last one gave."""

    def __init__(self, places: Sequence[Place], *, every_s: int, listener: Listener) -> None:
        self._places = places
        self._every_s = every_s
        self._listener = listener
        self._not_before_s: dict[tuple[str, str], int] = {}

    def turn(self, now_s: int) -> int:
        """Refresh what is due; seconds until the next is. Whatever goes wrong is told and tried again."""
        for place in self._places:
            if self._due_s(place) > now_s:
                continue
            try:
                fresh = place.refresh()
            except Exception as error:  # noqa: BLE001 - prices must never stop the engine
                self._not_before_s[place.provider, place.region] = now_s + min(_RETRY_S, self._every_s)
                self._listener.failed(place.provider, error)
            else:
                self._not_before_s.pop((place.provider, place.region), None)
                self._listener.refreshed(place.provider, fresh)
        return max(1, min((self._due_s(place) - now_s for place in self._places), default=self._every_s))

    def _due_s(self, place: Place) -> int:
        found = place.latest()
        due_s = found.at_s + self._every_s if found else 0
        return max(due_s, self._not_before_s.get((place.provider, place.region), 0))
