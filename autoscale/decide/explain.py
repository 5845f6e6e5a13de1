"""Why pods stay pending, and what their Events say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.circles import circles, told
from autoscale.decide.learning import corrections
from autoscale.demand.fit import admits
from autoscale.demand.misses import Candidate, Misses
from autoscale.demand.wording import few
from autoscale.model.plan import Announce, ClaimPods, Resize, Unmet
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscale.decide.answer import Answer
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.groups import GroupState
    from autoscale.decide.lifecycle import Standing
    from autoscale.model.workload import DemandClass, Pod

TRIGGERED = "TriggeredScaleUp"
NOT_TRIGGERED = "NotTriggerScaleUp"
_SAID_A_PLAN = 2000  # pods that are told why they stay; the rest are told by the next plans
_SOURCE = "explain"


def unmet(fleet: Fleet, standing: Standing, answer: Answer, unmodelled: Iterable[DemandClass]) -> tuple[Unmet, ...]:
    """Every class that stays pending, in whole or in part, with reasons."""
    out = [Unmet(c.key, _names(c.pods), _beyond(c)) for c in unmodelled]
    pending = {pod.uid for pod in answer.placed.pending if not pod.moving}
    left = [(c, tuple(p for p in c.pods if p.uid in pending)) for c in answer.question.classes]
    left += [(c, tuple(p for p in c.pods if not p.moving)) for c in answer.homeless]
    misses = Misses(candidates(fleet, standing.groups.values()))
    waiting = circles([c for c, pods in left if pods], fleet.snapshot.cluster.namespaces)
    for c, pods in left:
        if pods:
            reasons = _reasons(fleet, standing, answer, c, misses)
            out.append(Unmet(c.key, _names(pods), told(reasons, waiting[c.key]) if c.key in waiting else reasons))
    return tuple(sorted(out, key=lambda u: u.class_key))


def candidates(fleet: Fleet, states: Iterable[GroupState]) -> list[Candidate]:
    """The groups as what could be had."""
    return [Candidate(s.group.name, s.group.labels, s.group.taints, fleet.rooms[s.group.id]) for s in states]


def _beyond(c: DemandClass) -> tuple[Reason, ...]:
    """Why a class is not planned at all."""
    blocked = (Reason(Code.VOLUME, c.shape.blocked, _SOURCE),) if c.shape.blocked else ()
    unread = (Reason(Code.UNMODELLED, f"its rule is not planned yet: {rule}", _SOURCE) for rule in c.shape.unmodelled)
    return (*blocked, *unread)


def _names(pods: Iterable[Pod]) -> tuple[str, ...]:
    return tuple(pod.ref for pod in pods)


def _reasons(fleet: Fleet, standing: Standing, answer: Answer, c: DemandClass, misses: Misses) -> tuple[Reason, ...]:
    """Groups that would take the class and may not grow; if there is none, what stood closest in the way."""
    takers = [state for state in standing.groups.values() if takes(fleet, state, c)]
    if answer.kept_off.get(c.key):
        return answer.kept_off[c.key]
    if not takers:
        lost = [fault for cloud in fleet.snapshot.clouds for fault in cloud.faults]
        faults = tuple(Reason(Code.FAULT, f"{f.group or 'the cloud'}: {f.code}: {f.message}", _SOURCE) for f in lost)
        return (*faults, *misses.of(c.shape))
    resting = [state for state in takers if state.closed is not None]
    full = [state for state in takers if state.closed is None and not state.limit]
    reasons = [state.closed for state in resting[:3] if state.closed is not None]
    if len(resting) > len(reasons):
        reasons.append(Reason(Code.BACKOFF, f"{len(resting) - len(reasons)} more that would take it rest too", _SOURCE))
    if full:
        limits = few(f"{s.group.name} ({s.group.max_nodes})" for s in full)
        reasons.append(
            Reason(Code.LIMIT, f"at their maximum of nodes: {limits}", _SOURCE, "raise the maximum size of one of them")
        )
    if len(resting) + len(full) < len(takers):
        held = [replace(note, hint=note.hint or f"let the policy {note.source} allow more") for note in answer.notes]
        reasons += held or [_limited(takers)]
    return tuple(reasons)


def _limited(takers: Sequence[GroupState]) -> Reason:
    groups = few(f"{s.group.name} (max {s.group.max_nodes})" for s in takers if s.closed is None)
    return Reason(Code.LIMIT, f"what may still be bought is not enough: {groups}", _SOURCE)


def takes(fleet: Fleet, state: GroupState, c: DemandClass) -> bool:
    """Whether a node of the group would take a pod of the class, if the group may grow."""
    group = state.group
    return admits(c.shape, group.labels, group.taints) and c.shape.requests.fits(fleet.rooms[group.id])


def announcements(
    fleet: Fleet, claims: Sequence[ClaimPods], resizes: Sequence[Resize], left: Sequence[Unmet], pods: Iterable[Pod]
) -> tuple[Announce, ...]:
    """Events for all pods that made a group grow, for pods that stay, and of wrong predictions; none that was said a moment ago.

    Of the pods that stay so many are told that a plan stays small, those that wait longest first.
    """
    grew: list[Announce] = []
    sizes = {r.group: (r, frozenset(r.slots)) for r in resizes if r.target_nodes > r.current_nodes}
    for claim in claims:
        resize, slots = sizes.get(claim.group, (None, frozenset()))
        if resize is None or claim.slot not in slots:
            continue
        group = fleet.groups[claim.group]
        text = (
            f"pod triggered scale-up: [{{{group.name} {resize.current_nodes}->{resize.target_nodes} "
            f"(max: {group.max_nodes})}}]"
        )
        grew += [Announce(uid, ref, TRIGGERED, text, claim.group) for uid, ref in claim.pods]
    known = {pod.ref: pod for pod in pods}
    stay: list[tuple[int, Announce]] = []
    for one in left:
        said = "; ".join(f"{r.text}{f' ({r.hint})' if r.hint else ''}" for r in one.reasons)
        text = f"pod didn't trigger scale-up: {said}"
        about = ",".join(sorted({reason.code.value for reason in one.reasons}))
        there = [known[ref] for ref in one.pods if ref in known]
        stay += [(pod.created_at_s, Announce(pod.uid, pod.ref, NOT_TRIGGERED, text, about)) for pod in there]
    due = [each for each in stay if not said_lately(fleet, each[1])]
    due.sort(key=lambda each: each[0])
    learnt = corrections(fleet.news, fleet.groups, fleet.members)
    due_now = (each for each in (*grew, *learnt) if not said_lately(fleet, each))
    return (*due_now, *(a for _, a in due[:_SAID_A_PLAN]))


def announced_key(announce: Announce) -> str:
    """What the ledger remembers an Event by: one per pod and reason."""
    return f"{announce.uid}/{announce.event}/{announce.about}"


def said_lately(fleet: Fleet, announce: Announce) -> bool:
    """Whether the same was said a moment ago."""
    at = fleet.snapshot.ledger.announced.get(announced_key(announce))
    return at is not None and fleet.now_s - at < fleet.settings.announce_again_s
