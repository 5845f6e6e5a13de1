"""How fast a notice is acted on: `python -m benchmarks.notices [--notices N]`, beside the bar of 2 s.

The loop of `autoscale run` with its usual rhythm, on the embedded cluster and the embedded AWS of `autoscale demo`. A node
is tainted as AWS Node Termination Handler does it; the clock runs until the node is closed by us and its pods are being
evicted, and until the cloud has been asked for the replacement. Every other notice falls into a burst of new pods.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any

from autoscale import wiring
from autoscale.config.settings import Settings
from autoscale.loop import Engine, run
from autoscale.model.names import DISRUPTED
from autoscale.model.settings import DecideSettings
from autoscale.sim.aws import REGION, AwsGroup, EmbeddedAws, OneAtATime
from autoscale.sim.boot import CloudBoot, instances_of
from autoscale.sim.cluster import EmbeddedCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from autoscale.ports import Provider

BAR_S = 2.0
NODES = 12
_CLUSTER, _GPU = "notices", "nvidia.com/gpu"
_NOTICE = {"key": "aws-node-termination-handler/spot-itn", "effect": "NoSchedule"}
_PATIENCE_S = 300.0


class Ordering(OneAtATime):
    """The provider, with when it was last asked for more nodes, and for how many in all."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.ordered_s = 0.0

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """Note when the cloud has taken the order."""
        super().resize(group, target_nodes=target_nodes, request_id=request_id)
        self.ordered_s = time.monotonic()


class World:
    """A cluster of spot nodes, each full with one pod of a ReplicaSet, and the loop at work on it."""

    def __init__(self, open_: ExitStack) -> None:
        aws = open_.enter_context(EmbeddedAws(cluster=_CLUSTER))
        for zone in "ab":
            aws.create_group(
                AwsGroup(name=f"l4-{zone}", instance_type="g6.xlarge", zone=f"us-east-1{zone}", spot=True, max_nodes=40)
            )
        settings = Settings(
            providers={"aws": {"region": REGION, "quotas": False}}, decide=DecideSettings(cluster=_CLUSTER)
        )
        self._provider = Ordering(wiring.providers(settings)[0])
        self.cluster = open_.enter_context(EmbeddedCluster(seed=1))
        boot = CloudBoot(
            self.cluster, lambda: instances_of(self._provider.observe()), boot_s=2, devices_s=1, poll_s=0.5, seed=1
        )
        open_.enter_context(boot)
        engine = Engine(
            cluster=open_.enter_context(wiring.cluster(self.cluster.kubeconfig_path, None, watch=True)),
            providers=(self._provider,),
            policies=(),
            solver=wiring.solver(settings),
            clock=wiring.clock(),
            settings=settings.decide,
            rhythm=settings.loop,
        )
        stop = threading.Event()
        thread = threading.Thread(target=run, args=(engine, stop), daemon=True)
        open_.callback(thread.join)
        open_.callback(stop.set)
        self._names = count()
        self.want(NODES)
        thread.start()

    def want(self, pods: int) -> None:
        """So many more pods, each of which fills a node."""
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "serve", "uid": "serve", "controller": True}
        amounts = {"cpu": "3", "memory": "10Gi", _GPU: "1"}
        for _ in range(pods):
            meta = {"namespace": "default", "name": f"serve-{next(self._names)}", "ownerReferences": [owner]}
            spec = {"containers": [{"name": "main", "resources": {"requests": amounts, "limits": amounts}}]}
            self.cluster.create({"kind": "Pod", "metadata": meta, "spec": spec})

    def settled(self) -> bool:
        """Whether every pod runs and no node goes."""
        pods = self.cluster.pods()
        return all(pod["spec"].get("nodeName") for pod in pods) and not any(map(_closed, self.cluster.nodes()))

    def notice(self) -> tuple[float, float]:
        """Tell the first node that it ends; seconds until it is closed and until its replacement is ordered."""
        name = next(pod["spec"]["nodeName"] for pod in self.cluster.pods())
        node = self.cluster.get("Node", name)
        spec = {**node["spec"], "taints": [*node["spec"].get("taints", ()), _NOTICE]}
        started_s = time.monotonic()
        self.cluster.update({**node, "kind": "Node", "spec": spec})
        closed_s = _until(lambda: _gone_or_closed(self.cluster, name), 0.01) - started_s
        _until(lambda: self._provider.ordered_s > started_s, 0.01)
        return closed_s, self._provider.ordered_s - started_s


def _closed(node: dict[str, Any]) -> bool:
    return any(taint["key"] == DISRUPTED for taint in node["spec"].get("taints", ()))


def _gone_or_closed(cluster: EmbeddedCluster, name: str) -> bool:
    there = [node for node in cluster.nodes() if node["metadata"]["name"] == name]
    return not there or _closed(there[0])


def _until(true: Callable[[], bool], pause_s: float) -> float:
    """When it came true."""
    latest_s = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > latest_s:
            raise SystemExit(f"nothing happened within {_PATIENCE_S:.0f} s")
        time.sleep(pause_s)
    return time.monotonic()


def measured(notices: int) -> Iterator[tuple[bool, float, float]]:
    """(in a burst, seconds until closed, seconds until ordered) of each notice."""
    with ExitStack() as open_:
        world = World(open_)
        for number in range(notices):
            _until(world.settled, 0.2)
            time.sleep(1.5)  # the loop is at rest
            in_burst = bool(number % 2)
            if in_burst:
                world.want(1)
            yield in_burst, *world.notice()
            world.want(1)  # as the ReplicaSet would


def main() -> int:
    """Measure, print, and say with the status whether the bar was kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notices", description=__doc__)
    parser.add_argument("--notices", type=int, default=20)
    found = list(measured(parser.parse_args().notices))
    for burst, name in ((False, "at rest"), (True, "in a burst")):
        mine = [(closed, ordered) for in_burst, closed, ordered in found if in_burst is burst]
        for what, times in zip(("closed", "replacement ordered"), zip(*mine, strict=True), strict=False):
            print(f"{name:<11} {what:<20} median {statistics.median(times):.2f} s, most {max(times):.2f} s")
    most = max(max(closed, ordered) for _, closed, ordered in found)
    print(f"{len(found)} notices, most {most:.2f} s, bar {BAR_S:.0f} s: {'kept' if most <= BAR_S else 'MISSED'}")
    return 0 if most <= BAR_S else 1


if __name__ == "__main__":
    sys.exit(main())
