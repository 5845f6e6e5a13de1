"""Nodes that nobody needs though pods are on them, on the real tick against a world in memory."""

from __future__ import annotations

from dataclasses import replace

from autoscale.model.snapshot import Ledger
from autoscale.model.units import Part
from autoscale.model.workload import Code, Pod
from policies.disruption import Disruption
from policies.idle import Idle
from tests.builders import group, node, pod, pods, resources, shape
from tests.scenarios.world import World

G8 = group("g8", gpus=8, usd=10)
SIDE = "ReplicaSet/side"
CPU = shape(gpus=0, cpu=2, memory_gi=4)


def with_side_pods(*side: Pod, room_elsewhere: bool = True, **more: object) -> World:
    """A node of 8 GPUs with a training pod and whatever else, and perhaps a node of others' with room for 30 cores."""
    world = World((G8,), join_s=12, devices_s=6, **{"idle_after_s": 60, **more})  # type: ignore[arg-type]  # the test's own settings
    world.submit(pod("train", shape(gpus=8), owner="Job/train"))
    world.run(40)
    name = next(iter(world.kube.nodes))
    if room_elsewhere:
        world.kube.nodes["theirs"] = node("theirs", allocatable=resources(cpu=30, memory_gi=64, pods=110))
    for each in side:
        world.kube.pods[each.uid] = replace(each, node_name=name, phase="Running")
    world.run(4)
    assert world.targets() == {"g8": 1}
    return world


def end(world: World, name: str) -> None:
    """The pod has done its work."""
    del world.kube.pods[f"uid-{name}"]


def test_a_node_whose_gpu_pods_are_gone_is_emptied_and_removed() -> None:
    """Its CPU pods move to room that is there, through evictions, after the quiet time; nothing is bought for them."""
    world = with_side_pods(*pods("side", 3, CPU, owner=SIDE))
    end(world, "train")
    world.run(58)
    assert world.kube.evicted == []
    world.run(40)
    assert (len(world.kube.evicted), world.targets(), world.unbound(), world.peak["g8"]) == (3, {}, [], 1)
    assert {p.node_name for p in world.kube.pods.values()} == {"theirs"}
    assert world.kube.lost == []


def test_nothing_is_bought_so_that_a_node_can_go() -> None:
    """There is no room elsewhere: the node stays, and nobody is evicted."""
    world = with_side_pods(*pods("side", 3, CPU, owner=SIDE), room_elsewhere=False)
    end(world, "train")
    world.run(120)
    assert (world.kube.evicted, world.targets(), world.peak["g8"]) == ([], {"g8": 1}, 1)
    assert "stays (NodeIdle): a node would be bought for its pods" in " ".join(
        n.text for n in world.turns[-1].plan.notes
    )


def test_a_node_with_nothing_but_expendable_pods_is_not_in_use() -> None:
    """No node is bought for pods of a priority below -10, and none is kept for them; they wait for room."""
    world = with_side_pods(*pods("filler", 2, shape(gpus=1, priority=-20), owner=SIDE), room_elsewhere=False)
    end(world, "train")
    world.run(110)
    assert (len(world.kube.evicted), world.targets(), len(world.unbound())) == (2, {}, 2)


def test_what_must_not_be_moved_keeps_the_node() -> None:
    """A bare pod is nobody's to make anew."""
    world = with_side_pods(pod("notebook", CPU))
    end(world, "train")
    world.run(120)
    assert (world.kube.evicted, world.targets()) == ([], {"g8": 1})


def test_a_pod_that_can_use_the_node_ends_its_drain() -> None:
    """It comes while the CPU pods are being moved: the node is given back, and nothing is bought."""
    world = with_side_pods(*pods("side", 3, CPU, owner=SIDE))
    world.kube.budgets[f"default/{SIDE}"] = 3
    end(world, "train")
    world.run(70)
    there = next(each for each in world.kube.nodes.values() if each.name != "theirs")
    assert there.disruption is not None
    assert there.disruption.code == Code.IDLE
    world.submit(pod("next", shape(gpus=8), owner="Job/next"))
    world.run(10)
    assert (world.targets(), world.peak["g8"], world.unbound()) == ({"g8": 1}, 1, [])
    assert world.kube.nodes[there.name].disruption is None


def test_a_group_may_have_a_longer_quiet_time() -> None:
    """Of its own, in the policy."""
    world = with_side_pods(*pods("side", 3, CPU, owner=SIDE), policies=(Idle(after_s=60, groups={"g*": None}),))
    end(world, "train")
    world.run(120)
    assert (world.kube.evicted, world.targets()) == ([], {"g8": 1})


def test_of_nodes_that_could_be_emptied_onto_each_other_one_goes() -> None:
    """Two nodes with a CPU pod each and room only there: one of them is enough."""
    world = World((G8,), join_s=12, devices_s=6, idle_after_s=60)
    world.submit(*pods("train", 2, shape(gpus=8), owner="Job/train"))
    world.run(40)
    first, second = sorted(world.kube.nodes)
    for name, each in zip((first, second), pods("side", 2, CPU, owner=SIDE), strict=True):
        world.kube.pods[each.uid] = replace(each, node_name=name, phase="Running")
    end(world, "train-0")
    end(world, "train-1")
    world.run(140)
    assert (world.targets(), len(world.kube.evicted), world.unbound()) == ({"g8": 1}, 1, [])


def test_a_ceiling_outlives_the_engine() -> None:
    """One node an hour: an engine that starts anew finds on the cluster that one has gone."""
    rule = Disruption(budgets=(), per_hour=Part(1))
    world = World((G8,), join_s=12, devices_s=6, idle_after_s=60, policies=(rule,))
    world.submit(*pods("train", 2, shape(gpus=8), owner="Job/train"))
    world.run(40)
    end(world, "train-0")
    end(world, "train-1")
    world.run(70)
    assert (world.targets(), [count for _, count in world.kube.gone]) == ({"g8": 1}, [1])
    world.ledger = Ledger()
    world.run(120)
    assert world.targets() == {"g8": 1}
    world.time.now += 3600
    world.run(120)
    assert world.targets() == {}
