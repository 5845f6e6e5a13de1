"""When nothing is taken away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscale.act import remember
from autoscale.decide import decide
from autoscale.decide.guard import doubt, hold
from autoscale.model.plan import Evict, Plan, RemoveNode
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Crowd, Ledger, Snapshot
from autoscale.model.workload import Taint
from autoscale.solve import solve
from tests.builders import NOW, group, node, pod, shape, snapshot


def plan_of(world: Snapshot) -> Plan:
    """The plan."""
    return decide(world, (), lambda problem: solve(problem, time_limit_s=5), DecideSettings())


def seen(count: int, ledger: Ledger, *, daemons: int = 1) -> Snapshot:
    """So many nodes, idle for long, and DaemonSet pods."""
    nodes = tuple(node(f"g8-{i}") for i in range(count))
    agents = tuple(pod(f"agent-{i}", shape(gpus=0), owner="DaemonSet/agent", node_name="g8-0") for i in range(daemons))
    return snapshot(nodes=nodes, pods=agents, groups=(group(running=10),), ledger=ledger)


@pytest.mark.parametrize(
    ("nodes", "daemons", "before", "believed"),
    [
        (5, 1, Crowd(NOW - 3, 10, 5), True),
        (4, 1, Crowd(NOW - 3, 10, 5), False),
        (4, 1, Crowd(NOW - 600, 10, 5), True),
        (4, 1, Crowd(NOW + 9999, 10, 5), True),
        (1, 1, Crowd(NOW - 3, 3, 5), True),
        (10, 0, Crowd(NOW - 3, 10, 5), False),
        (10, 0, Crowd(NOW - 3, 10, 0), True),
        (10, 0, None, True),
    ],
)
def test_what_is_too_little_to_be_believed(nodes: int, daemons: int, before: Crowd | None, *, believed: bool) -> None:
    """Half the nodes or all DaemonSet pods gone at once; after ten minutes it is so."""
    world = seen(
        nodes, Ledger(crowd=before, idle_since_s={f"g8-{i}": NOW - 9999 for i in range(nodes)}), daemons=daemons
    )
    assert (doubt(world) is None) is believed
    assert bool([a for a in plan_of(world).actions if isinstance(a, RemoveNode)]) is believed


def test_nodes_that_we_removed_are_not_missed() -> None:
    """A fleet that was emptied and removed is as it should be."""
    gone = {f"g8-{i}": NOW - 60 for i in range(4, 10)}
    assert doubt(seen(4, Ledger(crowd=Crowd(NOW - 3, 10, 5), gone_at_s=gone))) is None


def test_what_is_not_believed_is_not_remembered() -> None:
    """The crowd that was believed stays, so that the doubt lasts its time and no longer."""
    ledger = Ledger(crowd=Crowd(NOW - 3, 10, 5))
    small, whole = seen(2, ledger), seen(10, ledger)

    def after(world: Snapshot) -> Crowd | None:
        return remember(ledger, plan_of(world), (), world, settings=DecideSettings(), now_s=NOW).crowd

    assert after(small) == Crowd(NOW - 3, 10, 5)
    assert after(whole) == Crowd(NOW, 10, 1)


def test_frozen_only_what_the_cloud_takes_away_goes() -> None:
    """An idle node stays, an interrupted one is drained, and the note says who froze it."""
    spot = node("g8-1", taints=(Taint("aws-node-termination-handler/spot-itn"),))
    work = pod("web", shape(gpus=1), owner="ReplicaSet/web", node_name="g8-1")
    world = snapshot(
        nodes=(node("g8-0"), spot),
        pods=(work,),
        groups=(group(running=2),),
        ledger=Ledger(idle_since_s={"g8-0": NOW - 9999}),
    )
    world = replace(world, cluster=replace(world.cluster, frozen="release of 14:00"))
    plan = plan_of(world)
    assert [type(a) for a in plan.actions if isinstance(a, RemoveNode | Evict)] == [Evict]
    found = hold(world)
    assert found in plan.notes
    assert found is not None
    assert found.text == "frozen: release of 14:00; no node is drained or removed"
