"""What is said of a machine's end, and what follows from it."""

from __future__ import annotations

import pytest

from autoscale.decide.notices import noticed
from autoscale.model.disruption import Going
from autoscale.model.supply import Condition, Disruption, Notice, NoticeKind
from autoscale.model.workload import Code, Reason, Taint
from tests.builders import NOW, instance, node

QUIET = instance("n")


@pytest.mark.parametrize(
    ("key", "code", "urgent"),
    [
        ("aws-node-termination-handler/spot-itn", Code.INTERRUPTED, True),
        ("aws-node-termination-handler/asg-lifecycle-termination", Code.INTERRUPTED, True),
        ("aws-node-termination-handler/rebalance-recommendation", Code.REBALANCE, False),
        ("aws-node-termination-handler/scheduled-maintenance", Code.ENDING, False),
        ("cloud.google.com/impending-node-termination", Code.INTERRUPTED, True),
        ("node.cloudprovider.kubernetes.io/shutdown", Code.INTERRUPTED, True),
    ],
)
def test_taints_of_the_clouds_agents(key: str, code: Code, *, urgent: bool) -> None:
    """Each is a reason; without a word about when, an interrupted machine is given two minutes less a margin."""
    found = noticed(node("n", taints=(Taint(key),)), QUIET, NOW)
    assert found == Going("n", Reason(code, f"it is tainted {key}", "notice"), urgent, NOW + 110 if urgent else 0)


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (Condition("PreemptScheduled", "True"), Code.INTERRUPTED),
        (Condition("PreemptScheduled", "False"), None),
        (Condition("VMEventScheduled", "True", reason="TerminateScheduled"), Code.INTERRUPTED),
        (Condition("VMEventScheduled", "True", reason="RebootScheduled"), Code.ENDING),
        (Condition("VMEventScheduled", "True", reason="FreezeScheduled"), None),
        (Condition("Ready", "True"), None),
    ],
)
def test_conditions(condition: Condition, code: Code | None) -> None:
    """Azure's scheduled events; a freeze is over in seconds."""
    found = noticed(node("n", conditions=(condition,)), QUIET, NOW)
    assert (found.reason.code if found else None) == code


@pytest.mark.parametrize(
    ("notice", "urgent", "end_s", "text"),
    [
        (Notice(NoticeKind.INTERRUPTED, "spot", NOW + 90), True, NOW + 80, "spot, in 90 s"),
        (Notice(NoticeKind.ENDING, "block ends", NOW + 1800), False, NOW + 1790, "block ends, in 1800 s"),
        (Notice(NoticeKind.ENDING, "block ends", NOW + 300), True, NOW + 290, "block ends, in 300 s"),
        (Notice(NoticeKind.REBALANCE, "rebalance"), False, 0, "rebalance"),
    ],
)
def test_the_clouds_own_word(notice: Notice, end_s: int, text: str, *, urgent: bool) -> None:
    """What ends within five minutes is urgent; it is removed a margin before its end, lest its group replace it as well."""
    found = noticed(node("n"), instance("n", notice=notice), NOW)
    assert found is not None
    assert (found.urgent, found.end_s, found.reason.text) == (urgent, end_s, text)


def test_the_most_pressing_counts() -> None:
    """A recommendation and an interruption of the same node."""
    taints = (Taint("aws-node-termination-handler/rebalance-recommendation"),)
    notice = Notice(NoticeKind.INTERRUPTED, "spot", NOW + 120)
    found = noticed(node("n", taints=taints), instance("n", notice=notice), NOW)
    assert found is not None
    assert found.reason.code == Code.INTERRUPTED


def test_two_minutes_count_from_when_the_drain_began() -> None:
    """Not from every look anew; a drain for another reason does not count."""
    taints = (Taint("aws-node-termination-handler/spot-itn"),)
    begun = node("n", taints=taints, disruption=Disruption("Interrupted", NOW - 60))
    other = node("n", taints=taints, disruption=Disruption("Expired", NOW - 60))
    found = [noticed(each, QUIET, NOW) for each in (begun, other)]
    assert [going and going.end_s for going in found] == [NOW + 50, NOW + 110]


def test_a_spot_machine_that_was_interrupted_goes_whoever_heard_of_it() -> None:
    """The engine that closed the node is gone, and what it heard with it; only a spot machine's end is for certain."""
    begun = node("n", disruption=Disruption("Interrupted", NOW - 30))
    reason = Reason(Code.INTERRUPTED, "it was said to be taken back", "notice")
    assert noticed(begun, QUIET, NOW, spot=True) == Going("n", reason, urgent=True, end_s=NOW + 80)
    assert noticed(begun, QUIET, NOW) is None
    assert noticed(node("n", disruption=Disruption("Expired", NOW - 30)), QUIET, NOW, spot=True) is None
    told = noticed(begun, instance("n", notice=Notice(NoticeKind.INTERRUPTED, "spot", NOW + 60)), NOW, spot=True)
    assert told is not None
    assert (told.reason.text, told.end_s) == ("spot, in 60 s", NOW + 50)


def test_nothing_said() -> None:
    """Nothing follows."""
    assert noticed(node("n", taints=(Taint("example.com/other"),)), QUIET, NOW) is None
