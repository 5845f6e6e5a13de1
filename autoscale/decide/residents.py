"""The fleet as a question of re-optimisation: which nodes may be emptied, with whom on them, and what both would cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.decide.answer import shaped
from autoscale.decide.build import build
from autoscale.decide.commitments import covers
from autoscale.decide.disrupt import in_other_hands, kept
from autoscale.decide.movers import as_successor
from autoscale.decide.moving import moving_microusd
from autoscale.decide.protection import protected
from autoscale.demand.kinds import selects
from autoscale.demand.pending import left_to_others
from autoscale.model.reoptimisation import Cap, Reoptimisation, Resident

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from autoscale.decide.build import Built
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.question import Berth
    from autoscale.model.problem import Demand, Problem, Supply
    from autoscale.model.settings import Consolidation
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod
    from autoscale.ports import Policy

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Lodging:
    """What the question's numbers stand for.

    `pods[c]` are those of class c. `names[j]` are the nodes of resident j. `berths[s]` is where supply s is, and `at[s]` the names
    of its nodes if they are there. `moving` is what moving costs once, by uid of pod.
    """

    question: Reoptimisation
    pods: tuple[tuple[Pod, ...], ...]
    names: tuple[tuple[str, ...], ...]
    berths: tuple[Berth, ...]
    at: tuple[tuple[str, ...], ...]
    moving: Mapping[str, int]


def lodging(
    fleet: Fleet,
    standing: Standing,
    policies: Sequence[Policy],
    settings: Consolidation,
    only: Collection[str] | None = None,
) -> Lodging | None:
    """The question about all nodes that may be emptied, or about `only` some of them; None when there are none."""
    tenants = {
        node.name: movable
        for node in fleet.nodes
        if (only is None or node.name in only) and (movable := _movable(fleet, standing, node)) is not None
    }
    while True:
        pods = [as_successor(pod) for name in sorted(tenants) for pod in tenants[name]]
        if not pods:
            return None
        built = build(fleet, standing, pods)
        stuck = {pod.uid for each in built.homeless for pod in each.pods}
        if not stuck:
            break  # who fits nowhere else holds his node
        tenants = {name: there for name, there in tenants.items() if not any(pod.uid in stuck for pod in there)}
    nobody = replace(built.problem, demands=tuple(replace(each, count=0) for each in built.problem.demands))
    problem = shaped(replace(built, problem=nobody), fleet.snapshot, policies)
    moving = {
        pod.uid: moving_microusd(pod, fleet.groups[fleet.group_of[name]], settings, fleet.now_s)
        for name, there in tenants.items()
        for pod in there
    }
    return _numbered(fleet, standing, built, problem, tenants, moving, settings)


def _movable(fleet: Fleet, standing: Standing, node: Node) -> list[Pod] | None:
    """The pods of a node that may be emptied; None for one that may not."""
    group_id = fleet.group_of.get(node.name)
    if group_id is None or node.name in fleet.going or in_other_hands(node) or kept(node):
        return None
    if node.disruption or node.unschedulable or not fleet.up(node) or fleet.instance_of[node.name].protected:
        return None
    state = standing.groups.get(group_id)
    if state is None or state.target <= state.group.min_nodes or node.name in state.spare:
        return None
    if any(group_id in each.per_node for each in covers(fleet)):
        return None  # it is paid for, empty or not
    work = fleet.workload(node.name)
    for pod in work:
        if pod.node_name != node.name or pod.deleting or not pod.owner or not pod.shape.plannable:
            return None
        if left_to_others(pod, fleet.settings) or protected(pod, fleet.now_s) or _held(fleet, pod):
            return None
    return work


def _held(fleet: Fleet, pod: Pod) -> bool:
    """Whether a PodDisruptionBudget lets none of its pods go."""
    return any(
        budget.allowed <= 0 and budget.namespace == pod.namespace and selects(budget.selector, pod.labels)
        for budget in fleet.snapshot.cluster.budgets
    )


def _numbered(  # noqa: PLR0917 - the parts of one question
    fleet: Fleet,
    standing: Standing,
    built: Built,
    problem: Problem,
    tenants: Mapping[str, Sequence[Pod]],
    moving: Mapping[str, int],
    settings: Consolidation,
) -> Lodging:
    classes, of_class = _merged(built, problem)
    class_of = {pod.uid: of_class[c] for c, each in enumerate(built.question.classes) for pod in each.pods}
    keep = {name: _keep(fleet, name) for name in tenants}
    empty = {name: _rate(sum(moving[pod.uid] for pod in there), settings) for name, there in tenants.items()}
    contents = {
        name: tuple(sorted(Counter(class_of[pod.uid] for pod in there).items())) for name, there in tenants.items()
    }
    rooms = _Rooms(built.question.homes, problem, settings)
    residents: list[Resident] = []
    names: list[tuple[str, ...]] = []
    alike: dict[object, list[str]] = {}
    for name in sorted(tenants):
        home = rooms.of_node.get(name)
        alike.setdefault((home, fleet.group_of[name], contents[name], keep[name], empty[name]), []).append(name)
    for (home, *_), mine in alike.items():  # type: ignore[misc]  # a key is the tuple made above
        first = mine[0]
        supply = rooms.split(home, mine) if home is not None else None
        residents.append(Resident(first, supply, contents[first], len(mine), keep[first], empty[first]))
        names.append(tuple(mine))
    question = Reoptimisation(rooms.problem(problem, classes), tuple(residents), tuple(_caps(fleet, standing, names)))
    pods: list[list[Pod]] = [[] for _ in classes]
    for c, each in enumerate(built.question.classes):
        pods[of_class[c]] += each.pods
    return Lodging(
        question, tuple(map(tuple, pods)), tuple(names), tuple(rooms.berths), tuple(map(tuple, rooms.at)), moving
    )


def _merged(built: Built, problem: Problem) -> tuple[list[int], list[int]]:
    """One class for all that ask for the same in the same places: the first of each, and the number of each class."""
    weighed = {c for rule in problem.rules for c, _ in rule.per_pod}
    known: dict[object, int] = {}
    first: list[int] = []
    number: list[int] = []
    for c, demand in enumerate(problem.demands):
        alone = c if c in weighed or demand.max_per_node is not None or built.ground is not None else -1
        key = (demand.request, demand.offerings, alone)
        if key not in known:
            known[key] = len(first)
            first.append(c)
        number.append(known[key])
    return first, number


def _keep(fleet: Fleet, name: str) -> int:
    price = fleet.groups[fleet.group_of[name]].offering.weighed_microusd_per_hour
    return price + fleet.settings.node_cost_microusd_per_hour


def _rate(microusd: int, settings: Consolidation) -> int:
    """What is paid once, by the hour within which it has to pay back."""
    return -(-microusd * _HOUR_S // settings.horizon_s)


def _caps(fleet: Fleet, standing: Standing, names: Sequence[Sequence[str]]) -> Iterator[Cap]:
    """No group goes below its minimum."""
    by_group: dict[str, list[int]] = {}
    for j, mine in enumerate(names):
        by_group.setdefault(fleet.group_of[mine[0]], []).append(j)
    for id_, residents in by_group.items():
        state = standing.groups[id_]
        spare = state.target - state.group.min_nodes
        if spare < sum(len(names[j]) for j in residents):
            yield Cap(tuple(residents), spare)


class _Rooms:
    """Places of a problem, those of nodes taken apart by who lives there."""

    def __init__(self, homes: Sequence[Berth], problem: Problem, settings: Consolidation) -> None:
        self.berths: list[Berth] = list(homes)
        self.at: list[list[str]] = [list(home.names) if home.kind == "existing" else [] for home in homes]
        self.of_node = {name: s for s, names in enumerate(self.at) for name in names}
        self.like = list(range(len(homes)))
        self.supplies: list[Supply] = [
            replace(
                each,
                price_microusd_per_hour=each.price_microusd_per_hour
                + each.price_microusd_per_hour * settings.node_start_s // settings.horizon_s,
            )
            for each in problem.supplies
        ]

    def split(self, home: int, names: Sequence[str]) -> int:
        """A place of their own for these nodes of one."""
        self.at[home] = [name for name in self.at[home] if name not in names]
        self.supplies[home] = replace(self.supplies[home], limit=len(self.at[home]))
        self.at.append(list(names))
        self.berths.append(self.berths[home])
        self.like.append(home)
        self.supplies.append(
            replace(self.supplies[home], key=f"existing:{self.berths[home].group}:{names[0]}", limit=len(names))
        )
        return len(self.supplies) - 1

    def problem(self, before: Problem, classes: Sequence[int]) -> Problem:
        """The problem about these classes and all places; what was said of a place holds for its parts."""
        parts: dict[int, list[int]] = {}
        for s, home in enumerate(self.like):
            parts.setdefault(home, []).append(s)
        number = {c: i for i, c in enumerate(classes)}
        penalty = max(each.pending_penalty_microusd_per_hour for each in before.demands)
        demands: list[Demand] = []
        for c in classes:
            homes = frozenset(s for home in before.demands[c].offerings for s in parts[home])
            demands.append(replace(before.demands[c], offerings=homes, pending_penalty_microusd_per_hour=penalty))
        rules = tuple(
            replace(
                rule,
                per_node={s: weight for home, weight in rule.per_node.items() for s in parts[home]},
                per_pod={
                    (number[c], s): weight
                    for (c, home), weight in rule.per_pod.items()
                    if c in number
                    for s in parts[home]
                },
            )
            for rule in before.rules
        )
        return replace(before, demands=tuple(demands), supplies=tuple(self.supplies), rules=rules)
