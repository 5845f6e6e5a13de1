"""The snapshot, indexed once: which node belongs to which group, what runs on it, what is on its way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoscale.decide.learning import learn
from autoscale.decide.movers import with_movers
from autoscale.decide.preempting import after, foresee
from autoscale.demand.daemons import Daemons
from autoscale.demand.pending import waits
from autoscale.demand.volumes import ATTACHED, group_with_limits, with_volumes
from autoscale.model.frozen import empty
from autoscale.model.names import DISRUPTED, SLOT
from autoscale.model.supply import InstanceState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.demand.preemption import Eviction
    from autoscale.model.disruption import Going
    from autoscale.model.resources import Resources
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Instance, Learnt, Node, NodeGroup
    from autoscale.model.workload import Pod, Reason, Taint


@dataclass(frozen=True, slots=True)
class Fleet:
    """Indexes over one snapshot.

    `nodes` are those whose instance is not on its way out. `group_of` and `instance_of` go by node name. `members` are
    the registered nodes of a group, `starting` its instances that are no node yet. `bound` are the pods on a node, those
    nominated to it, or about to preempt others there, included: `evictions` has the latter by uid, with whom they displace,
    who are left out. `rooms` are what a fresh node of a group leaves for pods once its DaemonSets run. `wrong` is where groups' predictions were wrong, `news` what of that is so since this look. `whole` is False when a cloud could not be read, so that groups may be missing.

    `going` are the nodes that go. Their pods that may be moved are in the snapshot as those that will take their place: they
    wait, `moving`, and are bound to nothing; `leaving` has the nodes' own pods as they are.
    """

    snapshot: Snapshot
    settings: DecideSettings
    daemons: Daemons
    nodes: tuple[Node, ...]
    groups: Mapping[str, NodeGroup]
    group_of: Mapping[str, str]
    instance_of: Mapping[str, Instance]
    members: Mapping[str, tuple[Node, ...]]
    starting: Mapping[str, tuple[Instance, ...]]
    bound: Mapping[str, tuple[Pod, ...]]
    rooms: Mapping[str, Resources]
    whole: bool
    evictions: Mapping[str, Eviction] = field(default_factory=empty)
    learnt: tuple[Learnt, ...] = ()
    wrong: Mapping[str, tuple[Reason, ...]] = field(default_factory=empty)
    news: Mapping[str, tuple[Reason, ...]] = field(default_factory=empty)
    going: Mapping[str, Going] = field(default_factory=empty)
    leaving: Mapping[str, tuple[Pod, ...]] = field(default_factory=empty)

    @property
    def now_s(self) -> int:
        """The only time there is."""
        return self.snapshot.now_s

    def target(self, group: NodeGroup) -> int:
        """The group's target: the cloud's, or what we asked for a moment ago while the cloud shows less."""
        ledger = self.snapshot.ledger
        ours = ledger.targets.get(group.id, 0)
        fresh = self.now_s - ledger.grown_at_s.get(group.id, 0) < self.settings.target_memory_s
        return max(group.target_nodes, ours) if fresh else group.target_nodes

    def up(self, node: Node) -> bool:
        """Whether the node is ready and shows the devices that its group promises."""
        group = self.groups.get(self.group_of.get(node.name, ""))
        return node.ready and (group is None or all(node.allocatable[device] > 0 for device in group.devices))

    def returning(self, node: Node) -> bool:
        """Whether the node was closed by us and goes no more: this look gives it back."""
        return node.disruption is not None and node.name in self.group_of and node.name not in self.going

    def taints(self, node: Node) -> tuple[Taint, ...]:
        """The node's taints without those of ours that are for others than the pods that wait, or that come off now."""
        ours = (SLOT, DISRUPTED) if self.returning(node) else (SLOT,)
        return tuple(taint for taint in node.taints if taint.key not in ours)

    def workload(self, node: str) -> list[Pod]:
        """What runs on the node beside DaemonSet and static pods."""
        there = self.leaving.get(node) or self.bound.get(node, ())
        return [pod for pod in there if not (pod.daemon or pod.mirror)]


