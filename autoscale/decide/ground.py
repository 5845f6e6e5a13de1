"""The cluster as rules between pods see it: nodes that are there or on their way, with the pods they have or will have.

Made only when such a rule has a say, as it costs a look at every pod.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.decide.lifecycle import missing_daemons
from autoscale.decide.promises import Promised, promised
from autoscale.decide.reservations import Phase
from autoscale.demand.classes import PER_POD_LABELS
from autoscale.demand.kinds import Kind, means, regards, term_of
from autoscale.demand.sites import Site
from autoscale.demand.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.question import Berth
    from autoscale.model.rules import PodRules
    from autoscale.model.supply import Node, NodeGroup
    from autoscale.model.workload import DemandClass, Pod

HOSTNAME = "kubernetes.io/hostname"
"""The kubelet writes it onto every node, each its own."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A world with all nodes that are there or on their way, by node name or slot id; `kinds` are those of the classes.

    `coming` are the nodes on their way for nobody in particular, by group. `promised` are pods in the world that are still
    to be bound and whose rules are about others.
    """

    world: World
    kinds: tuple[Kind, ...]
    sites: Mapping[str, Site]
    coming: Mapping[str, tuple[Site, ...]]
    fleet: Fleet
    promised: tuple[Promised, ...] = ()

    def fresh(self, group: NodeGroup, name: str) -> Site:
        """A new node of the group with its DaemonSet pods; not yet part of the world."""
        return _fresh(self.fleet, self.world, group, name)

    def signature(self, site: Site) -> tuple[object, ...]:
        """What the classes' rules can tell this node by: its domains, or who is there where each node is its own."""
        tallies = {tally: None for kind in self.kinds for tally in self.world.tallies(kind)}
        told = (t.at(site) if t.key == HOSTNAME else site.labels.get(t.key) for t in tallies)
        return (frozenset(site.ports), *told)


def first_site(ground: Ground, berth: Berth) -> Site:
    """One of the berth's nodes; a new one is not part of the world."""
    if berth.names:
        return ground.sites[berth.names[0]]
    if berth.kind == "joining":
        return ground.coming[berth.group][0]
    return ground.fresh(ground.fleet.groups[berth.group], f"{berth.group}/new")


def touched(fleet: Fleet, standing: Standing, classes: Sequence[DemandClass]) -> bool:
    """Whether a rule between pods has a say in where the classes may go: their own, a running pod's, or a promised one's."""
    if any(c.shape.rules or c.shape.shared_volumes for c in classes):
        return True
    namespaces = fleet.snapshot.cluster.namespaces
    kinds = [Kind(c.namespace, c.labels, c.shape) for c in classes]
    terms = {
        term_of(term, pod.namespace, pod.labels)
        for pod in _placed(fleet, standing)
        if pod.shape.rules.anti_affinity
        for term in pod.shape.rules.anti_affinity
    }
    if any(means(term, kind, namespaces) for term in terms for kind in kinds):
        return True
    promised = _promised_kinds(standing)
    if any(_opens_a_domain(fleet, key) for key in {rule.key for kind in promised for rule in kind.spread}):
        return True
    return any(regards(kind, other, namespaces) for kind in promised for other in kinds)


def _opens_a_domain(fleet: Fleet, key: str) -> bool:
    """Whether a node to be bought, whoever it is for, may be the first with its value of the label."""
    there = {node.labels.get(key) for node in fleet.nodes}
    return key == HOSTNAME or any(group.labels.get(key) not in there for group in fleet.groups.values())


def _promised_kinds(standing: Standing) -> list[Kind]:
    """Kinds of pods that wait for their nodes and whose rules are about where others are."""
    world = World()  # it makes each kind once
    pods = (pod for slot in standing.slots for pod in slot.pods)
    return list({world.kind_of(pod): None for pod in pods if pod.shape.rules.affinity or pod.shape.rules.spread})


