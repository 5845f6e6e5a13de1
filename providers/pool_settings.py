"""Templates that groups are made from on first use, as far as all clouds say them alike: `pools` in a provider's section."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType
from autoscale.model.units import duration_ms
from autoscale.model.workload import Taint
from providers.settings_values import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEYS = ("capacity_types", "delete_empty_after", "instance_types", "labels", "max_nodes", "taints")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True)
class Pool:
    """What one template offers: every instance type in every zone, bought in every way.

    `labels` and `taints` are what the machines register with beside what their type decides. `max_nodes` is each group's;
    `delete_after_s` is how long a group may be empty, None for ever.
    """

    name: str
    instance_types: tuple[str, ...]
    capacity_types: tuple[CapacityType, ...]
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    max_nodes: int
    delete_after_s: int | None


def pools(settings: Mapping[str, Any], section: str) -> Mapping[str, Mapping[str, Any]]:
    """The sections of all pools by name, names checked. Raises BadInput."""
    value = settings.get("pools") or {}
    where = f"{section}.pools"
    if not hasattr(value, "items"):
        raise BadInput("wrong type", where=where, expected="a map of names to pools", found=repr(value))
    for name, given in value.items():
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            expected = "at most 40 of a-z, 0-9 and -"
            raise BadInput("wrong name of a pool", where=where, expected=expected, found=repr(name))
        if not hasattr(given, "items"):
            raise BadInput("wrong type", where=f"{where}.{name}", expected="a map of keys", found=repr(given))
    found: Mapping[str, Mapping[str, Any]] = value
    return found


def pool(
    name: str, given: Mapping[str, Any], section: str, *, known: Sequence[str], ways: Sequence[CapacityType]
) -> Pool:
    """One pool. `known` are the instance types of the catalogue, `ways` the capacity types of the cloud. Raises BadInput."""
    where = f"{section}.pools.{name}"
    return Pool(
        name=name,
        instance_types=_types(given.get("instance_types"), f"{where}.instance_types", known),
        capacity_types=_ways(given.get("capacity_types", ["on-demand"]), f"{where}.capacity_types", ways),
        labels=texts_by_key(given.get("labels", {}), f"{where}.labels"),
        taints=_taints(given.get("taints", []), f"{where}.taints"),
        max_nodes=_count(given.get("max_nodes", 100), f"{where}.max_nodes"),
        delete_after_s=_never(given.get("delete_empty_after", "1h"), f"{where}.delete_empty_after"),
    )


def texts(value: Any, where: str, expected: str) -> list[str]:
    """A list of texts, or one. Raises BadInput."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, (list, tuple)) or not found or not all(isinstance(each, str) and each for each in found):
        raise BadInput("wrong value", where=where, expected=expected, found=repr(value))
    return list(found)


def texts_by_key(value: Any, where: str) -> Mapping[str, str]:
    """A map of texts to texts. Raises BadInput."""
    if not hasattr(value, "items") or not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        raise BadInput("wrong value", where=where, expected="a map of texts to texts", found=repr(value))
    return dict(value)


def _types(value: Any, where: str, known: Sequence[str]) -> tuple[str, ...]:
    out: list[str] = []
    for pattern in texts(value, where, "a list of instance types, with * and ? for any"):
        found = [name for name in known if fnmatchcase(name, pattern)]
        if not found:
            text = f"no instance type of the catalogue is {pattern!r}{nearest(pattern, known)}"
            raise BadInput(text, where=where)
        out += found
    return tuple(dict.fromkeys(out))


def _ways(value: Any, where: str, ways: Sequence[CapacityType]) -> tuple[CapacityType, ...]:
    expected = f"a list of {', '.join(ways)}"
    found = texts(value, where, expected)
    if not set(found) <= {each.value for each in ways}:
        raise BadInput("wrong value", where=where, expected=expected, found=repr(value))
    return tuple(CapacityType(each) for each in dict.fromkeys(found))


def _taints(value: Any, where: str) -> tuple[Taint, ...]:
    """`KEY=VALUE:EFFECT` or `KEY:EFFECT` each."""
    out = []
    for text in texts(value, where, "a list of KEY=VALUE:EFFECT") if value else []:
        left, _, effect = text.rpartition(":")
        key, _, given = left.partition("=")
        if not key or effect not in _EFFECTS:
            expected = f"KEY=VALUE:EFFECT with an effect of {', '.join(_EFFECTS)}"
            raise BadInput("wrong taint", where=where, expected=expected, found=repr(text))
        out.append(Taint(key, given, effect))
    return tuple(out)


def _count(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInput("wrong value", where=where, expected="a whole number, 1 or more", found=repr(value))
    return value


def _never(value: Any, where: str) -> int | None:
    if value == "never":
        return None
    try:
        return -(-duration_ms(value) // 1000)
    except ValueError as error:
        raise BadInput("wrong value", where=where, expected=f"{error}, or never", found=repr(value)) from error
