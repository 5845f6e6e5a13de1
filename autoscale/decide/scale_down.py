"""Down, simply: nodes of ours without work for long enough, and instances that never became a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.decide.disrupt import in_other_hands, kept
from autoscale.model.plan import RemoveNode
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.groups import GroupState
    from autoscale.decide.lifecycle import Standing
    from autoscale.model.supply import Node

SOURCE = "scale-down"


def idle_nodes(fleet: Fleet, nodes: Iterable[Node]) -> tuple[str, ...]:
    """Those of the nodes with nothing but DaemonSet and static pods."""
    return tuple(node.name for node in nodes if not fleet.workload(node.name))


def scale_down(
    fleet: Fleet, standing: Standing, idle: Iterable[str], growing: Collection[str], drained: Mapping[str, int]
) -> tuple[RemoveNode, ...]:
    """What goes now. A group that grows in the same plan loses nothing; `drained` are nodes it loses in it anyway."""
    if not fleet.nodes:
        return ()  # a cluster without a single node is more likely misread than idle
    nodes = {node.name: node for node in fleet.nodes}
    waiting: dict[str, list[Node]] = {}
    for name in idle:
        if name in fleet.going or nodes[name].disruption or in_other_hands(nodes[name]):
            continue  # its drain is what removes it
        waiting.setdefault(fleet.group_of[name], []).append(nodes[name])
    out: list[RemoveNode] = []
    for id_, state in standing.groups.items():
        if id_ not in growing and not state.group.catalogued:
            out += _of_group(fleet, state, waiting.get(id_, ()), drained.get(id_, 0))
    return tuple(out)


def _of_group(fleet: Fleet, state: GroupState, idle: Iterable[Node], drained: int) -> list[RemoveNode]:
    spare = max(0, state.target - drained - state.group.min_nodes)
    removals = [
        RemoveNode(state.group.id, "", i.id, Reason(Code.TIMEOUT, f"{i.id} never became a node", SOURCE))
        for i in state.dead
        if not i.protected
    ]
    for node in sorted(idle, key=lambda n: (-_idle_s(fleet, n), n.name)):
        instance = fleet.instance_of[node.name]
        after_s = fleet.settings.idle_after_s
        if (
            after_s is None
            or _idle_s(fleet, node) < after_s
            or instance.protected
            or kept(node)
            or _leaving(fleet, node)
        ):
            continue
        text = f"no work for {_idle_s(fleet, node)} s, longer than {after_s} s"
        removals.append(RemoveNode(state.group.id, node.name, instance.id, Reason(Code.IDLE, text, SOURCE)))
    return removals[:spare]


def _idle_s(fleet: Fleet, node: Node) -> int:
    return fleet.now_s - fleet.snapshot.ledger.idle_since_s.get(node.name, fleet.now_s)


def _leaving(fleet: Fleet, node: Node) -> bool:
    """Whether it is cordoned and its group was shrunk a moment ago: it is on its way out though the cloud shows it."""
    shrunk = fleet.snapshot.ledger.shrunk_at_s.get(fleet.group_of[node.name])
    recently = shrunk is not None and fleet.now_s - shrunk < fleet.settings.target_memory_s
    return node.deleting or (node.unschedulable and recently)
