"""Scaling activities: why a group has fewer instances than it wants. Auto Scaling tells it here and nowhere else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from autoscale.model.sentence import one_line
from autoscale.model.supply import Fault
from providers.aws.faults import KINDS, code_in, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_autoscaling.type_defs import ActivityTypeDef

    from autoscale.model.supply import Offering

_TAIL = re.compile(r"\s*Launching EC2 instance failed\.?\s*$")
_CODES = (
    re.compile(r"Error Code: (?P<code>[A-Za-z.]+)"),  # `(Service: AmazonEC2; Status Code: 400; Error Code: X; ...)`
    re.compile(r"(?:^|\. )(?P<code>[A-Z][A-Za-z.]+) - "),  # `Could not launch Spot Instances. X - sentence`
)
_TYPE = re.compile(
    r"\b(?P<type>[a-z][a-z0-9-]*[0-9][a-z0-9-]*\.(?:\d*xlarge|large|medium|small|micro|nano|metal(?:-\d+xl)?))\b"
)
_ZONE = re.compile(r"\((?P<zone>[a-z]{2}(?:-[a-z]+)+-\d[a-z])\)")


def faults_of(
    activities: Iterable[ActivityTypeDef], *, group: str, offering: Offering, since_s: int
) -> tuple[Fault, ...]:
    """Launches of the group that failed since then, the newest of each kind and place, newest first.

    `offering` is what the group launches; a message that names a type or zone makes it narrower.
    """
    faults: dict[tuple[str, str], Fault] = {}
    for activity in sorted(activities, key=lambda each: each["StartTime"], reverse=True):
        fault = _fault(activity, group, offering)
        if fault and fault.at_s >= since_s:
            faults.setdefault((fault.code, fault.offering), fault)
    return tuple(faults.values())


def _fault(activity: ActivityTypeDef, group: str, offering: Offering) -> Fault | None:
    if activity["StatusCode"] not in ("Failed", "Cancelled"):
        return None
    if not activity.get("Description", "Launching").startswith("Launching"):
        return None
    message = _TAIL.sub("", activity.get("StatusMessage", "")) or activity.get("Description", "")
    code = _code(message) or str(activity["StatusCode"])
    told_type = match["type"] if (match := _TYPE.search(message)) else ""
    zone = _zone(activity) or offering.zone
    return Fault(
        group=group,
        kind=kind_of(code),
        code=code,
        message=one_line(message),
        at_s=int(activity.get("EndTime", activity["StartTime"]).timestamp()),
        offering=f"{told_type or offering.instance_type}/{zone or '*'}/{offering.capacity_type}",
    )


def _code(message: str) -> str:
    """The code in the message, the one our table knows when it names several."""
    codes = [match["code"] for pattern in _CODES if (match := pattern.search(message))]
    if (told := code_in(message)) and not any(code in KINDS for code in codes):
        return told
    return next((code for code in codes if code in KINDS), codes[0] if codes else "")


def _zone(activity: ActivityTypeDef) -> str:
    """The zone that was tried: the activity's details are JSON in a text."""
    try:
        details = json.loads(activity.get("Details", ""))
    except ValueError:
        details = {}
    zone = details.get("Availability Zone", "") if isinstance(details, dict) else ""
    if isinstance(zone, str) and zone:
        return zone
    match = _ZONE.search(activity.get("StatusMessage", ""))
    return match["zone"] if match else ""
