"""`consolidation`: pods are moved to save money when that pays back within a horizon. Without it, none are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from autoscale.errors import BadInput
from autoscale.model import settings as model
from policies.option import option

if TYPE_CHECKING:
    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Consolidation:
    """When and at what gain, times in seconds; what it means is decided in `autoscale.decide.consolidate`."""

    name: ClassVar[str] = "consolidation"
    horizon_s: int = option("horizon", "duration", default=3600)
    after_s: int = option("after", "duration", default=300)
    node_start_s: int = option("nodeStartUp", "duration", default=300)
    pod_start_s: int = option("podStartUp", "duration", default=120)
    most_lost_s: int = option("mostWorkLost", "duration", default=3600)
    pod_microusd: int = option("costPerPod", "sum", default=10_000)

    def __post_init__(self) -> None:
        if self.horizon_s <= 0:
            raise BadInput("a horizon within which nothing can pay back", expected="horizon of more than 0")

    def adjust(self, settings: DecideSettings) -> DecideSettings:
        """Hand it to the decision."""
        found = model.Consolidation(
            horizon_s=self.horizon_s,
            after_s=self.after_s,
            node_start_s=self.node_start_s,
            pod_start_s=self.pod_start_s,
            most_lost_s=self.most_lost_s,
            pod_microusd=self.pod_microusd,
        )
        return replace(settings, consolidation=found)

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:  # noqa: ARG002 - a port's shape
        """Nothing to add: what is bought for pods that wait is another question."""
        return problem

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:  # noqa: ARG002 - a port's shape
        """Nothing to add."""
        return plan
