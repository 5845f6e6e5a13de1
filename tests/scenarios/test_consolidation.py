"""Pods moved to save money: the real tick on a world in memory, whose scheduler spreads pods over the emptiest nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.loop import changes
from autoscale.model.plan import Disrupt
from autoscale.model.supply import CapacityType
from autoscale.model.units import Part
from autoscale.wiring import Careful
from policies.consolidation import Consolidation
from policies.disruption import Budget, Disruption
from tests.builders import fault, group, pod, pods, shape
from tests.scenarios.world import World

if TYPE_CHECKING:
    from autoscale.model.supply import NodeGroup
    from autoscale.ports import Policy

DAY_S = 86_400
HOUR_S = 3600
LET_ALL = Disruption(budgets=(Budget(nodes=Part(ppm=1_000_000)),), per_hour=Part(ppm=1_000_000))
OWNED = {"owner": "ReplicaSet/web", "namespace": "prod"}


def world(*groups: NodeGroup, policies: tuple[Policy, ...] = (LET_ALL,), **more: int) -> World:
    """A world whose engine consolidates, with a node's start of 5 min and a pod's of 2."""
    wish = Consolidation(**more)
    made = World(groups, join_s=20, devices_s=5, policies=(wish, *policies), idle_after_s=300)
    settings = wish.adjust(made.engine.settings)
    made.engine = replace(made.engine, settings=settings, solver=Careful(made.engine.solver))
    return made


def leave(made: World, *names: str) -> None:
    """These pods end, and nobody comes for them."""
    for name in names:
        del made.kube.pods[f"uid-{name}"]


def moves(made: World) -> list[str]:
    """Nodes that began to go, in order."""
    return [a.node for turn in made.turns for a in turn.plan.actions if isinstance(a, Disrupt)]


def two_half_empty(made: World) -> None:
    """Two nodes of 8 GPUs with four pods each, after others left."""
    made.submit(*pods("web", 16, shape(gpus=1, cpu=4), **OWNED))
    made.run(120)
    assert made.targets() == {"g8": 2}
    by_node: dict[str, list[str]] = {}
    for each in made.kube.pods.values():
        by_node.setdefault(each.node_name, []).append(each.name)
    leave(made, *(name for there in by_node.values() for name in sorted(there)[:4]))


def test_two_half_empty_nodes_become_one() -> None:
    """Once it has been quiet for five minutes, one node's pods move onto the other, and it goes."""
    made = world(group("g8", usd=10))
    two_half_empty(made)
    made.run(250)
    assert moves(made) == []
    made.run(250)
    assert len(moves(made)) == 1
    assert made.targets() == {"g8": 1}
    assert made.unbound() == []
    assert len(made.kube.evicted) == 4
    assert made.kube.lost == []


def test_nothing_moves_without_the_policy() -> None:
    """Pods are moved to save money only where that was asked for."""
    made = World((group("g8", usd=10),), join_s=20, devices_s=5, idle_after_s=300)
    made.engine = replace(made.engine, solver=Careful(made.engine.solver))
    two_half_empty(made)
    made.run(900)
    assert made.targets() == {"g8": 2}
    assert moves(made) == []


def test_protected_pods_hold_their_nodes() -> None:
    """Each node has a pod that must not be moved."""
    made = world(group("g8", usd=10))
    two_half_empty(made)
    for name in made.kube.nodes:
        first = next(p for p in made.kube.pods.values() if p.node_name == name)
        made.kube.pods[first.uid] = replace(first, annotations={"karpenter.sh/do-not-disrupt": "true"})
    made.run(900)
    assert (made.targets(), moves(made)) == ({"g8": 2}, [])


def test_a_budget_of_none_holds_everything() -> None:
    """The plan says what it would do and by what it is held."""
    made = world(group("g8", usd=10), policies=(Disruption(budgets=(Budget(nodes=Part(0)),)),))
    two_half_empty(made)
    made.run(900)
    assert (made.targets(), moves(made)) == ({"g8": 2}, [])
    [look] = {turn.plan.reoptimum.relocations for turn in made.turns if turn.plan.reoptimum}
    [one] = look
    assert one.held.startswith("a budget lets 0 nodes of g8 go at once")
    assert (one.pods, one.saves_microusd_per_hour) == (4, 10_000_000)


