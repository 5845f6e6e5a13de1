"""What a pod asks for, summed as the scheduler sums it (k8s.io/component-helpers/resource, PodRequests).

Sums are exact in thousandths, the finest that the API server keeps, and rounded up once at the end.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from autoscale.model.resources import Resources
from autoscale.model.units import quantity
from autoscale.observe.wire import Quantities, ResourceNeeds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

A_QUANTITY = "a quantity of at least 0 such as 500m, 2 or 16Gi"

_POD_LEVEL = ("cpu", "memory")  # and every hugepages-*
_NEEDS = msgspec.json.Decoder(ResourceNeeds | None)
_QUANTITIES = msgspec.json.Decoder(Quantities)


class BadQuantity(ValueError):  # noqa: N818 - the name says what it is
    """A quantity that cannot be read, or is negative. `where` names the container and `key` the resource."""

    def __init__(self, where: str, key: str, expected: str, found: str) -> None:
        self.where = where
        self.key = key
        self.expected = expected
        self.found = found
        super().__init__(f"bad quantity in {where}.{key}: expected {expected}, found {found!r}")


class Resize(NamedTuple):
    """What a running pod has beside what it asks for, as raw `resources` and `allocatedResources` of its status.

    `containers` are (name, resources, allocated); `pod` is (resources, allocated) of the pod as a whole. Where no node could
    ever give what is asked for (`infeasible`), only what it has counts.
    """

    containers: tuple[tuple[str, bytes, bytes], ...] = ()
    pod: tuple[bytes, bytes] = (b"", b"")
    infeasible: bool = False


NO_RESIZE = Resize()


def pod_requests(
    containers: Sequence[tuple[str, bytes]],
    init_containers: Sequence[tuple[str, bytes, bool]] = (),
    *,
    pod_level: bytes = b"",
    overhead: bytes = b"",
    resize: Resize = NO_RESIZE,
) -> Resources:
    """The request of a pod, 1 of `pods` included, from the raw `resources` of its containers.

    Containers are (name, raw), init containers (name, raw, whether it is a sidecar), in the order of the spec.
    Raises BadQuantity, naming the container and key.
    """
    has = {name: (resources, allocated) for name, resources, allocated in resize.containers}
    total: dict[str, int] = {}
    for name, raw in containers:
        mine = _needs(raw, f"container {name}")
        _add(total, _resized(mine, has[name], f"container {name}", resize) if name in has else mine)
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for name, raw, sidecar in init_containers:
        mine = _needs(raw, f"init container {name}")
        if sidecar:
            mine = _resized(mine, has[name], f"init container {name}", resize) if name in has else mine
            _add(total, mine)
            _add(sidecars, mine)
            mine = sidecars
        else:
            mine = dict(mine)
            _add(mine, sidecars)
        _raise_to(peak, mine)
    _raise_to(total, peak)
    if pod_level:
        level = _pod_level(pod_level, total)
        if level and _there(resize.pod[0]):
            now = _resized(level, resize.pod, "pod resources", resize)
            level = {name: now.get(name, 0) for name in level}
        total |= level
    if overhead:
        _add(total, _millis(_QUANTITIES.decode(overhead) or {}, "overhead"))
    out = {name: amount if name == "cpu" else -(-amount // 1000) for name, amount in total.items()}
    out["pods"] = out.get("pods", 0) + 1
    return Resources(out)


def told(value: object) -> str:
    """A value as its file has it."""
    return str(value) if isinstance(value, str) and value else json.dumps(value, default=str)


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise_to(total: dict[str, int], floor: Mapping[str, int]) -> None:
    for name, amount in floor.items():
        if amount > total.get(name, 0):
            total[name] = amount


@lru_cache(maxsize=8192)
def _needs(raw: bytes, where: str) -> Mapping[str, int]:
    """A container's requests in thousandths; what has only a limit asks for its limit."""
    needs = _NEEDS.decode(raw) if raw else None
    if needs is None:
        return {}
    limits = _millis(needs.limits or {}, f"{where}, limits")
    return dict(limits) | _millis(needs.requests or {}, f"{where}, requests")


def _resized(asked: Mapping[str, int], has: tuple[bytes, bytes], where: str, resize: Resize) -> Mapping[str, int]:
    """The larger of what is asked for, what is there and what is set aside."""
    if not _there(has[0]):
        return asked
    now = {} if resize.infeasible else dict(asked)
    needs = _NEEDS.decode(has[0]) or ResourceNeeds()
    _raise_to(now, _millis(needs.requests or {}, f"{where}, status"))
    if _there(has[1]):
        _raise_to(now, _millis(_QUANTITIES.decode(has[1]) or {}, f"{where}, status"))
    return now


def _there(raw: bytes) -> bool:
    return raw not in (b"", b"null")


def _pod_level(raw: bytes, containers: Mapping[str, int]) -> dict[str, int]:
    """What the pod-level `resources` put in place of the containers' sums, as the API server completes them.

    A limit alone is the request, but the containers' sum comes first where a node may be overcommitted: not huge pages.
    """
    needs = _NEEDS.decode(raw) or ResourceNeeds()
    requests = _millis(needs.requests or {}, "pod resources, requests")
    limits = _millis(needs.limits or {}, "pod resources, limits")
    merged = {name: amount for name, amount in limits.items() if _huge(name) or name not in containers} | requests
    return {name: amount for name, amount in merged.items() if name in _POD_LEVEL or _huge(name)}


def _huge(name: str) -> bool:
    return name.startswith("hugepages-")


def _millis(quantities: Mapping[str, object], where: str) -> dict[str, int]:
    out = {}
    for name, value in quantities.items():
        try:
            out[name] = quantity(str(value), milli=True)
        except ValueError as error:
            raise BadQuantity(where, name, A_QUANTITY, told(value)) from error
        if out[name] < 0:
            raise BadQuantity(where, name, A_QUANTITY, told(value))
    return out
