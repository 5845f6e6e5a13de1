"""Values with units."""

import re
from collections.abc import Callable

import pytest

from autoscale.config import values
from autoscale.model import units


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (units.duration_ms, "500ms", 500),
        (units.duration_ms, "1.5s", 1500),
        (values.duration_s, "1h30m", 5400),
        (values.duration_s, "1500ms", 2),  # rounds up
        (values.duration_s, "2d", 172_800),
        (values.duration_or_never_s, "never", None),
        (values.money_microusd_per_hour, "1500 USD/h", 1_500_000_000),
        (values.money_microusd_per_hour, "0.05USD/h", 50_000),
        (values.money_microusd_per_hour, "$12.5/hour", 12_500_000),
        (values.share_ppm, "60%", 600_000),
        (values.share_ppm, "12.5 %", 125_000),
        (values.count, 0, 0),
        (values.amounts, {"cpu": "1500m", "memory": "2Ti", "nvidia.com/gpu": 8}, {"cpu": 1500, "memory": 2**41, "nvidia.com/gpu": 8}),
    ],
)  # fmt: skip
def test_what_is_read(read: Callable[[object], object], text: object, expected: object) -> None:
    """Units become whole numbers."""
    assert expected == read(text)


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (units.duration_ms, "10", units.A_DURATION),
        (units.duration_ms, 10, units.A_DURATION),
        (units.duration_ms, "", units.A_DURATION),
        (units.duration_ms, "-5m", units.A_DURATION),
        (values.duration_or_never_s, "5 minutes", f"{units.A_DURATION}, or never"),
        (values.money_microusd_per_hour, "1500", values.A_MONEY),
        (values.money_microusd_per_hour, "1500 EUR/h", values.A_MONEY),
        (values.money_microusd_per_hour, "-1 USD/h", values.A_MONEY),
        (values.share_ppm, "0.6", values.A_SHARE),
        (values.share_ppm, "101%", "a share of at most 100%"),
        (values.count, True, values.A_COUNT),  # YAML's true is a number in Python
        (values.count, -1, values.A_COUNT),
        (values.count, 1.5, values.A_COUNT),
        (values.word, 5, "a string that is not empty"),
        (values.word, "", "a string that is not empty"),
        (values.amounts, [], "resources by name such as {nvidia.com/gpu: 8}"),
        (values.amounts, {"memory": "2TiB"}, f"{values.A_QUANTITY} for memory"),
        (values.amounts, {"memory": "-2Ti"}, f"{values.A_QUANTITY}, 0 or more for memory"),
    ],
)
def test_what_is_refused(read: Callable[[object], object], text: object, expected: str) -> None:
    """The error says what was expected."""
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        read(text)
