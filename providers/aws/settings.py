"""What a configuration may say about AWS, checked once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscale.errors import BadInput
from providers.aws.pools import pools
from providers.aws.specifications import known_machines
from providers.settings_values import duration_s, price_of, prices, refuse_unknown_keys, text, truth, url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.catalog import Machine
    from autoscale.model.supply import CapacityType
    from providers.aws.pools import AwsPool

_KEYS = (
    "discover_tags", "drain_before_end", "endpoint_url", "interruption_queue", "open_reservations", "pools", "prices", "quotas", "region",
)  # fmt: skip
_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,80}")
_TAG = "k8s.io/cluster-autoscaler"


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """Where the groups are, how they are found, what they cost.

    region: empty means the one that boto3 finds (AWS_REGION, profile).
    endpoint_url: another address of both services, empty for Amazon's own.
    discover_tags: a group must carry all of them: (key, value), an empty value meaning any.
    cluster: the cluster's name, which is part of the names of groups that are made.
    pools: templates that groups are made from on first use.
    interruption_queue: name or address of the SQS queue that EventBridge writes to, empty for none.
    open_reservations: whether On-Demand Capacity Reservations that any matching machine gets are looked for, and used first.
    quotas: whether service quotas are read and kept to.
    drain_before_end_s: how long before the end of a reservation nothing is bought of it any more and its nodes are drained.
    prices: `TYPE` or `TYPE/ZONE/CAPACITY-TYPE` (`*` for any zone) -> micro-US$ per hour, before the catalogue's.
    """

    region: str
    endpoint_url: str
    discover_tags: tuple[tuple[str, str], ...]
    prices: Mapping[str, int]
    cluster: str = ""
    pools: tuple[AwsPool, ...] = ()
    quotas: bool = True
    drain_before_end_s: int = 3600
    interruption_queue: str = ""
    open_reservations: bool = False

    @classmethod
    def parse(
        cls, settings: Mapping[str, Any], *, cluster: str, read: Mapping[str, Machine] | None = None
    ) -> AwsSettings:
        """From a configuration's `aws` section. `read` are types beside the bundled ones. Raises BadInput naming the key."""
        refuse_unknown_keys(settings, _KEYS, "aws")
        known = known_machines(read or {})
        return cls(
            region=text(settings, "region", "aws"),
            endpoint_url=url(settings, "endpoint_url", "aws"),
            discover_tags=_tags(settings.get("discover_tags", (f"{_TAG}/enabled", f"{_TAG}/{cluster}"))),
            prices=prices(settings.get("prices", {}), "aws", "instance type", list(known)),
            cluster=cluster,
            pools=pools(settings, known),
            quotas=truth(settings, "quotas", "aws", default=True),
            drain_before_end_s=duration_s(settings, "drain_before_end", "aws", "1h"),
            interruption_queue=_queue(settings),
            open_reservations=truth(settings, "open_reservations", "aws", default=False),
        )

    def price_as_reserved(self, instance_type: str, zone: str) -> int:
        """What a machine of a reservation costs beyond what is paid: 0 unless an entry for `reserved` says otherwise."""
        keys = (f"{instance_type}/{zone}/reserved", f"{instance_type}/*/reserved")
        return next((self.prices[key] for key in keys if key in self.prices), 0)

    def price(self, instance_type: str, zone: str, capacity_type: CapacityType) -> int | None:
        """What the configuration says it costs, the closest entry first; None when it says nothing."""
        return price_of(self.prices, instance_type, zone, capacity_type)


def _queue(settings: Mapping[str, Any]) -> str:
    found = text(settings, "interruption_queue", "aws")
    if found and "://" not in found and _QUEUE.fullmatch(found) is None:
        expected = "the name or the https:// address of an SQS queue"
        raise BadInput("wrong queue", where="aws.interruption_queue", expected=expected, found=repr(found))
    return url(settings, "interruption_queue", "aws") if "://" in found else found


def _tags(value: Any) -> tuple[tuple[str, str], ...]:
    """`key` or `key=value` each; at least one, so that no configuration means every group of the account."""
    texts = list(value) if isinstance(value, (list, tuple)) else []
    if not texts or not all(isinstance(text, str) and text.partition("=")[0] for text in texts):
        raise BadInput(
            "wrong value", where="aws.discover_tags", expected="a list of KEY or KEY=VALUE", found=repr(value)
        )
    return tuple((key, found) for key, _, found in (text.partition("=") for text in texts))
