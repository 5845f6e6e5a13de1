"""What a configuration may say about simulated pools, checked once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autoscale.errors import BadInput
from autoscale.model.frozen import empty
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType
from autoscale.model.workload import Taint
from providers.settings_values import refuse_unknown_keys, text, usd

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("context", "kubeconfig", "pools")
_POOL_KEYS = ("capacityType", "instanceType", "labels", "max", "min", "price", "resources", "taints", "zone")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
CLOSED = Taint("kwok.x-k8s.io/node", "fake", "NoSchedule")


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of equal nodes. `instance_type` is the pool's name unless it is told."""

    name: str
    resources: Resources
    instance_type: str
    zone: str = ""
    capacity_type: CapacityType = CapacityType.ON_DEMAND
    price_microusd_per_hour: int = 0
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)
    taints: tuple[Taint, ...] = (CLOSED,)
    min_nodes: int = 0
    max_nodes: int = 1000


@dataclass(frozen=True, slots=True)
class KwokSettings:
    """Where the nodes are to be, and of which kinds.

    kubeconfig, context: empty means the cluster that the engine itself runs against.
    """

    kubeconfig: str
    context: str
    pools: Mapping[str, Pool]

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> KwokSettings:
        """From a configuration's `kwok` section. Raises BadInput naming the key."""
        _known(settings, _KEYS, "kwok")
        pools = settings.get("pools", {})
        if not hasattr(pools, "items"):
            raise BadInput("wrong type", where="kwok.pools", expected="a map of name to pool", found=repr(pools))
        return cls(
            kubeconfig=text(settings, "kubeconfig", "kwok"),
            context=text(settings, "context", "kwok"),
            pools={str(name): _pool(str(name), told) for name, told in pools.items()},
        )


def _known(settings: Any, keys: tuple[str, ...], where: str) -> None:
    if not hasattr(settings, "items"):
        raise BadInput("wrong type", where=where, expected=f"a map of {', '.join(keys)}", found=repr(settings))
    refuse_unknown_keys(settings, keys, where)


def _pool(name: str, told: Any) -> Pool:
    where = f"kwok.pools.{name}"
    if not _NAME.fullmatch(name):
        raise BadInput("wrong name", where=where, expected="at most 50 of a-z, 0-9 and dashes inside", found=repr(name))
    _known(told, _POOL_KEYS, where)
    low, high = _count(told, "min", 0, where), _count(told, "max", 1000, where)
    if low > high:
        raise BadInput("min is above max", where=where, found=f"{low} and {high}")
    return Pool(
        name=name,
        resources=_resources(told.get("resources", {}), f"{where}.resources"),
        instance_type=text(told, "instanceType", where) or name,
        zone=text(told, "zone", where),
        capacity_type=_capacity_type(told.get("capacityType", "on-demand"), f"{where}.capacityType"),
        price_microusd_per_hour=usd(told.get("price", 0), f"{where}.price", may_be_free=True),
        labels=_labels(told.get("labels", {}), f"{where}.labels"),
        taints=_taints(told["taints"], f"{where}.taints") if "taints" in told else (CLOSED,),
        min_nodes=low,
        max_nodes=high,
    )


def _count(settings: Mapping[str, Any], key: str, default: int, where: str) -> int:
    value = settings.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadInput("wrong number", where=f"{where}.{key}", expected="a whole number of nodes", found=repr(value))
    return value


def _resources(value: Any, where: str) -> Resources:
    expected = "a map of resource to quantity with cpu and memory"
    if not hasattr(value, "items") or not {"cpu", "memory"} <= set(value):
        raise BadInput("wrong value", where=where, expected=expected, found=repr(value))
    try:
        return Resources.parse({"pods": "110", **{str(name): str(told) for name, told in value.items()}}, up=False)
    except ValueError as error:
        raise BadInput("wrong quantity", where=where, found=str(error)) from error


def _capacity_type(value: Any, where: str) -> CapacityType:
    if value not in set(CapacityType):
        raise BadInput("wrong value", where=where, expected=f"one of {', '.join(CapacityType)}", found=repr(value))
    return CapacityType(value)


def _labels(value: Any, where: str) -> Mapping[str, str]:
    if not hasattr(value, "items"):
        raise BadInput("wrong type", where=where, expected="a map of label to value", found=repr(value))
    return {str(key): str(told) for key, told in value.items()}


def _taints(value: Any, where: str) -> tuple[Taint, ...]:
    expected = f"a list of KEY=VALUE:EFFECT with an effect of {', '.join(_EFFECTS)}"
    if not isinstance(value, (list, tuple)):
        raise BadInput("wrong type", where=where, expected=expected, found=repr(value))
    found = []
    for each in value:
        rest, _, effect = str(each).rpartition(":")
        key, _, told = rest.partition("=")
        if effect not in _EFFECTS or not key:
            raise BadInput("wrong value", where=where, expected=expected, found=repr(each))
        found.append(Taint(key, told, effect))
    return tuple(found)
