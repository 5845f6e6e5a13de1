"""Problem files: a question to the solver without a cluster, and its answer. `docs/problem-format.md` tells more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from autoscale.demand.misses import Candidate, nearest_misses
from autoscale.demand.places import Place, Places
from autoscale.errors import BadInput
from autoscale.model.problem import Demand, Problem, Rule, Supply
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType
from autoscale.model.units import quantity, usd_per_hour
from autoscale.model.workload import Code, PodShape, Reason
from autoscale.observe import wire
from autoscale.observe.problem_format import FileEntry, OfferingEntry, PodEntry, check_parts, read_entries
from autoscale.observe.requests import A_QUANTITY, BadQuantity
from autoscale.observe.shapes import shape_of
from autoscale.observe.strict import nearest, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


_SOURCE = "problem file"
_CAPACITY_TYPES = tuple(each.value for each in CapacityType)
_PENALTY_FACTOR = 10  # of the dearest price: one pod left pending always costs more than a node for it
_LARGEST = 2**60  # an exbibyte; a node with more is as good as one with so much, and 64 bits hold it


@dataclass(frozen=True, slots=True)
class Unplaced:
    """An entry whose pods no offering can take, or that has rules which are not modelled yet."""

    pod: PodEntry
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class ProblemFile:
    """A problem, and what its indexes stand for.

    `pods[c]` are the entries that `problem.demands[c]` merges, `offerings[o]` is `problem.supplies[o]`. Entries in
    `unplaced` are not in the problem: nothing that can be bought takes them.
    """

    problem: Problem
    pods: tuple[tuple[PodEntry, ...], ...]
    offerings: tuple[OfferingEntry, ...]
    unplaced: tuple[Unplaced, ...] = ()


def load_problem(path: str) -> ProblemFile:
    """The problem in a file, `-` for standard input. BadInput says what is wrong with it, and where."""
    return parse_problem(read_bytes(path), "standard input" if path == "-" else path)


def parse_problem(data: bytes, where: str = "problem") -> ProblemFile:
    """The problem in these bytes; `where` names them in errors."""
    entries = read_entries(data, where)
    _refuse_duplicates(entries, where)
    shaped = _shaped(entries.pods, where)
    shapes = tuple({id(shape): shape for _, shape in shaped}.values())
    stock = _Stock(entries.offerings, shapes, where)
    merged: dict[tuple[tuple[int, ...], frozenset[int]], list[PodEntry]] = {}
    homes = {id(shape): stock.homes(shape) for shape in shapes}
    why: dict[int, tuple[Reason, ...]] = {}
    unplaced = []
    for pod, shape in shaped:
        request, offerings = homes[id(shape)]
        if offerings:
            merged.setdefault((request, offerings), []).append(pod)
            continue
        if id(shape) not in why:
            why[id(shape)] = stock.why(shape)
        unplaced.append(Unplaced(pod, why[id(shape)]))
    penalty = max(1, _PENALTY_FACTOR * max((s.price_microusd_per_hour for s in stock.supplies), default=0))
    demands = tuple(
        Demand(pods[0].name, request, sum(p.pods for p in pods), offerings, penalty)
        for (request, offerings), pods in merged.items()
    )
    rules = tuple(stock.limits(entries.limits or {}, where))
    problem = Problem(stock.resources, demands, stock.supplies, rules)
    return ProblemFile(problem, tuple(map(tuple, merged.values())), stock.offerings, tuple(unplaced))


def _refuse_duplicates(entries: FileEntry, where: str) -> None:
    """A name stands for one pod, an offering is listed once."""
    counted: dict[str, int] = {}
    single: set[str] = set()
    for index, pod in enumerate(entries.pods):
        if pod.name in counted or pod.name in single:
            raise BadInput("the name is taken", where=f"{where} pods[{index}].name", found=pod.name)
        if pod.count is None:
            single.add(pod.name)
        else:
            counted[pod.name] = pod.count
    for name in single:
        base, _, ordinal = name.rpartition("-")
        if base in counted and ordinal.isdecimal() and str(int(ordinal)) == ordinal and int(ordinal) < counted[base]:
            raise BadInput("the name is taken", where=f"{where} pods", found=f"{name}, also a pod of {base}")
    seen: set[str] = set()
    for index, offering in enumerate(entries.offerings):
        if offering.key in seen:
            raise BadInput("the offering is listed twice", where=f"{where} offerings[{index}]", found=offering.key)
        seen.add(offering.key)
        if offering.capacity_type not in _CAPACITY_TYPES:
            at = f"{where} offerings[{index}].capacity_type"
            expected = nearest(offering.capacity_type, _CAPACITY_TYPES)
            raise BadInput("unknown capacity type", where=at, expected=expected, found=offering.capacity_type or '""')


def _shaped(pods: Iterable[PodEntry], where: str) -> list[tuple[PodEntry, PodShape]]:
    """The entries and their shapes, by name. What is written the same is read once."""
    known: dict[tuple[bytes, ...], PodShape] = {}
    out = []
    for index, pod in enumerate(pods):
        parts = pod.parts()
        shape = known.get(parts)
        if shape is None:
            check_parts(pod, f"{where} pods[{index}]")
            shape = known[parts] = _shape(pod, where, index)
        out.append((pod, shape))
    out.sort(key=lambda item: item[0].name)
    return out


def _shape(pod: PodEntry, where: str, index: int) -> PodShape:
    """The shape, summed and read by the code that reads live pods: one container with the entry's requests."""
    spec = wire.PodSpec(
        containers=[wire.Container("main", msgspec.Raw(b'{"requests":%b}' % bytes(pod.requests)))],
        node_selector=pod.node_selector,
        affinity=pod.affinity,
        tolerations=pod.tolerations,
        topology_spread_constraints=pod.topology_spread_constraints,
    )
    try:
        return shape_of(spec, strict=True)[0]
    except BadQuantity as error:
        at = f"{where} pods[{index}] ({pod.name}) requests.{error.key}"
        raise BadInput("bad quantity", where=at, expected=error.expected, found=error.found) from error


