"""The real tick against a world in memory: bursts, crashes, shortages, and nodes that never come."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from autoscale.model.plan import ClaimPods
from autoscale.model.problem import Demand, Problem, Supply
from autoscale.model.supply import FaultKind
from autoscale.model.workload import DaemonSet, PodShape, Toleration
from autoscale.solve import solve
from providers.fake import Call
from tests.builders import NOW, USD, fault, group, pod, pods, resources, shape
from tests.scenarios.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.model.workload import Pod

G8 = group("g8", gpus=8, usd=10)
G4 = group("g4", gpus=4, usd=6, cpu=48)
G1 = group("g1", gpus=1, usd=2, cpu=12)
OPERATOR = DaemonSet("gpu", "driver", PodShape(resources(cpu=1, pods=1)))
AGENT = DaemonSet("logs", "agent", PodShape(resources(cpu=1, pods=1), tolerations=(Toleration(operator="Exists"),)))


def mixed() -> tuple[Pod, ...]:
    """Pods that fill 8-GPU nodes only if they are put together with care."""
    return (
        *pods("five", 3, shape(gpus=5)),
        *pods("three", 3, shape(gpus=3)),
        *pods("two", 4, shape(gpus=2)),
        *pods("one", 3, shape(gpus=1)),
    )


def test_every_pod_is_bound_where_it_was_planned_and_then_nothing_happens() -> None:
    """One wave: the cheapest nodes are bought, each pod lands on its own, and the engine rests."""
    world = World((G8, G4, G1), daemon_sets=(OPERATOR, AGENT))
    world.submit(*mixed(), pod("huge", shape(gpus=16)))
    world.run(90)
    assert world.unbound() == ["huge"]
    assert world.astray() == []
    assert world.cost() == 46  # 35 GPUs: four times eight, and one node of four or three of one
    assert world.empty_nodes() == []
    assert world.quiet(10)
    said = {(pod, event) for pod, event, _ in world.kube.events}
    assert ("default/huge", "NotTriggerScaleUp") in said
    assert ("default/five-0", "TriggeredScaleUp") in said
    assert len(said) == len(world.kube.events)


def test_daemon_sets_get_onto_a_node_before_it_is_held() -> None:
    """The driver, which does not tolerate our taint, is on every node: without it no GPU would ever appear."""
    world = World((G8,), daemon_sets=(OPERATOR, AGENT))
    world.submit(*pods("a", 8))
    world.run(90)
    assert world.unbound() == []
    assert sorted(p.name.rpartition("-node")[0] for p in world.kube.pods.values() if p.daemon) == ["agent", "driver"]


def best_cost_of_the_rest(world: World, everything: Sequence[Pod]) -> int:
    """US$ per hour that one plan for all these pods adds to what was bought already, solved apart from the engine."""
    bought = world.targets()
    groups = (G8, G4, G1)
    demands = tuple(
        Demand(str(gpus), (gpus,), count, frozenset(range(6)), 1000)
        for gpus, count in sorted(Counter(pod.shape.requests["nvidia.com/gpu"] for pod in everything).items())
    )
    prices = [(g, 0, bought.get(g.id, 0)) for g in groups] + [
        (g, g.offering.price_microusd_per_hour, 20) for g in groups
    ]
    supplies = tuple(
        Supply(f"{g.id}-{price}", (g.allocatable["nvidia.com/gpu"],), price // USD, limit) for g, price, limit in prices
    )
    return solve(Problem(("nvidia.com/gpu",), demands, supplies), time_limit_s=5).cost_microusd_per_hour


def test_a_driver_called_for_by_a_late_label_gets_onto_the_node() -> None:
    """The node is held before its label says that a driver belongs there: it is let go, then held for the same pods."""
    driver = DaemonSet("gpu", "driver", PodShape(resources(cpu=1, pods=1), node_selector=(("gpu-driver", "yes"),)))
    world = World((G8, G4), daemon_sets=(driver,), late_labels={"gpu-driver": "yes"})
    world.submit(*pods("a", 8, shape(cpu=2)))
    world.run(120)
    assert (world.unbound(), world.astray(), world.targets()) == ([], [], {"g8": 1})
    assert world.quiet(10)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("gap_s", [4, 12, 25])
def test_waves_while_nodes_join_cost_no_more_than_one_plan(gap_s: int, seed: int) -> None:
    """Three waves, each while the nodes of the one before are joining: nothing dearer, nothing empty, all as planned."""
    world = World((G8, G4, G1), join_s=60)
    everything = list(mixed())
    Random(seed).shuffle(everything)
    seen: list[Pod] = []
    for wave in (everything[0::3], everything[1::3], everything[2::3]):
        seen += wave
        best = world.cost() + best_cost_of_the_rest(world, seen)
        world.submit(*wave)
        world.run(gap_s)
        assert world.cost() == best
    world.run(120)
    assert (world.unbound(), world.astray(), world.empty_nodes()) == ([], [], [])
    assert world.cost() == best
    assert world.quiet(10)


def test_pods_that_wait_for_a_node_share_it_anew_when_more_arrive() -> None:
    """Two 4-GPU pods were bought a node each; a third and fourth turn that into no more than they need together."""
    world = World((G8, G4), join_s=40)
    world.submit(pod("small", shape(gpus=2)))
    world.run(4)
    assert world.targets() == {"g4": 1}
    world.submit(pod("large", shape(gpus=8)), pod("rest", shape(gpus=2)))
    world.run(90)
    assert world.targets() == {"g4": 1, "g8": 1}
    assert (world.unbound(), world.astray(), world.empty_nodes()) == ([], [], [])


def writes_of_a_clean_run() -> int:
    """How many writes there are to be killed before."""
    world = World((G8, G4, G1), join_s=12, devices_s=8, daemon_sets=(AGENT,))
    world.submit(*mixed())
    world.run(60)
    return world.fuse.count


@pytest.mark.parametrize("blows_at", range(writes_of_a_clean_run()))
def test_killed_before_any_write_it_never_buys_a_node_too_many(blows_at: int) -> None:
    """Whatever the write that kill -9 comes before, a restart ends with the same cost and every pod in its place."""
    world = World((G8, G4, G1), join_s=12, devices_s=8, daemon_sets=(AGENT,))
    world.fuse.blows_at = blows_at
    world.submit(*mixed())
    world.run(70)
    assert world.kills == 1
    assert world.unbound() == []
    assert world.astray() == []
    assert world.cost() == 46  # 35 GPUs: four times eight, and one node of four or three of one
    assert world.empty_nodes() == []
    assert world.quiet(5)


def two_waves(blows_at: int | None = None) -> World:
    """Pods of 2 and 5 GPUs get a node each; then one of 4 makes the 2 move over to the 5, and two of 8 are bought for."""
    world = World((G8, G4), join_s=30, devices_s=8, daemon_sets=(AGENT,))
    world.fuse.blows_at = blows_at
    world.submit(pod("two", shape(gpus=2)))
    world.run(4)
    world.submit(pod("five", shape(gpus=5)))
    world.run(4)
    world.submit(pod("four", shape(gpus=4)), *pods("eight", 2, shape(gpus=8)))
    world.run(100)
    return world


def moves(world: World) -> list[str]:
    """Pods that were claimed for one slot and then for another while neither had a node."""
    out = []
    for turn in world.turns:
        before = {p.uid: p.claim.slot for p in turn.snapshot.cluster.pods if p.claim and not p.node_name}
        for action in turn.plan.actions:
            if isinstance(action, ClaimPods):
                out += [ref for uid, ref in action.pods if before.get(uid, action.slot) != action.slot]
    return out


@pytest.fixture(scope="module")
def clean() -> World:
    """Two waves, nobody killed."""
    return two_waves()


def test_claims_move_where_that_saves_a_node(clean: World) -> None:
    """What the next test is killed in the middle of: one pod moves, and a small node less is bought."""
    assert moves(clean) == ["default/two"]
    assert clean.targets() == {"g4": 1, "g8": 3}


@pytest.mark.parametrize("blows_at", range(two_waves().fuse.count))
def test_killed_while_claims_move_it_never_buys_a_node_too_many(blows_at: int, clean: World) -> None:
    """Half of a move is in the cluster: overfull slots are trimmed, the rest planned anew, and nothing is dearer."""
    world = two_waves(blows_at)
    assert world.unbound() == []
    assert world.astray() == []
    assert world.empty_nodes() == []
    assert world.targets() == clean.targets()
    assert world.quiet(5)


def test_out_of_stock_is_bought_elsewhere_at_once() -> None:
    """A group that has no machines is left alone, its target taken back, and its pods go to the next cheapest."""
    world = World((G8, G4, G1))
    world.cloud.starve("g8", fault("g8", at_s=NOW + 5))
    world.submit(*pods("a", 8))
    world.run(90)
    assert world.unbound() == []
    assert world.targets() == {"g4": 2}
    assert world.peak["g8"] == 1
    assert world.quiet(10)


def test_a_group_with_stock_for_some_keeps_those() -> None:
    """Nodes that can be seen coming keep their slots; only the missing ones are bought elsewhere."""
    world = World((replace(G8, max_nodes=20), G4))
    world.submit(*pods("a", 8))
    world.run(4)
    world.cloud.starve("g8", fault("g8", at_s=world.time.now + 2))
    world.submit(*pods("b", 8))
    world.run(100)
    assert world.unbound() == []
    assert world.targets() == {"g8": 1, "g4": 2}


def test_a_refused_resize_is_taken_back_and_bought_elsewhere() -> None:
    """The cloud says no to the resize itself: the next tick takes the claims back and buys the second best."""
    world = World((G8, G4))
    world.cloud.fail_next("resize", fault("g8", FaultKind.QUOTA))
    world.submit(*pods("a", 8))
    world.run(90)
    assert world.unbound() == []
    assert world.targets() == {"g4": 2}
    assert world.quiet(10)


def test_a_throttled_resize_is_asked_again() -> None:
    """Too many requests is no verdict on the group: the same target is asked for again."""
    world = World((G8, G4))
    world.cloud.fail_next("resize", fault("g8", FaultKind.THROTTLED))
    world.submit(*pods("a", 8))
    world.run(90)
    assert world.unbound() == []
    assert world.targets() == {"g8": 1}


def test_a_resize_that_worked_though_it_failed_leaves_nothing_behind() -> None:
    """The answer was lost, the nodes come all the same: whatever is bought beside, no more than one node is idle."""
    world = World((G8, G4), idle_after_s=60)
    world.cloud.fail_next("resize", fault("g8", FaultKind.OTHER), applied=True)
    world.submit(*pods("a", 8))
    world.run(300)
    assert world.unbound() == []
    assert world.empty_nodes() == []


def test_nodes_that_never_come_are_given_up() -> None:
    """After the provision time-out the pods go elsewhere, and the dead instances are removed by name."""
    world = World((G8, G4), provision_timeout_s=60)
    world.never_joins.add("g8")
    world.submit(*pods("a", 8))
    world.run(200)
    assert world.unbound() == []
    assert world.targets() == {"g4": 2}
    assert [call.verb for call in world.cloud.calls if call.group == "g8"] == ["resize", "remove"]


def test_old_news_from_the_cloud_buys_nothing_twice() -> None:
    """The cloud shows groups as they were 20 s ago; what was asked for is remembered meanwhile."""
    world = World((G8, G4))
    world.cloud.lag_s = 20
    world.submit(*pods("a", 16))
    world.run(120)
    assert world.unbound() == []
    assert world.targets() == {"g8": 2}
    assert [c for c in world.cloud.calls if c.verb != "observe"] == [
        Call("resize", "g8", 2, request_id=next(c.request_id for c in world.cloud.calls if c.verb == "resize"))
    ]


def test_pods_deleted_before_their_node_joins_leave_it_to_others() -> None:
    """A node on its way for nobody is the first to be used."""
    world = World((G8,))
    world.submit(*pods("a", 8))
    world.run(6)
    for uid in [uid for uid in world.kube.pods if uid.startswith("uid-a")]:
        del world.kube.pods[uid]
    world.run(6)
    world.submit(*pods("b", 8))
    world.run(80)
    assert world.unbound() == []
    assert world.targets() == {"g8": 1}


def test_a_node_without_work_goes_after_its_quiet_time() -> None:
    """Cordoned, removed through the cloud, target lowered with it; the minimum stays."""
    world = World((replace(G8, min_nodes=1),), idle_after_s=60)
    world.submit(*pods("a", 16))
    world.run(60)
    assert world.targets() == {"g8": 2}
    for uid in list(world.kube.pods):
        del world.kube.pods[uid]
    world.run(200)
    assert world.targets() == {"g8": 1}
    assert len(world.kube.nodes) == 1
    assert world.quiet(10)


def test_a_lost_node_is_bought_again_once_for_those_still_waiting() -> None:
    """Spot takes the machine away before its pods are bound: the cloud replaces it, and nothing is bought beside."""
    world = World((G8,))
    world.submit(*pods("a", 8))
    world.run(34)
    (there,) = world.cloud.group("g8").instances
    world.cloud.reclaim(there.id)
    world.run(90)
    assert world.unbound() == []
    assert world.targets() == {"g8": 1}


def test_pods_that_the_scheduler_refuses_do_not_buy_for_ever() -> None:
    """Held, never bound: after the hold time-out the node is open to all, and the group rests."""
    world = World((G8,), hold_timeout_s=30)
    world.submit(*(replace(p, gated=False) for p in pods("a", 4)))
    world.binds = False
    world.run(150)
    assert world.targets() == {"g8": 1}
    world.binds = True
    world.run(10)
    assert world.unbound() == []
    assert world.targets() == {"g8": 1}
