"""What is logged of a tick."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from autoscale.cli.telemetry import Log, Metrics
from autoscale.loop import Turn
from autoscale.model.plan import Action, Announce, Plan, Receipt, Resize
from autoscale.model.problem import WITHOUT_KERNEL
from autoscale.model.snapshot import CloudView, Ledger
from autoscale.model.supply import SkippedGroup
from autoscale.model.workload import Code, Reason
from tests.builders import NOW, fault, group, snapshot


def logged(*actions: Action, dry_run: bool) -> list[Any]:
    """The lines of a tick with these actions."""
    receipts = () if dry_run else tuple(Receipt(action, "done") for action in actions)
    with structlog.testing.capture_logs() as lines:
        Log(structlog.get_logger()).turn(
            Turn(snapshot(), Plan("p", NOW, "f", actions), receipts, Ledger(), dry_run=dry_run)
        )
    return lines


@pytest.mark.parametrize(("dry_run", "outcome"), [(False, "done"), (True, "dry run")])
def test_pods_that_are_told_the_same_share_a_line(*, dry_run: bool, outcome: str) -> None:
    """Ten thousand pods that wait must not be ten thousand lines."""
    told = [Announce(f"u{i}", f"default/p-{i}", "NotTriggerScaleUp", "too big") for i in range(12)]
    other = Announce("x", "default/x", "TriggeredScaleUp", "g 0->1")
    lines = logged(*told, Resize("g", 0, 1, ("p-000",)), other, dry_run=dry_run)
    assert [line["event"] for line in lines] == ["resize", "announce", "announce", "tick"]
    first, second = lines[1:3]
    assert first["pods"] == [f"default/p-{i}" for i in range(10)]
    assert (first["more_pods"], first["message"], first["event_type"]) == (2, "too big", "NotTriggerScaleUp")
    assert (second["pods"], second["outcome"], second["plan"]) == (["default/x"], outcome, "p")
    assert "more_pods" not in second


def test_what_is_wrong_with_a_cloud_is_said_when_it_comes_up() -> None:
    """Groups that are left out, and remarks; not again while only figures in them change, but again after they were gone."""
    log = Log(structlog.get_logger())

    def said(*notes: str, skipped: str = "", fault_: str = "") -> list[tuple[str, str, str]]:
        groups = (group(notes=tuple(Reason(Code.UNMODELLED, text) for text in notes)),)
        left_out = (SkippedGroup("z", Reason(Code.UNMODELLED, skipped)),) if skipped else ()
        faults = (replace(fault(""), message=fault_),) if fault_ else ()
        view = CloudView("fake", groups, left_out, faults)
        world = replace(snapshot(), clouds=(view,))
        with structlog.testing.capture_logs() as lines:
            log.turn(Turn(world, Plan("p", NOW, "f", ()), (), Ledger()))
        return [(line["event"], line["about"], line["text"]) for line in lines if line["event"] != "tick"]

    assert said("ends in 90 s", skipped="odd") == [("group left out", "z", "odd"), ("group", "g8", "ends in 90 s")]
    assert said("ends in 80 s", skipped="odd", fault_="no right") == [("cloud", "fake", "no right")]
    assert said("ends in 70 s") == []
    assert said("ends in 60 s", skipped="odd") == [("group left out", "z", "odd")]


def test_groups_with_the_same_remark_share_a_line() -> None:
    """A thousand groups of one kind must not be a thousand lines."""
    note = Reason(Code.UNMODELLED, "its price is a guess")
    groups = tuple(group(f"g{n:02}", notes=(note,)) for n in range(12))
    world = replace(snapshot(), clouds=(CloudView("fake", groups),))
    with structlog.testing.capture_logs() as lines:
        Log(structlog.get_logger()).turn(Turn(world, Plan("p", NOW, "f", ()), (), Ledger()))
    (line,) = [each for each in lines if each["event"] == "group"]
    assert (line["about"], line["more"]) == (", ".join(f"g{n:02}" for n in range(10)), 2)


def test_a_corrected_prediction_is_counted_by_group() -> None:
    """Once for each Event about it, whose line names the node."""
    told = Announce("g-0", "g-0", "PredictionCorrected", "other labels", "g")
    assert logged(told, dry_run=False)[0]["nodes"] == ["g-0"]
    registry = CollectorRegistry()
    plan = Plan("p", NOW, "f", (told,))
    Metrics(registry).turn(Turn(snapshot(), plan, (Receipt(told, "done"),), Ledger()))
    assert registry.get_sample_value("gpu_autoscale_corrected_predictions_total", {"group": "g"}) == 1


def test_a_solver_without_its_kernels_is_told_once() -> None:
    """A warning when it is first seen, not at every tick."""
    log = Log(structlog.get_logger())
    slow = Plan("p", NOW, "f", (), method=f"greedy, {WITHOUT_KERNEL}")
    with structlog.testing.capture_logs() as lines:
        for plan in (Plan("q", NOW, "f", ()), slow, slow):
            log.turn(Turn(snapshot(), plan, (), Ledger()))
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("tick", "info"), ("solver", "warning"), ("tick", "info"), ("tick", "info"),
    ]  # fmt: skip
