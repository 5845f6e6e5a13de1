"""What waits in Google's queue for a group of flex-start machines. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.model.sentence import one_line
from autoscale.model.supply import Fault
from autoscale.model.workload import Code, Reason
from providers.gcp.endings import seconds
from providers.gcp.faults import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import compute_v1 as compute

    from autoscale.model.supply import NodeGroup

MODEL = "FLEX_START"  # the provisioning model of templates whose machines are asked for so
_WAITING = ("ACCEPTED", "CREATING")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request in the queue. `why` is what Google says it waits for."""

    name: str
    size: int
    since_s: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """What is in a group's queue, the oldest first. `failed` is the newest request when it failed, `errors` why, since when seen."""

    waiting: tuple[Waiting, ...] = ()
    failed: str = ""
    errors: tuple[tuple[str, str], ...] = ()
    since_s: int = 0

    @property
    def nodes(self) -> int:
        """How many machines wait."""
        return sum(each.size for each in self.waiting)


def line_of(requests: Sequence[compute.InstanceGroupManagerResizeRequest]) -> Line:
    """The queue. That a request failed is news until another is made."""
    order = sorted(requests, key=lambda each: (seconds(each.creation_timestamp), each.name))
    waiting = [
        Waiting(each.name, each.resize_by, seconds(each.creation_timestamp), _why(each.status.last_attempt.error))
        for each in order
        if each.state in _WAITING
    ]
    newest = order[-1] if order else None
    if newest is None or newest.state != "FAILED":
        return Line(tuple(waiting))
    errors = newest.status.error.errors or newest.status.last_attempt.error.errors
    told_ = tuple((each.code, each.message) for each in errors) or (("FAILED", "its resize request failed"),)
    return Line(tuple(waiting), newest.name, told_)


def queued(group: NodeGroup, line: Line) -> NodeGroup:
    """The group with what waits said, and with what failed as faults."""
    notes = [
        f"{each.size} machines wait in Google's queue (resize request {each.name})"
        + (f": {each.why}" if each.why else "")
        for each in line.waiting
    ]
    faults = []
    for said, message in line.errors:
        code, kind = told(said, message)
        text = one_line(message) or code
        faults.append(Fault(group.id, kind, code, text, line.since_s, offering=group.offering.key))
    return replace(
        group,
        faults=(*group.faults, *faults),
        notes=(*group.notes, *(Reason(Code.UNMODELLED, text, source="gcp") for text in notes)),
    )


def _why(error: compute.Error) -> str:
    return next((one_line(each.message) or each.code for each in error.errors), "")
