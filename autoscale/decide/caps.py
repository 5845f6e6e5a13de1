"""Rules between pods as far as a linear problem can say them: never stricter than the rules, so a bound stays a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.decide.ground import HOSTNAME
from autoscale.demand.kinds import seeks, selects
from autoscale.model.problem import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from autoscale.decide.ground import Ground
    from autoscale.decide.question import Asked
    from autoscale.demand.kinds import Kind
    from autoscale.demand.sites import Site
    from autoscale.demand.tallies import SpreadTally

SOURCE = "scheduling"
_MOST_DOMAINS = 64  # of one label; beyond, the answer is put right afterwards


def may_ever(ground: Ground, kind: Kind, site: Site) -> bool:
    """Whether the kind may go on the node at any time while nobody leaves and only the classes asked about come."""
    if not ground.world.lasting(kind, site):
        return False
    keys = {*(each.key for each in kind.spread), *(each.key for each in kind.affinity)}
    if not keys <= site.labels.keys():
        return False
    return not _company_is_fixed(ground, kind) or ground.world.has_company(kind, site)


def with_company(ground: Ground, kinds: Iterable[Kind]) -> set[Kind]:
    """Those of the kinds that may find the company they ask for: none that only want others which wait for them in turn."""
    waiting = [kind for kind in kinds if kind.affinity]
    found = {kind for kind in kinds if not kind.affinity}
    while True:
        more = [kind for kind in waiting if kind not in found and _may_find_it(ground, kind, found)]
        if not more:
            return found
        found.update(more)


def _may_find_it(ground: Ground, kind: Kind, others: Iterable[Kind]) -> bool:
    """Whether its company is there, is among these, or is itself: the first of such pods may go anywhere."""
    if ground.world.has_company_somewhere(kind):
        return True
    return any(all(seeks(t, o, ground.world.namespaces) for t in kind.affinity) for o in (kind, *others))


def _company_is_fixed(ground: Ground, kind: Kind) -> bool:
    """Whether nobody who comes can change where the kind's affinity is satisfied."""
    if not kind.affinity:
        return False
    sought = [other for other in ground.kinds if all(seeks(t, other, ground.world.namespaces) for t in kind.affinity)]
    if any(other is not kind for other in sought):
        return False
    return not sought or ground.world.has_company_somewhere(kind)


def most_on_a_node(ground: Ground, kind: Kind, counts: Sequence[int]) -> int | None:
    """How many of the kind one node can hold at most; None when no rule says. `counts`: pods by class."""
    if kind.shape.rules.ports:
        return 1
    caps = [1 for t in kind.anti_affinity if t.key == HOSTNAME and seeks(t, kind, ground.world.namespaces)]
    caps += [cap for tally, cap in _even(ground, kind, counts) if tally.key == HOSTNAME]
    return min(caps, default=None)


def domain_rules(ground: Ground, question: Asked, counts: Sequence[int]) -> Iterator[Rule]:
    """How many of each class a zone, or another domain of several nodes, can hold at most."""
    for c, (asked, kind) in enumerate(zip(question.classes, ground.kinds, strict=True)):
        for term in kind.anti_affinity:
            if term.key != HOSTNAME and seeks(term, kind, ground.world.namespaces):
                for value, homes in _homes_by(question, term.key).items():
                    key = f"apart/{asked.key}/{term.key}={value}"
                    yield Rule(key, SOURCE, 1, per_pod={(c, o): 1 for o in homes})
        for tally, cap in _even(ground, kind, counts):
            if tally.key != HOSTNAME:
                for value, homes in _homes_by(question, tally.key).items():
                    key = f"even/{asked.key}/{tally.key}={value}"
                    limit = max(0, cap - tally.by_value.get(value, 0))
                    yield Rule(key, SOURCE, limit, per_pod={(c, o): 1 for o in homes})


def _even(ground: Ground, kind: Kind, counts: Sequence[int]) -> Iterator[tuple[SpreadTally, int]]:
    """Spread constraints that count the kind itself, and the most that any domain can come to hold.

    Where one holds so many, each of the others, of those that are there or that there have to be, holds `maxSkew` less at least.
    """
    for tally in ground.world.spread_of(kind):
        rule = tally.constraint
        if not selects(rule.selector, kind.labels) or not tally.counts(kind):
            continue
        domains = max(len(tally.by_value), rule.min_domains)
        pods = sum(tally.by_value.values())
        pods += sum(count for other, count in zip(ground.kinds, counts, strict=True) if tally.counts(other))
        yield tally, (pods + (domains - 1) * rule.max_skew) // domains


def _homes_by(question: Asked, key: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for o, home in enumerate(question.homes):
        value = home.labels.get(key)
        if value is not None:
            found.setdefault(value, []).append(o)
    return found if len(found) <= _MOST_DOMAINS else {}
