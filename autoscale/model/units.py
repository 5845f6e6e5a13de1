"""Money and quantities as integers.

Kubernetes quantities follow `k8s.io/apimachinery/pkg/api/resource`: a decimal number with a binary (`Ki` .. `Ei`) or
decimal (`n`, `u`, `m`, `k` .. `E`) suffix, or an exponent. The scheduler rounds every quantity up to whole units
(`Quantity.Value`, `Quantity.MilliValue` for cpu); so do requests here. Capacity rounds down. What is larger than 2^63 - 1
counts as that much.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import NamedTuple

MICRO = 1_000_000
HOURS_PER_MONTH = 730

_SUFFIX = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12, "P": Decimal(10) ** 15, "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40, "Pi": Decimal(2) ** 50, "Ei": Decimal(2) ** 60,
}  # fmt: skip
A_DURATION = "a duration with its unit such as 500ms, 10s, 5m or 1h30m"
_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]{1,3})|([numkMGTPE]|[KMGTPE]i)?)")
_MOST = Decimal(2**63 - 1)


@lru_cache(maxsize=65536)
def quantity(text: str, *, milli: bool = False, up: bool = True) -> int:
    """A Kubernetes quantity as an integer, in thousandths when `milli`, rounded up or down.

    Raises ValueError, naming the text, when it is not a quantity.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a Kubernetes quantity such as 500m, 2 or 16Gi")
    number, exponent, suffix = match.groups()
    value = max(-_MOST, min(_MOST, Decimal(number + (exponent or "")) * _SUFFIX[suffix or ""]))
    if milli:
        value *= 1000
    return int(value.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))


class Part(NamedTuple):
    """So many, or a share of all in parts per million."""

    number: int = 0
    ppm: int = 0

    def of(self, total: int) -> int:
        """How many of `total` that is; a share is rounded up, as Kubernetes does."""
        return self.number + -(-total * self.ppm // MICRO)


def usd_per_hour(text: str | float | Decimal) -> int:
    """US$ per hour as micro-US$ per hour, to the nearest: `usd_per_hour("0.526") == 526000`."""
    return int((Decimal(str(text)) * MICRO).to_integral_value())


def duration_ms(value: object) -> int:
    """`1h30m` as milliseconds. Raises ValueError that says what was expected."""
    if not isinstance(value, str) or _DURATION.fullmatch(value) is None:
        raise ValueError(A_DURATION)
    return int(sum(Decimal(number) * _MS[unit] for number, unit in _PART.findall(value)))
