"""Faults at random, in random order, while needs come and go: nothing is bought twice, nothing is lost, all ends well."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from autoscale.testing.schedules import Schedule, drawn, play, shrunk

if TYPE_CHECKING:
    from pathlib import Path

    from autoscale.testing.stage import Stage


def failure(stage: Stage, schedule: Schedule) -> str:
    """What the schedule broke on the stage, empty when it broke nothing."""
    try:
        play(stage, schedule)
    except AssertionError as error:
        return str(error).partition("\n")[0]
    return ""


class ScheduleContract:
    """Inherit beside `ProviderContract`. `schedules` are drawn; those of the files in `kept` are played as well."""

    schedules: ClassVar[int] = 200
    kept: ClassVar[Path | None] = None

    def test_random_faults_buy_nothing_twice_lose_nothing_and_end_well(self, stage: Stage) -> None:
        """A schedule that fails is shrunk, and told as the file that it can be kept as."""
        for seed in range(self.schedules):
            schedule = drawn(seed, stock_outs=hasattr(stage, "starve"))
            if why := failure(stage, schedule):
                small = shrunk(schedule, lambda each: bool(failure(stage, each)))
                pytest.fail(f"{why}\n{small.text()}")

    def test_schedules_that_failed_once_fail_no_more(self, stage: Stage) -> None:
        """Whichever provider they failed on."""
        files = sorted(self.kept.glob("*.json")) if self.kept else []
        found = {path.name: Schedule.of(path.read_text("utf-8")) for path in files}
        able = {name: each for name, each in found.items() if hasattr(stage, "starve") or not _starves(each)}
        assert {name: failure(stage, each) for name, each in able.items()} == dict.fromkeys(able, "")


def _starves(schedule: Schedule) -> bool:
    return any(step.do in ("starve", "feed") for step in schedule.steps)