def labels_read(fleet: Fleet, standing: Standing, pods: Iterable[Pod]) -> frozenset[str]:
    """Labels that tell pods of one template apart and that some rule reads all the same."""
    keys: set[str] = set()
    seen: set[int] = set()
    for pod in (*pods, *_placed(fleet, standing)):
        rules = pod.shape.rules
        if rules and id(rules) not in seen:
            seen.add(id(rules))
            keys |= PER_POD_LABELS.intersection(_keys(rules))
    return frozenset(keys)


def survey_ground(fleet: Fleet, standing: Standing, classes: Sequence[DemandClass], *, replan: bool) -> Ground:
    """The world of a question. With `replan`, open slots count as empty: their pods are part of the question."""
    world = World(fleet.snapshot.cluster.namespaces)
    sites: dict[str, Site] = {}
    for node in fleet.nodes:
        sites[node.name] = _site(fleet, world, node)
    coming: dict[str, list[Site]] = {}
    for slot in standing.slots:
        group = fleet.groups.get(slot.group)
        if slot.node is not None:
            site = sites.get(slot.node.name)
        elif group is not None:
            site = _fresh(fleet, world, group, slot.id)
            world.open(site)
        else:
            continue
        if site is None:
            continue
        if replan and slot.phase is Phase.OPEN:
            coming.setdefault(slot.group, []).append(site)
            continue
        sites[slot.id] = site
        for pod in slot.pods:
            world.put(world.kind_of(pod), site)
    for id_, state in standing.groups.items():
        known = [sites[name] for name in sorted(state.spare) if name in sites][: state.surplus]
        coming.setdefault(id_, []).extend(known)
        for index in range(state.surplus - len(known)):
            site = _fresh(fleet, world, state.group, f"{id_}/coming-{index}")
            world.open(site)
            coming[id_].append(site)
    kinds = tuple(world.kind(c.namespace, c.labels, c.shape) for c in classes)
    promises = promised(((slot.id, sites[slot.id], slot.pods) for slot in standing.slots if slot.id in sites), world)
    return Ground(world, kinds, sites, {id_: tuple(there) for id_, there in coming.items()}, fleet, tuple(promises))


def _placed(fleet: Fleet, standing: Standing) -> Iterator[Pod]:
    for there in fleet.bound.values():
        yield from there
    for slot in standing.slots:
        yield from slot.pods


def _keys(rules: PodRules) -> Iterator[str]:
    for term in (*rules.affinity, *rules.anti_affinity):
        yield from (each.key for each in term.selector or ())
        yield from (*term.match_label_keys, *term.mismatch_label_keys)
    for spread in rules.spread:
        yield from (each.key for each in spread.selector or ())
        yield from spread.match_label_keys


def _site(fleet: Fleet, world: World, node: Node) -> Site:
    """A node that is there, with all its DaemonSet pods. Our own taint comes and goes."""
    taints = fleet.taints(node)
    group = fleet.groups.get(fleet.group_of.get(node.name, ""))
    room = node.allocatable
    if group is not None and not fleet.up(node):
        room = room.max(group.allocatable)
        taints = group.taints
    site = Site(node.name, node.labels, taints, room)
    for pod in fleet.bound.get(node.name, ()):
        site.change(world.kind_of(pod), 1)
    for daemon in missing_daemons(fleet, node):
        site.change(world.kind(daemon.namespace, daemon.labels, daemon.shape), 1)
    world.open(site)
    return site


def _fresh(fleet: Fleet, world: World, group: NodeGroup, name: str) -> Site:
    labels = {HOSTNAME: name, **group.labels}
    daemons = fleet.daemons.on(group.labels, group.taints)
    promised = fleet.rooms[group.id] + fleet.daemons.overhead(group.labels, group.taints)
    site = Site(name, labels, group.taints, promised)
    for daemon in daemons:
        site.change(world.kind(daemon.namespace, daemon.labels, daemon.shape), 1)
    return site
