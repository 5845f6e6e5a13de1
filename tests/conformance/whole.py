"""Whole plans carried out on the real scheduler: the engine decides, nodes join late, and pods bind where they were planned.

Nodes register without their devices, some closed by the start-up taint, in any order, some much later and some never. Each
gets the pod of a DaemonSet, and its devices only after the engine had a look at that, as they take seconds at least. Meanwhile
other people's pods arrive, for which a plan may give those whose nodes have not joined other ones of the same purchase. What
counts: of the pods whose node came, how many are bound on exactly that; and that nothing more is bought unless for pods that
had no node yet.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from random import Random

from autoscale.clock import SystemClock
from autoscale.loop import Engine, tick
from autoscale.model.names import SLOT, STARTING
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Ledger
from autoscale.observe.kube import KubeCluster
from autoscale.observe.kube_aside import KubeClusterAside
from autoscale.solve import solve
from tests.cluster.controlplane import ControlPlane, Json, wait_until

from .account import Account
from .cloud import Cloud, room
from .plans import GPU, HOST, TAINT, ZONE, PlanCase, plan_case, stranger

_NEVER, _LATE = 0.06, 0.12  # shares of the nodes
_PATIENCE_S = 100.0
_BACKOFF_S = 5  # minutes, with a cloud; pods that wait for those of a group which failed wait as long


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan. `missed` are pods whose node came and that are not on it, with where they are.

    Where pods may not be changed `missed` are those that are on no node, or on one bought for them a second time; `bound`
    counts the others, and `kept` pods that the plan's nodes have, pods that are just alike being one as good as the other.

    `strays` are pods bound before their node came; `again` are nodes bought that no pod without one asked for; `empty` are
    nodes that no pod is on in the end.
    """

    seed: str
    due: int
    bound: int
    kept: int
    nodes: int
    absent: int
    again: int
    empty: int
    missed: Sequence[str] = ()
    strays: Sequence[str] = ()
    stories: Sequence[str] = field(default=(), repr=False)


