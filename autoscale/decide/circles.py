"""Pods that wait for each other: each wants to be where others are that are nowhere yet, and want the same of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.demand.kinds import Kind, seeks
from autoscale.demand.wording import few
from autoscale.model.workload import Code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.workload import DemandClass, Reason

_MOST = 300  # classes that are looked at
_HINT = "start one of them without its affinity, or take it from one of them"


def circles(classes: Sequence[DemandClass], namespaces: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """For each of these pending classes that is in a circle, by key: the keys of its shortest one, itself first."""
    mine = [c for c in classes if c.shape.rules.affinity][:_MOST]
    kinds = [Kind(c.namespace, c.labels, c.shape) for c in mine]
    wants = [
        [o for o, other in enumerate(kinds) if o != i and all(seeks(term, other, namespaces) for term in kind.affinity)]
        for i, kind in enumerate(kinds)
    ]
    found = {}
    for start, c in enumerate(mine):
        way = _way_back(start, wants)
        if way:
            found[c.key] = tuple(mine[i].key for i in way)
    return found


def _way_back(start: int, wants: Sequence[Sequence[int]]) -> list[int]:
    """The shortest way from there to there; empty when there is none."""
    before: dict[int, int] = {}
    queue = [start]
    for at in queue:
        for step in wants[at]:
            if step == start:
                way = [at]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return way[::-1]
            if step not in before:
                before[step] = at
                queue.append(step)
    return []


def told(reasons: Sequence[Reason], circle: Sequence[str]) -> tuple[Reason, ...]:
    """The reasons, the want of company among them with who waits for whom."""
    text = f"; {few(circle)} wait for each other in a circle"
    return tuple(
        replace(each, text=each.text + text, hint=_HINT) if each.code is Code.POD_AFFINITY else each for each in reasons
    )
