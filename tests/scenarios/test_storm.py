"""Spot capacity that comes and goes, as it was measured once."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.storm import StormyWorld, kept

STORM = Path(__file__).parent / "storms" / "aws-v100.json"


def test_a_spot_storm_loses_no_pod_and_buys_nothing_twice() -> None:
    """Whole zones come and go within minutes: all are evicted in time and run elsewhere, on-demand where there is no spot."""
    world = StormyWorld(kept(STORM), 8)
    told = world.play()
    assert told.notices > 0
    assert (told.lost, told.reclaimed, told.beyond) == (0, 0, 0)
    assert (world.unbound(), sum(world.targets().values()), world.empty_nodes()) == ([], 8, [])