class Stage:
    """One plan on the API server."""

    def __init__(self, plane: ControlPlane, case: PlanCase, *, aside: bool = False, workers: int = 6) -> None:
        self._api, self._case = plane.api(), case
        self._namespace = f"plan-{case.seed}"
        self._pods = f"/api/v1/namespaces/{self._namespace}/pods"
        self._pool = ThreadPoolExecutor(workers)
        self._cloud = Cloud(case.kinds, case.up)
        self._aside = aside
        path = str(plane.kubeconfig())
        self._cluster = KubeCluster.connect(path)
        if aside:
            self._cluster = KubeClusterAside.aside(path, None, name=f"{self._namespace}/claims")
        solver = partial(solve, time_limit_s=0.3)
        self._engine = Engine(
            cluster=self._cluster, providers=(self._cloud,), policies=(), solver=solver, clock=SystemClock(),
            settings=DecideSettings(
                cluster="test", idle_after_s=None, backoff_first_s=_BACKOFF_S, changes_pods=not aside
            ),
        )  # fmt: skip
        self._ledger = Ledger()
        self._rng = Random(f"stage/{case.seed}")
        self._strangers = 0
        self._joined: set[str] = set()
        self._account = Account()

    def run(self) -> Outcome:
        """The whole story."""
        try:
            self._set_up()
            return self._play()
        finally:
            self._cluster.close()
            self._clean()
            self._pool.shutdown()

    def _play(self) -> Outcome:
        rng = self._rng
        self._tick()
        coming = self._not_joined()
        rng.shuffle(coming)
        never = [name for name in coming if rng.random() < _NEVER]
        late = [name for name in coming if name not in never and rng.random() < _LATE]
        prompt = [name for name in coming if name not in never and name not in late]
        waves = [prompt[i::3] for i in range(3)] + [late]
        dark: list[str] = []  # nodes whose devices have not come
        for wave in waves:
            self._come(wave)
            lit = [name for name in dark if rng.random() < 0.6]
            dark = [name for name in dark if name not in lit] + wave
            list(self._pool.map(self._light, lit))
            self._tick()
        list(self._pool.map(self._light, dark))
        self._cloud.fail(never, int(time.time()))
        self._settle()
        return self._judge(len(coming), len(never))

    def _come(self, wave: Sequence[str]) -> None:
        """Nodes join and get their DaemonSet's pods. The engine sees both before the devices come, as they take a while."""
        list(self._pool.map(self._join, wave))
        self._strange()
        self._tick()
        list(self._pool.map(self._daemon, wave))
        self._tick()
        wait_until("the engine has seen the agents", lambda: self._seen_agents(wave), within_s=60, every_s=0.02)
        self._tick()

    def _settle(self) -> None:
        """Go on until nothing is on its way and every pod whose node came is bound, or nothing happens for too long."""
        until, bound = 0.0, -1
        while True:
            self._tick()
            before, bound = bound, sum(map(bool, self._where().values()))
            if bound != before:
                until = time.monotonic() + _PATIENCE_S
            more = self._not_joined()
            if more:
                self._come(more)
                list(self._pool.map(self._light, more))
            busy = more or self._account.turns[-1].busy
            if not (busy or self._wanting(self._where())) or time.monotonic() > until:
                return
            time.sleep(0.3)

    def _judge(self, nodes: int, absent: int) -> Outcome:
        account, where = self._account, self._where()
        missed = self._wanting(where)
        used = set(where.values())
        return Outcome(
            self._case.seed,
            due=len(account.due),
            bound=len(account.due) - len(missed),
            kept=account.kept(where) if self._aside else len(account.due) - len(missed),
            nodes=nodes,
            absent=absent,
            again=account.again,
            empty=len([name for name in self._joined if name not in used]),
            missed=missed,
            strays=() if self._aside else account.strays(where),
            stories=account.again_for if self._aside else [*account.stories(where), *account.again_for],
        )

    def _wanting(self, where: Mapping[str, str]) -> list[str]:
        """Pods that are not where they should be: on the node planned, or, where that can't be had, on any of the first purchase."""
        return self._account.homeless(where) if self._aside else self._account.missed(where)

    def _tick(self) -> None:
        """One turn of the engine's loop."""
        turn = tick(self._engine, self._ledger)
        self._ledger = turn.ledger
        self._account.note(turn)
        time.sleep(0.05)

    def _where(self) -> dict[str, str]:
        return {
            pod["metadata"]["uid"]: pod["spec"].get("nodeName", "")
            for pod in self._api.items(self._pods)
            if "agent" not in pod["metadata"]["labels"]
        }

    def _not_joined(self) -> list[str]:
        return [name for there in self._cloud.instances.values() for name in there if name not in self._joined]

    def _seen_agents(self, names: Sequence[str]) -> bool:
        seen = {pod.node_name for pod in self._cluster.observe().pods if pod.daemon}
        return seen.issuperset(names)

    def _set_up(self) -> None:
        api, case = self._api, self._case
        api.create("/api/v1/namespaces", {"metadata": {"name": self._namespace}})
        tolerations = [{"operator": "Exists"}] if case.daemon_tolerates_all else [{"key": GPU, "operator": "Exists"}]
        spec = {"containers": [{"name": "c", "image": "example.test/agent:1"}], "tolerations": tolerations}
        labels = {"agent": "yes"}
        template = {"metadata": {"labels": labels}, "spec": spec}
        body: Json = {
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }  # fmt: skip
        made = api.create(f"/apis/apps/v1/namespaces/{self._namespace}/daemonsets", body)
        owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "controller": True}
        self._daemon_pod = {"labels": labels, "ownerReferences": [owner | {"uid": made["metadata"]["uid"]}]}, spec
        for name in case.up:
            self._join(f"{name}-0", closed=False)
            self._light(f"{name}-0")
            self._daemon(f"{name}-0")
        for pod in case.running:
            spec = pod["spec"] | {"nodeName": f"{pod['on']}-0"}
            api.create(self._pods, {"metadata": pod["metadata"], "spec": spec})
        list(self._pool.map(lambda pod: api.create(self._pods, json.loads(json.dumps(pod))), case.pods))
        wait_until("the scheduler has tried every pod", self._tried, within_s=300, every_s=0.2)
        time.sleep(1.1)  # times are whole seconds: what is there is older than what is bought

    def _tried(self) -> bool:
        return all(
            pod["spec"].get("nodeName") or any(c["type"] == "PodScheduled" for c in pod["status"].get("conditions", ()))
            for pod in self._api.items(self._pods)
        )

    def _join(self, name: str, *, closed: bool | None = None) -> None:
        """A node registers, without its devices."""
        self._joined.add(name)
        kind = self._cloud.kind(name)
        taints = [TAINT] if kind.tainted else []
        if self._case.closed if closed is None else closed:
            taints = [*taints, {"key": SLOT, "value": STARTING, "effect": "NoSchedule"}]
        labels = {HOST: name, ZONE: kind.zone, "group": kind.name}
        status = {"allocatable": room(kind, devices=False), "conditions": [{"type": "Ready", "status": "True"}]}
        self._api.create(
            "/api/v1/nodes",
            {
                "metadata": {"name": name, "labels": labels},
                "spec": {"providerID": f"test:///{name}", "taints": taints},
                "status": status,
            },
        )

    def _light(self, name: str) -> None:
        """Its devices come."""
        status = {"allocatable": room(self._cloud.kind(name))}
        self._api.patch(f"/api/v1/nodes/{name}/status", {"status": status})

    def _daemon(self, name: str) -> None:
        """The DaemonSet's pod is there."""
        meta, spec = self._daemon_pod
        self._api.create(self._pods, {"metadata": meta | {"name": f"agent-{name}"}, "spec": spec | {"nodeName": name}})

    def _strange(self) -> None:
        """Other people's pods arrive, and the scheduler tries them, for which the engine's loop leaves it a second.

        Where nodes register open, only ones that wait for devices as well.
        """
        for _ in range(self._rng.randint(0, 3)):
            body = stranger(self._rng, self._strangers, device=not self._case.closed)
            self._strangers += 1
            self._api.create(self._pods, body)
        wait_until("the scheduler has tried them", self._tried, within_s=300, every_s=0.1)

    def _clean(self) -> None:
        """Leave nothing to the next plan."""
        for path in (self._pods, f"/apis/apps/v1/namespaces/{self._namespace}/daemonsets", "/api/v1/nodes"):
            self._api.request("DELETE", path, body={"gracePeriodSeconds": 0})
        wait_until(
            "all is gone",
            lambda: not self._api.items("/api/v1/nodes") and not self._api.items(self._pods),
            within_s=300,
        )


def play(plane: ControlPlane, seed: int, number: int, *, aside: bool = False) -> Outcome:
    """One plan of a seed. With `aside`, pods are not to be changed: claims are in a ConfigMap, nodes are opened in turn."""
    return Stage(plane, plan_case(seed, number), aside=aside).run()