class _Stock:
    """The offerings that can be bought, by key, and which of them take a shape."""

    def __init__(self, offerings: Iterable[OfferingEntry], shapes: Iterable[PodShape], where: str) -> None:
        capacities = {o.key: _capacity(o, where, i) for i, o in enumerate(offerings)}
        self.offerings = tuple(sorted((o for o in offerings if not o.unavailable), key=lambda o: o.key))
        self.capacities = [capacities[o.key] for o in self.offerings]
        self.resources = tuple(sorted({"pods"}.union(*(shape.requests for shape in shapes))))
        self.supplies = tuple(
            Supply(o.key, tuple([min(capacity[r], _LARGEST) for r in self.resources]), usd_per_hour(o.price))
            for o, capacity in zip(self.offerings, self.capacities, strict=True)
        )
        self._labels = [_labels(o) for o in self.offerings]
        self._places = Places([Place(labels) for labels in self._labels])
        self._room = [
            np.array([supply.capacity[r] for supply in self.supplies], dtype=np.int64)
            for r in range(len(self.resources))
        ]
        self._big_enough: dict[bytes, frozenset[int]] = {}
        self._homes: dict[tuple[int, int], frozenset[int]] = {}

    def homes(self, shape: PodShape) -> tuple[tuple[int, ...], frozenset[int]]:
        """The request in the order of `resources`, and the offerings that let the shape in and hold one of it."""
        request = tuple([shape.requests[r] for r in self.resources])
        if shape.unmodelled or shape.rules or max(request) > _LARGEST:
            return request, frozenset()
        admitting = self._places.admitting(shape)
        mask = np.ones(len(self.supplies), dtype=np.bool_)
        for amount, room in zip(request, self._room, strict=True):
            if amount:
                mask &= room >= amount
        packed = mask.tobytes()
        big_enough = self._big_enough.get(packed)
        if big_enough is None:
            big_enough = self._big_enough[packed] = frozenset(np.flatnonzero(mask).tolist())
        both = id(admitting), id(big_enough)
        if both not in self._homes:
            self._homes[both] = admitting & big_enough
        return request, self._homes[both]

    def why(self, shape: PodShape) -> tuple[Reason, ...]:
        """Why no offering takes the shape."""
        unmodelled = (*shape.unmodelled, *shape.rules.names)
        if unmodelled:
            return tuple(Reason(Code.UNMODELLED, f"not modelled yet: {rule}", _SOURCE) for rule in unmodelled)
        candidates = [
            Candidate(o.key, labels, (), capacity)
            for o, labels, capacity in zip(self.offerings, self._labels, self.capacities, strict=True)
        ]
        return nearest_misses(shape, candidates, noun="offering")

    def limits(self, limits: Mapping[str, str | int | float], where: str) -> Iterator[Rule]:
        """No more than so much of a resource on all nodes together."""
        for name, text in sorted(limits.items()):
            limit = _quantity(name, text, f"{where} limits.{name}")
            weights = {o: capacity[name] for o, capacity in enumerate(self.capacities) if capacity[name]}
            yield Rule(f"limits/{name}", _SOURCE, limit, weights, text=f"at most {text} {name} in all")


def _labels(offering: OfferingEntry) -> dict[str, str]:
    """A node's labels: the offering's own, and those that where and how it is bought decides."""
    return {
        **(offering.labels or {}),
        "node.kubernetes.io/instance-type": offering.instance_type,
        "topology.kubernetes.io/zone": offering.zone,
        "karpenter.sh/capacity-type": offering.capacity_type,
        "kubernetes.io/os": "linux",
    }


def _capacity(offering: OfferingEntry, where: str, index: int) -> Resources:
    """Allocatable, rounded down. Zones of one type share it."""
    at = f"{where} offerings[{index}] ({offering.key}) capacity"
    try:
        return _room(tuple(offering.capacity.items()))
    except ValueError:
        for name, text in offering.capacity.items():
            _quantity(name, text, f"{at}.{name}")
        raise


@lru_cache(maxsize=4096)
def _room(quantities: tuple[tuple[str, str | int | float], ...]) -> Resources:
    return Resources({name: _whole(name, text) for name, text in quantities})


def _whole(name: str, text: str | float) -> int:
    amount = quantity(str(text), milli=name == "cpu", up=False)
    if amount < 0:
        raise ValueError(text)
    return amount


def _quantity(name: str, text: str | float, where: str) -> int:
    try:
        return _whole(name, text)
    except ValueError as error:
        raise BadInput("bad quantity", where=where, expected=A_QUANTITY, found=str(text)) from error
