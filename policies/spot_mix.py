"""`spot-mix`: at most a share of chosen pods on spot, and at most a share on one offering. Running pods count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import reduce
from math import gcd
from typing import TYPE_CHECKING, ClassVar

from autoscale.errors import BadInput
from autoscale.model.frozen import empty
from autoscale.model.problem import Rule
from autoscale.model.supply import CapacityType
from autoscale.model.units import MICRO
from policies.fleet import placed
from policies.option import option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import NodeGroup
    from autoscale.ports import Question


# Beyond so many weights, a share per offering counts all pods that could run, not only those that are placed.
_MANY = 250_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which pods: any of the namespaces (patterns), and all of the labels. Empty means every pod."""

    namespaces: tuple[str, ...] = option("namespaces", "words", default=())
    labels: Mapping[str, str] = option("labels", "labels", default_factory=empty)

    def means(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether a pod of this namespace with these labels is meant."""
        if self.namespaces and not any(fnmatchcase(namespace, pattern) for pattern in self.namespaces):
            return False
        return all(labels.get(key) == value for key, value in self.labels.items())

    def __str__(self) -> str:
        parts = [*self.namespaces, *(f"{key}={value}" for key, value in self.labels.items())]
        return f"pods of {', '.join(parts)}" if parts else "all pods"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotMix:
    """Shares in parts per million of the pods that run, join or are placed now; pods left pending don't count.

    The share of spot rounds down to whole pods. The share of one offering rounds up, so that a single pod may run.
    """

    name: ClassVar[str] = "spot-mix"
    selector: Selector = option("for", Selector, default_factory=Selector)  # noqa: RUF009 - it makes a field
    max_spot_ppm: int | None = option("maxSpot", "share", default=None)
    max_per_offering_ppm: int | None = option("maxPerOffering", "share", default=None)

    def __post_init__(self) -> None:
        if self.max_spot_ppm is None and self.max_per_offering_ppm is None:
            raise BadInput("no share", expected="maxSpot, maxPerOffering or both")

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:
        """Linear rules over the matching classes."""
        mix = _Mix.of(self.selector, problem, question, snapshot)
        if not mix.classes:
            return problem
        return replace(problem, rules=(*problem.rules, *self._rules(mix)))

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:  # noqa: ARG002 - a port's shape
        """Nothing to add: the rules have said it."""
        return plan

    def _rules(self, mix: _Mix) -> Iterator[Rule]:
        if self.max_spot_ppm is not None:
            text = f"{_percent(self.max_spot_ppm)} of {self.selector} on spot at most"
            yield from mix.share("spot-mix/spot", text, self.max_spot_ppm, _on_spot, round_up=False)
        if self.max_per_offering_ppm is not None:
            keys = sorted({group.offering.key for group in mix.homes.values() if group is not None})
            mix = replace(mix, many=len(keys) * len(mix.classes) * len(mix.homes) > _MANY)
            for offering in keys:
                text = f"{_percent(self.max_per_offering_ppm)} of {self.selector} on {offering} at most"
                yield from mix.share(
                    f"spot-mix/{offering}", text, self.max_per_offering_ppm, _is(offering), round_up=True
                )


@dataclass(frozen=True, slots=True)
class _Mix:
    """What the shares are counted over: classes that match, where each may go, and the groups of pods placed before."""

    classes: tuple[int, ...]
    homes: Mapping[int, NodeGroup | None]
    problem: Problem
    before: tuple[NodeGroup | None, ...]
    many: bool = False

    @classmethod
    def of(cls, selector: Selector, problem: Problem, question: Question, snapshot: Snapshot) -> _Mix:
        """Gather it."""
        groups = {group.id: group for group in snapshot.groups}
        meant = enumerate(question.classes)
        classes = tuple(c for c, each in meant if selector.means(each.namespace, each.labels))
        homes = {o: groups.get(home.group) for o, home in enumerate(question.homes)}
        asked = {pod.uid for each in question.classes for pod in each.pods}  # claimed, and yet asked about again
        before = tuple(
            group
            for pod, group in placed(snapshot)
            if not (pod.daemon or pod.mirror or pod.finished or pod.uid in asked)
            and selector.means(pod.namespace, pod.labels)
        )
        return cls(classes, homes, problem, before)

    def share(
        self, key: str, text: str, ppm: int, counts: Callable[[NodeGroup | None], bool], *, round_up: bool
    ) -> Iterator[Rule]:
        """Keep counted <= share x placed, over what was placed before and what is placed now.

        When pods placed before break the share already, no answer could mend it by placing nothing. Then the pods
        placed now keep the share among themselves, and what all pods together leave, if all of them are placed.
        """
        had = sum(1 for group in self.before if counts(group))
        slack = MICRO - 1 if round_up else 0
        limit = ppm * len(self.before) - MICRO * had + slack
        text = f"{text}, {had} of {len(self.before)} there already"
        pairs = [(c, o) for c in self.classes for o in self.problem.demands[c].offerings]
        counted = {o for o, group in self.homes.items() if counts(group)}
        if not self.many:
            weights = {(c, o): (MICRO if o in counted else 0) - ppm for c, o in pairs}
            yield _rule(key, text, limit if limit >= 0 else slack, {pair: w for pair, w in weights.items() if w})
        if limit < 0 or self.many:
            waiting = sum(self.problem.demands[c].count for c in self.classes if self.problem.demands[c].offerings)
            left = (ppm * (len(self.before) + waiting) + slack) // MICRO - had
            yield _rule(f"{key}/all", text, max(0, left), {(c, o): 1 for c, o in pairs if o in counted})


def _rule(key: str, text: str, limit: int, weights: Mapping[tuple[int, int], int]) -> Rule:
    unit = reduce(gcd, weights.values(), 0) or 1
    per_pod = {pair: weight // unit for pair, weight in weights.items()}
    return Rule(key=key, source=SpotMix.name, limit=limit // unit, per_pod=per_pod, text=text)


def _on_spot(group: NodeGroup | None) -> bool:
    return group is not None and group.offering.capacity_type is CapacityType.SPOT


def _is(offering: str) -> Callable[[NodeGroup | None], bool]:
    return lambda group: group is not None and group.offering.key == offering


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:g} %"
