"""When something is open: for so long from each time that a cron expression names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from autoscale.errors import BadInput
from policies.option import option

_A_CRON = "five fields of cron such as 0 9 * * mon-fri"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`duration` from each time of `schedule`, in `timezone`."""

    schedule: str = option("schedule", "word")
    duration_s: int = option("duration", "duration")
    timezone: str = option("timezone", "word", default="UTC")

    def __post_init__(self) -> None:
        check(self.schedule, self.timezone)
        if not self.duration_s:
            raise BadInput("a window that is never open", expected="a duration of more than 0")

    def open(self, now_s: int) -> bool:
        """Whether it is open now."""
        return within(self.schedule, self.duration_s, self.timezone, now_s)


def check(schedule: str, timezone: str) -> None:
    """Raises BadInput for what can't be read."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput("unknown time zone", expected="a name such as Europe/Berlin", found=timezone) from error
    fields = len(schedule.split())
    try:
        if fields != 5:
            raise CronSimError(f"{fields} fields")  # noqa: TRY301 - said like all else that is wrong with it
        next(CronSim(schedule, datetime(2026, 1, 1, tzinfo=zone)))
    except (CronSimError, StopIteration) as error:
        raise BadInput("not a schedule", expected=_A_CRON, found=f"{schedule!r}: {error}") from error


def within(schedule: str, duration_s: int, timezone: str, now_s: int) -> bool:
    """Whether the last time that the schedule names is less than so long ago."""
    now = datetime.fromtimestamp(now_s, ZoneInfo(timezone))
    last = next(CronSim(schedule, now + timedelta(seconds=1), reverse=True), None)
    return last is not None and now_s - int(last.timestamp()) < duration_s
