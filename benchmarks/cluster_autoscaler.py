"""What Cluster Autoscaler (1.36, default flags) buys for a problem file, one node group per offering.

It is an implementation of the algorithm, not the program. The facts that it follows:

- Each loop starts by taking off the pods that fit nodes which are there already (`filter_out_schedulable`).
- Every group is packed on its own, as if it were the only one: first fit, pods in order of decreasing
  cpu share + memory share of that group's node. GPUs have no part in the order
  (`estimator/decreasing_pod_orderer.go`, `estimator/binpacking_estimator.go`). A pod that does not fit an empty node
  of the group is left out. At most 1,000 nodes (`--max-nodes-per-scaleup`).
- The default expander, `least-waste`, takes the group whose new nodes leave the smallest unused share of cpu +
  unused share of memory. GPUs and prices have no part (`expander/waste/waste.go`).
- One group wins a loop; the pods it does not take wait for the next.

In its favour: bought nodes are usable at once, so that it never buys twice for one pod; groups have no upper size;
equal waste goes to the cheaper group, where the program draws lots; and loops cost no waiting, where the program holds
pods with GPUs back for 30 seconds and scans every 10.

Equal pods are packed together, and equally filled neighbours are kept as one run of nodes. That gives the same packing as
one pod after another, since first fit fills the first node that has room until it has none.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import reading
from benchmarks.reading import PODS, Json, Offering, Shape

if TYPE_CHECKING:
    from fractions import Fraction

MAX_NODES_PER_SCALE_UP = 1000


@dataclass(slots=True)
class _Run:
    """`count` neighbouring nodes that hold the same pods: `held[shape]` on each, `free` left of each resource."""

    count: int
    free: list[int]
    held: dict[int, int]


@dataclass(frozen=True, slots=True)
class _Group:
    """A node group: its template, and for each shape that the template admits, the pod's request and score."""

    offering: Offering
    capacity: list[int]
    order: list[int]  # admitted shapes by decreasing score


@dataclass(frozen=True, slots=True)
class Answer:
    """What was bought: nodes in the format of an engine's answer, loops taken, and the CPU seconds of deciding."""

    nodes: list[Json]
    cost: float
    loops: int
    wall_seconds: float
    cpu_seconds: float


def solve(problem: Json) -> Answer:
    """Run loops until no pod is pending, or none that is pending fits any group."""
    shapes, offers = reading.shapes(problem), reading.offerings(problem)
    wall, cpu = time.perf_counter(), time.process_time()
    resources = sorted({PODS, "cpu", "memory"}.union(*(shape.request for shape in shapes)))
    scale = _Scale(resources, shapes, offers)
    requests = [scale.request(shape) for shape in shapes]
    groups = [_group(offer, scale.capacity(offer), shapes, requests, scale) for offer in offers]
    pending = [shape.count for shape in shapes]
    bought: list[tuple[_Group, list[_Run]]] = []
    loops = 0
    while any(pending):
        for group, runs in bought:
            for shape in group.order:
                pending[shape] -= _first_fit(runs, shape, requests[shape], pending[shape])
        best: tuple[tuple[float, float], _Group, list[_Run]] | None = None
        for group in groups:
            runs = _estimate(group, requests, pending)
            if runs:
                rank = (_waste(group, runs, scale), group.offering.price)
                if best is None or rank < best[0]:
                    best = (rank, group, runs)
        if best is None:
            break
        _, group, runs = best
        loops += 1
        bought.append((group, runs))
        for run in runs:
            for shape, held in run.held.items():
                pending[shape] -= held * run.count
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    cost = sum(group.offering.price * run.count for group, runs in bought for run in runs)
    return Answer(_nodes(bought, shapes), cost, loops, wall, cpu)


