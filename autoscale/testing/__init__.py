"""The contract that every provider is held to, for whoever writes one: tests to inherit, and fault schedules to draw.

    from autoscale.testing import ProviderContract, Stage

    class TestRacks(ProviderContract):
        @pytest.fixture
        def stage(self) -> Stage:
            return RacksStage()

Needs pytest, which `pip install gpu-autoscale[testing]` brings; the engine itself never imports this package.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "autoscale.testing.contract",
    "autoscale.testing.schedule_contract",
    "autoscale.testing.stock_out_contract",
    "autoscale.testing.template_contract",
)

from autoscale.testing.contract import ProviderContract  # noqa: E402 - pytest must know first whose asserts it explains
from autoscale.testing.schedule_contract import ScheduleContract, failure  # noqa: E402
from autoscale.testing.schedules import Schedule, Step, drawn, play, shrunk  # noqa: E402
from autoscale.testing.stage import FAULTS, Stage, StockOutStage, TemplateStage  # noqa: E402
from autoscale.testing.stock_out_contract import StockOutContract  # noqa: E402
from autoscale.testing.template_contract import TemplateContract  # noqa: E402

__all__ = [
    "FAULTS",
    "ProviderContract",
    "Schedule",
    "ScheduleContract",
    "Stage",
    "Step",
    "StockOutContract",
    "StockOutStage",
    "TemplateContract",
    "TemplateStage",
    "drawn",
    "failure",
    "play",
    "shrunk",
]
