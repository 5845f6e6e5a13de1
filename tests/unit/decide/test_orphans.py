"""Nodes and machines that have lost each other are told, and left alone where they may be somebody's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide import decide
from autoscale.model.plan import RemoveNode
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Ledger
from autoscale.model.workload import Code
from autoscale.solve import solve
from tests.builders import NOW, fault, group, instance, node, snapshot

if TYPE_CHECKING:
    from autoscale.model.plan import Plan
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Instance

SETTINGS = DecideSettings(provision_timeout_s=60)


def plan(of: Snapshot) -> Plan:
    """What is decided."""
    return decide(of, (), lambda problem: solve(problem, time_limit_s=1), SETTINGS)


def orphans(of: Plan) -> list[str]:
    """What is said of orphans."""
    return [note.text for note in of.notes if note.code is Code.ORPHAN]


def late(one: Instance) -> Snapshot:
    """A machine that should have become a node long ago."""
    gone = group(instances=(one, instance("g8-1")), target_nodes=2)
    ledger = Ledger(starting_since_s={one.id: NOW - 61})
    return snapshot(groups=(gone,), nodes=(node("g8-1"),), ledger=ledger)


def test_a_node_of_ours_without_a_machine_is_told_and_left_alone() -> None:
    """One that we never bought is none of our business, and a cloud that can't be read says nothing about its nodes."""
    lost, strange = node("lost", slot="abc1234-000", phase="released"), node("strange")
    world = snapshot(groups=(group(running=1),), nodes=(node("g8-0"), lost, strange))
    found = plan(world)
    assert orphans(found) == ["node lost was bought, and no node group has its machine fake:///lost"]
    assert [action for action in found.actions if isinstance(action, RemoveNode)] == []
    blind = replace(world, clouds=(replace(world.clouds[0], faults=(fault(""),)),))
    assert orphans(plan(blind)) == []


def test_a_machine_without_a_node_is_removed_and_a_protected_one_is_told() -> None:
    """The protection is somebody's word."""
    found = plan(late(instance("g8-0")))
    removed = [action.instance for action in found.actions if isinstance(action, RemoveNode)]
    assert (removed, orphans(found)) == (["g8-0"], [])
    found = plan(late(instance("g8-0", protected=True)))
    assert [action for action in found.actions if isinstance(action, RemoveNode)] == []
    assert orphans(found) == ["g8-0 of g8 never became a node, and is protected from being removed"]
