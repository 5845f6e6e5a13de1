"""Orders: what we asked a group for, so that asking again, or reading old news, never buys twice.

Google's calls add and take away; ours are absolute. Three things close the gap. New instances get names that follow from the
order and their place in the group, and each call a token that follows from its names: a repeated call is the same call. An
order whose answer was lost stays open, and the next try continues it under the same names, whatever plan it comes from. And
for a while after an order was taken in, a group that still shows its old target is known to have the new one (`Recent`).
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from providers.names import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from providers.gcp.refs import Ref

_OPEN_S = 600  # how long an order without an answer is continued
_NAMESPACE = uuid.UUID("5f0c5a53-5d52-4f0c-9a3c-2f1b6a0f6f3e")  # any; it makes our tokens ours
_LONGEST = 63 - 9  # of a name, less a dash and eight letters


@dataclass(frozen=True, slots=True)
class Order:
    """A request to one group, until its answer is known. `seed` decides names and tokens."""

    seed: str
    at_s: int

    def names(self, base: str, places: Iterable[int]) -> list[str]:
        """A name for each place in the group, starting with the group's base name without its number pattern."""
        stem = base.partition("#")[0].rstrip("-")[:_LONGEST]
        return [f"{stem}-{digest(f'{self.seed}/{n}')}" for n in places]

    def token(self, parts: Sequence[str]) -> str:
        """Google's `requestId` for a call about these names."""
        return str(uuid.uuid5(_NAMESPACE, "\n".join([self.seed, *parts])))


class Orders:
    """The orders of this process. Safe to share between threads."""

    def __init__(self, *, now_s: Callable[[], int]) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._open: dict[Ref, Order] = {}

    def is_open(self, ref: Ref) -> bool:
        """Whether nobody knows yet what came of our last order."""
        with self._lock:
            return ref in self._open

    def open(self, ref: Ref, request_id: str) -> Order:
        """The group's open order, or a new one for the request."""
        with self._lock:
            found = self._open.get(ref)
            if found is None or self._now_s() - found.at_s > _OPEN_S:
                found = Order(f"{ref.id}/{request_id}/{self._now_s()}/{next(self._numbers)}", self._now_s())
                self._open[ref] = found
            return found

    def close(self, ref: Ref) -> None:
        """The open order was taken in, or nothing came of it."""
        with self._lock:
            self._open.pop(ref, None)
