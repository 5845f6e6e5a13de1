"""Reads a problem file: exact quantities, node labels, and which pods a node admits.

The benchmark's own code, apart from the engine's on purpose: what judges an engine must not share its mistakes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json = dict[str, Any]
OfferingKey = tuple[str, str, str]  # instance type, zone, capacity type

PODS = "pods"  # the resource that every pod uses one of
_UNITS = {
    "": Fraction(1),
    **{suffix: Fraction(10) ** power for power, suffix in zip(range(-9, 0, 3), "num", strict=True)},
    **{suffix: Fraction(10) ** (3 * (i + 1)) for i, suffix in enumerate(("k", "M", "G", "T", "P"))},
    **{suffix: Fraction(2) ** (10 * (i + 1)) for i, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"))},
}


@cache
def quantity(text: str) -> Fraction:
    """Turn a Kubernetes quantity ("3500m", "14Gi") into an exact number of cores, bytes or pieces."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([A-Za-z]*)", text)
    if not match or match[2] not in _UNITS:
        raise ValueError(f"expected a Kubernetes quantity, got {text!r}")
    return Fraction(match[1]) * _UNITS[match[2]]


def amounts(quantities: Mapping[str, Any]) -> dict[str, Fraction]:
    """Turn a mapping of resource names to quantities into exact numbers."""
    return {name: quantity(str(text)) for name, text in quantities.items()}


@dataclass(frozen=True, slots=True)
class Shape:
    """`count` equal pods; `counted` says whether their names carry numbers (NAME-0, NAME-1, ...)."""

    name: str
    count: int
    counted: bool
    request: Mapping[str, Fraction]
    node_selector: Mapping[str, str]
    terms: Sequence[Json] | None

    def admitted_by(self, labels: Mapping[str, str]) -> bool:
        """Say whether a node with these labels satisfies the node selector and the required node affinity."""
        if any(labels.get(key) != value for key, value in self.node_selector.items()):
            return False
        return self.terms is None or any(
            bool(term.get("matchExpressions")) and all(_holds(e, labels) for e in term["matchExpressions"])
            for term in self.terms
        )


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    have, values = labels.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return have in values
        case "NotIn":
            return have not in values
        case "Exists":
            return have is not None
        case "DoesNotExist":
            return have is None
        case "Gt":
            return have is not None and int(have) > int(values[0])
        case "Lt":
            return have is not None and int(have) < int(values[0])
        case operator:
            raise ValueError(f"unknown node affinity operator {operator!r}")


@dataclass(frozen=True, slots=True)
class Offering:
    """One thing that can be bought in unlimited number, at US$ `price` per hour."""

    key: OfferingKey
    price: float
    capacity: Mapping[str, Fraction]
    labels: Mapping[str, str]

    def holds_one(self, shape: Shape) -> bool:
        """Say whether an empty node of this offering takes one pod of the shape."""
        return (
            self.capacity.get(PODS, 0) >= 1
            and all(self.capacity.get(name, 0) >= amount for name, amount in shape.request.items())
            and shape.admitted_by(self.labels)
        )


def shapes(problem: Json) -> list[Shape]:
    """Read the pods of a problem file."""
    return [_shape(entry) for entry in problem["pods"]]


def _shape(entry: Json) -> Shape:
    required = ((entry.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    count = entry.get("count") or 0
    return Shape(
        name=entry["name"],
        count=max(1, count),
        counted=count > 0,
        request=amounts(entry["requests"]),
        node_selector=entry.get("nodeSelector") or {},
        terms=required["nodeSelectorTerms"] if required else None,
    )


def offerings(problem: Json) -> list[Offering]:
    """Read what can be bought; offerings marked unavailable are left out."""
    return [
        Offering(
            key=(entry["instance_type"], entry["zone"], entry["capacity_type"]),
            price=entry["price"],
            capacity=amounts(entry["capacity"]),
            labels={
                **entry.get("labels", {}),
                "node.kubernetes.io/instance-type": entry["instance_type"],
                "topology.kubernetes.io/zone": entry["zone"],
                "karpenter.sh/capacity-type": entry["capacity_type"],
                "kubernetes.io/os": "linux",
            },
        )
        for entry in problem["offerings"]
        if not entry.get("unavailable")
    ]


def pod_count(problem: Json) -> int:
    """Count the pods of a problem file."""
    return sum(max(1, entry.get("count") or 0) for entry in problem["pods"])
