"""Nodes that go before they are empty, on the real tick against a world in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscale.model.names import DISRUPTED
from autoscale.model.supply import Notice, NoticeKind
from autoscale.model.units import Part
from autoscale.model.workload import Code, Pod, Taint
from policies.disruption import Budget, Disruption
from policies.expire import Expire
from tests.builders import NOW, group, pod, pods, shape
from tests.scenarios.world import World

G8 = group("g8", gpus=8, usd=10)
G4 = group("g4", gpus=4, usd=6, cpu=48)
OWNER = "ReplicaSet/serve"
SPOT = Taint("aws-node-termination-handler/spot-itn", "", "NoSchedule")
REBALANCE = Taint("aws-node-termination-handler/rebalance-recommendation", "", "NoSchedule")


def settled(*more: Pod, drain_warn_s: int = 300, idle_after_s: int = 300) -> World:
    """One node of 8 GPUs, full with two pods of a ReplicaSet that ask for four each."""
    world = World((G8, G4), join_s=12, devices_s=6, drain_warn_s=drain_warn_s, idle_after_s=idle_after_s)
    world.submit(*pods("serve", 2, shape(gpus=4), owner=OWNER), *more)
    world.run(60)
    assert world.unbound() == []
    assert world.targets() == {"g8": 1}
    return world


def only_node(world: World) -> str:
    """The name of the only node."""
    (name,) = world.kube.nodes
    return name


def tell(world: World, node: str, taint: Taint) -> None:
    """The node is tainted by whoever knows."""
    there = world.kube.nodes[node]
    world.kube.nodes[node] = replace(there, taints=(*there.taints, taint))


def test_an_interrupted_node_is_evicted_and_replaced_at_once() -> None:
    """One tick after the notice the replacement is bought and the pods are evicted; then the instance goes with its target."""
    world = settled()
    node = only_node(world)
    tell(world, node, SPOT)
    world.run(2)
    assert world.targets() == {"g8": 2}
    assert world.kube.evicted == [("serve-0", node), ("serve-1", node)]
    world.run(60)
    assert world.targets() == {"g8": 1}
    assert world.peak["g8"] == 2
    assert node not in world.kube.nodes
    assert (world.unbound(), world.empty_nodes()) == ([], [])
    assert world.quiet()


def test_a_rebalance_recommendation_has_the_replacement_up_before_anybody_is_evicted() -> None:
    """Closed at once, evicted when the new node has its devices, and both pods land there."""
    world = settled()
    node = only_node(world)
    tell(world, node, REBALANCE)
    world.run(12)
    assert world.targets() == {"g8": 2}
    assert world.kube.evicted == []
    assert world.kube.nodes[node].disruption is not None
    world.run(60)
    assert [name for name, _ in world.kube.evicted] == ["serve-0", "serve-1"]
    assert world.targets() == {"g8": 1}
    assert world.peak["g8"] == 2
    assert (world.unbound(), world.empty_nodes(), node in world.kube.nodes) == ([], [], False)
    assert world.quiet()


def test_what_waits_meanwhile_does_not_take_the_replacement() -> None:
    """A pod that comes between purchase and eviction gets a node of its own: two needs, two nodes, and nobody waits."""
    world = settled()
    tell(world, only_node(world), REBALANCE)
    world.run(6)
    world.submit(pod("late", shape(gpus=8), owner=OWNER))
    world.run(80)
    assert world.targets() == {"g8": 2}
    assert world.peak["g8"] == 3
    assert (world.unbound(), world.empty_nodes()) == ([], [])


def test_a_node_is_given_back_when_the_notice_is_taken_back() -> None:
    """Before anybody was evicted: the taint comes off, the claim too, and the node that comes for nobody goes again."""
    world = settled(idle_after_s=30)
    node = only_node(world)
    tell(world, node, REBALANCE)
    world.run(6)
    there = world.kube.nodes[node]
    world.kube.nodes[node] = replace(there, taints=tuple(t for t in there.taints if t.key != REBALANCE.key))
    world.run(100)
    assert world.kube.evicted == []
    assert (world.kube.nodes[node].disruption, world.kube.nodes[node].taints) == (None, ())
    assert [p.next_claim for p in world.kube.pods.values()] == [None, None]
    assert world.targets() == {"g8": 1}


def test_a_budget_is_kept_and_told_as_what_holds_the_drain_up() -> None:
    """One of two may be away at a time: the second is evicted when the first one's successor runs."""
    world = settled(drain_warn_s=20)
    world.kube.budgets[f"default/{OWNER}"] = 1
    node = only_node(world)
    tell(world, node, REBALANCE)
    world.run(40)
    assert len(world.kube.evicted) >= 1
    world.run(60)
    assert [name for name, _ in world.kube.evicted] == ["serve-0", "serve-1"]
    assert world.targets() == {"g8": 1}


