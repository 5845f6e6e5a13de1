"""What pods would like, as a choice among plans of nearly equal cost: which node to buy, and who goes on it.

Preferred node affinity, PreferNoSchedule taints, preferred pod affinity and anti-affinity, spread with ScheduleAnyway. A
wish never leaves a pod pending and costs at most what the settings allow: nothing, unless they say otherwise. Nodes that
are there are the scheduler's own choice. The search takes steps that help (another node for the same pods, two nodes'
pods exchanged, one pod moved) until none does or it has looked at enough of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from autoscale.decide.ground import HOSTNAME
from autoscale.demand.fit import term_matches, tolerates
from autoscale.demand.kinds import Kind, constraint_of, counts, seeks, term_of
from autoscale.demand.world import World
from autoscale.model.problem import PackedNode, Solution, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.question import Asked, Berth
    from autoscale.model.problem import Problem
    from autoscale.model.workload import DemandClass, PodShape

_MOST_STEPS = 5_000  # looked at; beyond, the plan is good enough
_MOST_NODES = 400
_TAINT, _SPREAD = 100, 20  # weights of what has none of its own, beside affinity's 1 to 100
_PPM = 1_000_000


def heed(fleet: Fleet, question: Asked, problem: Problem, solution: Solution) -> Solution:
    """The solution, or one like it that pods like better."""
    if not any(c.shape.preferred_nodes or c.shape.wishes for c in question.classes) and not any(
        taint.effect == "PreferNoSchedule" for home in question.homes for taint in home.taints
    ):
        return solution
    bought = sum(node.count for node in solution.nodes if question.homes[node.supply].kind == "new")
    if not 0 < bought <= _MOST_NODES:
        return solution
    draft = _Draft(fleet, question, problem, solution)
    draft.improve()
    return draft.solution(solution)


@dataclass(slots=True)
class _Node:
    """A node to be bought, with the pods of each class on it."""

    supply: int
    index: int
    pods: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class _Wish:
    """One term of one class about pods in the same domain. `others` are the classes that it is about."""

    of: int
    key: str
    weight: int
    kind: str  # near | far | even
    others: frozenset[int]
    there: Counter[str] = field(default_factory=Counter)
    mine: Counter[str] = field(default_factory=Counter)

    def worth(self, value: str) -> int:
        """What the pods in a domain are worth to the class."""
        there, mine = self.there[value], self.mine[value]
        if self.kind == "even":
            return -self.weight * there * there
        company = there - (self.of in self.others)  # without the pod itself
        if self.kind == "far":
            return -self.weight * mine * max(0, company)
        return self.weight * mine * (company > 0)


class _Draft:
    """A plan that is changed step by step."""

    def __init__(self, fleet: Fleet, question: Asked, problem: Problem, solution: Solution) -> None:
        self._question, self._problem = question, problem
        self._kept = tuple(n for n in solution.nodes if question.homes[n.supply].kind != "new")
        self.nodes: list[_Node] = []
        for packed in solution.nodes:
            if question.homes[packed.supply].kind == "new":
                for _ in range(packed.count):
                    self.nodes.append(_Node(packed.supply, len(self.nodes), Counter(dict(packed.pods))))
        self._bought = Counter(node.supply for node in self.nodes)
        self._budget = solution.cost_microusd_per_hour * fleet.settings.preferences_max_extra_ppm // _PPM
        self._spent = 0
        self._steps = 0
        self._liked: dict[tuple[int, int], int] = {}
        self._by_price = sorted((problem.price_of(o), o) for o, h in enumerate(question.homes) if h.kind == "new")
        self._wishes = list(_wishes(fleet, question))
        for packed in self._kept:
            for c, count in packed.pods:
                self._note(c, question.homes[packed.supply], "", count * packed.count)
        for node in self.nodes:
            self._count(node, 1)
        self._totals = [self._used(rule.per_node, rule.per_pod) for rule in problem.rules]

    def improve(self) -> None:
        """Take every step that helps, until none does."""
        better = True
        while better and self._steps < _MOST_STEPS:
            better = False
            for node in self.nodes:
                better |= self._other_supply(node) or self._exchange(node) or self._move(node)

    def solution(self, before: Solution) -> Solution:
        """As the solver says it; the same when nothing changed."""
        packed = Counter((n.supply, tuple(sorted((c, k) for c, k in n.pods.items() if k))) for n in self.nodes)
        nodes = [PackedNode(supply, pods, count) for (supply, pods), count in packed.items() if pods]
        if Counter({(n.supply, n.pods): n.count for n in (*self._kept, *nodes)}) == Counter(
            {(n.supply, n.pods): n.count for n in before.nodes}
        ):
            return before
        objective = before.objective_microusd_per_hour + self._spent
        return replace(
            before,
            nodes=tuple(sorted((*self._kept, *nodes), key=lambda n: (n.supply, n.pods))),
            cost_microusd_per_hour=before.cost_microusd_per_hour + self._spent,
            objective_microusd_per_hour=objective,
            bound_microusd_per_hour=min(objective, before.bound_microusd_per_hour),
            status=before.status if self._spent <= 0 else Status.FEASIBLE,
        )

    def _other_supply(self, node: _Node) -> bool:
        """The same pods on another kind of node, of those that all of them may go on."""
        found = False
        taken = frozenset.intersection(*(self._problem.demands[c].offerings for c in node.pods))
        for o in sorted(taken.intersection(self._affordable(node))):
            if o != node.supply and self._bought[o] != self._problem.supplies[o].limit:
                found |= self._try([(node, o, node.pods)])
        return found

    def _affordable(self, node: _Node) -> Iterator[int]:
        """The kinds of nodes for which what may be spent is enough."""
        most = self._problem.price_of(node.supply) + self._budget - self._spent
        return (o for _, o in self._by_price[: bisect_right(self._by_price, (most, len(self._question.homes)))])

    def _exchange(self, node: _Node) -> bool:
        """Two nodes' pods exchanged."""
        return any(
            self._try([(node, node.supply, other.pods), (other, other.supply, node.pods)])
            for other in self.nodes[node.index + 1 :]
            if other.supply != node.supply and other.pods != node.pods
        )

    def _move(self, node: _Node) -> bool:
        """One pod that wishes something to another node that is bought anyway."""
        found = False
        for c in sorted(c for c in node.pods if self._question.classes[c].shape.wishes or self._likes(c)):
            for other in self.nodes:
                if (
                    other is node or node.pods[c] < 1 or node.pods.total() < 2
                ):  # the last pod would leave a node for nobody
                    continue
                if other.supply in self._problem.demands[c].offerings:
                    less, more = Counter(node.pods), Counter(other.pods)
                    less[c] -= 1
                    more[c] += 1
                    found |= self._try([(node, node.supply, +less), (other, other.supply, more)])
        return found

    def _likes(self, c: int) -> bool:
        return bool(self._question.classes[c].shape.preferred_nodes)

    def _try(self, changes: Sequence[tuple[_Node, int, Counter[int]]]) -> bool:
        """Have these nodes be so if everything allows it and it is worth it; whether it was."""
        self._steps += 1
        price_of = self._problem.price_of
        extra = sum(price_of(o) - price_of(node.supply) for node, o, _ in changes)
        if self._steps > _MOST_STEPS or self._spent + extra > self._budget:
            return False
        if not all(self._holds(o, pods) for _, o, pods in changes):
            return False
        before = [(node, node.supply, node.pods) for node, _, _ in changes]
        if self._worth(changes) > 0 and self._allowed():
            self._spent += extra
            return True
        self._become(before)
        return False

    def _become(self, changes: Iterable[tuple[_Node, int, Counter[int]]]) -> None:
        for node, o, pods in changes:
            self._count(node, -1)
            self._bought[node.supply] -= 1
            node.supply, node.pods = o, pods
            self._bought[o] += 1
            self._count(node, 1)

    def _worth(self, changes: Sequence[tuple[_Node, int, Counter[int]]]) -> int:
        """Make the changes; by how much they are liked."""
        nodes = [node for node, _, _ in changes]
        touched = {
            (wish, value)
            for node, o, _ in changes
            for supply in (node.supply, o)
            for wish in range(len(self._wishes))
            if (value := self._domain(self._wishes[wish].key, self._question.homes[supply], str(node.index)))
            is not None
        }

        def worth() -> int:
            return sum(self._static(node) for node in nodes) + sum(self._wishes[w].worth(v) for w, v in touched)

        was = worth()
        self._become(changes)
        return worth() - was

    def _static(self, node: _Node) -> int:
        return sum(self._like(c, node.supply) * count for c, count in node.pods.items())

    def _like(self, c: int, o: int) -> int:
        known = self._liked.get((c, o))
        if known is None:
            known = self._liked[c, o] = _liking(self._question.classes[c].shape, self._question.homes[o])
        return known

    def _holds(self, o: int, pods: Mapping[int, int]) -> bool:
        demands, supply = self._problem.demands, self._problem.supplies[o]
        for c, count in pods.items():
            most = demands[c].max_per_node
            if o not in demands[c].offerings or (most is not None and count > most):
                return False
        asked = ((demands[c].request, count) for c, count in pods.items())
        used = [sum(each) for each in zip(*([a * k for a in request] for request, k in asked), strict=True)]
        return all(a <= b for a, b in zip(used, supply.capacity, strict=True))

    def _allowed(self) -> bool:
        """Whether no policy is further from being kept than it was, and no supply is used up."""
        if any((limit := self._problem.supplies[o].limit) is not None and n > limit for o, n in self._bought.items()):
            return False
        if not self._problem.rules:
            return True
        totals = [self._used(rule.per_node, rule.per_pod) for rule in self._problem.rules]
        for rule, was, now in zip(self._problem.rules, self._totals, totals, strict=True):
            if now > rule.limit and now > was:
                return False
        self._totals = totals
        return True

    def _used(self, per_node: Mapping[int, int], per_pod: Mapping[tuple[int, int], int]) -> int:
        total = sum(
            per_node.get(n.supply, 0) * n.count + sum(per_pod.get((c, n.supply), 0) * k for c, k in n.pods) * n.count
            for n in self._kept
        )
        for node in self.nodes:
            total += per_node.get(node.supply, 0)
            total += sum(per_pod.get((c, node.supply), 0) * k for c, k in node.pods.items())
        return total

    def _count(self, node: _Node, sign: int) -> None:
        for c, count in node.pods.items():
            self._note(c, self._question.homes[node.supply], str(node.index), sign * count)

    def _note(self, c: int, home: Berth, own: str, count: int) -> None:
        for wish in self._wishes:
            if c != wish.of and c not in wish.others:
                continue
            value = self._domain(wish.key, home, own)
            if value is not None:
                wish.there[value] += count * (c in wish.others)
                wish.mine[value] += count * (c == wish.of)

    @staticmethod
    def _domain(key: str, home: Berth, own: str) -> str | None:
        if key == HOSTNAME and own:
            return f"new node {own}"
        return home.labels.get(key)


