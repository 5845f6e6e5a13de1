"""From a plan for clusters of like pods to the beginning of one for the pods themselves.

Nodes are gone through from the tightest to the one with most room to spare. For each pod that the plan puts on it, the
node gets the largest member of the cluster that leaves room for the other pods at the size they were planned with, else
any that fits. Pods that get no place that way go wherever a node has room for them, the most valuable first and where
least is left; the others are left to the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.solve.native import Node
    from autoscale.solve.reduce import Matrix, Reduced


class _Host:
    """A node that is being filled."""

    __slots__ = ("bin", "pods", "room")

    def __init__(self, bin_: int, room: list[float]) -> None:
        self.bin = bin_
        self.room = room
        self.pods: dict[int, int] = {}

    def put(self, c: int, request: Sequence[float]) -> None:
        self.room = [left - w for left, w in zip(self.room, request, strict=True)]
        self.pods[c] = self.pods.get(c, 0) + 1


def realise(reduced: Reduced, groups: list[list[int]], outline: Reduced, nodes: list[Node], y: Matrix) -> list[Node]:
    """Nodes with pods of `reduced` for a plan of `outline`, in which each cluster of `groups` is one class.

    `y` is the value of a pod by class. Pods that are not in the answer are not placed.
    """
    request = [tuple(row) for row in reduced.request.tolist()]
    planned = [tuple(row) for row in outline.request.tolist()]
    capacity = reduced.capacity.tolist()
    size = (reduced.request / np.maximum(reduced.capacity.max(axis=0), 1e-9)).sum(axis=1)
    waiting = [
        sorted((c for c in members for _ in range(int(reduced.demand[c]))), key=lambda c: (size[c], c))
        for members in groups
    ]
    worth = [y[members].max() for members in groups]
    hosts = []
    for b, pods in _by_room(outline, nodes):
        host = _Host(b, capacity[b])
        hosts.append(host)
        wanted = sorted((g for g, count in pods for _ in range(count)), key=lambda g: (-worth[g], g))
        kept = [sum(column) for column in zip(*(planned[g] for g in wanted), strict=True)]
        for g in wanted:
            kept = [used - w for used, w in zip(kept, planned[g], strict=True)]  # for those still to come
            spare = [left - used for left, used in zip(host.room, kept, strict=True)]
            _seat(reduced, host, waiting[g], request, spare)
    _fill(reduced, hosts, sorted((c for cluster in waiting for c in cluster), key=lambda c: (-y[c], c)), request)
    return [(host.bin, tuple(sorted(host.pods.items())), 1) for host in hosts if host.pods]


def _by_room(outline: Reduced, nodes: list[Node]) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    """Every node of the plan, the tightest first."""
    found = []
    for b, pods, count in nodes:
        load = sum((n * outline.request[g] for g, n in pods), np.zeros(outline.request.shape[1]))
        used = load / np.maximum(outline.capacity[b], 1e-9)
        found += [(-float(np.sort(used)[-2:].sum()), b, pods)] * count
    return [(b, pods) for _, b, pods in sorted(found)]


def _seat(
    reduced: Reduced, host: _Host, waiting: list[int], request: list[tuple[float, ...]], spare: list[float]
) -> None:
    """The largest that leaves the others their room, else the smallest that fits at all."""
    for i in range(len(waiting) - 1, -1, -1):
        if _fits(request[waiting[i]], spare) and _allowed(reduced, host, waiting[i]):
            host.put(waiting[i], request[waiting[i]])
            del waiting[i]
            return
    for i, c in enumerate(waiting):
        if _fits(request[c], host.room) and _allowed(reduced, host, c):
            host.put(c, request[c])
            del waiting[i]
            return


def _fill(reduced: Reduced, hosts: list[_Host], left: list[int], request: list[tuple[float, ...]]) -> None:
    for c in left:
        fits = [host for host in hosts if _fits(request[c], host.room) and _allowed(reduced, host, c)]
        if fits:
            min(fits, key=lambda host: _share_left(reduced, host)).put(c, request[c])


def _share_left(reduced: Reduced, host: _Host) -> float:
    """Over all resources, the share of its capacity that the node has left."""
    return float(sum(left / max(size, 1e-9) for left, size in zip(host.room, reduced.capacity[host.bin], strict=True)))


def _fits(request: Sequence[float], room: Sequence[float]) -> bool:
    return all(w <= left for w, left in zip(request, room, strict=True))


def _allowed(reduced: Reduced, host: _Host, c: int) -> bool:
    return bool(reduced.admits[host.bin, c]) and host.pods.get(c, 0) < reduced.most[c]
