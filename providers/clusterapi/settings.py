"""What a configuration may say about Cluster API, checked once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from autoscale.errors import BadInput
from autoscale.model.resources import Resources
from autoscale.model.units import MICRO, usd_per_hour

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXTS = ("api_group", "cluster_name", "context", "kubeconfig", "namespace")
_KEYS = (*_TEXTS, "prices", "reserved")


@dataclass(frozen=True, slots=True)
class ClusterApiSettings:
    """Where the machines are managed, which of them are this cluster's, what they cost.

    kubeconfig, context: of the management cluster; empty means the one that the engine itself runs against.
    namespace: empty means all. cluster_name: as Cluster API calls the cluster; empty means any.
    prices: pattern on a group's name -> micro-US$ per hour; the first that matches counts, else 0: owned machines.
    reserved: what kubelet and system keep of the capacity that is told.
    """

    kubeconfig: str
    context: str
    namespace: str
    cluster_name: str
    api_group: str
    prices: tuple[tuple[str, int], ...]
    reserved: Resources

    @classmethod
    def parse(cls, settings: Mapping[str, Any], *, cluster: str) -> ClusterApiSettings:
        """From a configuration's `clusterapi` section. Raises BadInput naming the key."""
        for key in settings:
            if key not in _KEYS:
                near = difflib.get_close_matches(str(key), _KEYS, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise BadInput(f"unknown key{hint}", where=f"clusterapi.{key}", expected=f"one of {', '.join(_KEYS)}")
        return cls(
            kubeconfig=_text(settings, "kubeconfig"),
            context=_text(settings, "context"),
            namespace=_text(settings, "namespace"),
            cluster_name=_text(settings, "cluster_name", cluster),
            api_group=_text(settings, "api_group", "cluster.x-k8s.io"),
            prices=_prices(settings.get("prices", {})),
            reserved=_reserved(settings.get("reserved", {})),
        )

    def price(self, name: str) -> int:
        """What a machine of the group costs, in micro-US$ per hour."""
        return next((price for pattern, price in self.prices if fnmatchcase(name, pattern)), 0)


def _text(settings: Mapping[str, Any], key: str, default: str = "") -> str:
    value = settings.get(key, default)
    if not isinstance(value, str):
        raise BadInput("wrong type", where=f"clusterapi.{key}", expected="a text", found=repr(value))
    return value


def _prices(value: Any) -> tuple[tuple[str, int], ...]:
    if not hasattr(value, "items"):
        raise BadInput(
            "wrong type",
            where="clusterapi.prices",
            expected="a map of group pattern to US$ per hour",
            found=repr(value),
        )
    return tuple((str(pattern), _usd(price, f"clusterapi.prices.{pattern}")) for pattern, price in value.items())


def _usd(price: Any, where: str) -> int:
    try:
        value = None if isinstance(price, bool) else Decimal(str(price))
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or not 0 <= value < MICRO:
        raise BadInput("wrong price", where=where, expected="US$ per hour, 0 or more", found=repr(price))
    return usd_per_hour(value)


def _reserved(value: Any) -> Resources:
    if not hasattr(value, "items"):
        raise BadInput(
            "wrong type", where="clusterapi.reserved", expected="a map of resource to quantity", found=repr(value)
        )
    try:
        return Resources.parse({str(name): str(amount) for name, amount in value.items()}, up=True)
    except ValueError as error:
        raise BadInput("wrong quantity", where="clusterapi.reserved", found=str(error)) from error
