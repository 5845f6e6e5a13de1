"""Nodes and machines that have lost each other: told to a person, and removed only where a machine is ours beyond doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing

_SOURCE = "orphans"


def orphan_notes(fleet: Fleet, standing: Standing) -> tuple[Reason, ...]:
    """Nodes bought by us that no cloud has a machine of, and machines that never became nodes and that we may not remove.

    A cloud that could not be read says nothing about its nodes. Machines that may be removed are: that is an action.
    """
    lost = [
        Reason(
            Code.ORPHAN,
            f"node {node.name} was bought, and no node group has its machine {node.provider_id or '(it names none)'}",
            _SOURCE,
            hint="delete the node if its machine is gone, or mark the machine's group as one of ours again",
        )
        for node in fleet.nodes
        if fleet.whole and node.reservation is not None and node.name not in fleet.group_of and not node.deleting
    ]
    kept = [
        Reason(
            Code.ORPHAN,
            f"{instance.id} of {state.group.name} never became a node, and is protected from being removed",
            _SOURCE,
            hint="look at its boot log, then take the protection off",
        )
        for state in standing.groups.values()
        for instance in state.dead
        if instance.protected
    ]
    return (*lost, *kept)
