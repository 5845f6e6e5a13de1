"""Who of the pods that wait will make room for themselves, as kube-scheduler's DefaultPreemption does.

Pods are taken in the order of the scheduler's queue. One that fits somewhere is put there, also where only pods of lower
priority are in the way that have no node yet and are nominated to this one. One that does not may take the place of pods of
lower priority, on the node where that hurts least: fewest broken PodDisruptionBudgets, then the lowest of the highest
priorities, the lowest sum of priorities, the fewest pods, and the youngest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from autoscale.demand.fit import matches, untolerated
from autoscale.demand.kinds import selects
from autoscale.model.workload import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from autoscale.demand.kinds import Kind
    from autoscale.demand.sites import Site
    from autoscale.demand.world import World
    from autoscale.model.rules import DisruptionBudget
    from autoscale.model.workload import Pod

_EACH = 2**31  # the scheduler adds it to each priority before it sums them, so that fewer pods come out lower
_LOOKED_AT = 200  # nodes that a pod's best one is looked for on, when it fits many


class Eviction(NamedTuple):
    """A pod that will take the place of others on a node."""

    pod: Pod
    node: str
    victims: tuple[Pod, ...]


class Candidate(NamedTuple):
    """What it would cost to have the pod on a node. The least is best, as they compare."""

    broken_budgets: int
    highest_priority: int
    sum_of_priorities: int
    pods: int
    minus_start_s: int
    order: int
    victims: tuple[Pod, ...]


@dataclass(slots=True)
class _View:
    """What is known of the nodes for one kind: those it fits on now, and what its place on others would cost."""

    fits: dict[Site, None] = field(default_factory=dict)
    costs: dict[Site, Candidate] = field(default_factory=dict)
    fits_as_of: int = -1
    costs_as_of: int = -1


class Contest:
    """Nodes, and the pods on them that could have to go, those nominated to them included. All are in the world already."""

    def __init__(
        self, world: World, there: Mapping[Site, Sequence[Pod]], budgets: Iterable[DisruptionBudget], *, now_s: int
    ) -> None:
        self._world, self._now_s = world, now_s
        self._there: dict[Site, list[Pod]] = {site: list(pods) for site, pods in there.items()}
        self._nominated = tuple(site for site, pods in self._there.items() if any(not pod.node_name for pod in pods))
        self._order = {site: index for index, site in enumerate(self._there)}
        self._budgets = tuple(budgets)
        self._allowed = Counter({id(each): each.allowed for each in self._budgets})
        self._changed: list[Site] = []
        self._views: dict[Kind, _View] = {}

    def settle(self, pods: Iterable[Pod]) -> list[Eviction]:
        """Have all these pods take a place where there is one; those that take others', in that order."""
        found: list[Eviction] = []
        for pod in sorted(pods, key=lambda p: (-p.shape.priority, p.created_at_s, p.namespace, p.name)):
            kind = self._world.kind_of(pod)
            site = self._roomiest(kind)
            if site is not None:
                self._put(pod, site, ())
                continue
            found_past = self._past_nominated(kind)
            if found_past is not None:
                site, waiting = found_past
                self._put(pod, site, waiting)
                found.append(Eviction(pod, site.name, waiting))
                continue
            best = self.best(pod) if pod.shape.preempts else None
            if best is not None:
                site, cost = best
                victims = (*cost.victims, *self._nominated_below(kind, site))
                self._put(pod, site, victims)
                found.append(Eviction(pod, site.name, victims))
        return found

    def _nominated_below(self, kind: Kind, site: Site) -> tuple[Pod, ...]:
        """Pods without a node that are nominated to this one and do not count against the kind: their priority is lower."""
        return tuple(p for p in self._there[site] if not p.node_name and p.shape.priority < kind.shape.priority)

    def _past_nominated(self, kind: Kind) -> tuple[Site, tuple[Pod, ...]] | None:
        """A node where only nominated pods that do not count are in the kind's way, and those of them for whom no place is left."""
        for site in self._nominated:
            below = self._nominated_below(kind, site)
            if below:
                lost = self._displaced(kind, site, below)
                if lost is not None:
                    return site, lost
        return None

    def _displaced(self, kind: Kind, site: Site, below: Sequence[Pod]) -> tuple[Pod, ...] | None:
        """Whom of these the kind's coming leaves without a place, the lowest first; None when it can't come all the same."""
        kinds = {pod.uid: self._world.kind_of(pod) for pod in below}
        gone: list[Pod] = []
        for pod in sorted(below, key=lambda pod: pod.shape.priority):
            if self._world.takes(kind, site):
                break
            self._world.put(kinds[pod.uid], site, -1)
            gone.append(pod)
        takes = self._world.takes(kind, site)
        for pod in gone:
            self._world.put(kinds[pod.uid], site)
        return tuple(gone) if takes else None

    def best(self, pod: Pod) -> tuple[Site, Candidate] | None:
        """The node where the pod's coming hurts least, and what it costs."""
        kind = self._world.kind_of(pod)
        costs = self._costs(kind)
        return min(costs.items(), key=lambda item: item[1][:-1]) if costs else None

    def fits_somewhere(self, pod: Pod) -> bool:
        """Whether the pod has a place without anybody going."""
        return bool(self._fits(self._world.kind_of(pod)))

    def cost(self, kind: Kind, site: Site) -> Candidate | None:
        """What the kind's coming to the node would cost; None when it can't come whoever goes."""
        shape = kind.shape
        below = self._nominated_below(kind, site)
        lower = [pod for pod in self._there[site] if pod.node_name and pod.shape.priority < shape.priority]
        if not lower or not self._worth_a_try(kind, site, (*lower, *below)):
            return None
        if kind.affinity and any(r.code is Code.POD_AFFINITY for r in self._world.broken(kind, site)):
            return None  # company that is missing does not come by others' going
        lower.sort(key=lambda pod: (-pod.shape.priority, self._started_s(pod)))
        gone = {pod.uid: pod for pod in (*lower, *below)}
        for pod in gone.values():
            self._world.put(self._world.kind_of(pod), site, -1)
        victims: list[Pod] = []
        broken = 0
        possible = self._world.takes(kind, site)
        if possible:
            protected = self._protected(lower)
            for pod in sorted(lower, key=lambda pod: pod.uid not in protected):
                mine = self._world.kind_of(pod)
                self._world.put(mine, site)
                if self._world.takes(kind, site):
                    del gone[pod.uid]
                    continue
                self._world.put(mine, site, -1)
                victims.append(pod)
                broken += pod.uid in protected
        for pod in gone.values():
            self._world.put(self._world.kind_of(pod), site)
        if not victims:
            return None
        victims.sort(key=lambda pod: (-pod.shape.priority, self._started_s(pod)))
        highest = victims[0].shape.priority
        return Candidate(
            broken,
            highest,
            sum(pod.shape.priority + _EACH for pod in victims),
            len(victims),
            -min(self._started_s(pod) for pod in victims if pod.shape.priority == highest),
            self._order[site],
            tuple(victims),
        )

    def _worth_a_try(self, kind: Kind, site: Site, lower: Sequence[Pod]) -> bool:
        """What no victim changes, and whether there would be room at all."""
        shape = kind.shape
        if untolerated(shape.tolerations, site.taints) or not matches(shape, site.labels, node_name=site.name):
            return False
        return all(
            amount <= site.room.get(name, 0) + sum(pod.shape.requests[name] for pod in lower)
            for name, amount in shape.requests.amounts.items()
            if amount > 0 and not shape.shared_volumes
        )

    def _protected(self, pods: Sequence[Pod]) -> frozenset[str]:
        """The uids of those whose going would break a budget, if they went in this order."""
        if not self._budgets:
            return frozenset()
        left = Counter(self._allowed)
        found = set()
        for pod in pods:
            for budget in self._of(pod):
                left[id(budget)] -= 1
                if left[id(budget)] < 0:
                    found.add(pod.uid)
        return frozenset(found)

    def _of(self, pod: Pod) -> Iterator[DisruptionBudget]:
        for each in self._budgets:
            known = each.namespace == pod.namespace and each.selector and pod.labels and pod.name not in each.going
            if known and selects(each.selector, pod.labels):
                yield each

    def _started_s(self, pod: Pod) -> int:
        return pod.started_at_s or self._now_s

    def _put(self, pod: Pod, site: Site, victims: Sequence[Pod]) -> None:
        for victim in victims:
            self._world.put(self._world.kind_of(victim), site, -1)
            for budget in self._of(victim):
                self._allowed[id(budget)] -= 1
        self._world.put(self._world.kind_of(pod), site)
        uids = {victim.uid for victim in victims}
        self._there[site] = [*(each for each in self._there[site] if each.uid not in uids), pod]
        self._changed.append(site)

    def _roomiest(self, kind: Kind) -> Site | None:
        """Of the nodes that take the kind, the one with most to spare; the scheduler's own scores do much the same."""
        fits = self._fits(kind)
        asked = [name for name, amount in kind.shape.requests.amounts.items() if amount > 0]
        return max(
            islice(fits, _LOOKED_AT),
            key=lambda site: min((site.room.get(n, 0) for n in asked), default=0),
            default=None,
        )

    def _fits(self, kind: Kind) -> dict[Site, None]:
        view = self._view(kind)
        for site in self._news(kind, view.fits_as_of):
            if self._world.takes(kind, site):
                view.fits[site] = None
            else:
                view.fits.pop(site, None)
        view.fits_as_of = len(self._changed)
        return view.fits

    def _costs(self, kind: Kind) -> dict[Site, Candidate]:
        view = self._view(kind)
        for site in self._news(kind, view.costs_as_of):
            cost = self.cost(kind, site)
            if cost is not None:
                view.costs[site] = cost
            else:
                view.costs.pop(site, None)
        view.costs_as_of = len(self._changed)
        return view.costs

    def _view(self, kind: Kind) -> _View:
        return self._views.setdefault(kind, _View())

    def _news(self, kind: Kind, as_of: int) -> Iterable[Site]:
        """The nodes to look at again: all, when it matters to the kind who is on others."""
        if as_of < 0 or (as_of < len(self._changed) and next(self._world.tallies(kind), None) is not None):
            return self._there
        return dict.fromkeys(self._changed[as_of:])
