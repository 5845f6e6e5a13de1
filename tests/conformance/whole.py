"""Whole plans carried out on the real scheduler: the engine decides, nodes join late, and pods bind where they were planned.

Nodes register without their devices, some closed by the start-up taint, in any order, some much later and some never. Each
gets the pod of a DaemonSet. Meanwhile other people's pods arrive, for which a plan may give those whose nodes have not
joined other ones of the same purchase. What counts: of the pods whose node came, how many are bound on exactly that; and that
nothing more is bought unless for pods that had no node yet.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from random import Random

from autoscale.clock import SystemClock
from autoscale.loop import Engine, tick
from autoscale.model.plan import ClaimPods, Resize, Unclaim
from autoscale.model.resources import Resources
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import CloudView, Ledger
from autoscale.model.supply import CapacityType, Fault, FaultKind, Instance, InstanceState, NodeGroup, Offering
from autoscale.model.workload import Taint
from autoscale.observe.kube import KubeCluster
from autoscale.solve import solve
from tests.cluster.controlplane import ControlPlane, Json, wait_until

from .plans import GPU, HOST, TAINT, ZONE, Kind, PlanCase, plan_case, stranger

_SLOT = "gpu-autoscale.dev/slot"
_NEVER, _LATE = 0.06, 0.12  # shares of the nodes
_PATIENCE_S = 20.0


@dataclass(slots=True)
class Outcome:
    """What became of a plan. `missed` are pods whose node came and that are not on it, with where they are.

    `again` are nodes bought when no pod without one asked for any.
    """

    seed: str
    planned: int = 0
    due: int = 0
    bound: int = 0
    nodes: int = 0
    absent: int = 0
    again: int = 0
    missed: list[str] = field(default_factory=list)


class Cloud:
    """A cloud in this process: `resize` makes instances, which become nodes when the test says so."""

    name = "test"

    def __init__(self, kinds: Sequence[Kind], up: Sequence[str]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self.instances: dict[str, list[str]] = {kind.name: [] for kind in kinds}
        self._made: Counter[str] = Counter(up)
        self._faults: dict[str, Fault] = {}
        for name in up:
            self.instances[name].append(f"{name}-0")

    def observe(self) -> CloudView:
        """All groups."""
        return CloudView(self.name, tuple(self._group(kind) for kind in self._kinds.values()))

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """Instances up to the target."""
        there = self.instances[group]
        for _ in range(target_nodes - len(there)):
            there.append(f"{group}-{self._made[group]}")
            self._made[group] += 1

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:
        """Nothing is idle for so long here."""

    def delete(self, group: str, *, request_id: str) -> None:
        """No group is made of a template here."""

    def fail(self, never: Sequence[str], at_s: int) -> None:
        """These are not delivered after all, and the cloud says so."""
        for name in never:
            group = name.rpartition("-")[0]
            self.instances[group].remove(name)
            text = f"{name} can't be had"
            self._faults[group] = Fault(group, FaultKind.NO_CAPACITY, "InsufficientInstanceCapacity", text, at_s)

    def kind(self, instance: str) -> Kind:
        """The kind of an instance."""
        return self._kinds[instance.rpartition("-")[0]]

    def _group(self, kind: Kind) -> NodeGroup:
        names = self.instances[kind.name]
        return NodeGroup(
            id=kind.name,
            provider=self.name,
            name=kind.name,
            offering=Offering(f"type-{kind.name}", kind.zone, CapacityType.ON_DEMAND, round(kind.usd * 1e6)),
            allocatable=Resources.parse(room(kind), up=False),
            labels={ZONE: kind.zone, "group": kind.name},
            taints=(Taint(GPU, "present"),) if kind.tainted else (),
            devices=(GPU,),
            target_nodes=len(names),
            faults=tuple(filter(None, [self._faults.get(kind.name)])),
            instances=tuple(Instance(n, f"test:///{n}", InstanceState.RUNNING) for n in names),
        )


def room(kind: Kind, *, devices: bool = True) -> dict[str, str]:
    """What a node has to give, before and after its devices come."""
    found = {"cpu": str(kind.cpus), "memory": "512Gi", "pods": "110"}
    return found | ({GPU: str(kind.gpus)} if devices else {})


class Stage:
    """One plan on the API server."""

    def __init__(self, plane: ControlPlane, case: PlanCase, *, workers: int = 6) -> None:
        self._api, self._case = plane.api(), case
        self._namespace = f"plan-{case.seed}"
        self._pods = f"/api/v1/namespaces/{self._namespace}/pods"
        self._pool = ThreadPoolExecutor(workers)
        self._cloud = Cloud(case.kinds, case.up)
        self._cluster = KubeCluster.connect(str(plane.kubeconfig()))
        solver = partial(solve, time_limit_s=0.3)
        self._engine = Engine(
            cluster=self._cluster, providers=(self._cloud,), policies=(), solver=solver, clock=SystemClock(),
            settings=DecideSettings(cluster="test", idle_after_s=None),
        )  # fmt: skip
        self._ledger = Ledger()
        self._rng = Random(f"stage/{case.seed}")
        self._strangers = 0
        self._joined: set[str] = set()

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
        case, rng = self._case, self._rng
        planned: dict[str, tuple[str, str]] = {}
        self._tick(planned)
        outcome = Outcome(case.seed, planned=len(planned))
        coming = [n for name, there in self._cloud.instances.items() for n in there if n not in self._there(name)]
        outcome.nodes = len(coming)
        rng.shuffle(coming)
        never = [name for name in coming if rng.random() < _NEVER]
        late = [name for name in coming if name not in never and rng.random() < _LATE]
        prompt = [name for name in coming if name not in never and name not in late]
        outcome.absent = len(never)
        waves = [prompt[i::3] for i in range(3)] + [late]
        dark: list[str] = []  # nodes whose devices have not come
        for wave in waves:
            list(self._pool.map(self._join, wave))
            self._strange()
            outcome.again += self._tick(planned)
            list(self._pool.map(self._daemon, wave))
            outcome.again += self._tick(planned)
            lit = [name for name in dark if rng.random() < 0.6]
            dark = [name for name in dark if name not in lit] + wave
            list(self._pool.map(self._light, lit))
            outcome.again += self._tick(planned)
        list(self._pool.map(self._light, dark))
        self._cloud.fail(never, int(time.time()))
        self._settle(outcome, planned)
        return outcome

    def _settle(self, outcome: Outcome, planned: dict[str, tuple[str, str]]) -> None:
        """Go on until every pod whose node came is bound, or for too long. What is bought for the others comes at once."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            outcome.again += self._tick(planned)
            more = [name for there in self._cloud.instances.values() for name in there if name not in self._joined]
            for step in (self._join, self._daemon, self._light):
                list(self._pool.map(step, more))
            found = self._compare(outcome, planned)
            if not found.missed or time.monotonic() > until:
                return
            time.sleep(0.3)

    def _compare(self, outcome: Outcome, planned: dict[str, tuple[str, str]]) -> Outcome:
        nodes = {
            node["metadata"]["annotations"][_SLOT]: node["metadata"]["name"]
            for node in self._api.items("/api/v1/nodes")
            if _SLOT in node["metadata"].get("annotations", {})
        }
        where = {pod["metadata"]["uid"]: pod["spec"].get("nodeName", "") for pod in self._api.items(self._pods)}
        due = {uid: (nodes[slot], ref) for uid, (slot, ref) in planned.items() if slot in nodes}
        outcome.due = len(due)
        outcome.bound = sum(where.get(uid) == node for uid, (node, _) in due.items())
        outcome.missed = [
            f"{ref} is on {where.get(uid) or 'no node'}, planned on {node}"
            for uid, (node, ref) in sorted(due.items())
            if where.get(uid) != node
        ]
        return outcome

    def _tick(self, planned: dict[str, tuple[str, str]]) -> int:
        """One turn of the engine's loop; what it claims is noted. How many nodes it buys that nobody needs."""
        turn = tick(self._engine, self._ledger)
        self._ledger = turn.ledger
        claims = [a for a in turn.plan.actions if isinstance(a, ClaimPods)]
        seats = {n.reservation.slot for n in turn.snapshot.cluster.nodes if n.reservation}
        asking = any(uid not in planned or planned[uid][0] not in seats for a in claims for uid, _ in a.pods)
        bought = sum(max(0, a.target_nodes - a.current_nodes) for a in turn.plan.actions if isinstance(a, Resize))
        for action in turn.plan.actions:
            if isinstance(action, Unclaim):
                for uid, _ in action.pods:
                    planned.pop(uid, None)
        planned |= {uid: (a.slot, ref) for a in claims for uid, ref in a.pods}
        time.sleep(0.05)
        return 0 if asking else bought

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
        wait_until("the scheduler has tried every pod", self._tried, within_s=120, every_s=0.2)
        time.sleep(1.1)  # times are whole seconds: what is there is older than what is bought

    def _tried(self) -> bool:
        return all(
            pod["spec"].get("nodeName") or any(c["type"] == "PodScheduled" for c in pod["status"].get("conditions", ()))
            for pod in self._api.items(self._pods)
        )

    def _there(self, group: str) -> list[str]:
        return [f"{group}-0"] if group in self._case.up else []

    def _join(self, name: str, *, closed: bool | None = None) -> None:
        """A node registers, without its devices."""
        self._joined.add(name)
        kind = self._cloud.kind(name)
        taints = [TAINT] if kind.tainted else []
        if self._case.closed if closed is None else closed:
            taints = [*taints, {"key": _SLOT, "value": "starting", "effect": "NoSchedule"}]
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
        """Other people's pods arrive: where nodes register open, only ones that wait for devices as well."""
        for _ in range(self._rng.randint(0, 3)):
            body = stranger(self._rng, self._strangers, device=not self._case.closed)
            self._strangers += 1
            self._api.create(self._pods, body)

    def _clean(self) -> None:
        """Leave nothing to the next plan."""
        for path in (self._pods, f"/apis/apps/v1/namespaces/{self._namespace}/daemonsets", "/api/v1/nodes"):
            self._api.request("DELETE", path, body={"gracePeriodSeconds": 0})
        wait_until("all is gone", lambda: not self._api.items("/api/v1/nodes") and not self._api.items(self._pods))


def play(plane: ControlPlane, seed: int, number: int) -> Outcome:
    """One plan of a seed."""
    return Stage(plane, plan_case(seed, number)).run()
