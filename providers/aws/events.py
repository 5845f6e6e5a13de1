"""What EventBridge says of the end of machines, as the messages of a queue have it. Pure: a text in, notices out.

Kinds of events: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html,
rebalance-recommendations.html, capacity-blocks-monitor.html and monitoring-instance-state-changes.html beside it, and
https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from autoscale.model.frozen import empty
from autoscale.model.supply import Notice, NoticeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SPOT_S = 120  # from the warning to the end of a spot instance
_ENDS = ("stopping", "stopped", "shutting-down", "terminated")  # states that no instance comes back from by itself
_OVER = ("closed", "completed", "canceled")  # of a health event, in either case


@dataclass(frozen=True, slots=True)
class News:
    """What a message says.

    `notices`: instance -> its notice; `taken_back`: instances that maintenance was called off for. `look`: it says nothing of an
    instance, but the next look at the cloud will show something new. `unread`: why it can't be understood.
    """

    notices: Mapping[str, Notice] = field(default_factory=empty)
    taken_back: tuple[str, ...] = ()
    look: bool = False
    unread: str = ""

    @property
    def instances(self) -> frozenset[str]:
        """Whom it is about."""
        return frozenset((*self.notices, *self.taken_back))


NOTHING = News()
"""An event that is no concern of ours."""


def read(message: str) -> News:
    """The news in a message. What is not from EventBridge, or not as Amazon has it, is `unread`; nothing is ever raised."""
    try:
        event = _event(message)
        kind = event["detail-type"]
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        return reader(event) if reader else NOTHING
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        return News(unread=f"{type(error).__name__}: {' '.join(str(error).split())}"[:100])


def _event(message: str) -> Mapping[str, Any]:
    """The event, also when a topic passed it on."""
    event = json.loads(message)
    inner = event.get("Message")
    if "detail-type" not in event and isinstance(inner, str):
        event = json.loads(inner)
    if not isinstance(event, dict):
        raise TypeError("the event is no map")
    return event


def _spot(event: Mapping[str, Any]) -> News:
    text = f"Amazon takes the spot machine back ({_word(event, 'instance-action', 'terminate')})"
    return _of_instance(event, Notice(NoticeKind.INTERRUPTED, text, _second(event["time"]) + _SPOT_S))


def _rebalance(event: Mapping[str, Any]) -> News:
    return _of_instance(event, Notice(NoticeKind.REBALANCE, "Amazon recommends to leave the spot machine"))


def _reservation_instance(event: Mapping[str, Any]) -> News:
    text = "its capacity reservation takes the machine back"
    said = event["detail"].get("instance-termination-time")
    return _of_instance(event, Notice(NoticeKind.INTERRUPTED, text, _second(said) if said else 0))


def _state(event: Mapping[str, Any]) -> News:
    state = event["detail"]["state"]
    if state not in _ENDS:
        return NOTHING
    return _of_instance(event, Notice(NoticeKind.INTERRUPTED, f"the machine is {state}", _second(event["time"])))


def _health(event: Mapping[str, Any]) -> News:
    detail = event["detail"]
    if detail.get("service") != "EC2" or detail.get("eventTypeCategory") != "scheduledChange":
        return NOTHING
    ids = [_id(each["entityValue"]) for each in detail.get("affectedEntities") or ()]
    if str(detail.get("statusCode", "")).lower() in _OVER:
        return News(taken_back=tuple(ids))
    said = detail.get("startTime")
    text = f"Amazon has scheduled {_word(event, 'eventTypeCode', 'maintenance')}"
    notice = Notice(NoticeKind.ENDING, text, _second(said) if said else 0)
    return News(dict.fromkeys(ids, notice))


def _look(_: Mapping[str, Any]) -> News:
    return News(look=True)


_READERS: Mapping[str, Callable[[Mapping[str, Any]], News]] = {
    "EC2 Spot Instance Interruption Warning": _spot,
    "EC2 Instance Rebalance Recommendation": _rebalance,
    "EC2 Instance State-change Notification": _state,
    "EC2 Capacity Reservation Instance Interruption Warning": _reservation_instance,
    "EC2 Interruptible Capacity Reservation Instance Interruption Warning": _reservation_instance,
    "AWS Health Event": _health,
    "Capacity Block Reservation Delivered": _look,
    "Capacity Block Reservation Expiration Warning": _look,
    "EC2 Instance-terminate Lifecycle Action": _look,
}


KINDS = tuple(_READERS)
"""Kinds of events that are read; `deploy/aws/notices.yaml` has rules for them."""


def _of_instance(event: Mapping[str, Any], notice: Notice) -> News:
    return News({_id(event["detail"]["instance-id"]): notice})


def _id(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("i-") or not value[2:].isalnum():
        raise ValueError("not the id of an instance")
    return value


def _word(event: Mapping[str, Any], key: str, usual: str) -> str:
    """A code of Amazon's for the notice's text; anything else is left out, since people read the text."""
    value = event["detail"].get(key)
    fit = isinstance(value, str) and len(value) <= 80 and value.replace("_", "").replace("-", "").isalnum()
    return value if fit and isinstance(value, str) else usual


def _second(said: object) -> int:
    """Whole seconds since the epoch, of either form in which Amazon writes a time."""
    if not isinstance(said, str):
        raise TypeError("not a time")
    try:
        found = dt.datetime.fromisoformat(said)
    except ValueError:
        found = parsedate_to_datetime(said)
    return int((found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp())
