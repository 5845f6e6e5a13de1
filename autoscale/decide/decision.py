"""`decide`: the whole decision as a sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.answer import answer
from autoscale.decide.empty_groups import delete_empty, empty_groups
from autoscale.decide.explain import announcements, unmet
from autoscale.decide.fleet import survey
from autoscale.decide.identity import fingerprint, name_plan
from autoscale.decide.lifecycle import stand
from autoscale.decide.preempting import preemption_notes
from autoscale.decide.scale_down import idle_nodes, scale_down
from autoscale.decide.scale_up import packing, scale_up
from autoscale.decide.settle import settle
from autoscale.demand.classes import classes
from autoscale.demand.pending import left_to_others
from autoscale.model.plan import ClaimPods, Plan, Unclaim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscale.decide.answer import Answer
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.model.plan import Action
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.workload import Pod
    from autoscale.ports import Policy, Solver


def decide(snapshot: Snapshot, policies: Sequence[Policy], solver: Solver, settings: DecideSettings) -> Plan:
    """What is to be done now, in order, and why. A function of its arguments."""
    fleet = survey(snapshot, settings)
    standing = stand(fleet)
    ours = ours_of(standing, settings)
    plannable = [pod for pod in ours if not (pod.shape.unmodelled or pod.shape.blocked)]
    unmodelled = [pod for pod in ours if pod.shape.unmodelled or pod.shape.blocked]
    best = answer(fleet, standing, plannable, policies, solver)

    facts = fingerprint(snapshot)
    packed = packing(best)
    taken = {slot.id for slot in standing.slots} | {n.reservation.slot for n in fleet.nodes if n.reservation}
    id_ = name_plan(facts, packed, taken)
    up = scale_up(standing, best, id_)
    onto = {one.name for one in best.placed.placements if one.berth.kind == "existing"}
    idle = idle_nodes(fleet, standing, onto)
    resized = {resize.group for resize in up.resizes}
    down = scale_down(fleet, standing, idle, resized)
    empty = empty_groups(fleet, standing, resized)
    left = unmet(fleet, standing, best, classes(unmodelled))
    said = announcements(fleet, up.claims, up.resizes, left, ours)

    plan = Plan(
        id=id_,
        made_at_s=snapshot.now_s,
        fingerprint=facts,
        actions=_in_order(
            (*standing.actions, *up.unclaims, *up.claims, *up.resizes, *down, *delete_empty(fleet, empty), *said)
        ),
        packing=packed,
        unmet=left,
        notes=(*best.notes, *preemption_notes(fleet)),
        bindings=best.solution.bindings if best.solution else (),
        cost_microusd_per_hour=best.cost_microusd_per_hour,
        bound_microusd_per_hour=best.bound_microusd_per_hour,
        fleet_before_microusd_per_hour=_fleet_cost(fleet),
        pending_pods=len(ours),
        pending_classes=_class_count(best, unmodelled),
        oldest_pending_s=max((max(0, snapshot.now_s - pod.created_at_s) for pod in ours), default=0),
        method=best.solution.method if best.solution else "",
        idle=idle,
        ready=tuple(node.name for node in fleet.nodes if node.name in fleet.group_of and fleet.up(node)),
        starting=tuple(sorted(i.id for there in fleet.starting.values() for i in there)),
        empty=empty,
        faults=standing.faults,
    )
    for policy in policies:
        plan = settle(plan, policy.review(plan, snapshot), policy.name)
    return plan


def ours_of(standing: Standing, settings: DecideSettings) -> list[Pod]:
    """The pods that nothing was bought for, without those that are left to others."""
    return [pod for pod in standing.waiting if not left_to_others(pod, settings)]


def _in_order(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Take back first; a pod that is claimed anew in the same plan needs no taking back."""
    everything = list(actions)
    again = {uid for a in everything if isinstance(a, ClaimPods) for uid, _ in a.pods}
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


def _fleet_cost(fleet: Fleet) -> int:
    return sum(fleet.target(g) * g.offering.price_microusd_per_hour for g in fleet.groups.values() if not g.catalogued)


def _class_count(best: Answer, unmodelled: Sequence[Pod]) -> int:
    return len(best.question.classes) + len(best.homeless) + len(classes(unmodelled))
