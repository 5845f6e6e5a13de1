"""`repair` and `expire`: nodes that are proposed to go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscale.errors import BadInput
from autoscale.model.disruption import Going
from autoscale.model.snapshot import Ledger
from autoscale.model.supply import Condition, Disruption, Node
from autoscale.model.units import Part
from autoscale.model.workload import Code, Reason, Taint
from policies.expire import Expire
from policies.repair import Repair
from tests.builders import NOW, group, instance, node, snapshot


def proposed(rule: Repair, *nodes: Node, ledger: Ledger | None = None) -> list[Going]:
    """What the rule says of these nodes of one group."""
    machines = tuple(instance(each.name) for each in nodes)
    return list(rule.propose(snapshot(nodes=nodes, groups=(group(instances=machines),), ledger=ledger)))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (
            Condition("AcceleratedHardwareReady", "False", NOW - 600, "NvidiaXID79Error"),
            "its condition AcceleratedHardwareReady has been False (NvidiaXID79Error) for 10 m",
        ),
        (Condition("AcceleratedHardwareReady", "False", NOW - 599), ""),
        (Condition("AcceleratedHardwareReady", "True", NOW - 9999), ""),
        (Condition("GpuXidError", "True", NOW - 300), "its condition GpuXidError has been True for 5 m"),
        (Condition("GpuXidError", "False", NOW - 300), ""),
        (Condition("GpuNvlinkWatch", "True", NOW - 900), "its condition GpuNvlinkWatch has been True for 15 m"),
        (Condition("MemoryPressure", "True", NOW - 99999), ""),
        (Condition("GpuXidError", "True", 0), ""),
    ],
)
def test_conditions_that_last(condition: Condition, text: str) -> None:
    """By type and time; one whose time is not known has just begun."""
    found = proposed(Repair(), node("n", conditions=(condition,)))
    assert found == ([Going("n", Reason(Code.UNHEALTHY, text, "repair"))] if text else [])


def test_a_silent_kubelet_is_not_waited_for() -> None:
    """Its pods can't be ended politely: the node goes at once, and for good within five minutes."""
    dead = node("n", ready=False, conditions=(Condition("Ready", "Unknown", NOW - 1800),))
    (found,) = proposed(Repair(), dead)
    assert (found.urgent, found.end_s) == (True, NOW + 300)
    begun = replace(dead, disruption=Disruption("Unhealthy", NOW - 100))
    assert proposed(Repair(), begun)[0].end_s == NOW + 200


def test_taints_and_fewer_devices() -> None:
    """A taint counts at once, a device that has gone missing after its time."""
    assert proposed(Repair(), node("n", taints=(Taint("gpu-xid-79"),)))[0].reason.text == "it is tainted gpu-xid-79"
    short = Ledger(short_since_s={"n": NOW - 1800})
    assert (
        "fewer devices than its group promises for 30 m" in proposed(Repair(), node("n"), ledger=short)[0].reason.text
    )
    assert proposed(Repair(fewer_devices_s=None), node("n"), ledger=short) == []


def test_at_most_a_fifth_of_a_group_at_once() -> None:
    """One at least; those that go already count, and go on."""
    sick = (Condition("GpuXidError", "True", NOW - 900),)
    nodes = [node(f"n{i:02d}", conditions=sick) for i in range(14)]
    assert [each.node for each in proposed(Repair(), *nodes)] == ["n00", "n01"]
    assert [each.node for each in proposed(Repair(), *nodes[:3])] == ["n00"]
    assert len(proposed(Repair(at_once=Part(5)), *nodes)) == 5
    nodes[7] = replace(nodes[7], disruption=Disruption("Unhealthy", NOW - 9))
    assert [each.node for each in proposed(Repair(), *nodes)] == ["n07", "n00"]


def test_kept_for_inspection() -> None:
    """From when the drain began."""
    sick = node(
        "n", conditions=(Condition("GpuXidError", "True", NOW - 900),), disruption=Disruption("Unhealthy", NOW - 60)
    )
    assert proposed(Repair(keep_s=3600), sick)[0].keep_until_s == NOW + 3540


def test_old_nodes_expire_the_oldest_first() -> None:
    """By group if need be; those of others never."""
    nodes = (node("a", created_at_s=NOW - 7200), node("b", created_at_s=NOW - 9000), node("c", created_at_s=NOW - 10))
    groups = (group("g8", instances=tuple(instance(n) for n in "ac")), group("h", instances=(instance("b"),)))
    world = snapshot(nodes=(*nodes, node("other", created_at_s=1)), groups=groups)
    old = Reason(Code.EXPIRED, "it is 2 h old, more than 1 h", "expire")
    assert Expire(after_s=3600, groups={"h": None}).propose(world) == [Going("a", old)]
    assert [each.node for each in Expire(after_s=3600).propose(world)] == ["b", "a"]


def test_nodes_that_are_not_as_their_group_would_make_them() -> None:
    """As the provider says, if it is asked for."""
    machines = (instance("a", outdated="its launch template is version 3, the group's is 4"), instance("b"))
    world = snapshot(nodes=(node("a"), node("b")), groups=(group(instances=machines),))
    drifted = Reason(Code.DRIFTED, "its launch template is version 3, the group's is 4", "expire")
    assert Expire(drifted=True).propose(world) == [Going("a", drifted)]
    assert Expire(after_s=99_999).propose(world) == []


@pytest.mark.parametrize("options", [{}, {"after_s": 0}, {"groups": {"x": 0}}])
def test_what_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    """Nothing that expires, or everything at once."""
    with pytest.raises(BadInput):
        Expire(**options)  # type: ignore[arg-type]  # what is wrong is the test
