"""When hardly two pods are equal: classes of like pods, shrunk to the smallest, for a bound and for duals.

A plan for the true pods is one for pods that ask for less, so with every class's request lowered to the least of its
cluster, resource by resource, each plan's cost stays possible and the optimum can only fall: the smaller problem's
bound is a bound. Its duals then lead a greedy plan and the neighbourhood search for the pods as they are.

A cluster's homes are those of any of its members, which only widens the choice again. What a cluster loses is
estimated by the cheapest cost of a pod by the resource that it takes most of, min_b price_b max_r w_r / capacity_br, for
the members and for the cluster's smallest request. The cluster that loses most is halved where that helps most, by the
median of a resource or by a home that about half of its members have, until there are as many as a linear program takes.
"""

from __future__ import annotations

from dataclasses import replace
from heapq import heapify, heappop, heappush
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from autoscale.solve.reduce import Matrix, Reduced

MANY_CLASSES = 500
"""From here on, the linear program over all classes costs more than it brings."""

CLUSTERS = 480


def shrunk(reduced: Reduced, clusters: int = CLUSTERS, seconds: float = inf) -> tuple[Reduced, Matrix]:
    """The smaller problem, and the cluster of each class; fewer clusters when time runs out.

    Rules that weigh pods must not be in it.
    """
    until = perf_counter() + seconds
    groups: dict[object, list[int]] = {}
    for c in range(len(reduced.demand)):
        groups.setdefault((reduced.penalty[c], reduced.most[c]), []).append(c)
    values = np.array([_value(reduced, [c]) for c in range(len(reduced.demand))])
    heap = [_entry(reduced, values, members) for members in groups.values()]
    heapify(heap)
    while len(heap) < clusters and heap[0][0] < 0 and perf_counter() < until:
        _, members = heappop(heap)
        for half in _halves(reduced, members):
            heappush(heap, _entry(reduced, values, half))
    return _smallest(reduced, sorted(members for _, members in heap))


def _value(reduced: Reduced, members: list[int]) -> float:
    """What a pod that asks for the least of the members' requests costs at least, roughly."""
    request = reduced.request[members].min(axis=0)
    homes = np.flatnonzero(reduced.admits[:, members].max(axis=1))
    share = (request / np.maximum(reduced.capacity[homes], 1e-9)).max(axis=1)
    return float((reduced.price[homes] * share).min())


def _entry(reduced: Reduced, values: Matrix, members: list[int]) -> tuple[float, list[int]]:
    if len(members) == 1:
        return 0.0, members
    lost = reduced.demand[members] @ (values[members] - _value(reduced, members))
    return -max(float(lost), 1e-6), members


def _halves(reduced: Reduced, members: list[int]) -> tuple[list[int], list[int]]:
    """The better of a few ways to halve: the one whose halves' smallest requests are worth most."""
    cuts = [
        reduced.request[members, r] > np.median(reduced.request[members, r]) for r in range(reduced.request.shape[1])
    ]
    cuts += [
        reduced.request[members, r] >= np.median(reduced.request[members, r]) for r in range(reduced.request.shape[1])
    ]
    homes = reduced.admits[:, members].astype(bool)
    even = np.argsort(np.abs(homes.mean(axis=1) - 0.5), kind="stable")[:3]
    cuts += [homes[b] for b in even]
    best: tuple[float, tuple[list[int], list[int]]] | None = None
    for cut in cuts:
        upper = [c for c, high in zip(members, cut, strict=True) if high]
        lower = [c for c, high in zip(members, cut, strict=True) if not high]
        if not upper or not lower:
            continue
        worth = (
            _value(reduced, upper) * reduced.demand[upper].sum() + _value(reduced, lower) * reduced.demand[lower].sum()
        )
        if best is None or worth > best[0] * (1 + 1e-12):
            best = float(worth), (lower, upper)
    middle = len(members) // 2
    return best[1] if best else (members[:middle], members[middle:])


def _smallest(reduced: Reduced, clusters: list[list[int]]) -> tuple[Reduced, Matrix]:
    cluster_of = np.zeros(len(reduced.demand), dtype=int)
    for i, members in enumerate(clusters):
        cluster_of[members] = i
    first = [members[0] for members in clusters]
    small = replace(
        reduced,
        demand=np.array([reduced.demand[members].sum() for members in clusters]),
        penalty=reduced.penalty[first],
        most=np.array([_most(reduced, members) for members in clusters]),
        request=np.array([reduced.request[members].min(axis=0) for members in clusters]),
        admits=np.array([reduced.admits[:, members].max(axis=1) for members in clusters]).T.copy(),
        whole=reduced.whole[first],
        members=[[] for _ in clusters],
    )
    return small, cluster_of


def _most(reduced: Reduced, members: list[int]) -> float:
    """Pods of a cluster that one node may hold: caps hold by class, so they add up."""
    return float(min(1e9, reduced.most[members].sum()))
