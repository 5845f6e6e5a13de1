"""The machine's own clock."""

from __future__ import annotations

import time


class SystemClock:
    """`ports.Clock` on the machine's clock."""

    def now_s(self) -> int:
        """Whole seconds since the epoch."""
        return int(time.time())

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
