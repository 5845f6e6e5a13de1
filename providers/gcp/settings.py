"""What a configuration may say about Google Cloud, checked once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType
from autoscale.model.units import MICRO, usd_per_hour
from providers.gcp.catalog import nearest
from providers.gcp.specifications import specifications

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("discover", "endpoint_url", "prices", "project")
LABEL = "gpu-autoscale-cluster"
_DISCOVER = "mig:namePrefix=PREFIX, mig:label=KEY:VALUE or mig:name=NAME, then ,min=NUMBER,max=NUMBER if wanted"
_HOW = ("namePrefix", "label", "name")


@dataclass(frozen=True, slots=True)
class Discovery:
    """One rule by which groups are found. `how` is `namePrefix`, `name` or `label` (then `value` is its value).

    Bounds are None where the group's own labels count.
    """

    how: str
    text: str
    value: str = ""
    low: int | None = None
    high: int | None = None

    def finds(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether it means the group of that name, whose instances carry those labels."""
        if self.how == "label":
            return labels.get(self.text) == self.value
        return name == self.text if self.how == "name" else name.startswith(self.text)


@dataclass(frozen=True, slots=True)
class GcpSettings:
    """Where the groups are, how they are found, what they cost.

    project: empty means that of the credentials.
    endpoint_url: another address of Compute Engine, empty for Google's own. A plain http address gets no credentials.
    discover: a group is ours when one of them finds it; the first one gives its bounds.
    prices: `MACHINE` or `MACHINE/ZONE/CAPACITY-TYPE` (`*` for any zone) -> micro-US$ per hour, before the catalogue's.
    """

    project: str
    endpoint_url: str
    discover: tuple[Discovery, ...]
    prices: Mapping[str, int]

    @classmethod
    def parse(cls, settings: Mapping[str, Any], *, cluster: str) -> GcpSettings:
        """From a configuration's `gcp` section. Raises BadInput naming the key."""
        for key in settings:
            if key not in _KEYS:
                raise BadInput(
                    f"unknown key{nearest(str(key), _KEYS)}", where=f"gcp.{key}", expected=f"one of {', '.join(_KEYS)}"
                )
        default = (f"mig:label={LABEL}:{label_value(cluster)}",)
        return cls(
            project=_text(settings, "project"),
            endpoint_url=_url(settings, "endpoint_url"),
            discover=_discoveries(settings.get("discover", default)),
            prices=_prices(settings.get("prices", {})),
        )

    @property
    def by_label(self) -> bool:
        """Whether groups must be looked into before it is known whose they are."""
        return any(rule.how == "label" for rule in self.discover)

    def found_by(self, name: str, labels: Mapping[str, str]) -> Discovery | None:
        """The first rule that finds the group, None when it is none of ours."""
        return next((rule for rule in self.discover if rule.finds(name, labels)), None)

    def price(self, machine: str, zone: str, capacity_type: CapacityType) -> int | None:
        """What the configuration says it costs, the closest entry first; None when it says nothing."""
        keys = [f"{machine}/{zone or '*'}/{capacity_type}", f"{machine}/*/{capacity_type}"]
        if capacity_type != CapacityType.SPOT:
            keys.append(machine)
        return next((self.prices[key] for key in keys if key in self.prices), None)


def label_value(text: str) -> str:
    """A name as a Google label can hold it: lower case, and dashes for all but letters, digits, `-` and `_`."""
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:63]


def _text(settings: Mapping[str, Any], key: str) -> str:
    value = settings.get(key, "")
    if not isinstance(value, str):
        raise BadInput("wrong type", where=f"gcp.{key}", expected="a text", found=repr(value))
    return value


def _url(settings: Mapping[str, Any], key: str) -> str:
    value = _text(settings, key)
    parts = urlsplit(value)
    if value and not (parts.scheme in ("http", "https") and parts.hostname):
        raise BadInput("wrong address", where=f"gcp.{key}", expected="http://HOST or https://HOST", found=value)
    return value


def _discoveries(value: Any) -> tuple[Discovery, ...]:
    """At least one, so that no configuration means every group of the project."""
    if not isinstance(value, (list, tuple)) or not value:
        raise BadInput("wrong value", where="gcp.discover", expected=f"a list of {_DISCOVER}", found=repr(value))
    return tuple(_discovery(each, f"gcp.discover[{index}]") for index, each in enumerate(value))


def _discovery(text: Any, where: str) -> Discovery:
    wrong = BadInput("wrong value", where=where, expected=_DISCOVER, found=repr(text))
    if not isinstance(text, str) or not text.startswith("mig:"):
        raise wrong
    parts = dict(part.partition("=")[::2] for part in text.removeprefix("mig:").split(","))
    bounds = {key: parts.pop(key, None) for key in ("min", "max")}
    if len(parts) != 1 or any(each is not None and not each.isdecimal() for each in bounds.values()):
        raise wrong
    ((how, found),) = parts.items()
    key, _, label = found.partition(":")
    if how not in _HOW or not found or (how == "label" and not (key and label)):
        raise wrong
    low, high = (None if each is None else int(each) for each in bounds.values())
    if low is not None and high is not None and low > high:
        raise BadInput("min is above max", where=where, found=text)
    return Discovery(how, key if how == "label" else found, label if how == "label" else "", low, high)


def _prices(value: Any) -> Mapping[str, int]:
    if not hasattr(value, "items"):
        raise BadInput("wrong type", where="gcp.prices", expected="a map of MACHINE to US$ per hour", found=repr(value))
    prices = {}
    for key, price in value.items():
        where = f"gcp.prices.{key}"
        _check_price_key(str(key), where)
        prices[str(key)] = _usd(price, where)
    return MappingProxyType(prices)


def _check_price_key(key: str, where: str) -> None:
    name, *rest = key.split("/")
    names = list(specifications())
    if name not in names:
        raise BadInput(f"unknown machine{nearest(name, names)}", where=where)
    if rest and (len(rest) != 2 or rest[1] not in set(CapacityType)):
        raise BadInput(
            "wrong key", where=where, expected="MACHINE or MACHINE/ZONE/CAPACITY-TYPE with * for any zone", found=key
        )


def _usd(price: Any, where: str) -> int:
    try:
        value = None if isinstance(price, bool) else Decimal(str(price))
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or not 0 < value < MICRO:
        raise BadInput("wrong price", where=where, expected="US$ per hour above 0", found=repr(price))
    return usd_per_hour(value)
