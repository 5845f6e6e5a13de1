"""Values in a provider's section of the configuration: each checked, errors named by the section's own keys."""

from __future__ import annotations

import difflib
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType
from autoscale.model.units import MICRO, duration_ms, usd_per_hour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def refuse_unknown_keys(settings: Mapping[str, Any], keys: Sequence[str], section: str) -> None:
    """Raises BadInput for the first key that the section does not have."""
    for key in settings:
        if key not in keys:
            raise BadInput(
                f"unknown key{nearest(str(key), keys)}", where=f"{section}.{key}", expected=f"one of {', '.join(keys)}"
            )


def text(settings: Mapping[str, Any], key: str, section: str, default: str = "") -> str:
    """A text. Raises BadInput."""
    value = settings.get(key, default)
    if not isinstance(value, str):
        raise BadInput("wrong type", where=f"{section}.{key}", expected="a text", found=repr(value))
    return value


def truth(settings: Mapping[str, Any], key: str, section: str, *, default: bool) -> bool:
    """True or false. Raises BadInput."""
    value = settings.get(key, default)
    if not isinstance(value, bool):
        raise BadInput("wrong value", where=f"{section}.{key}", expected="true or false", found=repr(value))
    return value


def duration_s(settings: Mapping[str, Any], key: str, section: str, default: str) -> int:
    """A duration with its unit, in whole seconds, rounded up. Raises BadInput."""
    value = settings.get(key, default)
    try:
        return -(-duration_ms(value) // 1000)
    except ValueError as error:
        raise BadInput("wrong value", where=f"{section}.{key}", expected=str(error), found=repr(value)) from error


def url(settings: Mapping[str, Any], key: str, section: str) -> str:
    """An address, or nothing. Raises BadInput."""
    value = text(settings, key, section)
    parts = urlsplit(value)
    if value and not (parts.scheme in ("http", "https") and parts.hostname):
        raise BadInput("wrong address", where=f"{section}.{key}", expected="http://HOST or https://HOST", found=value)
    return value


def usd(price: Any, where: str, *, may_be_free: bool = False) -> int:
    """US$ per hour as micro-US$. Raises BadInput."""
    try:
        value = None if isinstance(price, bool) else Decimal(str(price))
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or not 0 <= value < MICRO or not (value or may_be_free):
        expected = "US$ per hour, 0 or more" if may_be_free else "US$ per hour above 0"
        raise BadInput("wrong price", where=where, expected=expected, found=repr(price))
    return usd_per_hour(value)


def prices(value: Any, section: str, kind: str, known: Sequence[str]) -> Mapping[str, int]:
    """`TYPE` or `TYPE/ZONE/CAPACITY-TYPE` (`*` for any zone) -> micro-US$ per hour.

    `kind` is what a cloud calls a type, `known` are those there are. Raises BadInput.
    """
    where = f"{section}.prices"
    if not hasattr(value, "items"):
        expected = f"a map of {_name_of(kind)} to US$ per hour"
        raise BadInput("wrong type", where=where, expected=expected, found=repr(value))
    found = {}
    for key, price in value.items():
        _check_key(str(key), f"{where}.{key}", kind, known)
        found[str(key)] = usd(price, f"{where}.{key}")
    return MappingProxyType(found)


def price_of(found: Mapping[str, int], type_: str, zone: str, capacity_type: CapacityType) -> int | None:
    """What `prices` say it costs, the closest entry first; None when they say nothing."""
    keys = [f"{type_}/{zone or '*'}/{capacity_type}", f"{type_}/*/{capacity_type}"]
    if capacity_type != CapacityType.SPOT:
        keys.append(type_)
    return next((found[key] for key in keys if key in found), None)


def priced_as_reserved(found: Mapping[str, int], type_: str, zone: str) -> int:
    """What `prices` say that a machine of a reservation costs beyond what is paid for it anyhow: 0 when they say nothing."""
    keys = (f"{type_}/{zone or '*'}/{CapacityType.RESERVED}", f"{type_}/*/{CapacityType.RESERVED}")
    return next((found[key] for key in keys if key in found), 0)


def _check_key(key: str, where: str, kind: str, known: Sequence[str]) -> None:
    name, *rest = key.split("/")
    if name not in known:
        raise BadInput(f"unknown {kind}{nearest(name, known)}", where=where)
    if rest and (len(rest) != 2 or rest[1] not in set(CapacityType)):
        each = _name_of(kind)
        raise BadInput(
            "wrong key", where=where, expected=f"{each} or {each}/ZONE/CAPACITY-TYPE with * for any zone", found=key
        )


def _name_of(kind: str) -> str:
    """As which word a value of that kind stands in a sentence: TYPE for an instance type."""
    return kind.rsplit(maxsplit=1)[-1].upper()
