"""The instances of many groups in few calls: those at rest from one list of the project, the others one by one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from autoscale.model.supply import Fault, FaultKind, NodeGroup
from providers.gcp import members
from providers.gcp.faults import CLOUD_ERRORS, fault_of
from providers.gcp.groups import template_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from google.cloud import compute_v1 as compute

    from providers.gcp.calls import Calls
    from providers.gcp.groups import Found

_READERS = 8
_FEW = 10  # groups whose instances are listed one by one; those of more come from the list of all the project's
_GET = "compute.instanceGroupManagers.get"


class Reader:
    """Reads the instances of groups that are modelled already."""

    def __init__(self, calls: Calls, *, now_s: Callable[[], int], lead_s: int) -> None:
        """`lead_s`: how long before a machine's end that is known it counts."""
        self._calls = calls
        self._now_s = now_s
        self._lead_s = lead_s

    def with_members(
        self, groups: Sequence[tuple[Found, NodeGroup]], until: float, faults: list[Fault]
    ) -> list[NodeGroup]:
        """The groups with their instances; those at rest from one list of the project when they are many.

        That list also tells what no group does: which machines are to be maintained.
        """
        busy = [each for each in groups if each[0].size or _moving(each[0].manager)]
        still = [] if len(busy) <= _FEW else [each for each in busy if not _moving(each[0].manager)]
        out = {group.id: group for _, group in groups}
        told: list[compute.Instance] = []
        try:
            told = self._calls.instances() if busy else []
        except CLOUD_ERRORS as error:
            faults.append(fault_of(error, at_s=self._now_s(), doing="compute.instances.list"))
            if still:
                return []
        made: dict[str, list[compute.Instance]] = {}
        for each in told:
            made.setdefault(members.created_by(each), []).append(each)
        for found, group in still:
            its = made.get(f"{found.ref.place}/{found.ref.name}", [])
            if len(its) == found.size:
                out[group.id] = replace(group, instances=members.listed(its, self._of(found)))
                busy.remove((found, group))
        known = {members.instance_id(each.self_link): each for each in told}
        with ThreadPoolExecutor(_READERS) as pool:
            for (_, group), answer in zip(busy, pool.map(partial(self._look, until, known), busy), strict=True):
                if isinstance(answer, NodeGroup):
                    out[group.id] = answer
                else:  # without its instances a group would look as if it had lost them
                    del out[group.id]
                    if answer.kind != FaultKind.NOT_FOUND:
                        faults.append(answer)
        return list(out.values())

    def _of(self, found: Found) -> members.Group:
        machine_type = "" if isinstance(found.template, Fault) else found.template.machine_type
        return members.Group(
            self._calls.project, machine_type, template_urls(found.manager), self._now_s(), self._lead_s
        )

    def _look(
        self, until: float, told: Mapping[str, compute.Instance], each: tuple[Found, NodeGroup]
    ) -> NodeGroup | Fault:
        found, group = each
        if time.monotonic() > until:
            return Fault("", FaultKind.OTHER, "Timeout", f"{_GET}: the groups took too long to read", self._now_s())
        try:
            its = self._calls.members(found.ref)
        except CLOUD_ERRORS as error:
            return fault_of(error, at_s=self._now_s(), doing=_GET)
        seen = members.instances_of(its, self._of(found), told)
        why = members.faults_of(its, group=group.id, offering=group.offering, at_s=self._now_s())
        return replace(group, instances=seen, faults=why)


def _moving(manager: compute.InstanceGroupManager) -> bool:
    """Whether the group does something to any of its instances, so that they must be looked at one by one."""
    doing = manager.current_actions
    return bool(
        doing.creating
        or doing.creating_without_retries
        or doing.recreating
        or doing.deleting
        or doing.abandoning
        or doing.restarting
        or doing.starting
        or doing.resuming
    )
