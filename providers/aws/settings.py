"""What a configuration may say about AWS, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType
from autoscale.model.units import MICRO, usd_per_hour
from providers.aws.catalog import nearest
from providers.aws.specifications import specifications

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEYS = ("discover_tags", "endpoint_url", "prices", "region")
_TAG = "k8s.io/cluster-autoscaler"


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """Where the groups are, how they are found, what they cost.

    region: empty means the one that boto3 finds (AWS_REGION, profile).
    endpoint_url: another address of both services, empty for Amazon's own.
    discover_tags: a group must carry all of them: (key, value), an empty value meaning any.
    prices: `TYPE` or `TYPE/ZONE/CAPACITY-TYPE` (`*` for any zone) -> micro-US$ per hour, before the catalogue's.
    """

    region: str
    endpoint_url: str
    discover_tags: tuple[tuple[str, str], ...]
    prices: Mapping[str, int]

    @classmethod
    def parse(cls, settings: Mapping[str, Any], *, cluster: str) -> AwsSettings:
        """From a configuration's `aws` section. Raises BadInput naming the key."""
        for key in settings:
            if key not in _KEYS:
                raise BadInput(
                    f"unknown key{nearest(str(key), _KEYS)}", where=f"aws.{key}", expected=f"one of {', '.join(_KEYS)}"
                )
        return cls(
            region=_text(settings, "region"),
            endpoint_url=_url(settings, "endpoint_url"),
            discover_tags=_tags(settings.get("discover_tags", (f"{_TAG}/enabled", f"{_TAG}/{cluster}"))),
            prices=_prices(settings.get("prices", {})),
        )

    def price(self, instance_type: str, zone: str, capacity_type: CapacityType) -> int | None:
        """What the configuration says it costs, the closest entry first; None when it says nothing."""
        keys = [f"{instance_type}/{zone or '*'}/{capacity_type}", f"{instance_type}/*/{capacity_type}"]
        if capacity_type != CapacityType.SPOT:
            keys.append(instance_type)
        return next((self.prices[key] for key in keys if key in self.prices), None)


def _text(settings: Mapping[str, Any], key: str) -> str:
    value = settings.get(key, "")
    if not isinstance(value, str):
        raise BadInput("wrong type", where=f"aws.{key}", expected="a text", found=repr(value))
    return value


def _url(settings: Mapping[str, Any], key: str) -> str:
    value = _text(settings, key)
    parts = urlsplit(value)
    if value and not (parts.scheme in ("http", "https") and parts.hostname):
        raise BadInput("wrong address", where=f"aws.{key}", expected="http://HOST or https://HOST", found=value)
    return value


def _tags(value: Any) -> tuple[tuple[str, str], ...]:
    """`key` or `key=value` each; at least one, so that no configuration means every group of the account."""
    texts = list(value) if isinstance(value, (list, tuple)) else []
    if not texts or not all(isinstance(text, str) and text.partition("=")[0] for text in texts):
        raise BadInput(
            "wrong value", where="aws.discover_tags", expected="a list of KEY or KEY=VALUE", found=repr(value)
        )
    return tuple((key, found) for key, _, found in (text.partition("=") for text in texts))


def _prices(value: Any) -> Mapping[str, int]:
    if not hasattr(value, "items"):
        raise BadInput("wrong type", where="aws.prices", expected="a map of TYPE to US$ per hour", found=repr(value))
    prices = {}
    for key, price in value.items():
        where = f"aws.prices.{key}"
        _check_price_key(str(key), where)
        prices[str(key)] = _usd(price, where)
    return MappingProxyType(prices)


def _check_price_key(key: str, where: str) -> None:
    name, *rest = key.split("/")
    names: Sequence[str] = list(specifications())
    if name not in names:
        raise BadInput(f"unknown instance type{nearest(name, names)}", where=where)
    if rest and (len(rest) != 2 or rest[1] not in set(CapacityType)):
        raise BadInput(
            "wrong key", where=where, expected="TYPE or TYPE/ZONE/CAPACITY-TYPE with * for any zone", found=key
        )


def _usd(price: Any, where: str) -> int:
    try:
        value = None if isinstance(price, bool) else Decimal(str(price))
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or not 0 < value < MICRO:
        raise BadInput("wrong price", where=where, expected="US$ per hour above 0", found=repr(price))
    return usd_per_hour(value)
