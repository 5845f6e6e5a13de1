"""The problem file's own words, read strictly: an unknown key anywhere is refused. `docs/problem-format.md` tells more."""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from autoscale.errors import BadInput
from autoscale.observe.shapes import OPERATORS
from autoscale.observe.strict import bad_json, bad_value, check_text, too_deep

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_PODS = 100_000_000  # of one entry
_DEAREST = 1e6  # US$ per hour; beyond it sums of micro-US$ would leave 64 bits
_Name = Annotated[str, Meta(min_length=1)]


class PodEntry(Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    """`count` equal pods, or one."""

    name: _Name
    requests: Raw = Raw(b"{}")
    count: Annotated[int, Meta(ge=1, le=_MOST_PODS)] | None = None
    labels: dict[str, str] | None = None
    node_selector: Raw = Raw()
    tolerations: Raw = Raw()
    affinity: Raw = Raw()
    topology_spread_constraints: Raw = Raw()

    @property
    def pods(self) -> int:
        """How many pods it stands for."""
        return self.count or 1

    def parts(self) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """All that decides where its pods may run, as written; the order is that of `check_parts`."""
        return (
            bytes(self.requests),
            bytes(self.node_selector),
            bytes(self.tolerations),
            bytes(self.affinity),
            bytes(self.topology_spread_constraints),
        )

    def names(self) -> Iterable[str]:
        """The names of its pods."""
        return [self.name] if self.count is None else [f"{self.name}-{i}" for i in range(self.count)]


class OfferingEntry(Struct, forbid_unknown_fields=True):
    """One thing that can be bought, without end."""

    instance_type: _Name
    zone: _Name
    capacity_type: str
    price: Annotated[float, Meta(ge=0, le=_DEAREST)]
    capacity: dict[str, str | int | float]
    labels: dict[str, str] | None = None
    unavailable: bool = False

    @property
    def key(self) -> str:
        """`type/zone/capacity-type`."""
        return f"{self.instance_type}/{self.zone}/{self.capacity_type}"


class FileEntry(Struct, forbid_unknown_fields=True):
    """The whole file."""

    pods: list[PodEntry]
    offerings: list[OfferingEntry]
    limits: dict[str, str | int | float] | None = None


class _Toleration(Struct, forbid_unknown_fields=True, rename="camel"):
    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None
    toleration_seconds: int | None = None


class _Expression(Struct, forbid_unknown_fields=True):
    key: str
    operator: str
    values: list[str] | None = None


class _Term(Struct, forbid_unknown_fields=True, rename="camel"):
    match_expressions: list[_Expression] | None = None
    match_fields: list[_Expression] | None = None


class _Terms(Struct, forbid_unknown_fields=True, rename="camel"):
    node_selector_terms: list[_Term]


class _NodeAffinity(Struct, forbid_unknown_fields=True, rename="camel"):
    required_during_scheduling_ignored_during_execution: _Terms | None = None
    preferred_during_scheduling_ignored_during_execution: list[Any] | None = None


class _PodAffinity(Struct, forbid_unknown_fields=True, rename="camel"):
    required_during_scheduling_ignored_during_execution: list[Any] | None = None
    preferred_during_scheduling_ignored_during_execution: list[Any] | None = None


class _Affinity(Struct, forbid_unknown_fields=True, rename="camel"):
    node_affinity: _NodeAffinity | None = None
    pod_affinity: _PodAffinity | None = None
    pod_anti_affinity: _PodAffinity | None = None


class _Spread(Struct, forbid_unknown_fields=True, rename="camel"):
    max_skew: int
    topology_key: str
    when_unsatisfiable: str = "DoNotSchedule"
    label_selector: dict[str, Any] | None = None
    match_label_keys: list[str] | None = None
    min_domains: int | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None


_FILE = msgspec.json.Decoder(FileEntry)
_PARTS = {
    "requests": msgspec.json.Decoder(dict[str, str | int | float]),
    "nodeSelector": msgspec.json.Decoder(dict[str, str] | None),
    "tolerations": msgspec.json.Decoder(list[_Toleration] | None),
    "affinity": msgspec.json.Decoder(_Affinity | None),
    "topologySpreadConstraints": msgspec.json.Decoder(list[_Spread] | None),
}


def _keys(*structs: type[Struct]) -> list[str]:
    return [field.encode_name for struct in structs for field in msgspec.structs.fields(struct)]


_KNOWN = {
    "": _keys(FileEntry),
    "pods": _keys(PodEntry),
    "offerings": _keys(OfferingEntry),
    "tolerations": _keys(_Toleration),
    "affinity": _keys(_Affinity),
    "nodeAffinity": _keys(_NodeAffinity),
    "podAffinity": _keys(_PodAffinity),
    "podAntiAffinity": _keys(_PodAffinity),
    "requiredDuringSchedulingIgnoredDuringExecution": _keys(_Terms),
    "nodeSelectorTerms": _keys(_Term),
    "matchExpressions": _keys(_Expression),
    "matchFields": _keys(_Expression),
    "topologySpreadConstraints": _keys(_Spread),
}


def read_entries(data: bytes, where: str) -> FileEntry:
    """The file's entries. BadInput names the line of what is no JSON, or the path to a key or value that is wrong."""
    check_text(data, where)
    try:
        entries = _FILE.decode(data.removeprefix(codecs.BOM_UTF8))
    except msgspec.ValidationError as error:
        raise bad_value(error, where, _KNOWN) from error
    except msgspec.DecodeError as error:
        raise bad_json(error, data, where) from error
    except RecursionError as error:
        raise too_deep(where) from error
    return entries


def check_parts(pod: PodEntry, where: str) -> None:
    """Read the parts of a pod that the decoder left as they are; `where` names the pod in errors."""
    for part, raw in zip(_PARTS, pod.parts(), strict=True):
        if raw and (error := _wrong(part, raw)):
            dot = "." if error.where and not error.where.startswith("[") else ""
            path = f"{where}.{part}{dot}{error.where}"
            raise BadInput(error.what, where=path, expected=error.expected, found=error.found)


@lru_cache(maxsize=65536)
def _wrong(part: str, raw: bytes) -> BadInput | None:
    """What is wrong with a part of a pod; remembered, since most pods share their parts."""
    try:
        value = _PARTS[part].decode(raw)
    except msgspec.ValidationError as error:
        return bad_value(error, "", {**_KNOWN, "": _KNOWN.get(part, ())})
    if isinstance(value, _Affinity) and value.node_affinity:
        terms = value.node_affinity.required_during_scheduling_ignored_during_execution
        for term in terms.node_selector_terms if terms else ():
            for e in (*(term.match_expressions or ()), *(term.match_fields or ())):
                if e.operator not in OPERATORS:
                    expected = "one of " + ", ".join(OPERATORS)
                    return BadInput("unknown operator", expected=expected, found=e.operator)
    return None