def test_a_large_node_with_little_on_it_becomes_a_small_one() -> None:
    """1 -> 1, to another kind of node: bought first, its pod evicted when it is up."""
    made = world(group("g8", usd=10), group("g1", gpus=1, usd=1, cpu=16))
    made.submit(*pods("web", 8, shape(gpus=1, cpu=8), **OWNED))
    made.run(120)
    before = made.targets()
    leave(made, *(f"web-{i}" for i in range(1, 8)))
    made.run(900)
    assert made.targets() == {"g1": 1}, before
    assert made.unbound() == []


def test_spot_is_taken_when_it_pays_and_left_when_it_does_not() -> None:
    """On demand -> spot at a third of the price; not back for a price that is hardly lower; back when it has risen."""
    spot = group("spot", usd=12, capacity_type=CapacityType.SPOT)
    made = world(group("g8", usd=10), spot)
    made.submit(*pods("web", 8, shape(gpus=1, cpu=4), **OWNED))
    made.run(120)
    assert made.targets() == {"g8": 1}
    reprice(made, "spot", 9.5)
    made.run(900)
    assert made.targets() == {"g8": 1}, "half a dollar an hour does not pay for five minutes of two nodes"
    reprice(made, "spot", 3)
    made.run(900)
    assert made.targets() == {"spot": 1}
    reprice(made, "spot", 10.2)
    made.run(900)
    assert made.targets() == {"spot": 1}
    reprice(made, "spot", 30)
    made.run(900)
    assert made.targets() == {"g8": 1}
    assert made.unbound() == []
    assert made.kube.lost == []


def reprice(made: World, id_: str, usd: float) -> None:
    """The price of a group from now on."""
    found = made.cloud.group(id_)
    made.cloud.add(replace(found, offering=replace(found.offering, price_microusd_per_hour=round(usd * 1_000_000))))


def test_a_move_whose_purchase_fails_is_given_back() -> None:
    """The cheap kind is out of stock: to buy the dear one again would save nothing."""
    made = world(group("g8", usd=10), group("g1", gpus=1, usd=1, cpu=16))
    made.submit(*pods("web", 8, shape(gpus=1, cpu=12), **OWNED))
    made.cloud.starve("g1", fault("g1"))
    made.run(120)
    assert made.targets() == {"g8": 1}
    leave(made, *(f"web-{i}" for i in range(1, 8)))
    made.run(900)
    assert (made.targets(), made.kube.evicted, made.unbound()) == ({"g8": 1}, [], [])
    assert len(moves(made)) >= 1
    assert [node.disruption for node in made.kube.nodes.values()] == [None]


def test_ten_days_of_steady_load_end_in_no_move_after_the_first_hour() -> None:
    """A fleet that lost half its pods is put right within the hour; then nothing happens."""
    made = world(group("g8", usd=10), group("g4", gpus=4, usd=5.5, cpu=48), group("g1", gpus=1, usd=1.5, cpu=16))
    made.submit(
        *pods("web", 24, shape(gpus=1, cpu=4), **OWNED),
        *pods("tune", 6, shape(gpus=2, cpu=10), owner="ReplicaSet/tune"),
        *pods("api", 20, shape(gpus=0, cpu=2, memory_gi=4), owner="ReplicaSet/api"),
        pod("alone", shape(gpus=1, cpu=2)),
    )
    made.run(180)
    assert made.unbound() == []
    leave(
        made,
        *(f"web-{i}" for i in range(0, 24, 2)),
        *(f"tune-{i}" for i in range(0, 6, 2)),
        *(f"api-{i}" for i in range(10)),
    )
    dear = made.cost()
    made.tick_s = 5
    made.run(HOUR_S)
    assert moves(made)
    assert made.cost() < dear
    before = len(made.turns)
    for _ in range(10 * DAY_S // 1800):
        made.time.now += 1800
        made.step()
        made.tick()
    assert [turn.plan.actions for turn in made.turns[before:] if changes(turn.plan)] == []
    assert sum(turn.plan.reoptimum is not None for turn in made.turns[before:]) > 400
    assert made.unbound() == []
