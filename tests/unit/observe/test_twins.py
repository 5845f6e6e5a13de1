"""Machines that two groups claim."""

from __future__ import annotations

from autoscale.model.snapshot import CloudView
from autoscale.model.supply import SkippedGroup
from autoscale.model.workload import Code, Reason
from autoscale.observe.twins import untwined
from tests.builders import group, instance


def test_a_machine_of_two_groups_belongs_to_the_first_and_the_other_is_left_out() -> None:
    """Also across clouds; the rest works on."""
    shared = instance("shared")
    a, b, c = group("a", instances=(instance("mine"), shared)), group("b", instances=(shared,)), group("c", running=1)
    other = group("d", instances=(instance("far"), instance("mine")))
    found = untwined([CloudView("x", (a, b, c)), CloudView("y", (other,))])
    assert [view.groups for view in found] == [(a, c), ()]
    text = "group {} is left out: machine fake:///{} is also in group a"
    assert [view.skipped for view in found] == [
        (SkippedGroup("b", Reason(Code.UNMODELLED, text.format("b", "shared"), "x")),),
        (SkippedGroup("d", Reason(Code.UNMODELLED, text.format("d", "mine"), "y")),),
    ]


def test_groups_that_share_nothing_stay_as_they_are() -> None:
    """Machines without a provider id are none of anybody's nodes yet; one group may name its own twice."""
    view = CloudView("x", (group("a", running=2), group("b", instances=(instance("b-0"), instance("b-0")))))
    assert untwined([view]) == (view,)
    assert untwined([view])[0] is view
