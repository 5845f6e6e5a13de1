"""The loop: it looks again before it acts, tells of trouble and goes on, and ends when told to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from autoscale.errors import ClusterError, Unreachable
from autoscale.loop import Bell, run, tick
from autoscale.model.snapshot import Ledger
from tests.builders import group, node, pods
from tests.scenarios.world import World

if TYPE_CHECKING:
    from autoscale.loop import Turn
    from autoscale.model.snapshot import ClusterView
    from tests.scenarios.world import Time


@dataclass
class Told:
    """A witness that keeps what it is told."""

    turns: list[Turn] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def turn(self, turn: Turn) -> None:
        """Keep it."""
        self.turns.append(turn)

    def failed(self, error: Exception) -> None:
        """Keep it."""
        self.errors.append(error)


@dataclass
class After:
    """A stop that is set once enough was told."""

    told: Told
    enough: int

    def is_set(self) -> bool:
        """Whether it is enough."""
        return len(self.told.turns) + len(self.told.errors) >= self.enough


def world_of(told: Told, **more: object) -> World:
    """Eight pods and a group for them."""
    world = World((group(),))
    world.submit(*pods("a", 8))
    world.engine = replace(world.engine, witness=told, **more)  # type: ignore[arg-type]  # the test's own fields
    return world


def test_nothing_is_done_on_old_news() -> None:
    """A view of the cloud from before is good enough to rest on, not to buy on."""
    told = Told()
    world = world_of(told)
    old = (world.cloud.observe(),)
    world.cloud.resize("g8", target_nodes=1, request_id="somebody else")
    turn = tick(world.engine, Ledger(), old)
    assert world.cloud.group("g8").target_nodes == 1
    assert turn.snapshot.groups[0].target_nodes == 1


def test_a_quiet_tick_spares_the_cloud() -> None:
    """Without anything to do, the view that was given is all that is looked at."""
    world = World((group(),))
    old = (world.cloud.observe(),)
    world.cloud.calls.clear()
    turn = tick(world.engine, Ledger(), old)
    assert (world.cloud.calls, turn.snapshot.clouds) == ([], old)


def test_a_dry_run_writes_nothing() -> None:
    """The plan is there, the world is as it was."""
    told = Told()
    world = world_of(told, dry_run=True)
    run(world.engine, After(told, 2))
    assert world.fuse.count == 0
    assert all(turn.plan.actions and not turn.receipts for turn in told.turns)


def test_a_dry_run_waits_for_news() -> None:
    """Nothing that it plans is on its way, so it looks again as seldom as an idle engine, and says the same as seldom."""
    told = Told()
    world = world_of(told, dry_run=True)
    run(world.engine, After(told, 3))
    ticked = [turn.snapshot.now_s for turn in told.turns]
    assert [turn.busy for turn in told.turns] == [False] * 3
    assert [later - before for before, later in pairwise(ticked)] == [60, 60]


def test_once_is_one_tick() -> None:
    """Bought, and back."""
    told = Told()
    world = world_of(told)
    ledger = run(world.engine, After(told, 99), once=True)
    assert (len(told.turns), ledger.targets) == (1, {"g8": 1})


@pytest.mark.parametrize("error", [Unreachable("no answer"), ZeroDivisionError("a bug")])
def test_trouble_in_a_tick_is_told_and_the_next_one_tries_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expected or not."""
    told = Told()
    world = world_of(told)
    real, failures = world.kube.observe, [error, error]

    def observe() -> ClusterView:
        if failures:
            raise failures.pop()
        return real()

    monkeypatch.setattr(world.kube, "observe", observe)
    run(world.engine, After(told, 3))
    assert (told.errors, len(told.turns), world.targets()) == ([error, error], 1, {"g8": 1})


def test_with_once_the_error_is_the_callers() -> None:
    """Exit status and sentence are the CLI's affair."""
    told = Told()
    world = world_of(told)

    def observe() -> ClusterView:
        raise Unreachable("no answer")

    world.kube.observe = observe  # type: ignore[method-assign]  # the test world's cluster, which this test makes fail
    with pytest.raises(ClusterError, match="no answer"):
        run(world.engine, After(told, 1), once=True)


