"""What Google says of a machine's end, and whether its group would make it otherwise today. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from autoscale.model.supply import Notice, NoticeKind
from providers.gcp.refs import last

if TYPE_CHECKING:
    from google.cloud import compute_v1 as compute

_STOPPING = ("STOPPING", "PENDING_STOP")  # a preempted machine has 30 s, more with a notice of preemption
_QUIET = ("", "NONE")  # its group does nothing to it


def notice_of_member(member: compute.ManagedInstance, now_s: int, lead_s: int) -> Notice | None:
    """From a group's list, which does not tell of maintenance."""
    stopping = _stopping(member.current_action, member.instance_status)
    return stopping or _ends(member.scheduling.termination_timestamp, now_s, lead_s)


def notice_of(instance: compute.Instance, now_s: int, lead_s: int) -> Notice | None:
    """From the machine itself. An end that was set counts `lead_s` before it comes, and so does maintenance."""
    status = instance.resource_status
    return (
        _stopping("", instance.status)
        or _ends(status.scheduling.termination_timestamp, now_s, lead_s)
        or _maintained(status.upcoming_maintenance, now_s, lead_s)
    )


def outdated(made_of: str, templates: tuple[str, ...]) -> str:
    """In what a machine is not as its group would make it today; empty when it is, or when nobody says what it was made of.

    `templates` are those of the group's versions, the one that new machines are made of last.
    """
    if not made_of or not templates or _path(made_of) in map(_path, templates):
        return ""
    return f"it was made of instance template {last(made_of)}, new ones are made of {last(templates[-1])}"


def template_of(instance: compute.Instance) -> str:
    """Address of the template that a group made the machine of, empty when its metadata doesn't say."""
    return next((item.value for item in instance.metadata.items if item.key == "instance-template"), "")


def _stopping(action: str, status: str) -> Notice | None:
    if status not in _STOPPING or action not in _QUIET:
        return None
    return Notice(NoticeKind.INTERRUPTED, "Google is stopping it")


def _ends(timestamp: str, now_s: int, lead_s: int) -> Notice | None:
    ends_at_s = seconds(timestamp)
    if not ends_at_s or ends_at_s - now_s > lead_s:
        return None
    return Notice(NoticeKind.ENDING, "the time it may run is over", ends_at_s)


def _maintained(found: compute.UpcomingMaintenance, now_s: int, lead_s: int) -> Notice | None:
    begins_at_s = seconds(found.window_start_time)
    if not begins_at_s or begins_at_s - now_s > lead_s:
        return None
    return Notice(NoticeKind.ENDING, "its host is to be maintained", begins_at_s)


def seconds(timestamp: str) -> int:
    """Since the epoch; 0 for none, or one that is no time."""
    try:
        return int(dt.datetime.fromisoformat(timestamp).timestamp())
    except ValueError:
        return 0


def _path(url: str) -> str:
    """A template's address without the project, which is written as a name and as a number."""
    return url.rpartition("/projects/")[2].removeprefix("projects/").partition("/")[2]
