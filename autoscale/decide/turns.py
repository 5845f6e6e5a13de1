"""Where pods may not be changed: which of the nodes that are held is opened next, and for whom.

No toleration can let pods onto the node bought for them, so every node is closed to all until it is its turn. Then its pods
are nominated to it, which makes the scheduler try it first for them and keep its room from all others that rank no higher,
and with the next look its taint comes off. The next one follows when its pods are bound. In what order is what keeps the
plan: first the nodes whose pods the rules between pods let in now; of those the ones where nobody fits beside them for whom
there is no plan; then the fullest, as room that is left is open to all.
Nodes with the same pods, where nobody else would fit, are opened together: if two of those change places, nothing has changed.

A pod that the scheduler is just trying in vain loses its nomination; so it is looked at again before the node is opened.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.decide.reservations import Phase, refs, room_left, room_of, split_full
from autoscale.demand.sites import Site
from autoscale.demand.world import World
from autoscale.model.names import SLOT
from autoscale.model.plan import Hold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.reservations import Slot
    from autoscale.demand.kinds import Kind
    from autoscale.model.plan import Action
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod, PodShape

_SETTLING_S = 5  # for so long a node that was opened has its turn, while its pods are not bound
_AT_ONCE = 16
_IMPATIENT_S = 180  # a node that has been up for so long is opened whether nominations last or not


def closed(node: Node) -> bool:
    """Whether the node has a taint of ours that no pod tolerates."""
    return any(taint.key == SLOT for taint in node.taints)


def admissions(fleet: Fleet, slots: Sequence[Slot], free: Sequence[Pod]) -> list[Action]:
    """Open the nodes whose turn it is; nominate pods that lost their nomination, or came later, to nodes that are open.

    `free` are pods that wait for no node in particular.
    """
    held = [
        _Seat(slot, slot.node) for slot in slots if slot.phase is Phase.HELD and slot.node is not None and slot.pods
    ]
    opened = [seat for seat in held if not closed(seat.node)]
    actions: list[Action] = []
    for seat in opened:
        kept, _ = split_full(seat.slot, room_of(fleet, seat.slot))
        again = _Seat(replace(seat.slot, pods=kept), seat.node)
        if again.lacking:
            actions.append(again.let_in())
    if any(fleet.now_s - seat.since_s < _SETTLING_S for seat in opened):
        return actions
    ready = [seat for seat in held if closed(seat.node) and fleet.up(seat.node)]
    begun = [seat for seat in ready if len(seat.lacking) < len(seat.slot.pods)]
    coming = any(slot.node is None or not fleet.up(slot.node) for slot in slots)
    unplanned = frozenset(pod.shape for pod in free)
    waiting = _Waiting(unplanned, unplanned.union(pod.shape for slot in slots for pod in slot.pods))
    chosen = begun or _next(fleet, ready, opened, waiting, coming=coming)
    patient = not begun and all(_up_for_s(fleet, seat.node) < _IMPATIENT_S for seat in chosen)
    return [*actions, *(seat.nominate() if patient else seat.let_in() for seat in chosen)]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Shapes of pods that wait: for no node in particular, and all."""

    free: frozenset[PodShape]
    all: frozenset[PodShape]


@dataclass(frozen=True, slots=True)
class _Seat:
    """A slot with the node that has it."""

    slot: Slot
    node: Node

    @property
    def lacking(self) -> tuple[tuple[str, str], ...]:
        """Its pods that are not nominated to the node."""
        return refs(pod for pod in self.slot.pods if pod.nominated_node != self.node.name and not pod.moving)

    @property
    def since_s(self) -> int:
        """Since when it is held, or open if it is."""
        return self.node.reservation.since_s if self.node.reservation else 0

    def nominate(self) -> Hold:
        """Nominate its pods while it is closed: who is just being tried in vain loses that, and is nominated again."""
        return Hold(self.node.name, self.slot.id, self.lacking)

    def let_in(self) -> Hold:
        """Nominate those that lack it, and open the node."""
        return Hold(self.node.name, self.slot.id, self.lacking, tainted=True)


