"""Nodes that nobody needs though pods are on them: their devices are not in use, and whoever is there can be elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from autoscale.demand.pending import expendable, left_to_others
from autoscale.model.disruption import Going
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from autoscale.decide.answer import Answer
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod

SOURCE = "scale-down"


def users(fleet: Fleet, node: Node) -> list[Pod]:
    """Pods that the node is there for: those with its devices, all where it has none. Expendable ones never count."""
    group = fleet.groups.get(fleet.group_of.get(node.name, ""))
    devices = group.devices if group else ()
    return [
        pod
        for pod in fleet.workload(node.name)
        if not expendable(pod, fleet.settings)
        and (not devices or any(pod.shape.requests[device] for device in devices))
    ]


def untaken(fleet: Fleet, standing: Standing, planned_onto: Collection[str]) -> tuple[Node, ...]:
    """Nodes of ours that nobody claims or is planned onto."""
    taken = {slot.node.name for slot in standing.slots if slot.node is not None}
    return tuple(
        node
        for node in fleet.nodes
        if node.name in fleet.group_of and node.name not in taken and node.name not in planned_onto
    )


def unused_nodes(fleet: Fleet, nodes: Iterable[Node]) -> tuple[str, ...]:
    """Those of the nodes that no pod needs."""
    return tuple(node.name for node in nodes if not users(fleet, node))


def unused(fleet: Fleet) -> Iterator[Going]:
    """Those of them that are not empty and have been so for long enough, the longest first, as far as minimums allow."""
    settings, since = fleet.settings, fleet.snapshot.ledger.unused_since_s
    spare = Counter({id_: fleet.target(group) - group.min_nodes for id_, group in fleet.groups.items()})
    spare.subtract(fleet.group_of[n.name] for n in fleet.nodes if n.disruption and n.name in fleet.group_of)
    for node in sorted(fleet.nodes, key=lambda n: (since.get(n.name, fleet.now_s), n.name)):
        if settings.idle_after_s is None or node.name not in since or node.name not in fleet.group_of:
            continue
        pods, waited_s, id_ = fleet.workload(node.name), fleet.now_s - since[node.name], fleet.group_of[node.name]
        if users(fleet, node) or any(left_to_others(pod, settings) and not expendable(pod, settings) for pod in pods):
            continue  # no plan can say that these have another place
        if node.disruption is None:
            if not pods or waited_s < settings.idle_after_s or spare[id_] <= 0:
                continue
            spare[id_] -= 1
        elif node.disruption.code != Code.IDLE:
            continue
        text = f"no pod that needs it has been on it for {waited_s} s"
        yield Going(node.name, Reason(Code.IDLE, text, SOURCE))


def bought(best: Answer) -> int:
    """How many nodes are bought."""
    return sum(one.berth.kind == "new" for one in best.placed.placements)


def bought_for(fleet: Fleet, best: Answer) -> tuple[str, ...]:
    """Nodes that go for want of work, and whose pods a node would be bought for instead."""
    new = {pod.uid for one in best.placed.placements if one.berth.kind == "new" for pod in one.pods}
    return tuple(name for name in idle(fleet) if any(pod.uid in new for pod in fleet.leaving.get(name, ())))


def idle(fleet: Fleet) -> tuple[str, ...]:
    """Nodes that go for want of work, in the order in which they are to."""
    return tuple(name for name, going in fleet.going.items() if going.reason.code is Code.IDLE)


def latter(fleet: Fleet, names: Collection[str]) -> frozenset[str]:
    """These nodes without the first half of those that go for want of work: what is too much for all may do for some."""
    mine = [name for name in idle(fleet) if name in names]
    return frozenset(names) - set(mine[: len(mine) // 2])
