"""Pods that have a node already, on its way or held for them, and that are not bound: what the rules must not take from them.

A plan counted on others being where they were planned. When one of their nodes never comes, those others are planned
anew, and then where they go decides whether the pods that wait can still be bound on the nodes that were bought for them.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from autoscale.demand.kinds import Kind
    from autoscale.demand.sites import Site
    from autoscale.demand.tallies import SpreadTally
    from autoscale.demand.world import World
    from autoscale.model.workload import Pod, Reason


@dataclass(frozen=True, slots=True)
class Promised:
    """Pods of one kind with a claim on one slot, in the world already; the last is the first to give up."""

    slot: str
    kind: Kind
    site: Site
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A claim that can't be kept: the rules let the pod no more where it was planned, whoever comes yet."""

    slot: str
    pod: Pod
    reason: Reason


class Wish(NamedTuple):
    """That a pod which `counts` were in a domain where the label has one of the values."""

    key: str
    values: frozenset[str]
    counts: Callable[[Kind], bool]


def promised(slots: Iterable[tuple[str, Site, Iterable[Pod]]], world: World) -> Iterator[Promised]:
    """The pods of slots whose rules are about others."""
    for slot, site, pods in slots:
        by_kind: dict[Kind, list[Pod]] = {}
        for pod in pods:
            if pod.shape.rules.about_others:
                by_kind.setdefault(world.kind_of(pod), []).append(pod)
        for kind, alike in by_kind.items():
            yield Promised(slot, kind, site, tuple(alike))


def debt(world: World, promises: Iterable[Promised]) -> int:
    """How many pods are missing where others need them, for all promises together; 0 when all can be kept."""
    return sum(len(each.pods) * _missing(world, each) for each in promises)


def unkept(world: World, promises: Iterable[Promised]) -> list[Promised]:
    """Those of which one, coming last, would be kept out."""
    return [each for each in promises if _why(world, each) is not None]


def broken(world: World, promises: Iterable[Promised], pending: Iterable[Kind]) -> list[Broken]:
    """Claims to take back so that all others can be kept: their pods are looked at as gone.

    None that one of the pending kinds may still mend once it finds a place.
    """
    kinds = tuple(pending)
    found: list[Broken] = []
    gone: list[Promised] = []
    for each in promises:
        if any(wish.counts(kind) for kind in kinds for wish in wanted(world, each)):
            continue
        for pod in reversed(each.pods):
            reason = _why(world, each)
            if reason is None:
                break
            world.put(each.kind, each.site, -1)
            gone.append(each)
            found.append(Broken(each.slot, pod, reason))
    for each in gone:
        world.put(each.kind, each.site, 1)
    return found


def wanted(world: World, each: Promised) -> list[Wish]:
    """What of others would let the pod in, as far as it is about where they are."""
    with _without_one(world, each):
        found = [
            Wish(tally.key, frozenset(value for value, count in tally.by_value.items() if count < least), tally.counts)
            for tally, least in _uneven(world, each)
        ]
        found += [
            Wish(tally.key, frozenset((each.site.labels[tally.key],)), tally.counts)
            for tally in world.company_of(each.kind)
            if tally.at(each.site) <= 0 and tally.key in each.site.labels
        ]
    return found


@contextmanager
def _without_one(world: World, each: Promised) -> Iterator[None]:
    """The world without one of the pods, to ask whether it could come last."""
    world.put(each.kind, each.site, -1)
    yield
    world.put(each.kind, each.site, 1)


def _uneven(world: World, each: Promised) -> Iterator[tuple[SpreadTally, int]]:
    """Spread constraints that keep the pod out, and how many there would have to be in every domain."""
    for tally in world.spread_of(each.kind):
        there = tally.by_value.get(each.site.labels.get(tally.key, ""), 0) + tally.counts(each.kind)
        if there - tally.least > tally.constraint.max_skew:
            yield tally, there - tally.constraint.max_skew


def _missing(world: World, each: Promised) -> int:
    with _without_one(world, each):
        if world.obeys(each.kind, each.site):
            return 0
        missing = sum(
            max(0, least - count) for tally, least in _uneven(world, each) for count in tally.by_value.values()
        )
        missing += sum(tally.at(each.site) <= 0 for tally in world.company_of(each.kind))
        return max(1, missing)


def _why(world: World, each: Promised) -> Reason | None:
    """What keeps a pod out that comes last."""
    with _without_one(world, each):
        return next(world.broken(each.kind, each.site), None)
