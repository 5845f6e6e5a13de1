"""The time that a stage's provider sees."""

import time


class StageClock:
    """`ports.Clock`. The machine's time, or with `start_s` one that stands still; both can be put forward."""

    def __init__(self, start_s: int | None = None) -> None:
        self._start_s = start_s
        self._ahead_s = 0

    def now_s(self) -> int:
        """Whole seconds."""
        return self._ahead_s + (int(time.time()) if self._start_s is None else self._start_s)

    def monotonic_s(self) -> float:
        """The same seconds."""
        return float(self.now_s())

    def sleep(self, seconds: float) -> None:
        """Put it forward."""
        self._ahead_s += round(seconds)