def test_told_to_stop_before_it_starts_it_does_nothing() -> None:
    """A signal during start-up."""
    told = Told()
    world = world_of(told)
    run(world.engine, After(told, 0))
    assert (told.turns, world.fuse.count) == ([], 0)


@dataclass
class Jumpy:
    """A clock whose wall is set forward by an hour after so many looks at it."""

    time: Time
    left: int

    def now_s(self) -> int:
        """The wall."""
        self.left -= 1
        return self.time.now_s() + (3600 if self.left < 0 else 0)

    def monotonic_s(self) -> float:
        """The seconds that only ever grow."""
        return self.time.monotonic_s()

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.time.sleep(seconds)


@pytest.mark.parametrize("looks", range(1, 14))
def test_a_clock_that_is_set_begins_all_times_anew(looks: int) -> None:
    """An hour forward, at whatever look: a node that has been idle for a minute is not removed for an hour's idleness."""
    told = Told()
    world = World((group(target_nodes=1),), idle_after_s=300)
    (there,) = world.cloud.group("g8").instances
    world.kube.nodes["n"] = node("n", provider_id=there.provider_id)
    world.engine = replace(world.engine, witness=told, clock=Jumpy(world.time, looks))
    run(world.engine, After(told, 4))
    assert world.targets() == {"g8": 1}
    run(world.engine, After(told, 14))
    assert world.targets() == {}


class Doorbell(Bell):
    """Rung by nobody, at a time, once the loop has looked at it after that."""

    def __init__(self, time: Time, at_s: int) -> None:
        self._time, self._at_s = time, at_s
        super().__init__()

    @property
    def rung(self) -> int:
        """Once that time has come."""
        return int(self._time.now_s() >= self._at_s)

    @rung.setter
    def rung(self, _: int) -> None:
        """Never by hand."""


def test_a_cloud_that_rings_is_read_at_once() -> None:
    """An engine at rest looks at everything within a second, and then rests again as long as ever."""
    told = Told()
    world = World((group(),))
    rings_at = world.time.now_s() + 10
    world.engine = replace(world.engine, witness=told, bell=Doorbell(world.time, rings_at))
    world.cloud.calls.clear()
    run(world.engine, After(told, 3))
    first, second, third = (turn.snapshot.now_s for turn in told.turns)
    assert 0 <= second - rings_at <= 2
    assert third - second >= 50
    assert (first, [call.verb for call in world.cloud.calls]) == (rings_at - 10, ["observe"] * 3)


@pytest.mark.parametrize(("rings_after_s", "waits_s"), [(4, 5), (99, 10)])
def test_a_ring_ends_the_wait_for_a_burst(rings_after_s: int, waits_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something changes every second, so that the burst is waited for as long as may be; not while a machine ends."""
    told = Told()
    world = World((group(),))
    real = world.kube.wait_for_change

    def change(generation: int, timeout_s: float) -> bool:
        world.kube.generation += 1
        return real(generation, timeout_s)

    monkeypatch.setattr(world.kube, "wait_for_change", change)
    began_s = world.time.now_s()
    world.engine = replace(world.engine, witness=told, bell=Doorbell(world.time, began_s + rings_after_s))
    run(world.engine, After(told, 2))
    assert began_s + waits_s - 1 <= told.turns[1].snapshot.now_s <= began_s + waits_s + 1


def test_a_bell_is_rung_by_many_and_loses_none() -> None:
    """Each cloud has a thread of its own."""
    bell = Bell()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: bell.ring(), range(100)))
    assert bell.rung == 100


def test_a_fleet_on_its_way_is_looked_at_every_few_seconds() -> None:
    """Busy until every pod is bound, then as seldom as the clouds are read."""
    told = Told()
    world = world_of(told)
    run(world.engine, After(told, 4))
    assert [turn.busy for turn in told.turns] == [True] * 4
    ticked = [turn.snapshot.now_s for turn in told.turns]
    assert all(later - before <= 5 for before, later in pairwise(ticked))