def test_a_budget_that_allows_nothing_is_named() -> None:
    """The Event on the pod says by whom, and what would free it."""
    world = settled(drain_warn_s=20)
    world.kube.budgets[f"default/{OWNER}"] = 2
    tell(world, only_node(world), REBALANCE)
    world.run(120)
    assert world.kube.evicted == []
    said = [text for _, event, text in world.kube.events if event == "DisruptionBlocked"]
    assert said
    assert "The disruption budget of default/ReplicaSet/serve needs 2 healthy pods" in said[0]
    assert "of ReplicaSet/serve" in said[0]
    assert "give its owner more ready replicas" in said[0]
    assert world.peak["g8"] == 2


def test_what_must_not_be_moved_is_waited_for() -> None:
    """The node is closed, the others leave, and it is collected when the protected pod has ended."""
    world = World((G8, G4), join_s=12, devices_s=6)
    annotations = {"karpenter.sh/do-not-disrupt": "true"}
    world.submit(*pods("serve", 1, shape(gpus=4), owner=OWNER), pod("train", shape(gpus=4), annotations=annotations))
    world.run(60)
    node = only_node(world)
    tell(world, node, REBALANCE)
    world.run(120)
    assert [name for name, _ in world.kube.evicted] == ["serve-0"]
    assert world.kube.nodes[node].disruption is not None
    assert world.targets() == {"g8": 1, "g4": 1}
    world.kube.pods["uid-train"] = replace(world.kube.pods["uid-train"], phase="Succeeded")
    world.run(20)
    assert world.targets() == {"g4": 1}
    assert world.unbound() == []


def test_lower_priorities_leave_first() -> None:
    """Those of the higher priority are evicted when the others are gone."""
    world = World((G8,), join_s=12, devices_s=6)
    world.submit(
        pod("low", shape(gpus=4, priority=0), owner=OWNER),
        pod("high", shape(gpus=4, priority=10), owner="ReplicaSet/top"),
    )
    world.run(60)
    tell(world, only_node(world), REBALANCE)
    world.run(80)
    assert [name for name, _ in world.kube.evicted] == ["low", "high"]
    assert world.targets() == {"g8": 1}


def test_an_interrupted_node_is_removed_before_its_machine_ends() -> None:
    """A pod that does not end in time does not keep the instance, whose group would start another in its place."""
    world = settled()
    node = only_node(world)
    (uid, *_) = world.kube.pods
    world.kube.pods[uid] = replace(world.kube.pods[uid], finalizers=("example.com/stuck",))
    tell(world, node, SPOT)
    world.run(100)
    assert node in world.kube.nodes
    world.run(20)
    assert node not in world.kube.nodes
    assert world.targets() == {"g8": 1}


def test_a_node_closed_for_a_notice_of_the_cloud_itself() -> None:
    """What the provider says of the instance counts as a taint does; one that ends in minutes is urgent."""
    world = settled()
    (there,) = world.cloud.group("g8").instances
    told = replace(there, notice=Notice(NoticeKind.ENDING, "its capacity block ends", world.time.now + 240))
    world.cloud.add(replace(world.cloud.group("g8"), instances=(told,)))
    world.run(2)
    assert len(world.kube.evicted) == 2
    begun = next(iter(world.kube.nodes.values())).disruption
    assert begun is not None
    assert begun.code == Code.ENDING


