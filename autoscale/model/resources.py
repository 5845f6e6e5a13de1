"""A vector of resources, and the comparison the scheduler makes with it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.units import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Resources:
    """How much of each resource, by its Kubernetes name; absent means 0. Immutable and hashable.

    `cpu` is in millicores, all else in base units (bytes, pieces).
    """

    __slots__ = ("_amounts", "_hash")

    def __init__(self, amounts: Mapping[str, int] | None = None) -> None:
        self._amounts = {name: amount for name, amount in (amounts or {}).items() if amount}
        self._hash = hash(frozenset(self._amounts.items()))

    @classmethod
    def parse(cls, quantities: Mapping[str, str], *, up: bool) -> Resources:
        """From Kubernetes quantities; requests round up, capacity rounds down. Raises ValueError for a bad one."""
        return cls({name: quantity(str(q), milli=name == "cpu", up=up) for name, q in quantities.items()})

    @property
    def amounts(self) -> Mapping[str, int]:
        """Read-only view, only non-zero entries."""
        return MappingProxyType(self._amounts)

    def __getitem__(self, name: str) -> int:
        return self._amounts.get(name, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __bool__(self) -> bool:
        return bool(self._amounts)

    def __add__(self, other: Resources) -> Resources:
        out = dict(self._amounts)
        for name, amount in other._amounts.items():
            out[name] = out.get(name, 0) + amount
        return Resources(out)

    def __sub__(self, other: Resources) -> Resources:
        out = dict(self._amounts)
        for name, amount in other._amounts.items():
            out[name] = out.get(name, 0) - amount
        return Resources(out)

    def __mul__(self, times: int) -> Resources:
        return Resources({name: amount * times for name, amount in self._amounts.items()})

    def max(self, other: Resources) -> Resources:
        """Larger of the two, resource by resource."""
        return Resources({n: max(self[n], other[n]) for n in {*self._amounts, *other._amounts}})

    def min(self, other: Resources) -> Resources:
        """Smaller of the two, resource by resource."""
        return Resources({n: min(self[n], other[n]) for n in {*self._amounts, *other._amounts}})

    def fits(self, room: Resources) -> bool:
        """Whether this request fits in that room. A request of 0 never fails, however overfull the room is."""
        return all(amount <= room[name] for name, amount in self._amounts.items() if amount > 0)

    def lacking(self, room: Resources) -> dict[str, tuple[int, int]]:
        """What does not fit: name -> (asked, there)."""
        return {n: (a, room[n]) for n, a in self._amounts.items() if a > 0 and a > room[n]}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self._amounts == other._amounts

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Resources({dict(sorted(self._amounts.items()))})"
