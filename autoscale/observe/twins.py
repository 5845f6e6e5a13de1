"""Machines that two groups claim: the first group keeps them, the other is left out. Acting on both would remove one's for the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.model.supply import SkippedGroup
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscale.model.snapshot import CloudView
    from autoscale.model.supply import NodeGroup


def untwined(views: Iterable[CloudView]) -> tuple[CloudView, ...]:
    """The views, without groups of which another before them has a machine; the reason is with those left out."""
    owners: dict[str, str] = {}
    return tuple(_untwined(view, owners) for view in views)


def _untwined(view: CloudView, owners: dict[str, str]) -> CloudView:
    kept: list[NodeGroup] = []
    skipped: list[SkippedGroup] = []
    for group in view.groups:
        mine = [each.provider_id for each in group.instances if each.provider_id]
        twin = next((each for each in mine if owners.get(each, group.id) != group.id), None)
        if twin is None:
            kept.append(group)
            owners.update(dict.fromkeys(mine, group.id))
            continue
        text = f"group {group.name} is left out: machine {twin} is also in group {owners[twin]}"
        skipped.append(SkippedGroup(group.id, Reason(Code.UNMODELLED, text, source=view.provider)))
    return replace(view, groups=tuple(kept), skipped=(*view.skipped, *skipped)) if skipped else view
