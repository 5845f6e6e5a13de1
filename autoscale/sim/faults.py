"""What can be made to go wrong on the wire of the embedded API server, for tests and demonstrations."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HANG_UP = 0  # instead of an HTTP status: the connection is closed without an answer


@dataclass(slots=True)
class _Refusal:
    code: int
    method: str
    path: str
    times: int


class Faults:
    """Faults that wait for their requests. Safe to share between threads."""

    def __init__(self) -> None:
        self.cuts = 0  # a watch that was opened under another number is cut off
        self.events_held = False
        self._refusals: list[_Refusal] = []
        self._lock = threading.Lock()

    def refuse(self, code: int, *, method: str = "", path: str = "", times: int = 1) -> None:
        """Answer the next so many requests with this status (or HANG_UP), if they are of the method and path begins so."""
        with self._lock:
            self._refusals.append(_Refusal(code, method, path, times))

    def cut_watches(self) -> None:
        """Break off all watches now, in the middle of an event."""
        self.cuts += 1

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Cut everything off and hang up on every request while this lasts."""
        fault = _Refusal(HANG_UP, "", "", 1 << 30)
        with self._lock:
            self._refusals.insert(0, fault)
        self.cut_watches()
        try:
            yield
        finally:
            with self._lock:
                self._refusals.remove(fault)

    @contextmanager
    def held_events(self) -> Iterator[None]:
        """Let watches say nothing while this lasts; what happened meanwhile comes late."""
        self.events_held = True
        try:
            yield
        finally:
            self.events_held = False

    def take(self, method: str, path: str) -> int | None:
        """The status that this request is to be answered with, None for an ordinary answer."""
        with self._lock:
            for fault in self._refusals:
                if fault.method in ("", method) and path.startswith(fault.path):
                    fault.times -= 1
                    if not fault.times:
                        self._refusals.remove(fault)
                    return fault.code
        return None
