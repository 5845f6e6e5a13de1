"""Nodes by the group that they belong to, as rules about disruption count them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Instance, Node, NodeGroup


@dataclass(frozen=True, slots=True)
class Pools:
    """`group_of`, `instance_of`, `nodes` by node name; `sizes` and `going` (closed by us, by reason's code) by group id."""

    nodes: Mapping[str, Node]
    group_of: Mapping[str, NodeGroup]
    instance_of: Mapping[str, Instance]
    sizes: Counter[str]
    going: Mapping[str, Counter[str]]


def pools(snapshot: Snapshot) -> Pools:
    """The nodes of all groups."""
    owners = {i.provider_id: (group, i) for group in snapshot.groups for i in group.instances if i.provider_id}
    nodes = {n.name: n for n in snapshot.cluster.nodes if n.provider_id in owners}
    group_of = {name: owners[node.provider_id][0] for name, node in nodes.items()}
    going: dict[str, Counter[str]] = {}
    for name, node in nodes.items():
        if node.disruption is not None:
            going.setdefault(group_of[name].id, Counter())[node.disruption.code] += 1
    return Pools(
        nodes=nodes,
        group_of=group_of,
        instance_of={name: owners[node.provider_id][1] for name, node in nodes.items()},
        sizes=Counter(group.id for group in group_of.values()),
        going=going,
    )
