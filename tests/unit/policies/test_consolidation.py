"""The policy hands what it says to the decision."""

from __future__ import annotations

import pytest

from autoscale.errors import BadInput
from autoscale.model import settings as model
from autoscale.model.settings import DecideSettings
from policies.consolidation import Consolidation


def test_it_is_off_unless_it_is_named() -> None:
    """Nobody's pods are moved to save money unasked."""
    assert DecideSettings().consolidation is None


def test_what_it_says_is_what_is_decided_by() -> None:
    """Every field."""
    said = Consolidation(horizon_s=7200, after_s=60, node_start_s=240, pod_start_s=30, most_lost_s=900, pod_microusd=5)
    assert said.adjust(DecideSettings()).consolidation == model.Consolidation(
        horizon_s=7200, after_s=60, node_start_s=240, pod_start_s=30, most_lost_s=900, pod_microusd=5
    )


@pytest.mark.parametrize("horizon_s", [0, -1])
def test_a_horizon_of_nothing_is_refused(horizon_s: int) -> None:
    """Nothing pays back in no time."""
    with pytest.raises(BadInput, match="horizon"):
        Consolidation(horizon_s=horizon_s)
