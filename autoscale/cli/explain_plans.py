"""A saved plan, explained in the world as it is now."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from autoscale.decide.explain_plan import alternatives
from autoscale.decide.weigh import weigh
from autoscale.model.explanation import PlanStory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from autoscale.cli.planfile import SavedPlan
    from autoscale.config import Settings
    from autoscale.decide.what_if import Case
    from autoscale.model.plan import Plan

_WEIGHTS, _ALTERNATIVES = 10, 10


def about_plan(case: Case, settings: Settings, saved: SavedPlan, progress: Callable[[str], None]) -> PlanStory:
    """What binds and what was next. When the world has moved on, of the plan that would be made now, and said so.

    `progress` is told what takes a while.
    """
    now = case.plan()
    moved = tuple(_moved(settings, saved, now))
    progress("planning without each limit that binds")
    weights = tuple(islice((weight for weight in weigh(case, now) if weight.matters), _WEIGHTS))
    progress("planning without each purchase")
    others = tuple(islice(alternatives(case, now), _ALTERNATIVES))
    return PlanStory(now.id, now.cost_microusd_per_hour, now.bound_microusd_per_hour, weights, others, moved)


def _moved(settings: Settings, saved: SavedPlan, now: Plan) -> Iterator[str]:
    """How the world differs from the plan's."""
    if settings.digest != saved.config_digest:
        yield "the configuration is another"
    if now.fingerprint != saved.plan.fingerprint:
        yield "pods, nodes, groups or prices have changed since the plan was made"
    elif now.id != saved.plan.id and settings.digest == saved.config_digest:
        yield f"the same facts gave another plan this time, {saved.plan.id} then"