def test_old_nodes_are_replaced_one_by_one_and_nobody_waits() -> None:
    """Two full nodes expire; the budget lets one go at a time, each after its replacement is up; protected ones stay."""
    budget = Disruption(budgets=(Budget(nodes=Part(1)),), per_hour=Part(9))
    world = World((G8,), join_s=12, devices_s=6, policies=(Expire(after_s=100), budget))
    world.submit(*pods("serve", 4, shape(gpus=4), owner=OWNER))
    world.run(60)
    first = set(world.kube.nodes)
    assert len(first) == 2
    world.run(58)
    assert len([n for n in world.kube.nodes.values() if n.disruption]) == 1
    world.run(60)
    assert not first & set(world.kube.nodes)
    assert (world.unbound(), world.empty_nodes(), world.peak["g8"]) == ([], [], 3)


def test_a_node_with_what_must_not_be_moved_does_not_expire() -> None:
    """It could stay as well: it is not even closed."""
    world = World((G8,), join_s=12, devices_s=6, policies=(Expire(after_s=100), Disruption()))
    world.submit(pod("train", shape(gpus=4), owner="Job/train"))
    world.run(200)
    assert [n.disruption for n in world.kube.nodes.values()] == [None]


def test_without_room_for_its_pods_a_node_that_could_stay_stays() -> None:
    """The group is at its maximum: nothing is closed, and the plan says why."""
    world = World((group("g8", max_nodes=1),), join_s=12, devices_s=6, policies=(Expire(after_s=100), Disruption()))
    world.submit(*pods("serve", 2, shape(gpus=4), owner=OWNER))
    world.run(200)
    assert [n.disruption for n in world.kube.nodes.values()] == [None]
    node = only_node(world)
    assert [note.text for note in world.turns[-1].plan.notes] == [
        f"{node} stays (Expired): there is no place for its pods"
    ]


def test_frozen_a_drain_stands_still() -> None:
    """Nobody is evicted and nothing removed until it is over; then it goes on."""
    world = settled()
    node = only_node(world)
    tell(world, node, REBALANCE)
    world.run(6)
    world.kube.frozen = "a release"
    world.run(60)
    assert world.kube.evicted == []
    assert world.kube.nodes[node].disruption is not None
    world.kube.frozen = ""
    world.run(40)
    assert len(world.kube.evicted) == 2
    assert (world.targets(), world.unbound()) == ({"g8": 1}, [])


@pytest.mark.parametrize(("ends_in_s", "lead_s"), [(2000, None), (3800, 3600)], ids=["the usual", "its own"])
def test_a_reservation_is_drained_some_time_before_its_end(ends_in_s: int, lead_s: int | None) -> None:
    """Its pods move to what can be bought elsewhere, once that is up; nothing more is bought of what ends."""
    ends = group("block", gpus=8, usd=1, ends_at_s=NOW + ends_in_s, ending_lead_s=lead_s)
    world = World((ends, G8), join_s=12, devices_s=6)
    world.submit(*pods("serve", 2, shape(gpus=4), owner=OWNER))
    world.run(190)
    assert (world.targets(), world.kube.evicted) == ({"block": 1}, [])
    world.run(60)
    assert len(world.kube.evicted) == 2
    assert (world.targets(), world.unbound(), world.peak["block"]) == ({"g8": 1}, [], 1)


def writes_of_a_drain() -> int:
    """How many writes there are to be killed before, once the notice has come."""
    world = settled()
    before = world.fuse.count
    tell(world, only_node(world), REBALANCE)
    world.run(80)
    return world.fuse.count - before


@pytest.mark.parametrize("taint", [SPOT, REBALANCE], ids=["interrupted", "rebalance"])
@pytest.mark.parametrize("blows_at", range(writes_of_a_drain()))
def test_killed_before_any_write_a_drain_goes_on(blows_at: int, taint: Taint) -> None:
    """Whatever the write that kill -9 comes before: never a third node, both pods run, the node is gone."""
    world = settled()
    node = only_node(world)
    world.fuse.blows_at = world.fuse.count + blows_at
    tell(world, node, taint)
    world.run(140)
    assert world.peak["g8"] == 2
    assert world.targets() == {"g8": 1}
    assert (world.unbound(), world.empty_nodes(), node in world.kube.nodes) == ([], [], False)
    assert not any(t.key == DISRUPTED for n in world.kube.nodes.values() for t in n.taints)
    assert world.quiet(5)
