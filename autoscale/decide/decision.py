"""`decide`: the whole decision as a sentence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from autoscale.decide import commitments
from autoscale.decide.answer import answer
from autoscale.decide.consolidate import consolidate, due, held_back, pays, steady, too_dear
from autoscale.decide.disrupt import beginners, choose, withheld
from autoscale.decide.drain import Drains, drain, unplaced
from autoscale.decide.empty_groups import delete_empty, empty_groups
from autoscale.decide.explain import announcements, unmet
from autoscale.decide.fleet import survey
from autoscale.decide.guard import hold
from autoscale.decide.identity import fingerprint, name_plan
from autoscale.decide.learning import learning_notes
from autoscale.decide.lifecycle import stand
from autoscale.decide.orphans import orphan_notes
from autoscale.decide.preempting import preemption_notes
from autoscale.decide.scale_down import idle_nodes, scale_down
from autoscale.decide.scale_up import packing, scale_up
from autoscale.decide.settle import settle
from autoscale.decide.unbought import spare
from autoscale.decide.unused import bought, bought_for, idle, latter, untaken, unused_nodes
from autoscale.demand.classes import classes
from autoscale.demand.pending import left_to_others
from autoscale.model.plan import ClaimPods, Plan, RemoveNode, Unclaim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscale.decide.answer import Answer
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.model.disruption import Going
    from autoscale.model.plan import Action, Reoptimum
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod, Reason
    from autoscale.ports import Policy, Solver


def decide(snapshot: Snapshot, policies: Sequence[Policy], solver: Solver, settings: DecideSettings) -> Plan:
    """What is to be done now, in order, and why. A function of its arguments."""
    snapshot = replace(snapshot, commitments=settings.commitments)
    held = hold(snapshot)
    tried = _with_drains(snapshot, policies, solver, settings, held)
    tried, reoptimum = _with_moves(tried, snapshot, policies, solver, settings, held)
    fleet, standing, best, drains = tried.fleet, tried.standing, tried.best, tried.drains
    ours = [pod for pod in tried.ours if not pod.moving]
    unmodelled = [pod for pod in ours if not pod.shape.plannable]

    facts = fingerprint(snapshot)
    packed = packing(best)
    taken = {slot.id for slot in standing.slots} | {n.reservation.slot for n in fleet.nodes if n.reservation}
    id_ = name_plan(facts, packed, taken)
    up = scale_up(standing, best, id_)
    free = untaken(fleet, standing, {one.name for one in best.placed.placements if one.berth.kind == "existing"})
    empty_nodes = idle_nodes(fleet, free)
    drained = Counter(action.group for action in drains.actions if isinstance(action, RemoveNode))
    resized = {resize.group for resize in up.resizes}
    down = scale_down(fleet, standing, empty_nodes, resized, drained) if held is None else ()
    empty = empty_groups(fleet, standing, resized)
    left = unmet(fleet, standing, best, classes(unmodelled))
    said = announcements(fleet, up.claims, up.resizes, left, ours)

    plan = Plan(
        id=id_,
        made_at_s=snapshot.now_s,
        fingerprint=facts,
        actions=_in_order(
            (
                *standing.actions,
                *up.unclaims,
                *up.claims,
                *up.resizes,
                *drains.actions,
                *down,
                *delete_empty(fleet, empty),
                *said,
            )
        ),
        packing=packed,
        unmet=left,
        notes=(
            *best.notes,
            *commitments.notes(one.berth for one in best.placed.placements),
            *preemption_notes(fleet),
            *learning_notes(fleet.wrong, fleet.groups, ours),
            *drains.notes,
            *orphan_notes(fleet, standing),
            *(note for cloud in snapshot.clouds for note in cloud.notes),
        ),
        bindings=best.solution.bindings if best.solution else (),
        cost_microusd_per_hour=best.cost_microusd_per_hour,
        bound_microusd_per_hour=best.bound_microusd_per_hour,
        fleet_before_microusd_per_hour=_fleet_cost(fleet),
        pending_pods=len(ours),
        pending_classes=_class_count(best, unmodelled),
        oldest_pending_s=max((max(0, snapshot.now_s - pod.created_at_s) for pod in ours), default=0),
        method=best.solution.method if best.solution else "",
        idle=empty_nodes,
        unused=unused_nodes(fleet, free),
        short=tuple(node.name for node in fleet.nodes if _short(fleet, node)),
        ready=tuple(node.name for node in fleet.nodes if node.name in fleet.group_of and fleet.up(node)),
        starting=tuple(sorted(i.id for there in fleet.starting.values() for i in there)),
        empty=empty,
        faults=standing.faults,
        learnt=fleet.learnt,
        reoptimum=reoptimum,
        steady=steady(snapshot) if settings.consolidation else "",
    )
    for policy in policies:
        plan = settle(plan, policy.review(plan, snapshot), policy.name)
    return plan


@dataclass(frozen=True, slots=True)
class _Tried:
    """One look at where everything would go. `ours` are the pods that were asked about, those of nodes that go included.

    `homeless` are uids of pods of nodes that go for whose successors there is no place.
    """

    fleet: Fleet
    standing: Standing
    ours: tuple[Pod, ...]
    best: Answer
    homeless: frozenset[str]
    drains: Drains = field(default_factory=lambda: Drains((), ()))


def _with_moves(  # noqa: PLR0917 - the arguments of the decision, and what it came to without moves
    tried: _Tried,
    snapshot: Snapshot,
    policies: Sequence[Policy],
    solver: Solver,
    settings: DecideSettings,
    held: Reason | None,
) -> tuple[_Tried, Reoptimum | None]:
    """With nodes that are emptied to save money, if it is time for that and it pays by every rule."""
    wish = settings.consolidation
    if wish is None or held is not None or not due(tried.fleet, tried.standing, tried.best, wish):
        return tried, None
    found = consolidate(tried.fleet, tried.standing, policies, solver, wish)
    if found is None or not found.going:
        return tried, found.reoptimum if found else None
    moved = _with_drains(snapshot, policies, solver, settings, held, found.going)
    if pays(moved.fleet, moved.best, wish, found):
        return moved, found.reoptimum
    return tried, held_back(found.reoptimum, "planned by every rule between pods, it does not pay back")


def _with_drains(  # noqa: PLR0917 - the arguments of the decision
    snapshot: Snapshot,
    policies: Sequence[Policy],
    solver: Solver,
    settings: DecideSettings,
    held: Reason | None,
    more: Sequence[Going] = (),
) -> _Tried:
    """Plan for the pods that wait and for those of nodes that go; a node whose pods find no place does not begin to go."""
    as_it_is = survey(snapshot, settings)
    chosen = choose(as_it_is, policies, held, more)
    going, notes = chosen.going, [*chosen.notes, *([held] if held else [])]
    look = partial(_looked, snapshot, policies, solver, settings, as_it_is)
    tried = look(going=going)
    while late := _late(tried):
        notes += [withheld(tried.fleet.going[name], why) for name, why in late.items()]
        going = tuple(each for each in going if each.node not in late)
        tried = look(going=going)
    if bought(tried.best) and (unwanted := idle(tried.fleet)):
        other = look(going=tuple(each for each in going if each.node not in unwanted))
        if bought(other.best) < bought(tried.best):  # pods that wait can have these
            notes += [withheld(tried.fleet.going[name], "pods that wait can use it") for name in unwanted]
            tried = other
    found = drain(tried.fleet, tried.standing, tried.best, tried.homeless, held)
    return replace(tried, drains=replace(found, notes=(*notes, *found.notes)))


def _looked(
    snapshot: Snapshot,
    policies: Sequence[Policy],
    solver: Solver,
    settings: DecideSettings,
    as_it_is: Fleet,
    *,
    going: Sequence[Going],
) -> _Tried:
    """Where everything would go if these nodes go."""
    fleet = survey(snapshot, settings, going) if going else as_it_is
    ask = partial(_asked, fleet, policies, solver)
    standing = stand(fleet)
    standing, best = spare(standing, ask(standing), ask)
    ours = ours_of(standing, settings)
    homeless = unplaced(best, standing, [pod for pod in ours if not pod.shape.plannable])
    return _Tried(fleet, standing, tuple(ours), best, homeless)


def _late(tried: _Tried) -> dict[str, str]:
    """Nodes that may not begin to go after all, or that go for want of work and are wanted, and why."""
    homeless = latter(tried.fleet, beginners(tried.fleet, tried.homeless))
    if homeless:
        return dict.fromkeys(sorted(homeless), "there is no place for its pods")
    dear = latter(tried.fleet, bought_for(tried.fleet, tried.best))
    if dear:
        return dict.fromkeys(sorted(dear), "a node would be bought for its pods")
    return dict.fromkeys(too_dear(tried.fleet, tried.best), "what its pods would need costs no less")


def _asked(fleet: Fleet, policies: Sequence[Policy], solver: Solver, standing: Standing) -> Answer:
    """Where the pods that wait would go."""
    ours = [pod for pod in ours_of(standing, fleet.settings) if pod.shape.plannable]
    return answer(fleet, standing, ours, policies, solver)


def ours_of(standing: Standing, settings: DecideSettings) -> list[Pod]:
    """The pods that nothing was bought for, without those that are left to others."""
    return [pod for pod in standing.waiting if not left_to_others(pod, settings)]


def _in_order(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Take back first; a pod that is claimed anew in the same plan needs no taking back."""
    everything = list(actions)
    again = {uid for a in everything if isinstance(a, ClaimPods) for uid, _ in (*a.pods, *a.moving)}
    first: list[Action] = []
    rest: list[Action] = []
    for action in everything:
        if not isinstance(action, Unclaim):
            rest.append(action)
            continue
        pods = tuple(ref for ref in action.pods if ref[0] not in again)
        if pods:
            first.append(replace(action, pods=pods))
    return (*first, *rest)


def _short(fleet: Fleet, node: Node) -> bool:
    """Whether the node shows fewer of a device than its group promises; one that shows none is starting, or cut otherwise."""
    group = fleet.groups.get(fleet.group_of.get(node.name, ""))
    return group is not None and any(
        0 < node.allocatable[device] < group.allocatable[device] for device in group.devices
    )


def _fleet_cost(fleet: Fleet) -> int:
    return sum(fleet.target(g) * g.offering.price_microusd_per_hour for g in fleet.groups.values() if not g.catalogued)


def _class_count(best: Answer, unmodelled: Sequence[Pod]) -> int:
    return len(best.question.classes) + len(best.homeless) + len(classes(unmodelled))
