"""Bursts: pods that arrive together are planned together, and nodes that join meanwhile don't wait for it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Batch:
    """Which pods that wait are still part of a burst that goes on. Times are monotonic seconds.

    A burst is over once nobody new has come for `quiet_s`, at the latest `max_s` after its first pod.
    """

    quiet_s: float
    max_s: float
    _known: frozenset[str] = frozenset()
    _burst: frozenset[str] = frozenset()
    _opened_s: float = 0.0
    _latest_s: float = 0.0
    _started: bool = field(default=False)

    def hold_back(self, waiting: frozenset[str], now_s: float, *, over: bool = False) -> frozenset[str]:
        """The uids, of those waiting now, that are not to be planned yet.

        `over`: whoever is there now came in a burst that is known to be over; so did those of the first look.
        """
        fresh = waiting - self._known - self._burst
        if fresh:
            self._opened_s = self._opened_s if self._burst else now_s
            self._latest_s = now_s
        self._burst = (self._burst & waiting) | fresh
        over = over or not self._started or self.left_s(now_s) <= 0
        self._started = True
        if over:
            self._known, self._burst = waiting, frozenset()
        else:
            self._known &= waiting
        return self._burst

    def left_s(self, now_s: float) -> float:
        """Seconds until the burst is over if nobody else comes; infinite when there is none."""
        if not self._burst:
            return float("inf")
        return max(0.0, min(self._latest_s + self.quiet_s, self._opened_s + self.max_s) - now_s)
