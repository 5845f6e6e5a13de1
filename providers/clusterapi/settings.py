"""What a configuration may say about Cluster API, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from autoscale.errors import BadInput
from autoscale.model.resources import Resources
from providers.settings_values import refuse_unknown_keys, text, usd

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
        refuse_unknown_keys(settings, _KEYS, "clusterapi")
        return cls(
            kubeconfig=text(settings, "kubeconfig", "clusterapi"),
            context=text(settings, "context", "clusterapi"),
            namespace=text(settings, "namespace", "clusterapi"),
            cluster_name=text(settings, "cluster_name", "clusterapi", cluster),
            api_group=text(settings, "api_group", "clusterapi", "cluster.x-k8s.io"),
            prices=_prices(settings.get("prices", {})),
            reserved=_reserved(settings.get("reserved", {})),
        )

    def price(self, name: str) -> int:
        """What a machine of the group costs, in micro-US$ per hour."""
        return next((price for pattern, price in self.prices if fnmatchcase(name, pattern)), 0)


def _prices(value: Any) -> tuple[tuple[str, int], ...]:
    if not hasattr(value, "items"):
        raise BadInput(
            "wrong type",
            where="clusterapi.prices",
            expected="a map of group pattern to US$ per hour",
            found=repr(value),
        )
    return tuple(
        (str(pattern), usd(price, f"clusterapi.prices.{pattern}", may_be_free=True)) for pattern, price in value.items()
    )


def _reserved(value: Any) -> Resources:
    if not hasattr(value, "items"):
        raise BadInput(
            "wrong type", where="clusterapi.reserved", expected="a map of resource to quantity", found=repr(value)
        )
    try:
        return Resources.parse({str(name): str(amount) for name, amount in value.items()}, up=True)
    except ValueError as error:
        raise BadInput("wrong quantity", where="clusterapi.reserved", found=str(error)) from error
