"""Groups that were made from a template and hold nothing: those that have been empty for long enough are deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.plan import DeleteGroup
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.groups import GroupState
    from autoscale.decide.lifecycle import Standing

SOURCE = "template"


def empty_groups(fleet: Fleet, standing: Standing, growing: Collection[str]) -> tuple[str, ...]:
    """Ids of made groups of templates with no instance, no target and no claim, that don't grow in this plan."""
    claimed = {slot.group for slot in standing.slots}
    return tuple(
        id_
        for id_, state in standing.groups.items()
        if state.group.template
        and state.group.made
        and id_ not in claimed
        and id_ not in growing
        and _empty(fleet, state)
    )


def delete_empty(fleet: Fleet, empty: Iterable[str]) -> tuple[DeleteGroup, ...]:
    """What is deleted now. Nothing on half the news: a cloud that can't be read, or a cluster without nodes."""
    if not fleet.whole or not fleet.nodes:
        return ()
    since, out = fleet.snapshot.ledger.empty_since_s, []
    for id_ in empty:
        group = fleet.groups[id_]
        after_s, empty_s = group.delete_after_s, fleet.now_s - since.get(id_, fleet.now_s)
        if after_s is not None and empty_s >= after_s:
            text = f"empty for {empty_s} s, longer than {after_s} s; {group.template} makes it again when it is needed"
            out.append(DeleteGroup(id_, Reason(Code.IDLE, text, SOURCE)))
    return tuple(out)


def _empty(fleet: Fleet, state: GroupState) -> bool:
    there = state.group.instances or fleet.members[state.group.id] or fleet.starting[state.group.id]
    return not (there or state.asked or state.group.target_nodes or state.open)
