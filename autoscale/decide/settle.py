"""After a policy's review: nothing may be claimed on a node that is no longer to be bought."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.model.plan import Announce, ClaimPods, Resize, Unmet
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from autoscale.model.plan import Action, Plan


def settle(before: Plan, after: Plan, policy: str) -> Plan:
    """The reviewed plan, made whole: slots whose purchase was dropped or cut lose their claims and Events, last first."""
    if after is before:
        return before
    cut = _cut_slots(before, after)
    if not cut:
        return after
    gone = {uid for a in after.actions if isinstance(a, ClaimPods) and a.slot in cut for uid, _ in a.pods}
    names = tuple(ref for a in after.actions if isinstance(a, ClaimPods) and a.slot in cut for _, ref in a.pods)
    reason = Reason(Code.POLICY, f"{policy} holds back {len(cut)} of the nodes planned for them", source=policy)
    kept = tuple(action for action in (_without(a, cut, gone) for a in after.actions) if action is not None)
    return replace(after, actions=kept, unmet=(*after.unmet, Unmet(f"held by {policy}", names, (reason,))))


def _without(action: Action, cut: frozenset[str], gone: set[str]) -> Action | None:
    if isinstance(action, ClaimPods) and action.slot in cut:
        return None
    if isinstance(action, Announce) and action.uid in gone:
        return None
    if isinstance(action, Resize):
        return replace(action, slots=tuple(slot for slot in action.slots if slot not in cut))
    return action


def _cut_slots(before: Plan, after: Plan) -> frozenset[str]:
    """Slots opened by the plan whose node the review took away."""
    now = {a.group: a.target_nodes for a in after.actions if isinstance(a, Resize)}
    cut: set[str] = set()
    for resize in before.actions:
        if not isinstance(resize, Resize):
            continue
        missing = resize.target_nodes - now.get(resize.group, resize.current_nodes)
        mine = [slot for slot in resize.slots if slot.startswith(f"{before.id}-")]
        if missing > 0:
            cut.update(mine[-missing:])
    return frozenset(cut)
