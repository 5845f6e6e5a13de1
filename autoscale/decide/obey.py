"""The solver's answer made to obey the rules between pods, placement by placement, in a world that judges each.

What the answer says is replayed; what the rules let through stays. The others go, cheapest first, to nodes of the plan, to
nodes that are there, then to new ones; pods that must be together and found no place for all are tried in each domain.
Last, everything is taken out and put in again: with all nodes there from the start, the rules must let everybody in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.decide.caps import SOURCE
from autoscale.decide.ground import HOSTNAME, first_site
from autoscale.decide.mend import Mender
from autoscale.decide.promises import broken
from autoscale.decide.yard import Yard
from autoscale.demand.kinds import seeks
from autoscale.model.problem import PackedNode, Solution, Status
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from autoscale.decide.ground import Ground
    from autoscale.decide.promises import Broken
    from autoscale.decide.question import Asked
    from autoscale.decide.yard import Bin
    from autoscale.demand.kinds import Term
    from autoscale.model.problem import Problem

_MOST_SEEDS = 200  # domains that pods which must be together are tried in
_MOST_REASONS = 3
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Obeyed:
    """An answer that the rules let in; `broken` says by class what they hold against those that stay pending.

    `lost` are claims of other pods that can't be kept, whatever is done with those that were asked about.
    """

    solution: Solution
    broken: Mapping[int, tuple[Reason, ...]]
    lost: tuple[Broken, ...] = ()


def obey(ground: Ground, question: Asked, problem: Problem, solution: Solution) -> Obeyed:
    """The answer, changed where it has to be. Its bound stands: the solver was asked for less than the rules want.

    The ground is left as it was found.
    """
    plan = _Plan(ground, question, problem)
    plan.replay(solution)
    plan.find_places()
    plan.keep_promises()
    plan.prove()
    obeyed = Obeyed(plan.answer(solution), plan.broken(), plan.lost())
    plan.leave()
    return obeyed


class _Plan:
    """A plan in the making; `left` are the pods of each class without a place."""

    def __init__(self, ground: Ground, question: Asked, problem: Problem) -> None:
        self._ground, self._question, self._problem = ground, question, problem
        self._yard = Yard(ground, question, problem)
        self.left: Counter[int] = Counter()

    def replay(self, solution: Solution) -> None:
        """Put in what the answer says, all nodes there from the start."""
        wanted: list[tuple[Bin, Counter[int]]] = []
        for node in solution.nodes:
            for _ in range(node.count):
                made = self._yard.open(node.supply)
                if made is not None:
                    wanted.append((made, Counter(dict(node.pods))))
        self.left = Counter({c: demand.count for c, demand in enumerate(self._problem.demands)})
        self._fill(wanted)
        self._yard.close_empty()

    def find_places(self) -> None:
        """Find places for those without, as long as any is found."""
        before = None
        while self.left.total() and before != self.left:
            before = Counter(self.left)
            for c in self._by_weight(self.left):
                self.place(c, self.left[c], self._anywhere)
            self._yard.close_empty()
        for c in self._by_weight(self.left):
            if any(seeks(term, self._ground.kinds[c], self._ground.world.namespaces) for term in self._terms(c)):
                self._regroup(c)
        self._yard.close_empty()

    def keep_promises(self) -> None:
        """Move pods to where others that have a node already need them."""
        Mender(self, self._ground, self._yard).mend()

    def lost(self) -> tuple[Broken, ...]:
        """Promises to take back: those that no pod left pending could still mend."""
        kinds = [self._ground.kinds[c] for c in self.left if self.left[c]]
        return tuple(broken(self._ground.world, self._ground.promised, kinds))

    def leave(self) -> None:
        """Leave the world to the next plan."""
        self._yard.clear()

    def prove(self) -> None:
        """Take everything out and in again: nodes join in any order, and the rules must hold with all of them there."""
        for weight in list(self._yard.over()):
            self._lighten(weight)
        for _ in range(_ROUNDS):
            if not self._make_even():
                break
            for c in self._by_weight(self.left):
                self.place(c, self.left[c], self._anywhere)
            self._yard.close_empty()
        self._make_even()
        wanted = [(one, Counter(one.contents)) for one in self._yard.bins]
        for one, contents in wanted:
            for c, count in contents.items():
                self.take(one, c, count)
        self._fill(wanted)
        self._yard.close_empty()

    def _make_even(self) -> bool:
        """Take out pods that could not come last; whether there were any."""
        taken = False
        while (found := next(self._yard.uneven(), None)) is not None:
            self.take(found[1], found[0], 1)
            taken = True
        return taken

    def answer(self, solution: Solution) -> Solution:
        """As the solver says it. The same solution when nothing had to change."""
        counted = Counter((one.supply, tuple(sorted(one.contents.items()))) for one in self._yard.bins)
        nodes = tuple(PackedNode(o, pods, count) for (o, pods), count in sorted(counted.items()))
        pending = {c: count for c, count in sorted(self.left.items()) if count}
        before = Counter({(n.supply, n.pods): n.count for n in solution.nodes})
        if before == counted and {c: n for c, n in solution.pending.items() if n} == pending:
            return solution
        prices = [supply.price_microusd_per_hour for supply in self._problem.supplies]
        cost = sum(prices[node.supply] * node.count for node in nodes)
        paid = sum(node.count for node in nodes if prices[node.supply])
        objective = cost + paid * self._problem.node_cost_microusd_per_hour
        objective += sum(self._problem.demands[c].pending_penalty_microusd_per_hour * n for c, n in pending.items())
        return replace(
            solution,
            status=Status.FEASIBLE if objective > solution.bound_microusd_per_hour else Status.OPTIMAL,
            nodes=nodes,
            pending=pending,
            cost_microusd_per_hour=cost,
            objective_microusd_per_hour=objective,
            bound_microusd_per_hour=min(objective, solution.bound_microusd_per_hour),
        )

    def broken(self) -> dict[int, tuple[Reason, ...]]:
        """What the rules hold against a node of each supply, for the classes left over."""
        out = {}
        for c in self.left:
            if not self.left[c]:
                continue
            sites = [
                first_site(self._ground, self._question.homes[o]) for o in sorted(self._problem.demands[c].offerings)
            ]
            found = {r.text: r for site in sites for r in self._ground.world.broken(self._ground.kinds[c], site)}
            out[c] = tuple(found.values())[:_MOST_REASONS]
            if not found and self._ground.promised:
                out[c] = (
                    Reason(
                        Code.STARTING,
                        "waits for pods to be bound that nodes were bought for: it would keep them out",
                        SOURCE,
                    ),
                )
        return out

    def _fill(self, wanted: Iterable[tuple[Bin, Counter[int]]]) -> None:
        """Put in what is wanted where, in turns, so that what is to be spread is spread; as long as any goes in."""
        units: list[tuple[bool, int, int, Bin]] = []
        for one, contents in wanted:
            for c, count in contents.items():
                together = bool(self._terms(c))
                units += [(together, -count if together else turn, c, one) for turn in range(count)]
        queue = [(c, one) for _, _, c, one in sorted(units, key=lambda unit: unit[:2])]
        while queue:
            rest = [(c, one) for c, one in queue if not self.put(one, c)]
            if len(rest) == len(queue):
                return
            queue = rest

    def place(self, c: int, count: int, within: Callable[[Bin], bool]) -> None:
        """Place pods of a class: on nodes of the plan, on nodes that are there, on new ones."""
        offerings = sorted(self._problem.demands[c].offerings)
        bins = [one for one in self._yard.bins if one.supply in self._problem.demands[c].offerings and within(one)]
        while count:
            bins = [one for one in bins if self._yard.lasting(one, c)]
            if any(self.put(one, c) for one in bins):
                count -= 1
                continue
            more = self._first_that_takes(
                c, [*dict.fromkeys(self._yard.spares(offerings)), *self._to_buy(c, count)], within
            )
            if more is None:
                return
            bins.append(more)
            count -= 1

    def _first_that_takes(self, c: int, supplies: Iterable[int], within: Callable[[Bin], bool]) -> Bin | None:
        """A further node with a pod of the class on it, of the first supply that can have one."""
        for o in supplies:
            made = self._yard.open(o)
            if made is None:
                continue
            if within(made) and self.put(made, c):
                return made
            self._yard.close(made)
        return None

    def _to_buy(self, c: int, count: int) -> list[int]:
        """Supplies of new nodes, those first that cost least for each of the pods that they could hold."""
        demand = self._problem.demands[c]

        def each(o: int) -> tuple[float, int]:
            supply = self._problem.supplies[o]
            fit = min(
                (have // need for have, need in zip(supply.capacity, demand.request, strict=True) if need), default=1
            )
            held = max(1, min(count, fit, demand.max_per_node or fit))
            return (supply.price_microusd_per_hour + self._problem.node_cost_microusd_per_hour) / held, o

        return [o for _, o in sorted(each(o) for o in demand.offerings if self._question.homes[o].kind == "new")]

    def _regroup(self, c: int) -> None:
        """Pods that want to be together: where could most of them be?"""
        places = [(one, one.contents[c]) for one in self._yard.bins if one.contents[c]]
        for one, count in places:
            self.take(one, c, count)
        total = self.left[c]
        best: tuple[int, int] = (sum(count for _, count in places), 0)
        choice: Callable[[], None] | None = None
        for seed in self._seeds(c):
            bins = list(self._yard.bins)
            before = {id(one): one.contents[c] for one in bins}
            seed()
            cost = sum(
                self._problem.price_of(one.supply) for one in self._yard.bins if id(one) not in before and one.contents
            )
            merit = total - self.left[c], -cost
            for one in list(self._yard.bins):
                self.take(one, c, one.contents[c])
                if id(one) not in before:
                    self._yard.close(one)
            if merit > best and (choice is not None or merit[0] > best[0]):
                best, choice = merit, seed
        if choice is not None:
            choice()
        else:
            for one, count in places:
                for _ in range(count):
                    self.put(one, c)

    def _seeds(self, c: int) -> list[Callable[[], None]]:
        """Ways to place the class in one domain of its first term, each to be tried on its own."""
        key = self._terms(c)[0].key
        count = self.left[c]

        def in_domain(value: str) -> Callable[[], None]:
            return lambda: self.place(c, count, lambda one: one.site.labels.get(key) == value)

        def on_new(o: int) -> Callable[[], None]:
            def place() -> None:
                made = self._first_that_takes(c, [o], self._anywhere)
                if made is not None:
                    self.place(c, count - 1, lambda one: one is made)

            return place

        if key != HOSTNAME:
            values = {self._question.homes[o].labels.get(key) for o in self._problem.demands[c].offerings}
            return [in_domain(value) for value in sorted(v for v in values if v is not None)][:_MOST_SEEDS]
        there = [in_domain(one.site.labels.get(key, "")) for one in self._yard.bins if self._yard.lasting(one, c)]
        offered = [
            *dict.fromkeys(self._yard.spares(sorted(self._problem.demands[c].offerings))),
            *self._to_buy(c, count),
        ]
        return [*there, *(on_new(o) for o in offered)][:_MOST_SEEDS]

    def _lighten(self, weight: Callable[[int, int], int]) -> None:
        """Take out pods that weigh in a policy which what was taken out before no longer balances."""
        for one in reversed(self._yard.bins):
            for c in sorted(one.contents):
                while one.contents[c] and weight(c, one.supply) > 0 and any(True for _ in self._yard.over()):
                    self.take(one, c, 1)

    def _by_weight(self, classes: Iterable[int]) -> list[int]:
        """Those that it is dearest to leave, and the largest, first; those that want company last."""
        demands = self._problem.demands
        return sorted(
            (c for c in classes if self.left[c]),
            key=lambda c: (
                bool(self._terms(c)), -demands[c].pending_penalty_microusd_per_hour, [-n for n in demands[c].request], c
            ),
        )  # fmt: skip

    def _terms(self, c: int) -> tuple[Term, ...]:
        return self._ground.kinds[c].affinity

    def put(self, one: Bin, c: int) -> bool:
        """Put a pod of those that are left there, if that may be."""
        if self.left[c] and self._yard.put(one, c):
            self.left[c] -= 1
            return True
        return False

    def take(self, one: Bin, c: int, count: int) -> None:
        """Take pods out; they are left then."""
        for _ in range(count):
            self._yard.take(one, c)
            self.left[c] += 1

    @staticmethod
    def _anywhere(_: Bin) -> bool:
        return True
