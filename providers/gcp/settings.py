"""What a configuration may say about Google Cloud, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscale.errors import BadInput
from providers.gcp.pools import CLUSTER, label, pools
from providers.gcp.specifications import specification_of, specifications
from providers.settings_values import duration_s, price_of, priced_as_reserved, prices, refuse_unknown_keys, text, url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.catalog import Machine
    from autoscale.model.supply import CapacityType
    from providers.gcp.pools import GcpPool

_KEYS = ("discover", "drain_before_end", "endpoint_url", "pools", "prices", "project", "queue_for")
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
    cluster: the cluster's name, which is part of the names of groups that are made.
    pools: templates that groups are made from on first use.
    drain_before_end_s: how long before a machine's end that is known, or its maintenance, it is drained.
    queue_for_s: how long flex-start machines may take, Google's queue included, before they are looked for elsewhere.
    prices: `MACHINE` or `MACHINE/ZONE/CAPACITY-TYPE` (`*` for any zone) -> micro-US$ per hour, before the catalogue's.
    """

    project: str
    endpoint_url: str
    discover: tuple[Discovery, ...]
    prices: Mapping[str, int]
    cluster: str = ""
    pools: tuple[GcpPool, ...] = ()
    drain_before_end_s: int = 3600
    queue_for_s: int = 3600

    @classmethod
    def parse(
        cls, settings: Mapping[str, Any], *, cluster: str, read: Mapping[str, Machine] | None = None
    ) -> GcpSettings:
        """From a configuration's `gcp` section. `read` are machines beside the bundled ones. Raises BadInput naming the key."""
        refuse_unknown_keys(settings, _KEYS, "gcp")
        known = {**specifications(), **{name: specification_of(each) for name, each in (read or {}).items()}}
        default = (f"mig:label={CLUSTER}:{label(cluster)}",)
        return cls(
            project=text(settings, "project", "gcp"),
            endpoint_url=url(settings, "endpoint_url", "gcp"),
            discover=_discoveries(settings.get("discover", default)),
            prices=prices(settings.get("prices", {}), "gcp", "machine", list(known)),
            cluster=cluster,
            pools=pools(settings, known),
            queue_for_s=duration_s(settings, "queue_for", "gcp", "1h"),
            drain_before_end_s=duration_s(settings, "drain_before_end", "gcp", "1h"),
        )

    @property
    def by_label(self) -> bool:
        """Whether groups must be looked into before it is known whose they are."""
        return any(rule.how == "label" for rule in self.discover)

    def found_by(self, name: str, labels: Mapping[str, str]) -> Discovery | None:
        """The first rule that finds the group, None when it is none of ours."""
        return next((rule for rule in self.discover if rule.finds(name, labels)), None)

    def price_as_reserved(self, machine: str, zone: str) -> int:
        """What a machine of a reservation costs beyond what is paid: 0 unless an entry for `reserved` says otherwise."""
        return priced_as_reserved(self.prices, machine, zone)

    def price(self, machine: str, zone: str, capacity_type: CapacityType) -> int | None:
        """What the configuration says it costs, the closest entry first; None when it says nothing."""
        return price_of(self.prices, machine, zone, capacity_type)


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
