"""When hardly two pods are equal: clusters of like pods, a smaller problem for a bound and one for a plan.

A plan for the true pods is one for pods that ask for less, so with every class's request lowered to the least of its
cluster, resource by resource, each plan's cost stays possible and the optimum can only fall: the smaller problem's
bound is a bound. With requests at the mean of the cluster instead, a plan is one that the true pods nearly fit.

Pods in one cluster have the same homes and ask for the same number of GPUs (of everything that is asked for in few
different quantities): to take a pod that needs one dear machine for one that runs anywhere would cost most of the bound.
Only where that makes too many clusters are the least valuable of them thrown together; the homes are then those of any
member, which only widens the choice again. What a cluster loses is
estimated by the cheapest cost of a pod by the resource that it takes most of, min_b price_b max_r w_r / capacity_br, for
the members and for the cluster's smallest request. The cluster that loses most is halved where that helps most, by the
median of a resource or by a home that about half of its members have, until there are as many as a linear program takes.

Where pods with the same homes and pieces are many, a sharper bound leaves them as they are and shares rows among them
(`shared_rows`).
"""

from __future__ import annotations

from dataclasses import replace
from heapq import heapify, heappop, heappush
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from autoscale.solve.native import Rows

if TYPE_CHECKING:
    from autoscale.solve.reduce import Matrix, Reduced

MANY_CLASSES = 500
"""From here on, the linear program over all classes costs more than it brings."""

CLUSTERS = 480

FEW_MEMBERS = 8
"""So many classes that are alike may have values that are linear in the request; fewer have one value for all of them."""

FEW_QUANTITIES = 16
"""A resource that is asked for in at most so many different quantities is counted in pieces, as GPUs are."""


def class_values(reduced: Reduced) -> Matrix:
    """What a pod of each class costs at least, roughly."""
    return np.array([_value(reduced, [c]) for c in range(len(reduced.demand))])


def clusters(reduced: Reduced, values: Matrix, most: int = CLUSTERS, seconds: float = inf) -> list[list[int]]:
    """Classes that are much alike, together, by their `class_values`; fewer clusters when time runs out.

    Rules that weigh pods must not be in it.
    """
    until = perf_counter() + seconds
    heap = [_entry(reduced, values, members) for members in _alike(reduced, values, most)]
    heapify(heap)
    while len(heap) < most and heap[0][0] < 0 and perf_counter() < until:
        _, members = heappop(heap)
        for half in _halves(reduced, members):
            heappush(heap, _entry(reduced, values, half))
    return sorted(members for _, members in heap)


def shrunk(reduced: Reduced, groups: list[list[int]]) -> Reduced:
    """The problem with the smallest request of each cluster: its optimum is a lower bound."""
    return _with(
        reduced,
        groups,
        request=np.array([reduced.request[members].min(axis=0) for members in groups]),
        admits=np.array([reduced.admits[:, members].max(axis=1) for members in groups]).T.copy(),
    )


def typical(reduced: Reduced, groups: list[list[int]]) -> Reduced:
    """The problem with the mean request of each cluster, where what holds it holds all that is alike: for a plan to begin with."""
    request = np.array([np.ceil(reduced.request[members].mean(axis=0)) for members in groups])
    admits = np.array([reduced.admits[:, members].max(axis=1) for members in groups]).T
    fits = (request[None, :, :] <= reduced.capacity[:, None, :]).all(axis=2)
    return _with(reduced, groups, request=request, admits=(admits * fits).astype(reduced.admits.dtype))


def shared_rows(reduced: Reduced, values: Matrix) -> Rows:
    """Rows of a master that classes with the same homes and pieces share, with their `class_values` for a guess.

    One row counts their pods, and where there are enough of them one for each resource that differs adds up their requests:
    the value of a pod is then linear in its request, which takes few rows, and gives a bound that is hardly lower than
    with a row for each class. Together a pod's rows are worth no more than its penalty.
    """
    entries: list[list[tuple[int, float]]] = [[] for _ in reduced.demand]
    rhs: list[float] = []
    most: list[float] = []
    for members in _exact(reduced):
        features = [np.ones(len(members))]
        if len(members) >= FEW_MEMBERS:
            requests = reduced.request[members]
            features += [column / column.mean() for column in requests.T if column.max() > column.min()]
        for feature in features:
            for c, coefficient in zip(members, feature, strict=True):
                if coefficient > 0:
                    entries[c].append((len(rhs), float(coefficient)))
            rhs.append(float(feature @ reduced.demand[members]))
            most.append(float(reduced.penalty[members].min() / len(features) / feature.max()))
    flat = [entry for of_class in entries for entry in of_class]
    return Rows(
        begin=np.cumsum([0, *map(len, entries)]),
        row=np.array([r for r, _ in flat]),
        coef=np.array([coefficient for _, coefficient in flat]),
        rhs=np.array(rhs),
        most=np.array(most),
        guess=values,
    )


def _exact(reduced: Reduced) -> list[list[int]]:
    """Classes with the same homes and pieces."""
    pieces = [r for r in range(reduced.request.shape[1]) if len(np.unique(reduced.request[:, r])) <= FEW_QUANTITIES]
    groups: dict[object, list[int]] = {}
    for c in range(len(reduced.demand)):
        key = (
            reduced.penalty[c],
            reduced.most[c],
            reduced.admits[:, c].tobytes(),
            reduced.request[c, pieces].tobytes(),
        )
        groups.setdefault(key, []).append(c)
    return list(groups.values())


def _alike(reduced: Reduced, values: Matrix, most: int) -> list[list[int]]:
    """Classes with the same homes and pieces; the least valuable of them thrown together when there are too many."""
    groups = _exact(reduced)
    if len(groups) <= 4 * most // 3:
        return groups
    groups.sort(key=lambda members: (-float(values[members] @ reduced.demand[members]), members))
    pooled: dict[object, list[int]] = {}
    for members in groups[most // 2 :]:
        pooled.setdefault((reduced.penalty[members[0]], reduced.most[members[0]]), []).extend(members)
    return [*groups[: most // 2], *map(sorted, pooled.values())]


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


def _with(reduced: Reduced, groups: list[list[int]], *, request: Matrix, admits: Matrix) -> Reduced:
    first = [members[0] for members in groups]
    return replace(
        reduced,
        demand=np.array([reduced.demand[members].sum() for members in groups]),
        penalty=reduced.penalty[first],
        most=np.array([_most(reduced, members) for members in groups]),
        request=request,
        admits=admits,
        whole=reduced.whole[first],
        members=[[] for _ in groups],
    )


def _most(reduced: Reduced, members: list[int]) -> float:
    """Pods of a cluster that one node may hold: caps hold by class, so they add up."""
    return float(min(1e9, reduced.most[members].sum()))