def survey(snapshot: Snapshot, settings: DecideSettings, going: Iterable[Going] = ()) -> Fleet:
    """Index the snapshot, claims on volumes worked into pods and nodes first."""
    goes = {each.node: each for each in going}
    leaving: dict[str, list[Pod]] = {}
    for pod in snapshot.cluster.pods:
        if pod.node_name in goes and not pod.finished:
            leaving.setdefault(pod.node_name, []).append(pod)
    moved = with_movers(snapshot, goes, settings) if goes else snapshot.cluster
    snapshot = replace(snapshot, cluster=with_volumes(moved), commitments=settings.commitments)
    groups = _groups(snapshot)
    owners = {i.provider_id: (group, i) for group in groups.values() for i in group.instances if i.provider_id}
    group_of: dict[str, str] = {}
    instance_of: dict[str, Instance] = {}
    members: dict[str, list[Node]] = {id_: [] for id_ in groups}
    staying: list[Node] = []
    registered: set[str] = set()
    for node in sorted(snapshot.cluster.nodes, key=lambda n: n.name):
        owner = owners.get(node.provider_id) if node.provider_id else None
        if owner is None:
            staying.append(node)
            continue
        group, instance = owner
        registered.add(instance.id)
        if instance.state is InstanceState.TERMINATING:
            continue
        staying.append(node)
        group_of[node.name] = group.id
        instance_of[node.name] = instance
        members[group.id].append(node)
    lessons = {id_: learn(group, members[id_], snapshot.ledger, snapshot.now_s) for id_, group in groups.items()}
    groups = {id_: lesson.group for id_, lesson in lessons.items()}
    daemons = Daemons(snapshot.cluster.daemon_sets)
    bound = _bound(snapshot.cluster.pods, {node.name for node in staying})
    evictions = foresee(snapshot, settings, staying, bound)
    return Fleet(
        snapshot=snapshot,
        settings=settings,
        daemons=daemons,
        nodes=tuple(staying),
        groups=groups,
        group_of=group_of,
        instance_of=instance_of,
        members={id_: tuple(nodes) for id_, nodes in members.items()},
        starting={group.id: tuple(i for i in group.staying if i.id not in registered) for group in groups.values()},
        bound=after(bound, evictions),
        rooms={id_: group.allocatable - daemons.overhead(group.labels, group.taints) for id_, group in groups.items()},
        whole=not any(cloud.faults for cloud in snapshot.clouds),
        evictions={each.pod.uid: each for each in evictions},
        learnt=tuple(lesson.learnt for lesson in lessons.values() if lesson.learnt is not None),
        wrong={id_: lesson.wrong for id_, lesson in lessons.items() if lesson.wrong},
        news={id_: lesson.news for id_, lesson in lessons.items() if lesson.news},
        going=goes,
        leaving={name: tuple(pods) for name, pods in leaving.items()},
    )


def _groups(snapshot: Snapshot) -> dict[str, NodeGroup]:
    nodes = snapshot.cluster.nodes
    limited = any(name.startswith(ATTACHED) for node in nodes[:1] for name in node.allocatable)
    return {group.id: group_with_limits(group, nodes) if limited else group for group in snapshot.groups}


def _bound(pods: Iterable[Pod], nodes: set[str]) -> dict[str, tuple[Pod, ...]]:
    """Pods by node. A pod that preemption nominated to a node that is there counts as on it."""
    bound: dict[str, list[Pod]] = {}
    for pod in pods:
        if pod.finished:
            continue
        name = pod.node_name or (pod.nominated_node if nominated(pod, nodes) else "")
        if name:
            bound.setdefault(name, []).append(pod)
    return {name: tuple(there) for name, there in bound.items()}


def nominated(pod: Pod, nodes: set[str]) -> bool:
    """Whether the scheduler is making room for the pod on one of these nodes."""
    return pod.nominated_node in nodes and waits(pod) and pod.claim is None
