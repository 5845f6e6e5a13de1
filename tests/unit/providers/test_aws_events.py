"""EventBridge's messages: each kind of event, the forms they come in, and what is none of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscale.model.supply import Notice, NoticeKind
from providers.aws.events import NOTHING, News, read

ONE = "i-0123456789abcdef0"
TWO = "i-0123456789abcdef1"
AT = "2026-07-20T12:00:00Z"
AT_S = 1_784_548_800


def event(kind: str, detail: Any, **more: Any) -> str:
    """As EventBridge writes it."""
    usual = {"version": "0", "id": "7bf73129", "detail-type": kind, "source": "aws.ec2", "time": AT, "detail": detail}
    return json.dumps(usual | more)


def health(**more: Any) -> str:
    """Maintenance of two machines."""
    usual = {
        "service": "EC2",
        "eventTypeCode": "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
        "eventTypeCategory": "scheduledChange",
        "startTime": "Mon, 20 Jul 2026 18:00:00 GMT",
        "statusCode": "upcoming",
        "affectedEntities": [{"entityValue": ONE}, {"entityValue": TWO}],
    }
    return event("AWS Health Event", usual | more, source="aws.health")


SPOT = event("EC2 Spot Instance Interruption Warning", {"instance-id": ONE, "instance-action": "terminate"})


@pytest.mark.parametrize(
    ("message", "notice"),
    [
        (SPOT, Notice(NoticeKind.INTERRUPTED, "Amazon takes the spot machine back (terminate)", AT_S + 120)),
        (
            event("EC2 Instance Rebalance Recommendation", {"instance-id": ONE}),
            Notice(NoticeKind.REBALANCE, "Amazon recommends to leave the spot machine"),
        ),
        (
            event("EC2 Instance State-change Notification", {"instance-id": ONE, "state": "shutting-down"}),
            Notice(NoticeKind.INTERRUPTED, "the machine is shutting-down", AT_S),
        ),
        (
            event(
                "EC2 Capacity Reservation Instance Interruption Warning",
                {"instance-id": ONE, "instance-action": "terminate", "instance-termination-time": AT},
            ),
            Notice(NoticeKind.INTERRUPTED, "its capacity reservation takes the machine back", AT_S),
        ),
        (
            event(
                "EC2 Interruptible Capacity Reservation Instance Interruption Warning",
                {"instance-id": ONE, "instance-action": "terminate"},
            ),
            Notice(NoticeKind.INTERRUPTED, "its capacity reservation takes the machine back", 0),
        ),
    ],
    ids=["spot", "rebalance", "state", "capacity block", "interruptible"],
)
def test_what_is_said_of_one_machine(message: str, notice: Notice) -> None:
    """What happens, and when, as far as that was said."""
    assert read(message) == News({ONE: notice})


def test_maintenance_is_about_all_machines_that_it_names() -> None:
    """With its beginning as their end."""
    text = "Amazon has scheduled AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED"
    notice = Notice(NoticeKind.ENDING, text, AT_S + 6 * 3600)
    assert read(health()) == News({ONE: notice, TWO: notice})
    assert read(health(startTime=None)) == News(dict.fromkeys((ONE, TWO), Notice(NoticeKind.ENDING, text)))


def test_maintenance_that_is_called_off() -> None:
    """What was said is taken back."""
    assert read(health(statusCode="CLOSED")) == News(taken_back=(ONE, TWO))


@pytest.mark.parametrize(
    "kind", ["Capacity Block Reservation Expiration Warning", "Capacity Block Reservation Delivered"]
)
def test_what_is_said_of_a_reservation_is_worth_a_look(kind: str) -> None:
    """Its end is read with every look."""
    assert read(event(kind, {"capacity-reservation-id": "cr-1", "end-date": AT})) == News(look=True)


def test_a_topic_in_between_changes_nothing() -> None:
    """SNS wraps what it passes on."""
    assert read(json.dumps({"Type": "Notification", "Message": SPOT})) == read(SPOT)


@pytest.mark.parametrize(
    "message",
    [
        event("EC2 Instance State-change Notification", {"instance-id": ONE, "state": "running"}),
        event("Object Created", {"bucket": {"name": "b"}}, source="aws.s3"),
        health(service="RDS"),
        health(eventTypeCategory="issue"),
    ],
    ids=["it runs", "foreign", "another service", "an issue"],
)
def test_what_is_no_concern_of_ours(message: str) -> None:
    """Nothing follows."""
    assert read(message) == NOTHING


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hello",
        "[]",
        "3",
        "{}",
        '{"Message": "no"}',
        event("EC2 Spot Instance Interruption Warning", {}),
        event("EC2 Spot Instance Interruption Warning", None),
        event("EC2 Spot Instance Interruption Warning", {"instance-id": ONE}, time="soon"),
        event("EC2 Spot Instance Interruption Warning", {"instance-id": "i-1; rm"}),
        event("EC2 Spot Instance Interruption Warning", {"instance-id": 7}),
        health(affectedEntities=[{"entityValue": "vol-1"}]),
        health(startTime="2026"),
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_says_why_and_raises_nothing(message: str) -> None:
    """And is about nobody."""
    found = read(message)
    assert (bool(found.unread), found.instances, found.look) == (True, frozenset(), False)
    assert len(found.unread) <= 100


def test_words_of_an_event_are_shown_only_when_they_are_a_code() -> None:
    """The queue may be written to by others than Amazon, and a notice's text is read by people."""
    found = read(health(eventTypeCode="x\n\x1b[31m" * 9)).notices[ONE]
    assert found.text == "Amazon has scheduled maintenance"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)
KINDS = ("EC2 Spot Instance Interruption Warning", "AWS Health Event", "EC2 Instance State-change Notification")


@given(kind=st.sampled_from(KINDS), detail=JSON, time=JSON)
def test_no_message_raises(kind: str, detail: object, time: object) -> None:
    """Whatever is in it."""
    assert isinstance(read(event(kind, detail, time=time)), News)
