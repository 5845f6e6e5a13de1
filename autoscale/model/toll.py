"""How many nodes have gone lately, as a short text: kept on the cluster, so that ceilings outlive the engine."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Toll = tuple[tuple[int, int], ...]
"""(seconds since the epoch, how many nodes went then), the oldest first."""

_HOUR_S, _DAY_S = 3600, 86_400


def since(toll: Toll, now_s: int, within_s: int) -> int:
    """How many have gone within so many seconds."""
    return sum(count for at_s, count in toll if 0 <= now_s - at_s < within_s)


def added(toll: Toll, count: int, now_s: int) -> Toll:
    """With these as well; what is older than an hour is told by the hour it ended in, and after a day no more."""
    out: Counter[int] = Counter({now_s: count})
    for at_s, many in toll:
        age_s = now_s - at_s
        if 0 <= age_s < _HOUR_S:
            out[at_s] += many
        elif _HOUR_S <= age_s < _DAY_S:
            hour_s = -(-at_s // _HOUR_S) * _HOUR_S
            out[min(hour_s, now_s - _HOUR_S)] += many
    return tuple(sorted(out.items()))


def told(toll: Iterable[tuple[int, int]]) -> str:
    """As `SECONDS=COUNT`, with commas between."""
    return ",".join(f"{at_s}={count}" for at_s, count in toll)


def read(text: str) -> Toll:
    """What was told; whatever can't be read is left out."""
    out = []
    for each in text.split(","):
        at_s, equals, count = each.partition("=")
        if equals and all(part.isascii() and part.isdigit() and len(part) < 12 for part in (at_s, count)):
            out.append((int(at_s), int(count)))
    return tuple(sorted(out))
