"""When hardly two pods are equal: clusters of like classes, for a linear program with fewer rows than classes.

Any y >= 0 under which no pattern is worth more than its node costs proves the bound y.d; the best y needs a row for
every class. Here y is kept to functions that are linear in the request within each cluster,

    y_c = a_k + sum_r b_kr w_cr        for every class c of cluster k

In the master, that is one row for the number of pods of a cluster and one for each resource that its members ask for in
different amounts: all pods must be covered, by number and by size. Patterns, and so pricing, are those of the true pods,
which makes the bound one for the problem as it is (aggregation of rows in column generation: Elhallaoui et al. 2005,
where classes with the same dual share a row; linear functions lose far less when sizes spread).

Clusters are the leaves of a model tree (Quinlan 1992, M5): a pod's value is estimated by the cheapest cost of what it takes
most of, min_b price_b max_r w_cr / capacity_br; the cluster whose members stray most from a linear fit is cut where
the two halves stray least, by a resource or by a home that some have and others have not.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.solve.reduce import Matrix, Reduced

MANY_CLASSES = 500
"""From here on, a row for every class costs more than it brings."""

MOST_ROWS = 600

_FEW = 4  # members of a cluster that get no rows for their sizes
_CUTS = 8  # homes that are tried


@dataclass(frozen=True, slots=True)
class Rows:
    """Class c counts in the rows `of[begin[c]:begin[c+1]]`, by `by[...]` a pod; there are `number` rows."""

    number: int
    begin: Matrix
    of: Matrix
    by: Matrix


def rows_of_clusters(reduced: Reduced, most_rows: int = MOST_ROWS) -> Rows:
    """The rows of clusters of classes, at most so many unless there are more kinds that can't share any."""
    values = _values(reduced)
    groups: dict[object, list[int]] = {}
    for c in range(len(reduced.demand)):
        groups.setdefault(reduced.penalty[c], []).append(c)
    heap = [_entry(reduced, values, np.array(members)) for members in groups.values()]
    heapify(heap)
    rows = sum(1 + len(entry[3]) for entry in heap)
    while heap[0][0] < 0 and rows < most_rows:
        _, _, members, varying = heappop(heap)
        rows -= 1 + len(varying)
        for half in _halves(reduced, values, members):
            entry = _entry(reduced, values, half)
            rows += 1 + len(entry[3])
            heappush(heap, entry)
    return _rows(reduced, [(members, varying) for _, _, members, varying in heap])


def _values(reduced: Reduced) -> Matrix:
    """What a pod of each class costs at least, roughly."""
    out = np.full(len(reduced.demand), np.inf)
    for b in range(len(reduced.price)):
        homes = np.flatnonzero(reduced.admits[b])
        share = (reduced.request[homes] / np.maximum(reduced.capacity[b], 1e-9)).max(axis=1)
        out[homes] = np.minimum(out[homes], reduced.price[b] * share)
    return np.where(np.isfinite(out), out, reduced.penalty)


def _varying(reduced: Reduced, members: Matrix) -> list[int]:
    """Resources that the members ask for in different amounts; none for a few members."""
    if len(members) < _FEW:
        return []
    requests = reduced.request[members]
    return np.flatnonzero(requests.max(axis=0) > requests.min(axis=0)).tolist()


def _entry(reduced: Reduced, values: Matrix, members: Matrix) -> tuple[float, int, Matrix, list[int]]:
    varying = _varying(reduced, members)
    return -_astray(reduced, values, members), int(members[0]), members, varying


def _astray(reduced: Reduced, values: Matrix, members: Matrix) -> float:
    """How far the members' values are from a linear function of their requests, summed over pods."""
    if len(members) == 1:
        return 0.0
    weights = reduced.demand[members]
    varying = _varying(reduced, members)
    columns = np.ones((len(members), 1 + len(varying)))
    if varying:
        columns[:, 1:] = reduced.request[members][:, varying] / reduced.request[members][:, varying].max(axis=0)
    target = values[members]
    gram = columns.T @ (columns * weights[:, None]) + 1e-9 * np.eye(columns.shape[1])
    fit = columns @ np.linalg.solve(gram, columns.T @ (weights * target))
    return max(float(weights @ np.abs(target - fit)), 1e-6)


def _halves(reduced: Reduced, values: Matrix, members: Matrix) -> tuple[Matrix, Matrix]:
    best: tuple[float, Matrix] | None = None
    for cut in _cuts(reduced, members):
        if cut.all() or not cut.any():
            continue
        lost = _astray(reduced, values, members[cut]) + _astray(reduced, values, members[~cut])
        if best is None or lost < best[0] * (1 - 1e-12):
            best = lost, cut
    if best is None:
        return members[: len(members) // 2], members[len(members) // 2 :]
    return members[best[1]], members[~best[1]]


def _cuts(reduced: Reduced, members: Matrix) -> Iterator[Matrix]:
    for r in range(reduced.request.shape[1]):
        asked = reduced.request[members, r]
        for share in (0.25, 0.5, 0.75):
            yield asked > np.quantile(asked, share, method="lower")
    homes = reduced.admits[:, members].astype(bool)
    share = homes.mean(axis=1)
    seen: set[bytes] = set()
    for b in np.argsort(np.abs(share - 0.5), kind="stable"):
        if not 0 < share[b] < 1 or len(seen) == _CUTS:
            return
        key = homes[b].tobytes()
        if key not in seen:
            seen.add(key)
            yield homes[b]


def _rows(reduced: Reduced, clusters: list[tuple[Matrix, list[int]]]) -> Rows:
    clusters = sorted(clusters, key=lambda cluster: int(cluster[0].min()))
    entries: list[list[tuple[int, float]]] = [[] for _ in range(len(reduced.demand))]
    number = 0
    for members, varying in clusters:
        least = reduced.request[members].min(axis=0)
        spread = reduced.request[members].max(axis=0) - least
        for c in members.tolist():
            entries[c] = [(number, 1.0)]
            entries[c] += [(number + 1 + i, (reduced.request[c, r] - least[r]) / spread[r]) for i, r in enumerate(varying)]
        number += 1 + len(varying)
    return Rows(
        number=number,
        begin=np.cumsum([0, *(len(one) for one in entries)]),
        of=np.array([row for one in entries for row, _ in one]),
        by=np.array([by for one in entries for _, by in one]),
    )
