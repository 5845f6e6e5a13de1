"""The loop. One tick is `observe -> decide -> act -> remember`; `run` ticks when something changed, until it is stopped.

What a cloud refuses in a tick is planned again in the same one, elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from autoscale.act import act, remember, without_times
from autoscale.batch import Batch
from autoscale.decide import decide
from autoscale.demand.pending import left_to_others, waits
from autoscale.model.plan import Announce, Plan, Receipt, Resize
from autoscale.model.settings import DecideSettings, LoopSettings
from autoscale.model.snapshot import Ledger, Snapshot
from autoscale.model.supply import FaultKind
from autoscale.observe.snapshot import observe
from autoscale.ports import Cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.model.snapshot import CloudView
    from autoscale.ports import Clock, Policy, Provider, Solver

Burst = Callable[[frozenset[str]], frozenset[str]]
"""Given the uids of the pods that wait for a plan, those that are to wait on, because their burst is not over."""

_JUMP_S = 60  # a clock that was set by more is not the one that times were measured with
_PLANS = 5  # in a tick: a cloud that refuses one offering after the other must not keep it for ever
_SLICE_S = 0.5  # how long a wait may go on after the engine was told to stop, or the bell was rung


class WatchedCluster(Cluster, Protocol):
    """A cluster that says when something changed."""

    @property
    def generation(self) -> int:
        """Grows with every change by others that matters."""
        ...

    @property
    def alarms(self) -> int:
        """Grows with every change that may not wait for a burst to be over: something was said of a node."""
        ...

    def wait_for_change(self, generation: int, timeout_s: float) -> bool:
        """Wait until the generation is another, at most so long; whether it is."""
        ...


class Bell:
    """Rung by whoever hears of something that can't wait until the clouds are read again. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.rung = 0

    def ring(self) -> None:
        """Have the loop look at everything, soon."""
        with self._lock:
            self.rung += 1


class Stop(Protocol):
    """What ends the loop; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to end."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One tick, looked back on. `ledger` is what the next one starts from."""

    snapshot: Snapshot
    plan: Plan
    receipts: tuple[Receipt, ...]
    ledger: Ledger
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def busy(self) -> bool:
        """Whether nodes or pods are on their way, so that the next look should come soon. A dry run sends none."""
        return bool(
            (changes(self.plan) and not self.dry_run)
            or self.plan.starting
            or any(p.claim for p in self.snapshot.cluster.pods if not p.node_name)
        )

    @property
    def draining(self) -> bool:
        """Whether nodes that go are still there, so that what they wait for is looked at now and then."""
        return any(node.disruption for node in self.snapshot.cluster.nodes)


class Witness(Protocol):
    """Who is told what happened: logs and metrics."""

    def turn(self, turn: Turn) -> None:
        """A tick came to its end."""
        ...

    def failed(self, error: Exception) -> None:
        """A tick did not; the next one tries again."""
        ...


class Nobody:
    """A witness that looks away."""

    def turn(self, turn: Turn) -> None:
        """Nothing."""

    def failed(self, error: Exception) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """All that a tick works with. With `dry_run` nothing is ever written."""

    cluster: WatchedCluster
    providers: Sequence[Provider]
    policies: Sequence[Policy]
    solver: Solver
    clock: Clock
    settings: DecideSettings = field(default_factory=DecideSettings)
    rhythm: LoopSettings = field(default_factory=LoopSettings)
    witness: Witness = field(default_factory=Nobody)
    bell: Bell = field(default_factory=Bell)
    dry_run: bool = False
    threads: int = 16


def changes(plan: Plan) -> bool:
    """Whether the plan does anything to cluster or clouds; an Event changes nothing."""
    return any(not isinstance(action, Announce) for action in plan.actions)


def tick(
    engine: Engine, ledger: Ledger, clouds: Sequence[CloudView] | None = None, burst: Burst = lambda _: frozenset()
) -> Turn:
    """One turn of the loop; several when a cloud refuses purchases, whose pods are planned again at once. The last counts.

    With `clouds` read a moment ago, they are read again before anything is done. `burst` says which of the pods that wait
    are not to be planned yet. Raises ClusterError when the cluster can't be read.
    """
    turn = _turn(engine, ledger, clouds, burst)
    for _ in range(_PLANS - 1):
        if not any(map(_refused, turn.receipts)):
            break
        turn = _turn(engine, turn.ledger, None, burst)
    return turn


def _refused(receipt: Receipt) -> bool:
    """Whether a purchase certainly failed, and not only because we ask too often."""
    action, fault = receipt.action, receipt.fault
    if not isinstance(action, Resize) or fault is None or action.target_nodes <= action.current_nodes:
        return False
    return not fault.maybe_applied and fault.kind is not FaultKind.THROTTLED


def _turn(engine: Engine, ledger: Ledger, clouds: Sequence[CloudView] | None, burst: Burst) -> Turn:
    """Look, decide, act, remember."""
    started = engine.clock.monotonic_s()
    cluster, providers, clock = engine.cluster, engine.providers, engine.clock
    snapshot, plan = _look(engine, ledger, clouds, burst)
    if clouds is not None and changes(plan):
        snapshot, plan = _look(engine, snapshot.ledger, None, burst)
    receipts = () if engine.dry_run else act(plan, snapshot, cluster, providers, clock, threads=engine.threads)
    after = remember(snapshot.ledger, plan, receipts, snapshot, settings=engine.settings, now_s=clock.now_s())
    turn = Turn(snapshot, plan, receipts, after, clock.monotonic_s() - started, engine.dry_run)
    engine.witness.turn(turn)
    return turn


