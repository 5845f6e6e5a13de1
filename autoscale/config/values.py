"""Values that carry a unit: durations, money, shares, quantities. Each raises ValueError with what it expected."""

from __future__ import annotations

import re
from decimal import Decimal

from autoscale.model.units import Part, duration_ms, quantity, usd_per_hour

_MONEY = re.compile(
    r"(?:(?P<amount>[0-9]+(?:\.[0-9]+)?) ?(?:USD|US\$|\$)|(?:US)?\$ ?(?P<after>[0-9]+(?:\.[0-9]+)?)) ?/ ?(?:h|hour)"
)
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")

A_MONEY = "US$ per hour such as 1500 USD/h"
A_SHARE = "a share such as 60%"
A_COUNT = "a whole number, 0 or more"
A_PRIORITY = "a priority of pods: a whole number such as -10"
A_PART = "a whole number such as 5, or a share such as 10%"
A_QUANTITY = "a Kubernetes quantity such as 8, 500m or 2Ti"

_CONFIG_MAP = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def duration_s(value: object) -> int:
    """A duration of whole seconds, rounded up."""
    return -(-duration_ms(value) // 1000)


def duration_or_never_s(value: object) -> int | None:
    """A duration in whole seconds, rounded up, or None for `never`."""
    if value == "never":
        return None
    try:
        return duration_s(value)
    except ValueError as error:
        raise ValueError(f"{error}, or never") from error


def money_microusd_per_hour(value: object) -> int:
    """`1500 USD/h` as micro-US$ per hour."""
    match = _MONEY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(A_MONEY)
    return usd_per_hour(match["amount"] or match["after"])


def money_microusd(value: object) -> int:
    """`12 USD` as micro-US$."""
    match = _MONEY.fullmatch(f"{value}/h") if isinstance(value, str) and "/" not in value else None
    if match is None:
        raise ValueError("US$ such as 12 USD")
    return usd_per_hour(match["amount"] or match["after"])


def share_ppm(value: object) -> int:
    """`60%` as parts per million, at most 100%."""
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(A_SHARE)
    ppm = int(Decimal(match[1]) * 10_000)
    if ppm > 1_000_000:
        raise ValueError("a share of at most 100%")
    return ppm


def count(value: object) -> int:
    """A whole number, 0 or more; YAML's `true` is none."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(A_COUNT)
    return value


def priority(value: object) -> int:
    """A priority of pods, as Kubernetes has it."""
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**31) <= value < 2**31:
        raise ValueError(A_PRIORITY)
    return value


def part(value: object) -> Part:
    """`5` or `10%`."""
    if isinstance(value, str):
        try:
            return Part(ppm=share_ppm(value))
        except ValueError as error:
            raise ValueError(A_PART) from error
    try:
        return Part(count(value))
    except ValueError as error:
        raise ValueError(A_PART) from error


def word(value: object) -> str:
    """A non-empty string; a bare number or date in YAML is not one."""
    if not isinstance(value, str) or not value:
        raise ValueError("a string that is not empty")
    return value


def claims_place(value: object) -> str:
    """Where claims are kept: `pods`, or a ConfigMap as NAMESPACE/NAME."""
    if isinstance(value, str) and (value == "pods" or _CONFIG_MAP.fullmatch(value)):
        return value
    raise ValueError("pods, or a ConfigMap as NAMESPACE/NAME")


def amount_of(resource: str, value: object) -> int:
    """A quantity of a resource as the engine counts it: cpu in millicores, all else in base units."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(A_QUANTITY)  # noqa: TRY004 - one kind of error says what was expected
    try:
        found = quantity(str(value), milli=resource == "cpu", up=False)
    except ValueError as error:
        raise ValueError(A_QUANTITY) from error
    if found < 0:
        raise ValueError(f"{A_QUANTITY}, 0 or more")
    return found


def amounts(value: object) -> dict[str, int]:
    """Resource name -> amount."""
    if not isinstance(value, dict):
        raise ValueError("resources by name such as {nvidia.com/gpu: 8}")  # noqa: TRY004 - as above
    out: dict[str, int] = {}
    for name, given in value.items():
        try:
            out[word(name)] = amount_of(name, given)
        except ValueError as error:
            raise ValueError(f"{error} for {name}") from error
    return out
