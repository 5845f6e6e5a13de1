"""Pods of a plan moved to where others need them that have a node already and wait to be bound on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from autoscale.decide.promises import debt, unkept, wanted

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from autoscale.decide.ground import Ground
    from autoscale.decide.promises import Promised, Wish
    from autoscale.decide.yard import Bin, Yard

_MOST_MOVES = 200


class Movable(Protocol):
    """A plan in the making; `left` are the pods of each class without a place."""

    left: Counter[int]

    def put(self, one: Bin, c: int) -> bool:
        """Put a pod of those that are left there, if that may be."""
        ...

    def take(self, one: Bin, c: int, count: int) -> None:
        """Take pods out; they are left then."""
        ...

    def place(self, c: int, count: int, within: Callable[[Bin], bool]) -> None:
        """Place pods of those that are left, as cheaply as can be."""
        ...


class Mender:
    """Moves pods of a plan one by one, as long as each move leaves less missing for the promises."""

    def __init__(self, plan: Movable, ground: Ground, yard: Yard) -> None:
        self._plan, self._ground, self._yard = plan, ground, yard
        self._tries = _MOST_MOVES

    def mend(self) -> None:
        """As far as it goes."""
        owed = self._owed()
        while owed and any(self._help(each, owed) for each in unkept(self._ground.world, self._ground.promised)):
            owed = self._owed()

    def _owed(self) -> int:
        return debt(self._ground.world, self._ground.promised)

    def _help(self, each: Promised, owed: int) -> bool:
        """Move one pod so that less is owed; whether that was found."""
        for wish in wanted(self._ground.world, each):
            classes = [c for c, kind in enumerate(self._ground.kinds) if wish.counts(kind)]
            for c, one in [(c, one) for one in self._yard.bins for c in classes if one.contents[c]]:
                if one.site.labels.get(wish.key) not in wish.values and self._move(one, c, wish, owed):
                    return True
        return False

    def _move(self, one: Bin, c: int, wish: Wish, owed: int) -> bool:
        """Move a pod of class c into one of the domains wished for, unless that leaves as much owed."""
        if not self._tries:
            return False
        self._tries -= 1
        plan, bins = self._plan, self._yard.bins
        had = {id(each): each.contents[c] for each in bins}
        plan.take(one, c, 1)
        without = plan.left[c]
        plan.place(c, 1, lambda each: each.site.labels.get(wish.key) in wish.values)
        moved = plan.left[c] < without and self._owed() < owed
        if not moved:
            for each in bins:
                if each is not one and each.contents[c] > had.get(id(each), 0):
                    plan.take(each, c, 1)
            plan.put(one, c)
        self._yard.close_empty()
        return moved
