"""A purchase that a cloud refuses at the call is planned again in the same tick, and no more is bought than is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscale.loop import tick
from autoscale.model.plan import Resize
from autoscale.model.snapshot import Ledger
from autoscale.model.supply import FaultKind
from tests.builders import fault, group, pods
from tests.scenarios.world import World
from tests.unit.test_loop import Told

NAMES = [f"g{n}" for n in range(7)]


def world_of(told: Told, *names: str) -> World:
    """Groups, each a little dearer than the one before, and pods for one node."""
    world = World(tuple(group(name, usd=10 + n) for n, name in enumerate(names)))
    world.submit(*pods("a", 8))
    world.engine = replace(world.engine, witness=told)
    return world


def asked(told: Told) -> list[list[tuple[str, str]]]:
    """Per turn, the groups that were to grow and what came of it."""
    return [[(r.action.group, r.outcome) for r in turn.receipts if isinstance(r.action, Resize)] for turn in told.turns]


@pytest.mark.parametrize(
    "kind", [FaultKind.NO_CAPACITY, FaultKind.QUOTA, FaultKind.DENIED, FaultKind.BAD_TEMPLATE, FaultKind.OTHER]
)
def test_pods_go_elsewhere_in_the_tick_in_which_their_purchase_was_refused(kind: FaultKind) -> None:
    """Refused by two groups, one after the other, bought of the third: one node, and its pods claimed for it."""
    told = Told()
    world = world_of(told, *NAMES[:3])
    world.cloud.fail_next("resize", fault(kind=kind), times=2)
    turn = tick(world.engine, Ledger())
    assert asked(told) == [[("g0", "refused")], [("g1", "refused")], [("g2", "done")]]
    assert world.targets() == {"g2": 1}
    assert {pod.claim.group for pod in world.kube.pods.values() if pod.claim} == {"g2"}
    assert (turn is told.turns[-1], turn.busy) == (True, True)


def test_what_cannot_be_had_anywhere_ends_the_tick() -> None:
    """Nobody claims anything, and the pods say why in the last plan."""
    told = Told()
    world = world_of(told, "g0")
    world.cloud.fail_next("resize", fault())
    turn = tick(world.engine, Ledger())
    assert asked(told) == [[("g0", "refused")], []]
    assert [pod.claim for pod in world.kube.pods.values()] == [None] * 8
    assert [unmet.pods for unmet in turn.plan.unmet] == [tuple(pod.ref for pod in world.kube.pods.values())]


def test_a_tick_has_an_end() -> None:
    """Whoever refuses everything is asked five times; the rest is for the next tick."""
    told = Told()
    world = world_of(told, *NAMES)
    world.cloud.fail_next("resize", fault(), times=6)
    first = tick(world.engine, Ledger())
    assert [len(each) for each in asked(told)] == [1] * 5
    tick(world.engine, first.ledger)
    assert world.targets() == {"g6": 1}


@pytest.mark.parametrize(
    "no", [fault(kind=FaultKind.THROTTLED), fault(kind=FaultKind.OTHER, maybe_applied=True)], ids=["slowed", "unheard"]
)
def test_what_may_still_come_is_not_bought_elsewhere(no: object) -> None:
    """A throttle is tried again later; an order without an answer may have been heard."""
    told = Told()
    world = world_of(told, *NAMES[:2])
    world.cloud.fail_next("resize", no)  # type: ignore[arg-type]  # ids hide the type
    tick(world.engine, Ledger())
    assert asked(told) == [[("g0", "refused")]]
    assert world.targets() == {}
