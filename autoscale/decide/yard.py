"""Nodes of a plan in the making: what is on them, what is left of them, and every change to be taken back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscale.decide.caps import SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from autoscale.decide.ground import Ground
    from autoscale.decide.question import Asked
    from autoscale.demand.kinds import Kind
    from autoscale.demand.sites import Site
    from autoscale.demand.tallies import SpreadTally
    from autoscale.model.problem import Problem


@dataclass(slots=True, eq=False)
class Bin:
    """One node of supply `supply`: where it is in the world, what is left of it, and how many pods of each class."""

    supply: int
    site: Site
    left: list[int]
    contents: Counter[int] = field(default_factory=Counter)


class Yard:
    """The bins of a plan. Nothing is put anywhere that the world, the room or a policy forbids."""

    def __init__(self, ground: Ground, question: Asked, problem: Problem) -> None:
        self._ground, self._question, self._problem = ground, question, problem
        self.bins: list[Bin] = []
        self._spare: dict[int, list[Site]] = {o: self._there(o) for o in range(len(question.homes))}
        self._bought: Counter[int] = Counter()
        self._named = 0
        self._watched = [(t, tally) for t, kind in enumerate(ground.kinds) for tally in ground.world.spread_of(kind)]
        self._watching: dict[int, list[tuple[int | Kind, SpreadTally]]] = {}
        self._planned: Counter[tuple[int | Kind, str, str]] = (
            Counter()
        )  # pods of a class, or promised kind, in a domain
        self._promised = {each.kind: ground.world.spread_of(each.kind) for each in ground.promised}
        for each in ground.promised:
            for tally in self._promised[each.kind]:
                self._planned[each.kind, tally.key, each.site.labels.get(tally.key, "")] += len(each.pods)
        self._policies = [rule for rule in problem.rules if rule.source != SOURCE]
        self._totals = [0] * len(self._policies)

    def open(self, supply: int) -> Bin | None:
        """One more node of a supply, empty; None when there is none left or a policy forbids it."""
        home = self._question.homes[supply]
        limit = self._problem.supplies[supply].limit
        if self._bought[supply] == limit or not self._allowed(self._deltas(supply)):
            return None
        if home.kind == "new":
            self._named += 1
            site = self._ground.fresh(self._ground.fleet.groups[home.group], f"new-{self._named}")
            if not self._open_new(site):
                return None
        elif self._spare[supply]:
            site = self._spare[supply].pop()
        else:
            return None
        self._bought[supply] += 1
        self._add(self._deltas(supply), 1)
        made = Bin(supply, site, list(self._problem.supplies[supply].capacity))
        self.bins.append(made)
        return made

    def _open_new(self, site: Site) -> bool:
        """Add a node to the world, unless it is the first of its zone and so keeps out pods that have a node already."""
        before = [(who, tally, tally.least) for who, tallies in self._promised.items() for tally in tallies]
        self._ground.world.open(site)
        for who, tally, least in before:
            if tally.least < least and any(
                count - tally.least > tally.constraint.max_skew and self._planned[who, tally.key, value]
                for value, count in tally.by_value.items()
            ):
                self._ground.world.close(site)
                return False
        return True

    def close(self, gone: Bin) -> None:
        """Take an empty node back."""
        self.bins.remove(gone)
        self._bought[gone.supply] -= 1
        self._add(self._deltas(gone.supply), -1)
        if self._question.homes[gone.supply].kind == "new":
            self._ground.world.close(gone.site)
        else:
            self._spare[gone.supply].append(gone.site)

    def close_empty(self) -> None:
        """Take all empty nodes back."""
        for one in [one for one in self.bins if not one.contents]:
            self.close(one)

    def clear(self) -> None:
        """Take all nodes back, and whoever is on them."""
        for one in list(self.bins):
            for c, count in list(one.contents.items()):
                self._change(one, c, -count)
            self.close(one)

    def put(self, one: Bin, c: int) -> bool:
        """Put a pod of class c there if everything allows it; whether it did."""
        demand = self._problem.demands[c]
        if one.supply not in demand.offerings or not self.has_room(one, c):
            return False
        if not self._ground.world.obeys(self._ground.kinds[c], one.site):
            return False
        if not self._allowed(self._deltas(one.supply, c)) or not self._stays_even(one, c):
            return False
        self._change(one, c, 1)
        return True

    def take(self, one: Bin, c: int) -> None:
        """Take a pod of class c away."""
        self._change(one, c, -1)

    def has_room(self, one: Bin, c: int) -> bool:
        """Whether resources are left for one more of class c."""
        shape = self._ground.kinds[c].shape
        if shape.shared_volumes and next(one.site.lacking(shape), None) is not None:
            return False  # the problem leaves out what pods of a node share: here it counts once
        return all(asked <= left for asked, left in zip(self._problem.demands[c].request, one.left, strict=True))

    def lasting(self, one: Bin, c: int) -> bool:
        """Whether class c may go there later, if not now."""
        return self.has_room(one, c) and self._ground.world.lasting(self._ground.kinds[c], one.site)

    def spares(self, supplies: Iterable[int]) -> Iterator[int]:
        """The supplies, each as many times as it has nodes that cost nothing and are not in use."""
        for o in supplies:
            for _ in range(len(self._spare[o])):
                yield o

    def uneven(self) -> Iterator[tuple[int, Bin]]:
        """A pod (class, where) for each domain that holds too many for those planned there, were they to come last."""
        for t, tally in self._watched:
            for value, count in tally.by_value.items():
                if count - tally.least > tally.constraint.max_skew and self._planned[t, tally.key, value]:
                    mine = [b for b in self.bins if b.contents[t] and b.site.labels.get(tally.key) == value]
                    yield t, mine[-1]

    def over(self) -> Iterator[Callable[[int, int], int]]:
        """For every policy that the plan breaks, the weight of a pod (class, supply) in it."""
        for rule, total in zip(self._policies, self._totals, strict=True):
            if total > rule.limit:
                yield lambda c, o, rule=rule: rule.per_pod.get((c, o), 0)  # type: ignore[misc]  # bound early

    def _there(self, supply: int) -> list[Site]:
        home = self._question.homes[supply]
        if home.kind == "new":
            return []
        if home.names:
            return [self._ground.sites[name] for name in reversed(home.names)]
        return list(reversed(self._ground.coming[home.group]))[: home.limit]

    def _change(self, one: Bin, c: int, count: int) -> None:
        request = self._problem.demands[c].request
        one.left = [left - asked * count for left, asked in zip(one.left, request, strict=True)]
        one.contents[c] += count
        if not one.contents[c]:
            del one.contents[c]
        kind = self._ground.kinds[c]
        self._ground.world.put(kind, one.site, count)
        for rule in kind.spread:
            self._planned[c, rule.key, one.site.labels[rule.key]] += count
        self._add(self._deltas(one.supply, c), count)

    def _stays_even(self, one: Bin, c: int) -> bool:
        """Whether the pods planned in the node's domains could still come after this one, in whatever order they join."""
        watching = self._watching.get(c)
        if watching is None:
            kind = self._ground.kinds[c]
            watching = [(t, tally) for t, tally in self._watched if tally.counts(kind)]
            watching += [(k, tally) for k, tallies in self._promised.items() for tally in tallies if tally.counts(kind)]
            self._watching[c] = watching
        for t, tally in watching:
            value = one.site.labels.get(tally.key, "")
            there = tally.by_value.get(value)
            uneven = there is not None and there + 1 - tally.least > tally.constraint.max_skew
            if uneven and self._planned[t, tally.key, value]:
                return False
        return True

    def _deltas(self, supply: int, c: int | None = None) -> Sequence[int]:
        """What one more node, or pod of class c, adds to each policy."""
        if c is None:
            return [rule.per_node.get(supply, 0) for rule in self._policies]
        return [rule.per_pod.get((c, supply), 0) for rule in self._policies]

    def _allowed(self, deltas: Sequence[int]) -> bool:
        return all(
            delta <= 0 or total + delta <= rule.limit
            for rule, total, delta in zip(self._policies, self._totals, deltas, strict=True)
        )

    def _add(self, deltas: Sequence[int], count: int) -> None:
        for i, delta in enumerate(deltas):
            self._totals[i] += delta * count