def _up_for_s(fleet: Fleet, node: Node) -> int:
    return fleet.now_s - fleet.snapshot.ledger.ready_since_s.get(node.name, fleet.now_s)


def _next(
    fleet: Fleet, ready: Sequence[_Seat], opened: Sequence[_Seat], waiting: _Waiting, *, coming: bool
) -> Sequence[_Seat]:
    """The next to be opened; when none can be filled as it is, all that can be together.

    Those whose pods need others stay closed while nodes for others are on their way.
    """
    if not ready:
        return ()
    order = sorted(ready, key=lambda seat: (*_leaks(fleet, seat.slot, waiting), seat.slot.order))
    if not any(pod.shape.rules for seat in ready for pod in seat.slot.pods):
        return _alike(fleet, order[0], order, waiting)
    yard = _Yard(fleet)
    for seat in order:
        if yard.fills([seat]):
            return _alike(fleet, seat, [each for each in order if yard.fills([each])], waiting)
    together = [seat for seat in yard.fillable([*opened, *order]) if seat not in opened]
    return together or ([] if coming else order)


def _leaks(fleet: Fleet, slot: Slot, waiting: _Waiting) -> tuple[int, int]:
    """How many kinds of pods would fit beside the slot's own: those without a plan, then all."""
    room = room_left(fleet, slot)
    free, every = (sum(shape.requests.fits(room) for shape in kinds) for kinds in (waiting.free, waiting.all))
    return free, every


def _alike(fleet: Fleet, first: _Seat, seats: Sequence[_Seat], waiting: _Waiting) -> list[_Seat]:
    """The first with those that have the same pods, unless others that wait would fit there as well."""
    mine = {pod.shape for pod in first.slot.pods}
    room = room_left(fleet, replace(first.slot, pods=()))
    if any(shape.requests.fits(room) for shape in waiting.all - mine):
        return [first]
    contents = _contents(first.slot)
    return [seat for seat in seats if seat.slot.group == first.slot.group and _contents(seat.slot) == contents][
        :_AT_ONCE
    ]


def _contents(slot: Slot) -> Counter[tuple[str, PodShape, frozenset[tuple[str, str]]]]:
    return Counter((pod.namespace, pod.shape, frozenset(pod.labels.items())) for pod in slot.pods)


class _Yard:
    """The cluster as rules between pods see it, without pods that wait."""

    def __init__(self, fleet: Fleet) -> None:
        self._world = World(fleet.snapshot.cluster.namespaces)
        self._sites: dict[str, Site] = {}
        for node in fleet.nodes:
            site = self._sites[node.name] = Site(node.name, node.labels, fleet.taints(node), node.allocatable)
            for pod in fleet.bound.get(node.name, ()):
                site.change(self._world.kind_of(pod), 1)
            self._world.open(site)

    def fills(self, seats: Sequence[_Seat]) -> bool:
        """Whether all pods of the slots could be bound now, in some order."""
        return len(self.fillable(seats)) == len(seats)

    def fillable(self, seats: Sequence[_Seat]) -> list[_Seat]:
        """Those of which all pods could be bound, if all were open."""
        left = [(seat, self._world.kind_of(pod)) for seat in seats for pod in seat.slot.pods]
        put: list[tuple[_Seat, Kind]] = []
        while True:
            rest: list[tuple[_Seat, Kind]] = []
            for seat, kind in left:
                site = self._sites[seat.node.name]
                if self._world.obeys(kind, site):
                    self._world.put(kind, site)
                    put.append((seat, kind))
                else:
                    rest.append((seat, kind))
            if len(rest) == len(left):
                break
            left = rest
        for seat, kind in put:
            self._world.put(kind, self._sites[seat.node.name], -1)
        out = {seat.slot.id for seat, _ in left}
        return [seat for seat in seats if seat.slot.id not in out]
