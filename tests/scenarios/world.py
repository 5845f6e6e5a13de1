"""A small world in memory that drives the real tick: a cluster with a scheduler and kubelets, a cloud, a clock.

The scheduler spreads pods over the emptiest nodes, which is the opposite of every tight plan: only what is reserved goes
where it was planned.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from autoscale.demand.fit import admits, matches
from autoscale.errors import Conflict, Disallowed, NotFound
from autoscale.loop import Engine, Turn, changes, tick
from autoscale.model.names import DISRUPTED, SLOT
from autoscale.model.resources import Resources
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import ClusterView, Ledger
from autoscale.model.supply import Disruption, Node, NodeGroup, NodeReservation
from autoscale.model.workload import Claim, DaemonSet, Pod, Taint, Toleration
from autoscale.solve import solve
from providers.fake import FakeProvider
from tests.builders import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.model.toll import Toll
    from autoscale.ports import Clock, Policy, Provider


class Killed(BaseException):
    """The process ends here, as with kill -9."""


class Fuse:
    """Counts writes and ends the process before the `blows_at`-th."""

    def __init__(self) -> None:
        self.count = 0
        self.blows_at: int | None = None

    def write(self) -> None:
        """Count one write, or end the process."""
        if self.count == self.blows_at:
            raise Killed
        self.count += 1


class Cloud(FakeProvider):
    """The fake cloud, with every write on the fuse."""

    fuse: Fuse

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """As the fake cloud, on the fuse."""
        self.fuse.write()
        super().resize(group, target_nodes=target_nodes, request_id=request_id)

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:
        """As the fake cloud, on the fuse."""
        self.fuse.write()
        super().remove(group, instances, request_id=request_id)

    def delete(self, group: str, *, request_id: str) -> None:
        """As the fake cloud, on the fuse."""
        self.fuse.write()
        super().delete(group, request_id=request_id)


class Time:
    """`ports.Clock`, moved by the world."""

    def __init__(self) -> None:
        self.now = NOW

    def now_s(self) -> int:
        """Whole seconds."""
        return self.now

    def monotonic_s(self) -> float:
        """The same seconds."""
        return float(self.now)

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += round(seconds)


@dataclass
class Kube:
    """`ports.Cluster` in memory."""

    fuse: Fuse
    time: Clock
    nodes: dict[str, Node] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    daemon_sets: tuple[DaemonSet, ...] = ()
    events: list[tuple[str, str, str]] = field(default_factory=list)
    generation: int = 0
    alarms: int = 0
    frozen: str = ""
    gone: Toll = ()
    budgets: dict[str, int] = field(default_factory=dict)  # owner -> how many of its pods have to be there
    evicted: list[tuple[str, str]] = field(default_factory=list)  # (pod, node), in order
    lost: list[tuple[str, str]] = field(default_factory=list)  # (pod, node): ended with its node, unasked

    def wait_for_change(self, generation: int, timeout_s: float) -> bool:
        """Let the time pass."""
        self.time.sleep(max(1, timeout_s))
        return self.generation != generation

    def observe(self) -> ClusterView:
        """Everything that is not finished."""
        return ClusterView(
            tuple(self.nodes.values()),
            tuple(p for p in self.pods.values() if not p.finished),
            self.daemon_sets,
            frozen=self.frozen,
            gone=self.gone,
        )

    def claim(self, pod: tuple[str, str], *, slot: str, group: str, at_s: int) -> None:
        """As the port says."""
        found = self._pod(pod)
        if found.node_name:
            raise Conflict(f"{pod[1]} is bound")
        self.pods[pod[0]] = replace(found, claim=Claim(slot, group, at_s))

    def unclaim(self, pod: tuple[str, str], *, slot: str) -> None:
        """As the port says."""
        found = self._pod(pod)
        if found.claim and found.claim.slot == slot:
            self.pods[pod[0]] = replace(found, claim=None)
        if found.next_claim and found.next_claim.slot == slot:
            self.pods[pod[0]] = replace(found, next_claim=None)

    def claim_next(self, pod: tuple[str, str], *, slot: str, group: str, at_s: int) -> None:
        """As the port says."""
        self.pods[pod[0]] = replace(self._pod(pod), next_claim=Claim(slot, group, at_s))

    def evict(self, pod: tuple[str, str]) -> None:
        """As the port says; the kubelet ends the pod in the next second but one."""
        found = self._pod(pod)
        if found.deleting:
            return
        owner = f"{found.namespace}/{found.owner}"
        there = [
            p for p in self.pods.values() if f"{p.namespace}/{p.owner}" == owner and p.node_name and not p.deleting
        ]
        if owner in self.budgets and len(there) <= self.budgets[owner]:
            raise Disallowed(f"The disruption budget of {owner} needs {self.budgets[owner]} healthy pods")
        self.evicted.append((found.name, found.node_name))
        self.pods[pod[0]] = replace(found, deleting=True, deletion_at_s=self.time.now_s() + 2)

    def note_gone(self, toll: Toll) -> None:
        """As the port says."""
        self.fuse.write()
        self.gone = toll

    def disrupt(self, node: str, *, code: str, at_s: int) -> None:
        """As the port says."""
        found = self._node(node)
        taints = (*(t for t in found.taints if t.key != DISRUPTED), Taint(DISRUPTED, code))
        self.nodes[node] = replace(found, taints=taints, disruption=Disruption(code, at_s))

    def restore(self, node: str) -> None:
        """As the port says."""
        found = self._node(node)
        taints = tuple(t for t in found.taints if t.key != DISRUPTED)
        self.nodes[node] = replace(found, taints=taints, disruption=None)

    def admit(self, node: str, *, slot: str, at_s: int) -> None:
        """Nothing: the pods tolerate the node's taint."""

    def tolerate(self, pod: tuple[str, str], *, slot: str) -> None:
        """As the port says."""
        found = self._pod(pod)
        self.pods[pod[0]] = replace(found, tolerated_slots=(*found.tolerated_slots, slot))

    def assign(self, node: str, *, slot: str, at_s: int) -> None:
        """As KubeCluster: no step back for a slot that the node has or had."""
        found = self._node(node)
        if not self._had(found, slot):
            self.nodes[node] = replace(found, reservation=NodeReservation(slot, "assigned", at_s))

    def hold(self, node: str, *, slot: str, at_s: int) -> None:
        """As KubeCluster: a slot that was released is never held again."""
        found = self._node(node)
        if self._had(found, slot) and found.reservation and found.reservation.phase == "released":
            raise Conflict(f"{node} was released from {slot}")
        taints = (*(t for t in found.taints if t.key != SLOT), Taint(SLOT, slot))
        self.nodes[node] = replace(found, taints=taints, reservation=NodeReservation(slot, "held", at_s))

    def _had(self, node: Node, slot: str) -> bool:
        said = node.reservation
        if said is not None and said.slot != slot and said.phase != "released":
            raise Conflict(f"{node.name} has slot {said.slot}")
        return said is not None and said.slot == slot

    def release(self, node: str, *, slot: str, at_s: int) -> None:
        """As the port says."""
        found = self._node(node)
        taints = tuple(t for t in found.taints if t.key != SLOT)
        self.nodes[node] = replace(found, taints=taints, reservation=NodeReservation(slot, "released", at_s))

    def cordon(self, node: str, *, on: bool) -> None:
        """As the port says."""
        self.nodes[node] = replace(self._node(node), unschedulable=on)

    def announce(self, pod: tuple[str, str], *, event: str, text: str, about: str = "") -> None:
        """Keep the Event."""
        self.events.append((pod[1], event, text))

    def _pod(self, pod: tuple[str, str]) -> Pod:
        self.fuse.write()
        if pod[0] not in self.pods:
            raise NotFound(pod[1])
        return self.pods[pod[0]]

    def _node(self, node: str) -> Node:
        self.fuse.write()
        if node not in self.nodes:
            raise NotFound(node)
        return self.nodes[node]