def _liking(shape: PodShape, home: Berth) -> int:
    """What a node is worth to a pod by itself."""
    liked = sum(weight for weight, term in shape.preferred_nodes if term_matches(term, home.labels))
    avoided = sum(
        taint.effect == "PreferNoSchedule" and not any(tolerates(each, taint) for each in shape.tolerations)
        for taint in home.taints
    )
    return liked - _TAINT * avoided


def _wishes(fleet: Fleet, question: Asked) -> Iterator[_Wish]:
    """Every class's wishes about others, with the pods that are there counted in."""
    namespaces = fleet.snapshot.cluster.namespaces
    kinds = [Kind(c.namespace, c.labels, c.shape) for c in question.classes]
    labels = {node.name: node.labels for node in fleet.nodes}
    running = _running(fleet) if any(c.shape.wishes for c in question.classes) else {}
    for c, asked in enumerate(question.classes):
        for key, weight, kind, about in _terms(asked, namespaces):
            others = frozenset(i for i, other in enumerate(kinds) if about(other))
            wish = _Wish(c, key, weight, kind, others)
            for there in (there for other, there in running.items() if about(other)):
                for name, pods in there.items():
                    if key in labels[name]:
                        wish.there[labels[name][key]] += pods
            yield wish


def _running(fleet: Fleet) -> dict[Kind, Counter[str]]:
    """How many pods of each kind are on which node."""
    found: dict[Kind, Counter[str]] = {}
    world = World()  # it makes each kind once
    for node in fleet.nodes:
        for pod in fleet.bound.get(node.name, ()):
            found.setdefault(world.kind_of(pod), Counter())[node.name] += 1
    return found


def _terms(
    asked: DemandClass, namespaces: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, int, str, Callable[[Kind], bool]]]:
    for terms, kind in ((asked.shape.wishes.affinity, "near"), (asked.shape.wishes.anti_affinity, "far")):
        for weight, each in terms:
            term = term_of(each, asked.namespace, asked.labels)
            yield term.key, weight, kind, partial(seeks, term, namespaces=namespaces)
    for spread in asked.shape.wishes.spread:
        constraint = constraint_of(spread, asked.labels)
        yield constraint.key, _SPREAD, "even", partial(counts, constraint, asked.namespace)