def _look(engine: Engine, ledger: Ledger, clouds: Sequence[CloudView] | None, burst: Burst) -> tuple[Snapshot, Plan]:
    """What there is now, and what is to be done about it."""
    seen = observe(engine.cluster, engine.providers, ledger, engine.clock, clouds=clouds)
    ledger = _timed(ledger, seen.now_s, engine.clock.monotonic_s())
    snapshot, settings = _settled(replace(seen, ledger=ledger), burst, engine.settings)
    return snapshot, decide(snapshot, engine.policies, engine.solver, settings)


def _timed(ledger: Ledger, now_s: int, monotonic_s: float) -> Ledger:
    """The ledger with the time of this look; without what it has measured when the clock was set since the last one."""
    before = ledger.looked_at
    if before is not None and abs((now_s - before[0]) - (monotonic_s - before[1])) > _JUMP_S:
        ledger = without_times(ledger)
    began_at_s = now_s if ledger.began_at_s is None else ledger.began_at_s
    return replace(ledger, looked_at=(now_s, monotonic_s), began_at_s=began_at_s)


def run(engine: Engine, stop: Stop, *, once: bool = False) -> Ledger:
    """Tick until told to stop, or once. With `once`, errors are the caller's; else they are told and tried again."""
    ledger = Ledger()
    if once:
        return tick(engine, ledger).ledger
    rhythm, clock = engine.rhythm, engine.clock
    batch = Batch(rhythm.quiet_s, rhythm.batch_max_s)
    clouds: Sequence[CloudView] | None = None
    read_s = 0.0
    rung = engine.bell.rung
    over = True
    while not stop.is_set():
        seen = _Seen(engine.cluster.generation, engine.cluster.alarms, engine.bell.rung)
        now = clock.monotonic_s()
        if now - read_s >= rhythm.cloud_read_s or rung != seen.rung:
            clouds = None
        rung = seen.rung
        busy, rest_s = True, rhythm.joining_s
        try:
            turn = tick(engine, ledger, clouds, partial(batch.hold_back, now_s=now, over=over))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one tick, the next may be right
            engine.witness.failed(error)
            clouds = None
        else:
            ledger, busy = turn.ledger, turn.busy
            if clouds is None or turn.snapshot.clouds is not clouds:
                read_s = now
            clouds = None if busy else turn.snapshot.clouds
            quiet_s = rhythm.drain_s if turn.draining else rhythm.cloud_read_s
            rest_s = rhythm.joining_s if busy else quiet_s
        over = _rest(engine, stop, seen, min(rest_s, batch.left_s(clock.monotonic_s())), busy=busy)
    return ledger


def _settled(snapshot: Snapshot, burst: Burst, settings: DecideSettings) -> tuple[Snapshot, DecideSettings]:
    """The snapshot without the pods of a burst that goes on. Meanwhile no node is idle: they may be about to use it."""
    pods = snapshot.cluster.pods
    ours = (pod for pod in pods if waits(pod) and pod.claim is None and not left_to_others(pod, settings))
    held = burst(frozenset(pod.uid for pod in ours))
    if not held:
        return snapshot, settings
    kept = tuple(pod for pod in pods if pod.uid not in held)
    return replace(snapshot, cluster=replace(snapshot.cluster, pods=kept)), replace(settings, idle_after_s=None)


@dataclass(frozen=True, slots=True)
class _Seen:
    """How far cluster and bell were when a tick began."""

    generation: int
    alarms: int
    rung: int


def _rest(engine: Engine, stop: Stop, seen: _Seen, rest_s: float, *, busy: bool) -> bool:
    """Wait for a change, at most so long; whether a burst that began meanwhile is over.

    While nodes are on their way, a change is looked at soon. Else the whole burst is waited for, unless a node is said to
    end meanwhile.
    """
    rhythm, clock = engine.rhythm, engine.clock
    if not _changed(engine, stop, seen, rest_s):
        return False
    if busy:
        clock.sleep(rhythm.coalesce_s)
        return False
    latest = clock.monotonic_s() + rhythm.batch_max_s
    while not stop.is_set() and (left := latest - clock.monotonic_s()) > 0:
        if engine.cluster.alarms != seen.alarms or engine.bell.rung != seen.rung:
            return False
        now = replace(seen, generation=engine.cluster.generation)
        if not _changed(engine, stop, now, min(rhythm.quiet_s, left)):
            break
    return True


def _changed(engine: Engine, stop: Stop, seen: _Seen, timeout_s: float) -> bool:
    """Whether the cluster changes, or the bell is rung, within the time; a stop ends the wait."""
    until = engine.clock.monotonic_s() + timeout_s
    while not stop.is_set() and (left := until - engine.clock.monotonic_s()) > 0:
        if engine.bell.rung != seen.rung or engine.cluster.wait_for_change(seen.generation, min(left, _SLICE_S)):
            return True
    return False
