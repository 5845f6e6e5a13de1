"""Service quotas of EC2 as ceilings over groups: how many vCPUs of a family may run, on demand and on spot.

Codes: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.supply import CapacityType, FaultKind, Quota
from providers.aws.faults import CLOUD_ERRORS, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from autoscale.model.supply import NodeGroup
    from providers.aws.catalog import Book
    from providers.aws.clients import Clients
    from providers.aws.reservations import Reservation

# Letters that the names of a family's types begin with -> codes of its quotas, on demand and spot.
_STANDARD = "a c d h i im is m r t z"
_CODES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(_STANDARD.split(), ("L-1216C47A", "L-34B43A08")),
    **dict.fromkeys(("g", "gr", "vt"), ("L-DB2E81BA", "L-3819A6DF")),
    "p": ("L-417A185B", "L-7212CCBC"),
    "inf": ("L-1945791B", "L-B5D1601B"),
    "trn": ("L-2C3B7624", "L-6B0D517C"),
    "dl": ("L-6E869C2A", "L-85EED4F7"),
    "f": ("L-74FC7D96", "L-88CF9481"),
    "x": ("L-7295265B", "L-E3A00192"),
}
_P5_SPOT = "L-C4BD4855"  # spot of P5 has a quota of its own; of later ones nothing is known
_FAMILY = re.compile(r"(?P<letters>[a-z]+)(?P<generation>\d*)")
_AGAIN_S = 900  # a quota is raised by a person, in hours
_DOING = "servicequotas:ListServiceQuotas"


@dataclass(frozen=True, slots=True)
class Value:
    """A quota as the account has it."""

    name: str
    vcpus: int


class ServiceQuotas:
    """The account's quotas of EC2, read now and then. What was known outlives a read that fails."""

    def __init__(self, clients: Clients, *, now_s: Callable[[], int]) -> None:
        self._clients = clients
        self._now_s = now_s
        self._read_at_s: int | None = None
        self._values: Mapping[str, Value] = MappingProxyType({})
        self._trouble = ""

    def read(self) -> tuple[Mapping[str, Value], str]:
        """By code, and why they can't be read. Without them groups are as good: the cloud says no when one is used up.

        Without the right there are none, and nothing to say.
        """
        if self._read_at_s is not None and self._now_s() - self._read_at_s < _AGAIN_S:
            return self._values, self._trouble
        self._read_at_s, self._trouble = self._now_s(), ""
        found = {}
        try:
            pages = self._clients.service_quotas.get_paginator("list_service_quotas").paginate(
                ServiceCode="ec2", PaginationConfig={"PageSize": 100}
            )
            for page in pages:
                for quota in page["Quotas"]:
                    name = quota.get("QuotaName", quota["QuotaCode"])
                    found[quota["QuotaCode"]] = Value(name, int(quota["Value"]))
        except CLOUD_ERRORS as error:
            fault = fault_of(error, at_s=self._now_s(), doing=_DOING)
            if fault.kind is not FaultKind.DENIED:
                known = "those of before are kept to" if self._values else "purchases are not held against them"
                self._trouble = f"service quotas can't be read, {known}: {fault.message}"
            return self._values, self._trouble
        self._values = MappingProxyType(found)
        return self._values, ""


def code_of(instance_type: str, capacity_type: CapacityType) -> str:
    """Code of the quota that an instance counts against, empty for a family that we know none of.

    What runs in a reservation was counted when that was made.
    """
    match = _FAMILY.match(instance_type)
    if match is None or capacity_type is CapacityType.RESERVED:
        return ""
    on_demand, spot = _CODES.get(match["letters"], ("", ""))
    if capacity_type is CapacityType.ON_DEMAND:
        return on_demand
    if match["letters"] == "p" and int(match["generation"] or 0) >= 5:
        return _P5_SPOT if match["generation"] == "5" else ""
    return spot


def quotas_over(
    groups: Iterable[NodeGroup],
    values: Mapping[str, Value],
    reserved: Iterable[Reservation],
    book: Book,
    warm: Mapping[str, int],
) -> tuple[Quota, ...]:
    """One for each code that a group counts against. Machines of a reservation count, whether they run or not.

    A group of several types counts with its largest. `warm`: group id -> machines that run in its warm pool.
    """
    per_node: dict[str, dict[str, int]] = {}
    elsewhere: dict[str, int] = {}
    for group in groups:
        types = group.offering.instance_type.split("|")
        for code in {code_of(each, group.offering.capacity_type) for each in types} & values.keys():
            largest = per_node.setdefault(code, {})[group.id] = max(_vcpus(each, book) for each in types)
            elsewhere[code] = elsewhere.get(code, 0) + warm.get(group.id, 0) * largest
    for each in reserved:
        if not each.block and each.state == "active":
            code = code_of(each.instance_type, CapacityType.ON_DEMAND)
            elsewhere[code] = elsewhere.get(code, 0) + each.total * _vcpus(each.instance_type, book)
    return tuple(
        Quota(code, values[code].name, "vCPUs", values[code].vcpus, weights, elsewhere.get(code, 0))
        for code, weights in sorted(per_node.items())
    )


def _vcpus(name: str, book: Book) -> int:
    machine = book.instance_type(name)
    return machine.capacity["cpu"] // 1000 if machine else 0
