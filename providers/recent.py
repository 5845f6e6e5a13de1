"""What we asked a cloud for a moment ago, for as long as its reads may still show what was before."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LAG_S = 30  # how long a group may still show what it was before a change


@dataclass(frozen=True, slots=True)
class _Change:
    target: int
    before: int
    at_s: int


class Recent:
    """Targets by group id. Safe to share between threads."""

    def __init__(self, *, now_s: Callable[[], int]) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._changes: dict[str, _Change] = {}

    def asked(self, group: str, target: int, *, before: int) -> None:
        """We set the group's target; `before` is what it showed then."""
        with self._lock:
            self._changes[group] = _Change(target, before, self._now_s())

    def target(self, group: str, shown: int) -> int:
        """The group's target: what it shows, unless that is what it showed before our last change."""
        with self._lock:
            change = self._changes.get(group)
            if change and shown == change.before and self._now_s() - change.at_s <= _LAG_S:
                return change.target
            return shown

    def forget(self, group: str) -> None:
        """The group is made anew: nothing of what we asked before holds."""
        with self._lock:
            self._changes.pop(group, None)

    def knows(self, group: str) -> bool:
        """Whether we ever changed the group."""
        with self._lock:
            return group in self._changes
