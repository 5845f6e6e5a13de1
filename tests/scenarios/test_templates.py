"""Groups that are made on first use and deleted when long empty, with the real tick; killed at every write."""

from __future__ import annotations

from dataclasses import replace

from tests.builders import NOW, fault, group, node, pods
from tests.scenarios.world import World

OFFERED = tuple(
    group(name, gpus=gpus, usd=usd, template="gpu", made=False, delete_after_s=300)
    for name, gpus, usd in (("a1", 1, 2), ("a8", 8, 10), ("b8", 8, 11))
)


def world() -> World:
    """Three offerings, none of them made, beside a node of nobody."""
    made = World(OFFERED)
    made.kube.nodes["other"] = node("other", gpus=0, provider_id="elsewhere", unschedulable=True)
    return made


def made_groups(of: World) -> list[str]:
    """Ids of the groups that exist."""
    return [each.id for each in of.cloud.observe().groups if each.made]


def test_only_the_group_that_is_bought_from_is_made_and_it_goes_when_long_empty() -> None:
    """The plan sees all offerings at zero; the work done, node and group go."""
    it = world()
    it.submit(*pods("a", 8))
    it.run(60)
    assert (it.unbound(), it.targets(), made_groups(it)) == ([], {"a8": 1}, ["a8"])
    it.kube.pods = {uid: replace(each, phase="Succeeded") for uid, each in it.kube.pods.items()}
    it.run(300 + 290)
    assert (it.targets(), made_groups(it)) == ({}, ["a8"])
    it.run(60)
    assert made_groups(it) == []
    assert [call.group for call in it.cloud.calls if call.verb == "delete"] == ["a8"]
    it.submit(*pods("b", 8))
    it.run(60)
    assert (it.unbound(), made_groups(it)) == ([], ["a8"])


def test_killed_at_any_write_it_makes_each_group_once_and_buys_nothing_twice() -> None:
    """Claims first, then groups, then targets: whatever was cut off is completed."""
    writes = 0
    for blow in range(40):
        it = world()
        it.fuse.blows_at = blow
        it.submit(*pods("a", 8))
        it.run(100)
        assert (it.unbound(), it.peak, made_groups(it)) == ([], {"a8": 1}, ["a8"]), blow
        writes += it.kills
        if not it.kills:
            break
    assert writes > 10


def test_a_stock_out_of_one_offering_makes_the_next() -> None:
    """The group that can't deliver stays empty and goes in its time."""
    it = world()
    it.cloud.starve("a8", fault("a8", at_s=NOW + 10, offering=OFFERED[1].offering.key))
    it.submit(*pods("a", 8))
    it.run(60)
    assert (it.unbound(), it.targets()) == ([], {"b8": 1})
    it.run(400)
    assert made_groups(it) == ["b8"]
