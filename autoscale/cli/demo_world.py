"""The world of `autoscale demo`: an embedded cluster, an embedded AWS, and the real loop between them."""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from unittest import mock

from autoscale import wiring
from autoscale.cli import demo_cast as cast
from autoscale.config.settings import Settings
from autoscale.loop import Engine, Turn, run
from autoscale.model.plan import ClaimPods, Resize, Unclaim
from autoscale.model.settings import DecideSettings, LoopSettings
from autoscale.sim.aws import REGION, EmbeddedAws, OneAtATime
from autoscale.sim.boot import CloudBoot, instances_of
from autoscale.sim.cluster import EmbeddedCluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from autoscale.loop import Witness
    from autoscale.observe.kube import KubeCluster

CLUSTER = "demo"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_RHYTHM = LoopSettings(quiet_s=0.5, joining_s=0.5, coalesce_s=0.1)  # machines boot in seconds here, not in minutes


class Diary:
    """A witness that remembers what was bought and which slot each pod was promised."""

    def __init__(self) -> None:
        self.latest: Turn | None = None
        self.purchases: list[Turn] = []
        self.errors: list[Exception] = []
        self.promised: dict[str, str] = {}

    def turn(self, turn: Turn) -> None:
        """Note what was done."""
        done = [receipt.action for receipt in turn.receipts if receipt.outcome == "done"]
        for action in done:
            if isinstance(action, ClaimPods):
                self.promised |= {uid: action.slot for uid, _ in action.pods}
            elif isinstance(action, Unclaim):
                for uid, _ in action.pods:
                    self.promised.pop(uid, None)
        if turn.plan.cost_microusd_per_hour > 0:
            self.purchases.append(turn)
        self.latest = turn

    def failed(self, error: Exception) -> None:
        """Note why a tick failed; the loop tries again."""
        self.errors.append(error)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far it has come: nodes that joined, GPUs that can be used, pods that are bound, each of how many."""

    nodes: int
    nodes_wanted: int
    gpus: int
    gpus_wanted: int
    bound: int
    bound_wanted: int
    busy: bool

    @property
    def done(self) -> bool:
        """Whether all that was planned is there, and the loop has nothing left to do."""
        there = (self.nodes, self.gpus, self.bound)
        return there == (self.nodes_wanted, self.gpus_wanted, self.bound_wanted) and not self.busy


@dataclass(slots=True, kw_only=True)
class DemoWorld:
    """Everything that is running. `start` sets the loop going; leaving `opened` ends it all."""

    settings: Settings
    cluster: EmbeddedCluster
    kube: KubeCluster
    provider: OneAtATime
    diary: Diary = field(default_factory=Diary)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _arrived: Counter[tuple[str, str]] = field(default_factory=Counter)

    def arrive(self, wave: Iterable[cast.Work]) -> None:
        """Create a wave's pods."""
        for work in wave:
            key = work.namespace, work.name
            for pod in work.pods(self._arrived[key]):
                self.cluster.create(pod)
            self._arrived[key] += work.count

    def start(self) -> None:
        """The loop of `autoscale run`, in a thread."""
        engine = Engine(
            cluster=self.kube,
            providers=(self.provider,),
            policies=self.settings.policies,
            solver=wiring.solver(self.settings),
            clock=wiring.clock(),
            settings=self.settings.decide,
            rhythm=self.settings.loop,
            witness=self.diary,
        )
        self._thread = threading.Thread(target=run, args=(engine, self._stop), name="autoscale run", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the loop after its tick."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def standing(self) -> Standing:
        """A look at nodes and pods."""
        turn = self.diary.latest
        targets = _targets(turn) if turn else {}
        groups = turn.snapshot.groups if turn else ()
        refused = {ref for unmet in turn.plan.unmet for ref in unmet.pods} if turn else set()
        nodes = self.cluster.nodes()
        pods = [pod for pod in self.cluster.pods() if pod["metadata"]["namespace"] != "kube-system"]
        return Standing(
            nodes=len(nodes),
            nodes_wanted=sum(targets.values()),
            gpus=sum(int(node["status"]["allocatable"].get(cast.GPU, 0)) for node in nodes),
            gpus_wanted=sum(targets[group.id] * group.allocatable[cast.GPU] for group in groups),
            bound=sum(1 for pod in pods if pod["spec"].get("nodeName")),
            bound_wanted=sum(
                1 for pod in pods if f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" not in refused
            ),
            busy=turn is None or turn.busy,
        )


@contextmanager
def opened(seed: int) -> Iterator[DemoWorld]:
    """The world, with its first wave of pods pending and every node group empty."""
    providers = {"aws": {"region": REGION, "quotas": False}}  # which moto does not know
    settings = Settings(providers=providers, decide=DecideSettings(cluster=CLUSTER), loop=_RHYTHM)
    with ExitStack() as open_, _without_proxies():
        aws = open_.enter_context(EmbeddedAws(cluster=CLUSTER))
        for group in cast.GROUPS:
            aws.create_group(group)
        provider = OneAtATime(wiring.providers(settings)[0])
        cluster = open_.enter_context(EmbeddedCluster(seed=seed))
        for daemon_set in cast.daemon_sets():
            cluster.create(daemon_set)
        boot = CloudBoot(
            cluster, lambda: instances_of(provider.observe()), boot_s=2.0, devices_s=1.0, poll_s=0.3, seed=seed
        )
        open_.enter_context(boot)
        kube = open_.enter_context(wiring.cluster(cluster.kubeconfig_path, None, watch=True))
        world = DemoWorld(settings=settings, cluster=cluster, kube=kube, provider=provider)
        open_.callback(world.stop)
        world.arrive(cast.FIRST)
        yield world


@contextmanager
def _without_proxies() -> Iterator[None]:
    """A proxy of the user's would be asked for the way to this very process."""
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.lower() in _PROXIES]:
            del os.environ[name]
        yield


def _targets(turn: Turn) -> dict[str, int]:
    """Each group's target after the turn."""
    targets = {
        group.id: max(group.target_nodes, turn.ledger.targets.get(group.id, 0)) for group in turn.snapshot.groups
    }
    done = (receipt.action for receipt in turn.receipts if receipt.outcome == "done")
    return targets | {action.group: action.target_nodes for action in done if isinstance(action, Resize)}


if TYPE_CHECKING:

    def _is_witness(x: Diary) -> Witness:
        return x
