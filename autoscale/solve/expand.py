"""From an answer for the reduced problem back to supplies and classes of the problem as it was asked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from autoscale.model.problem import PackedNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.model.problem import Problem
    from autoscale.solve.native import Answer
    from autoscale.solve.reduce import Reduced

Pods = tuple[tuple[int, int], ...]


def expand(problem: Problem, reduced: Reduced, answer: Answer) -> tuple[tuple[PackedNode, ...], dict[int, int]]:
    """Nodes and pending pods in the problem's own numbers. Merged classes and supplies are dealt out in order."""
    stock = [[[o, n] for o, n in homes] for homes in reduced.homes]
    owed = [[[c, problem.demands[c].count] for c in members] for members in reduced.members]
    packed: Counter[tuple[int, Pods]] = Counter()
    for b, pods, count in sorted(answer.nodes):
        for supply, nodes in _supplies(stock[b], count):
            for members, times in _members(pods, owed, nodes):
                packed[supply, members] += times
    pending = {c: n for queue in owed for c, n in queue if n}
    pending.update({c: problem.demands[c].count for c in reduced.lost})
    found = tuple(PackedNode(o, pods, count) for (o, pods), count in sorted(packed.items()))
    return found, dict(sorted(pending.items()))


def _supplies(stock: list[list[int]], count: int) -> Iterator[tuple[int, int]]:
    """`count` nodes from the merged supplies, those with a limit first come first served."""
    for home in stock:
        take = count if home[1] < 0 else min(count, home[1])
        if take:
            if home[1] >= 0:
                home[1] -= take
            yield home[0], take
        count -= take
        if not count:
            return


def _members(pods: Pods, owed: list[list[list[int]]], nodes: int) -> Iterator[tuple[Pods, int]]:
    """Equal nodes with the pods of merged classes dealt out; as few different nodes as that allows."""
    while nodes:
        times = nodes
        single = True
        for c, n in pods:
            queue = owed[c]
            while queue and not queue[0][1]:
                queue.pop(0)
            times = min(times, queue[0][1] // n) if queue else 0
            single &= times > 0
        if single:
            for c, n in pods:
                owed[c][0][1] -= n * times
            yield tuple(sorted((owed[c][0][0], n) for c, n in pods)), times
            nodes -= times
            continue
        mixed: list[tuple[int, int]] = []
        for c, n in pods:
            mixed += _draw(owed[c], n)
        yield tuple(sorted(mixed)), 1
        nodes -= 1


def _draw(queue: list[list[int]], n: int) -> Iterator[tuple[int, int]]:
    while n and queue:
        take = min(n, queue[0][1])
        if take:
            queue[0][1] -= take
            yield queue[0][0], take
        n -= take
        if not queue[0][1]:
            queue.pop(0)
