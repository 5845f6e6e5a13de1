"""Placements -> claims, then resizes: what is bought, and for whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.decide.reservations import Phase, refs
from autoscale.demand.volumes import total_requests
from autoscale.model.plan import ClaimPods, PlannedNode, Resize, Unclaim
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.decide.answer import Answer
    from autoscale.decide.groups import GroupState
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.placing import Placement

SOURCE = "scale-up"


@dataclass(frozen=True, slots=True)
class ScaleUp:
    """Claims in the order of slots, resizes in the order of groups, and claims that moved to nodes that are there."""

    unclaims: tuple[Unclaim, ...]
    claims: tuple[ClaimPods, ...]
    resizes: tuple[Resize, ...]


def scale_up(standing: Standing, answer: Answer, plan_id: str) -> ScaleUp:
    """What carries the answer out."""
    claims: list[ClaimPods] = []
    named: list[tuple[str, str]] = []  # (group, slot) of every slot without a node that has pods after this
    opened = 0
    open_before = {slot.id for slot in standing.slots if slot.phase is Phase.OPEN}
    for one in answer.placed.placements:
        if one.berth.kind == "existing":
            continue
        slot = one.name
        if not slot:
            slot = f"{plan_id}-{opened:03d}"
            opened += 1
        if not one.name or slot in open_before:
            named.append((one.berth.group, slot))
        new = [pod for pod in one.pods if pod.claim is None or pod.claim.slot != slot]
        if new:
            staying, moving = refs(p for p in new if not p.moving), refs(p for p in new if p.moving)
            claims.append(ClaimPods(slot, one.berth.group, staying, moving))
    if not answer.replanned:
        named += [(slot.group, slot.id) for slot in standing.slots if slot.phase is Phase.OPEN]
    return ScaleUp((*_moved_off(standing, answer), *_lost(answer)), tuple(claims), _resizes(standing, answer, named))


def _moved_off(standing: Standing, answer: Answer) -> tuple[Unclaim, ...]:
    """Pods that a new look sends to nodes that are there, or leaves pending: the slot they had is for others."""
    if not answer.replanned:
        return ()
    claimed = {pod.uid for one in answer.placed.placements if one.berth.kind != "existing" for pod in one.pods}
    reason = Reason(Code.FITS_EXISTING, "they have another place now", SOURCE)
    out = []
    for slot in standing.slots:
        if slot.phase is Phase.OPEN:
            gone = [pod for pod in slot.pods if pod.uid not in claimed]
            if gone:
                out.append(Unclaim(slot.id, refs(gone), reason))
    return tuple(out)


def _lost(answer: Answer) -> list[Unclaim]:
    """Claims that can't be kept: their pods are planned anew with the next look, what was bought for them is free for all."""
    return [Unclaim(each.slot, refs((each.pod,)), each.reason) for each in answer.lost]


def _resizes(standing: Standing, answer: Answer, named: Sequence[tuple[str, str]]) -> tuple[Resize, ...]:
    slots: dict[str, dict[str, None]] = {}  # each slot once, in order
    for group, slot in named:
        slots.setdefault(group, {})[slot] = None
    pods = Counter(one.berth.group for one in answer.placed.placements if one.berth.kind == "new" for _ in one.pods)
    out = []
    for id_, state in standing.groups.items():
        mine = slots.get(id_, {})
        needed = state.established + len(mine)
        target = max(state.target, min(needed, max(state.group.max_nodes, state.asked)))
        if target != state.asked:
            out.append(Resize(id_, state.asked, target, tuple(mine), _why(state, target, pods[id_])))
    return tuple(out)


def _why(state: GroupState, target: int, pods: int) -> tuple[Reason, ...]:
    more = target - state.asked
    if more < 0:
        return (state.closed or Reason(Code.FAULT, "it can't deliver", SOURCE),)
    nodes = f"{more} node{'s' if more != 1 else ''}"
    if not pods:
        text = f"{nodes} that pods were promised and the cloud was not asked for"
    else:
        text = f"{nodes} for {pods} pod{'s' if pods != 1 else ''}: part of the cheapest fleet for all that wait"
    return (Reason(Code.COST, text, SOURCE),)


def packing(answer: Answer) -> tuple[PlannedNode, ...]:
    """What is packed where, equal nodes as one line."""
    key_of = {pod.uid: c.key for c in answer.question.classes for pod in c.pods}
    counted: Counter[tuple[int, tuple[tuple[str, int], ...]]] = Counter()
    first: dict[tuple[int, tuple[tuple[str, int], ...]], Placement] = {}
    homes = {id(home): index for index, home in enumerate(answer.question.homes)}
    for one in answer.placed.placements:
        content = tuple(sorted(Counter(key_of[pod.uid] for pod in one.pods).items()))
        key = homes[id(one.berth)], content
        counted[key] += 1
        first.setdefault(key, one)
    return tuple(
        PlannedNode(first[key].berth.group, first[key].berth.kind, counted[key], key[1], _used(first[key]))
        for key in sorted(counted)
    )


def _used(one: Placement) -> tuple[tuple[str, int, int], ...]:
    total = total_requests(one.pods)
    room = one.berth.room
    return tuple((name, total[name], room[name]) for name in sorted({*total, *room}))