class World:
    """Time passes by `run`; the engine ticks every `tick_s`, and forgets all when it is killed."""

    def __init__(
        self,
        groups: tuple[NodeGroup, ...],
        *,
        provider: Provider | None = None,
        clock: Clock | None = None,
        join_s: int = 30,
        devices_s: int = 10,
        tick_s: int = 2,
        daemon_sets: tuple[DaemonSet, ...] = (),
        late_labels: dict[str, str] | None = None,
        policies: tuple[Policy, ...] = (),
        **settings: Any,
    ) -> None:
        self.fuse = Fuse()
        self.time = Time()
        self.clock = clock or self.time
        self.cloud = Cloud(groups, now_s=self.time.now_s)
        self.cloud.fuse = self.fuse
        self.kube = Kube(self.fuse, self.clock, daemon_sets=daemon_sets)
        self.join_s, self.devices_s, self.tick_s = join_s, devices_s, tick_s
        self.never_joins: set[str] = set()
        self.binds = True  # whether the scheduler does
        self.late_labels = late_labels or {}
        self.ledger = Ledger()
        self.turns: list[Turn] = []
        self.kills = 0
        self.born: dict[str, int] = {}
        self.joined: dict[str, str] = {}  # node -> its machine
        self.peak: Counter[str] = Counter()
        self.succeeded: set[str] = set()
        self.successors = 0
        self.engine = Engine(
            cluster=self.kube,
            providers=(provider or self.cloud,),
            policies=policies,
            solver=lambda problem: solve(problem, time_limit_s=5),
            clock=self.clock,
            settings=DecideSettings(**settings),
            threads=1,
        )

    # ---- what tests do and ask

    def submit(self, *pods: Pod) -> None:
        """Create pods now."""
        for each in pods:
            self.kube.pods[each.uid] = replace(each, created_at_s=self.clock.now_s())

    def run(self, seconds: int) -> None:
        """Let seconds pass, the engine ticking."""
        for _ in range(seconds):
            self.time.now += 1
            self.step()
            if self.time.now % self.tick_s == 0:
                self.tick()

    def tick(self) -> Turn | None:
        """One tick of the engine; None when it is killed in it."""
        try:
            turn = tick(self.engine, self.ledger)
        except Killed:
            self.kills += 1
            self.ledger = Ledger()
            self.fuse.blows_at = None
            return None
        finally:  # what a tick bought counts, even one that was killed
            for id_, target in self.targets().items():
                self.peak[id_] = max(self.peak[id_], target)
        self.ledger = turn.ledger
        self.turns.append(turn)
        return turn

    def groups(self) -> Sequence[NodeGroup]:
        """All groups as the cloud has them."""
        return self.cloud.all_groups()

    def targets(self) -> dict[str, int]:
        """Group id -> target, where there is one."""
        return {g.id: g.target_nodes for g in self.groups() if g.target_nodes}

    def cost(self) -> int:
        """US$ per hour of all targets."""
        groups = self.groups()
        return sum(g.target_nodes * g.offering.price_microusd_per_hour for g in groups) // 1_000_000

    def unbound(self) -> list[str]:
        """Names of pods that wait."""
        return [pod.name for pod in self.kube.pods.values() if not pod.node_name and not pod.daemon]

    def astray(self) -> list[str]:
        """Pods bound to another node than the one that was bought for them."""
        slots = {n.name: n.reservation.slot for n in self.kube.nodes.values() if n.reservation}
        return [
            p.name
            for p in self.kube.pods.values()
            if p.node_name and p.claim and slots.get(p.node_name) != p.claim.slot
        ]

    def empty_nodes(self) -> list[str]:
        """Nodes that hold nothing but DaemonSet pods."""
        busy = {pod.node_name for pod in self.kube.pods.values() if not (pod.daemon or pod.finished)}
        return [name for name in self.kube.nodes if name not in busy]

    def quiet(self, ticks: int = 3) -> bool:
        """Whether the last ticks did nothing."""
        return not any(changes(turn.plan) for turn in self.turns[-ticks:])

    # ---- how it goes on without us

    def step(self) -> None:
        """What cloud, kubelets and scheduler do in a second."""
        self._machines()
        self._controllers()
        self._daemons()
        if self.binds:
            self._schedule()

    def _machines(self) -> None:
        alive = {}
        for group in self.groups():
            for each in group.instances:
                alive[each.id] = group
                born = self.born.setdefault(each.id, self.clock.now_s())
                name = f"node-{each.id.replace('/', '-')}"
                age = self.clock.now_s() - born
                if each.id in self.never_joins or group.id in self.never_joins or age < self.join_s:
                    continue
                if name not in self.kube.nodes:
                    self.joined[name] = each.id
                    self.kube.nodes[name] = Node(
                        name=name,
                        provider_id=each.provider_id,
                        allocatable=Resources(
                            {k: v for k, v in group.allocatable.amounts.items() if k not in group.devices}
                        ),
                        labels={**group.labels, "kubernetes.io/hostname": name},
                        taints=group.taints,
                        ready=True,
                        created_at_s=self.clock.now_s(),
                    )
                elif age >= self.join_s + self.devices_s:
                    self._come_up(name, group)
        for name in [name for name, machine in self.joined.items() if machine not in alive]:
            del self.kube.nodes[name]
            del self.joined[name]
            for uid, pod in [(uid, pod) for uid, pod in self.kube.pods.items() if pod.node_name == name]:
                if not (pod.deleting or pod.finished or pod.daemon):
                    self.kube.lost.append((pod.name, name))
                self.kube.pods[uid] = replace(pod, deleting=True, finalizers=())
            self._controllers()

    def _controllers(self) -> None:
        """A pod that is being deleted ends in time, unless a finalizer keeps it; whoever has an owner comes again at once."""
        for uid, pod in list(self.kube.pods.items()):
            if not pod.deleting:
                continue
            if pod.owner and not pod.daemon and uid not in self.succeeded:
                self.succeeded.add(uid)
                self.successors += 1
                name = f"{pod.name.partition('~')[0]}~{self.successors}"
                self.submit(
                    Pod(
                        f"uid-{name}", pod.namespace, name, pod.shape, pod.labels, pod.annotations, pod.owner,
                        local_volumes=pod.local_volumes,
                    )
                )  # fmt: skip
            if self.clock.now_s() >= pod.deletion_at_s and not pod.finalizers:
                del self.kube.pods[uid]

    def _come_up(self, name: str, group: NodeGroup) -> None:
        """Labels that come late are set; devices show once every DaemonSet that belongs there is on the node."""
        node = replace(self.kube.nodes[name], labels={**self.kube.nodes[name].labels, **self.late_labels})
        belong = [d for d in self.kube.daemon_sets if matches(d.shape, node.labels, node_name=name)]
        if all(f"uid-{d.name}-{name}" in self.kube.pods for d in belong):
            node = replace(node, allocatable=group.allocatable)
        self.kube.nodes[name] = node

    def _daemons(self) -> None:
        for daemon in self.kube.daemon_sets:
            for node in self.kube.nodes.values():
                name = f"{daemon.name}-{node.name}"
                lets_in = admits(daemon.shape, node.labels, node.taints)
                if f"uid-{name}" not in self.kube.pods and lets_in and self.clock.now_s() - node.created_at_s >= 2:
                    owner = f"DaemonSet/{daemon.name}"
                    self.kube.pods[f"uid-{name}"] = Pod(
                        f"uid-{name}",
                        daemon.namespace,
                        name,
                        daemon.shape,
                        owner=owner,
                        node_name=node.name,
                        phase="Running",
                    )

    def _schedule(self) -> None:
        free = {name: node.allocatable for name, node in self.kube.nodes.items()}
        for each in self.kube.pods.values():
            if each.node_name in free and not each.finished:
                free[each.node_name] -= each.shape.requests
        for each in list(self.kube.pods.values()):
            if each.node_name or each.deleting or each.gated:
                continue
            tolerations = (
                *each.shape.tolerations,
                *(Toleration(SLOT, "Equal", slot, "NoSchedule") for slot in each.tolerated_slots),
            )
            wants = replace(each.shape, tolerations=tolerations)
            fits = [
                node.name
                for node in self.kube.nodes.values()
                if node.ready and not node.unschedulable
                and admits(wants, node.labels, node.taints, node_name=node.name)
                and each.shape.requests.fits(free[node.name])
            ]  # fmt: skip
            if fits:
                best = max(fits, key=lambda name: (free[name]["nvidia.com/gpu"], free[name]["cpu"], name))
                free[best] -= each.shape.requests
                self.kube.pods[each.uid] = replace(each, node_name=best, phase="Running")
                self.kube.generation += 1
