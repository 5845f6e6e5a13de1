"""The whole engine on each provider and its wire: what the cloud does not deliver is bought elsewhere, and never too much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from autoscale.testing import Schedule, shrunk

from . import stages
from .clock import StageClock
from .engine import EngineStage, StageWorld
from .engine_schedules import drawn, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.testing import StockOutStage

KEPT = sorted((Path(__file__).parent / "schedules" / "engine").glob("*.json"))
SHORT = ("fake", "gcp", "clusterapi", "aws")
USUAL = {"fake": 40, "gcp": 6, "clusterapi": 5, "aws": 6, "kwok": 10}  # about as long for each; `make fuzz` tries more


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[EngineStage]:
    """A provider's, in memory, with a clock of its own."""
    with stages.opened(request.param, clock=StageClock(stages.START_S)) as opened:
        yield cast("EngineStage", opened)


@pytest.mark.parametrize("stage", SHORT, indirect=True)
def test_behind_a_stock_out_in_the_only_cheap_zone_pods_run_elsewhere_within_two_ticks(stage: EngineStage) -> None:
    """The first tick buys where it is cheap, the second hears that there is none, takes that back and buys elsewhere."""
    world = StageWorld(stage)
    cast("StockOutStage", stage).starve(world.cheap)
    world.want(3)
    world.tick()
    assert world.targets() == {world.cheap: 3}
    world.tick()
    assert world.targets() == {world.dear: 3}
    world.go_on(120)
    assert (world.unbound(), world.targets(), world.quiet()) == ([], {world.dear: 3}, True)
    assert world.peak == {world.cheap: 3, world.dear: 3}


@pytest.mark.parametrize("stage", SHORT, indirect=True)
def test_a_stock_out_in_the_middle_of_a_purchase_sends_only_the_rest_elsewhere(stage: EngineStage) -> None:
    """Two of five come where it is cheap; three are bought elsewhere, and five in all."""
    world = StageWorld(stage)
    cast("StockOutStage", stage).starve(world.cheap, left=2)
    world.want(5)
    world.tick()
    world.tick()
    assert world.targets() == {world.cheap: 2, world.dear: 3}
    world.go_on(120)
    assert (world.unbound(), world.targets(), world.quiet()) == ([], {world.cheap: 2, world.dear: 3}, True)


@pytest.mark.parametrize("stage", USUAL, indirect=True)
def test_machines_that_never_join_are_replaced_elsewhere_and_removed(stage: EngineStage) -> None:
    """Within the provision time-out and a few ticks; whoever was removed is the one that did not come."""
    world = StageWorld(stage, provision_timeout_s=60, backoff_max_s=1800, backoff_first_s=1800)
    world.never_joins.add(world.cheap)
    world.want(3)
    world.go_on(200)
    assert (world.unbound(), world.targets(), world.quiet()) == ([], {world.dear: 3}, True)


@pytest.mark.parametrize("stage", USUAL, indirect=True)
def test_nodes_whose_devices_never_show_are_replaced_elsewhere_and_removed(stage: EngineStage) -> None:
    """A node that is there without its GPU is no help to anybody."""
    world = StageWorld(stage, provision_timeout_s=60, backoff_max_s=1800, backoff_first_s=1800)
    world.bare.add(world.cheap)
    world.want(3)
    world.go_on(300)
    assert (world.unbound(), world.targets(), world.quiet()) == ([], {world.dear: 3}, True)


@pytest.mark.parametrize("stage", USUAL, indirect=True)
def test_machines_that_nobody_waits_for_are_removed_also_when_they_never_join(stage: EngineStage) -> None:
    """Somebody asked for two by hand: one group's become nodes and stand idle, the other's never become any."""
    world = StageWorld(stage, provision_timeout_s=60)
    world.never_joins.add(world.cheap)
    world.go_on(10)
    for group in (world.cheap, world.dear):
        stage.set_by_hand(group, 2)
    world.go_on(200)
    assert (world.targets(), world.quiet()) == ({}, True)


@pytest.mark.parametrize("stage", USUAL, indirect=True)
def test_random_faults_buy_no_more_than_pods_need_and_end_with_a_node_for_each(
    stage: EngineStage, request: pytest.FixtureRequest
) -> None:
    """One that fails is shrunk and told; `make fuzz` tries many more."""
    for seed in range(USUAL[request.node.callspec.params["stage"]]):
        schedule = drawn(seed, stock_outs=hasattr(stage, "starve"))
        if why := failure(stage, schedule):
            small = shrunk(schedule, lambda each: bool(failure(stage, each)))
            pytest.fail(f"{why}\n{small.text()}")


@pytest.mark.parametrize("stage", SHORT, indirect=True)
def test_schedules_that_failed_once_fail_no_more(stage: EngineStage) -> None:
    """Whichever provider they failed on."""
    found = {path.name: Schedule.of(path.read_text("utf-8")) for path in KEPT}
    assert {name: failure(stage, each) for name, each in found.items()} == dict.fromkeys(found, "")
