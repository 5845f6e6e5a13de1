"""Pods and berths -> the solver's question, in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoscale.decide.berths import berths
from autoscale.decide.caps import domain_rules, may_ever, most_on_a_node, with_company
from autoscale.decide.commitments import covers
from autoscale.decide.commitments import rules as commitment_rules
from autoscale.decide.ground import first_site, labels_read, survey_ground, touched
from autoscale.decide.question import Asked
from autoscale.decide.reservations import Phase
from autoscale.demand.classes import classes
from autoscale.demand.places import Place, Places
from autoscale.demand.volumes import unshared
from autoscale.demand.world import ZONES
from autoscale.model.frozen import empty
from autoscale.model.problem import Demand, Problem, Supply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.ground import Ground
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.question import Berth
    from autoscale.demand.kinds import Kind
    from autoscale.demand.sites import Site
    from autoscale.model.resources import Resources
    from autoscale.model.workload import DemandClass, Pod, Reason

_MOST_REASONS = 4
_HIGHEST_PENALTY = 10**13  # beyond this the solver's arithmetic in doubles suffers


@dataclass(frozen=True, slots=True)
class Built:
    """The question as words and as numbers; `homeless` are classes that no berth could ever take.

    `ground` is there when rules between pods have a say, `kept_off` says by class what they hold against every berth.
    `spread_out` says that zones without a node count as domains for some class (`build`).
    """

    question: Asked
    problem: Problem
    homeless: tuple[DemandClass, ...]
    ground: Ground | None = None
    kept_off: Mapping[str, tuple[Reason, ...]] = field(default_factory=empty)
    spread_out: bool = False


def build(
    fleet: Fleet,
    standing: Standing,
    pods: Iterable[Pod],
    *,
    replan: bool = False,
    left_out: frozenset[str] | None = frozenset(),
) -> Built:
    """The question for these pods. With `replan`, pods whose nodes have not joined yet are asked about as well.

    To the scheduler a zone without a node is no domain, so that pods which are to be spread over zones may all go to one
    that their own nodes make. Here every zone that is offered counts, for pods that only new nodes can take; but for those
    `left_out`, with None all.
    """
    wanted = list(pods)
    if replan:
        wanted += [pod for slot in standing.slots if slot.phase is Phase.OPEN for pod in slot.pods]
    all_classes = classes(wanted, labels_read(fleet, standing, wanted))
    ground = None
    if touched(fleet, standing, all_classes):
        ground = survey_ground(fleet, standing, all_classes, replan=replan)
    places = berths(fleet, standing, all_classes, ground, replan=replan)
    admitted = _admitted(all_classes, places)
    kept_off: dict[str, tuple[Reason, ...]] = {}
    wider = False
    if ground is not None:
        admitted, kept_off = _obeying(ground, all_classes, places, admitted)
        wider = left_out is not None and _offer_zones(ground, places, admitted, left_out)
    used = sorted(frozenset[int]().union(*admitted))
    index = {old: new for new, old in enumerate(used)}
    kept = [c for c, homes in enumerate(admitted) if homes]
    question = Asked(tuple(all_classes[c] for c in kept), tuple(places[o] for o in used))
    offerings = [frozenset(index[o] for o in admitted[c]) for c in kept]
    problem = _problem(question, offerings, fleet.settings.node_cost_microusd_per_hour)
    if found := covers(fleet):
        problem = replace(problem, rules=commitment_rules(found, question.homes))
    if ground is not None:
        ground = replace(ground, kinds=tuple(ground.kinds[c] for c in kept))
        problem = _capped(ground, question, problem)
    return Built(
        question=question,
        problem=problem,
        homeless=tuple(all_classes[c] for c, homes in enumerate(admitted) if not homes),
        ground=ground,
        kept_off=kept_off,
        spread_out=wider,
    )


def _offer_zones(
    ground: Ground, places: Sequence[Berth], admitted: Sequence[frozenset[int]], left_out: frozenset[str]
) -> bool:
    """Count the zones of nodes to buy, for classes that nothing else can take and whose counts no promised pod goes by."""
    fixed = {id(tally) for each in ground.promised for tally in ground.world.spread_of(each.kind)}
    found = False
    for kind, homes in zip(ground.kinds, admitted, strict=True):
        tallies = [tally for tally in ground.world.spread_of(kind) if tally.key in ZONES]
        if tallies and homes and all(places[o].kind == "new" for o in homes) and fixed.isdisjoint(map(id, tallies)):
            wanted = [o for o in sorted(homes) if left_out.isdisjoint(places[o].labels.get(key, "") for key in ZONES)]
            ground.world.offer(kind, [first_site(ground, places[o]) for o in wanted])
            found = True
    return found


def _obeying(
    ground: Ground, all_classes: Sequence[DemandClass], places: Sequence[Berth], admitted: Sequence[frozenset[int]]
) -> tuple[list[frozenset[int]], dict[str, tuple[Reason, ...]]]:
    """Without the berths where rules between pods can never let a class in, and why, if that leaves it none."""
    sites = [first_site(ground, berth) for berth in places]
    out: list[frozenset[int]] = []
    kept_off: dict[str, tuple[Reason, ...]] = {}
    able = {kind for kind, homes in zip(ground.kinds, admitted, strict=True) if homes}
    able &= with_company(ground, able)
    for c, kind, homes in zip(all_classes, ground.kinds, admitted, strict=True):
        out.append(frozenset(o for o in homes if kind in able and may_ever(ground, kind, sites[o])))
        if homes and not out[-1]:
            kept_off[c.key] = _told(ground, kind, (sites[o] for o in sorted(homes)))
    return out, kept_off


def _told(ground: Ground, kind: Kind, sites: Iterable[Site]) -> tuple[Reason, ...]:
    """What the rules hold against these nodes, each thing once."""
    found = {reason.text: reason for site in sites for reason in ground.world.broken(kind, site)}
    return tuple(found.values())[:_MOST_REASONS]


def _capped(ground: Ground, question: Asked, problem: Problem) -> Problem:
    counts = [demand.count for demand in problem.demands]
    return replace(
        problem,
        demands=tuple(
            replace(demand, max_per_node=most_on_a_node(ground, kind, counts))
            for demand, kind in zip(problem.demands, ground.kinds, strict=True)
        ),
        rules=(*problem.rules, *domain_rules(ground, question, counts)),
    )


def _admitted(all_classes: Sequence[DemandClass], places: Sequence[Berth]) -> list[frozenset[int]]:
    """For each class, the berths that let it in and have room for one of its pods."""
    known = Places([Place(b.labels, b.taints, b.names[0] if b.kind == "existing" else "") for b in places])
    rooms: dict[Resources, list[int]] = {}
    for index, berth in enumerate(places):
        rooms.setdefault(berth.room, []).append(index)
    roomy: dict[Resources, frozenset[int]] = {}
    out = []
    for c in all_classes:
        request = unshared(c.shape)
        if request not in roomy:
            roomy[request] = frozenset(i for room, indexes in rooms.items() if request.fits(room) for i in indexes)
        out.append(known.admitting(c.shape) & roomy[request])
    return out


def _problem(question: Asked, offerings: Sequence[frozenset[int]], node_cost: int) -> Problem:
    requests = [unshared(c.shape) for c in question.classes]
    names = tuple(sorted({name for request in requests for name in request}))
    penalties = _penalties(question, node_cost)
    return Problem(
        resources=names,
        demands=tuple(
            Demand(
                key=c.key,
                request=tuple(request[name] for name in names),
                count=c.count,
                offerings=homes,
                pending_penalty_microusd_per_hour=penalties[c.shape.priority],
            )
            for c, request, homes in zip(question.classes, requests, offerings, strict=True)
        ),
        supplies=tuple(
            Supply(
                key=_key(berth),
                capacity=tuple(max(0, berth.room[name]) for name in names),
                price_microusd_per_hour=berth.price_microusd_per_hour,
                limit=berth.limit,
            )
            for berth in question.homes
        ),
        node_cost_microusd_per_hour=node_cost,
    )


def _key(berth: Berth) -> str:
    kind = "paid" if berth.paid_by else berth.kind
    return f"{kind}:{berth.group}:{berth.names[0] if berth.names else ''}"


def _penalties(question: Asked, node_cost: int) -> dict[int, int]:
    """What it costs to leave a pod of each priority pending.

    The least is dearer than the dearest node, so that buying always wins. Each higher priority outweighs all pods of the
    lower ones that one node could hold instead, as far as doubles can tell such numbers apart.
    """
    dearest = max((berth.price_microusd_per_hour for berth in question.homes), default=0)
    penalty = 2 * (dearest + node_cost) + 1
    out: dict[int, int] = {}
    for priority in sorted({c.shape.priority for c in question.classes}):
        out[priority] = min(penalty, _HIGHEST_PENALTY)
        below = sum(c.count for c in question.classes if c.shape.priority == priority)
        penalty *= 1 + min(below, 110)  # the kubelet's own limit of pods on a node
    return out
