"""Names of groups: where they are, what they are called, and the ids that the engine knows them by."""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "gcp:"
_ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """A managed instance group: its zone or region, and its name."""

    place: str
    name: str

    @property
    def id(self) -> str:
        """`gcp:PLACE/NAME`."""
        return f"{PREFIX}{self.place}/{self.name}"

    @property
    def zonal(self) -> bool:
        """Whether the place is a zone."""
        return bool(_ZONE.fullmatch(self.place))

    @property
    def region(self) -> str:
        """The region of the place."""
        return self.place.rpartition("-")[0] if self.zonal else self.place


def ref_of(group: str) -> Ref | None:
    """From a group's id, None when it is no id of ours."""
    place, slash, name = group.removeprefix(PREFIX).partition("/")
    return Ref(place, name) if slash and group.startswith(PREFIX) and place and name else None


def last(url: str) -> str:
    """The name at the end of a resource's address."""
    return url.rpartition("/")[2]