class _Scale:
    """Turns exact amounts into whole numbers, the same unit for all nodes and pods."""

    def __init__(self, resources: list[str], shapes: list[Shape], offers: list[Offering]) -> None:
        self.resources = resources
        self.cpu, self.memory = resources.index("cpu"), resources.index("memory")
        self._units = {
            name: max(
                amount.denominator
                for amount in [
                    *(shape.request.get(name, 0) for shape in shapes),
                    *(offer.capacity.get(name, 0) for offer in offers),
                ]
            )
            for name in resources
        }

    def request(self, shape: Shape) -> list[int]:
        """What one pod takes, rounded up; one of `pods`."""
        return [
            1 if name == PODS else -int(-self._units[name] * shape.request.get(name, 0) // 1) for name in self.resources
        ]

    def capacity(self, offer: Offering) -> list[int]:
        """What an empty node has, rounded down."""
        zero: Fraction | int = 0
        return [int(self._units[name] * offer.capacity.get(name, zero) // 1) for name in self.resources]


def _group(
    offer: Offering, capacity: list[int], shapes: list[Shape], requests: list[list[int]], scale: _Scale
) -> _Group:
    def score(shape: int) -> float:
        request = requests[shape]
        return sum(request[r] / capacity[r] for r in (scale.cpu, scale.memory) if capacity[r])

    admitted = [i for i, shape in enumerate(shapes) if offer.holds_one(shape)]
    return _Group(offer, capacity, sorted(admitted, key=lambda i: -score(i)))


def _first_fit(runs: list[_Run], shape: int, request: list[int], wanted: int) -> int:
    """Put up to `wanted` pods on the nodes there are, the first that has room first; give how many found room."""
    placed, at = 0, 0
    while at < len(runs) and placed < wanted:
        run = runs[at]
        room = min(free // need for free, need in zip(run.free, request, strict=True) if need)
        if room <= 0:
            at += 1
            continue
        filled, rest = divmod(wanted - placed, room)
        if filled >= run.count:
            filled, rest = run.count, 0
        # The first `filled` nodes take all they can, the next one what is left over, those behind it nothing.
        parts = [(filled, room), (1 if rest else 0, rest), (run.count - filled - (1 if rest else 0), 0)]
        runs[at : at + 1] = [_Run(n, *_with(run, shape, request, each)) for n, each in parts if n]
        placed += filled * room + rest
        at += sum(1 for n, _ in parts if n)
    return placed


def _with(run: _Run, shape: int, request: list[int], each: int) -> tuple[list[int], dict[int, int]]:
    if not each:
        return run.free, run.held
    free = [have - need * each for have, need in zip(run.free, request, strict=True)]
    return free, {**run.held, shape: run.held.get(shape, 0) + each}


def _estimate(group: _Group, requests: list[list[int]], pending: list[int]) -> list[_Run]:
    """Pack all pods that the group admits onto new nodes of it."""
    runs: list[_Run] = []
    nodes = 0
    for shape in group.order:
        left = pending[shape]
        if not left:
            continue
        left -= _first_fit(runs, shape, requests[shape], left)
        room = min(have // need for have, need in zip(group.capacity, requests[shape], strict=True) if need)
        added = min(-(-left // room), MAX_NODES_PER_SCALE_UP - nodes)
        if added > 0:
            fresh = [_Run(added, group.capacity, {})]
            _first_fit(fresh, shape, requests[shape], left)
            runs += fresh
            nodes += added
    return runs


def _waste(group: _Group, runs: list[_Run], scale: _Scale) -> float:
    nodes = sum(run.count for run in runs)
    waste = 0.0
    for r in (scale.cpu, scale.memory):
        if group.capacity[r]:
            waste += sum(run.count * run.free[r] for run in runs) / (nodes * group.capacity[r])
    return waste


def _nodes(bought: list[tuple[_Group, list[_Run]]], shapes: list[Shape]) -> list[Json]:
    given = [0] * len(shapes)
    nodes = []
    for group, runs in bought:
        instance_type, zone, capacity_type = group.offering.key
        for run in runs:
            for _ in range(run.count):
                pods = []
                for shape, held in run.held.items():
                    pods += names(shapes[shape], given[shape], held)
                    given[shape] += held
                nodes.append(
                    {"instance_type": instance_type, "zone": zone, "capacity_type": capacity_type, "pods": pods}
                )
    return nodes


def names(shape: Shape, first: int, count: int) -> list[str]:
    """The names of `count` pods of a shape, from number `first`."""
    if not shape.counted:
        return [shape.name]
    return [f"{shape.name}-{i}" for i in range(first, first + count)]
