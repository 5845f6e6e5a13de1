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

    def takes(self, request: Sequence[float]) -> bool:
        return all(w <= left for w, left in zip(request, self.room, strict=True))

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
        for i, g in enumerate(wanted):
            kept = [sum(column) for column in zip(*(planned[h] for h in wanted[i + 1 :]), strict=True)] or [0.0] * len(
                host.room
            )
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
    for i in [*range(len(waiting) - 1, -1, -1)]:
        if all(w <= s for w, s in zip(request[waiting[i]], spare, strict=True)) and _allowed(reduced, host, waiting[i]):
            host.put(waiting[i], request[waiting[i]])
            del waiting[i]
            return
    for i, c in enumerate(waiting):
        if host.takes(request[c]) and _allowed(reduced, host, c):
            host.put(c, request[c])
            del waiting[i]
            return


def _fill(reduced: Reduced, hosts: list[_Host], left: list[int], request: list[tuple[float, ...]]) -> None:
    for c in left:
        fits = [host for host in hosts if host.takes(request[c]) and _allowed(reduced, host, c)]
        if fits:
            scale = reduced.capacity
            best = min(
                fits, key=lambda host: sum(r / max(s, 1e-9) for r, s in zip(host.room, scale[host.bin], strict=True))
            )
            best.put(c, request[c])


def _allowed(reduced: Reduced, host: _Host, c: int) -> bool:
    return bool(reduced.admits[host.bin, c]) and host.pods.get(c, 0) < reduced.most[c]
