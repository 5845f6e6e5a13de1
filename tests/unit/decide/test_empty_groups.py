"""Groups made from a template go when they have been empty for long; nothing else ever goes."""

from __future__ import annotations

import pytest

from autoscale.model.plan import DeleteGroup, Resize
from autoscale.model.snapshot import Ledger
from autoscale.model.workload import Code, Reason
from tests.builders import NOW, fault, group, instance, node, pod, pods, snapshot
from tests.unit.decide.test_decide import plan_for

LONG = Ledger(empty_since_s={"g8": NOW - 3600})
OURS = group(template="gpu", delete_after_s=600)
THERE = (node("other", gpus=0, provider_id="elsewhere"),)


def test_a_group_that_is_empty_for_long_is_deleted_and_says_why() -> None:
    """The plan remembers that it is empty, so that the time is counted."""
    plan = plan_for(snapshot(groups=(OURS,), nodes=THERE, ledger=LONG))
    text = "empty for 3600 s, longer than 600 s; gpu makes it again when it is needed"
    assert plan.actions == (DeleteGroup("g8", Reason(Code.IDLE, text, "template")),)
    assert plan.empty == ("g8",)


def test_the_time_is_counted_from_when_it_was_first_seen_empty() -> None:
    """After a crash it starts anew."""
    plan = plan_for(snapshot(groups=(OURS,), nodes=THERE))
    assert (plan.actions, plan.empty) == ((), ("g8",))


@pytest.mark.parametrize(
    "kept",
    [
        group(),
        group(template="gpu", delete_after_s=None),
        group(template="gpu", delete_after_s=600, made=False),
        group(template="gpu", delete_after_s=600, target_nodes=1),
        group(template="gpu", delete_after_s=600, instances=(instance("i"),), target_nodes=0),
    ],
    ids=["a person's", "for ever", "not made", "wanted", "with an instance"],
)
def test_no_other_group_is_deleted(kept: object) -> None:
    """However long it has been so."""
    plan = plan_for(snapshot(groups=(kept,), nodes=THERE, ledger=LONG))  # type: ignore[arg-type]  # a NodeGroup each
    assert not [action for action in plan.actions if isinstance(action, DeleteGroup)]


def test_a_claim_keeps_its_group() -> None:
    """The purchase was cut off before the group had a target: it is completed, not undone."""
    waiting = pod("a", claim=("p0-000", "g8"))
    plan = plan_for(snapshot(pods=(waiting,), groups=(OURS,), nodes=THERE, ledger=LONG))
    assert [(type(action), action.target_nodes) for action in plan.actions if isinstance(action, Resize)] == [
        (Resize, 1)
    ]
    assert plan.empty == ()


def test_nothing_is_deleted_on_half_the_news() -> None:
    """A cloud that can't be read, or a cluster that shows no node at all."""
    assert plan_for(snapshot(groups=(OURS,), nodes=THERE, ledger=LONG, faults=(fault(),))).actions == ()
    assert plan_for(snapshot(groups=(OURS,), ledger=LONG)).actions == ()


def test_a_group_that_is_needed_again_grows_instead() -> None:
    """In the very plan that would have deleted it."""
    plan = plan_for(snapshot(pods=pods("a", 8), groups=(OURS,), nodes=THERE, ledger=LONG))
    assert [action for action in plan.actions if isinstance(action, DeleteGroup)] == []
    assert plan.empty == ()
