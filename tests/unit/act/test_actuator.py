"""A plan carried out against a cluster and a cloud in memory: what is called, and what becomes of each action."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autoscale.act import act
from autoscale.model.plan import Action, ClaimPods, Hold, Plan, Receipt, RemoveNode, Resize, Unclaim
from autoscale.model.supply import FaultKind
from autoscale.model.workload import Code, Reason
from providers.fake import Call
from tests.builders import NOW, fault, group, node, pod, pods, snapshot
from tests.scenarios.world import World

if TYPE_CHECKING:
    from autoscale.model.snapshot import Snapshot

A, B = ("uid-a", "default/a"), ("uid-b", "default/b")
WHY = Reason(Code.IDLE, "idle")


def world() -> World:
    """Two pods that wait, one node of g8, and a second group."""
    made = World((group(target_nodes=1), group("g4", gpus=4)))
    (there,) = made.cloud.group("g8").instances
    made.kube.nodes["n"] = node("n", provider_id=there.provider_id)
    made.submit(pod("a"), pod("b"))
    made.cloud.calls.clear()
    return made


def carry_out(made: World, *actions: Action, threads: int = 1) -> list[tuple[str, str]]:
    """(kind of action, outcome) of each receipt."""
    return [(type(r.action).__name__, r.outcome) for r in receipts(made, *actions, threads=threads)]


def receipts(made: World, *actions: Action, threads: int = 1) -> tuple[Receipt, ...]:
    """The receipts of a plan with these actions."""
    seen: Snapshot = snapshot(groups=(group(target_nodes=1), group("g4", gpus=4)))
    return act(Plan("p", NOW, "f", actions), seen, made.kube, (made.cloud,), made.time, threads=threads)


@pytest.mark.parametrize("threads", [1, 8])
def test_claims_come_before_purchases_whatever_the_order_in_the_plan(threads: int) -> None:
    """The durable intent first; the request's id follows from plan and group."""
    made = world()
    done = carry_out(made, Resize("g8", 1, 2, ("p-000",)), ClaimPods("p-000", "g8", (A, B)), threads=threads)
    assert done == [("ClaimPods", "done"), ("Resize", "done")]
    assert [p.claim.slot for p in made.kube.pods.values() if p.claim] == ["p-000", "p-000"]
    assert made.cloud.calls == [Call("resize", "g8", 2, request_id="p/g8")]


def test_a_node_whose_pods_are_all_gone_is_not_bought() -> None:
    """Two slots, the pods of one were deleted: one node is bought, and the receipt says so."""
    made = world()
    del made.kube.pods["uid-b"]
    plan = (
        ClaimPods("p-000", "g8", (A,)), ClaimPods("p-001", "g8", (B,)), Resize("g8", 1, 3, ("p-000", "p-001")),
    )  # fmt: skip
    last = receipts(made, *plan)[-1]
    assert (last.outcome, last.action) == ("done", Resize("g8", 1, 2, ("p-000", "p-001")))
    assert [c.target_nodes for c in made.cloud.calls] == [2]


def test_nothing_is_bought_when_every_pod_is_gone() -> None:
    """The cloud isn't even asked."""
    made = world()
    made.kube.pods.clear()
    done = carry_out(made, ClaimPods("p-000", "g8", (A, B)), Resize("g8", 1, 2, ("p-000",)))
    assert done == [("ClaimPods", "skipped"), ("Resize", "skipped")]
    assert made.cloud.calls == []


def test_a_slot_is_bought_for_the_pods_that_are_left() -> None:
    """One of two was bound meanwhile."""
    made = world()
    made.kube.claim(A, slot="x", group="g8", at_s=NOW)
    del made.kube.pods["uid-b"]
    assert carry_out(made, ClaimPods("p-000", "g8", (A, B)), Resize("g8", 1, 2, ("p-000",))) == [
        ("ClaimPods", "done"),
        ("Resize", "done"),
    ]


def test_a_refused_purchase_leaves_the_rest_carried_out() -> None:
    """The fault is in the receipt; the other group grows."""
    made = world()
    made.cloud.fail_next("resize", fault("g8", FaultKind.QUOTA))
    got = receipts(
        made,
        ClaimPods("p-000", "g8", (A,)),
        ClaimPods("p-001", "g4", (B,)),
        Resize("g8", 1, 2, ("p-000",)),
        Resize("g4", 0, 1, ("p-001",)),
    )
    assert [(r.outcome, r.fault.kind if r.fault else None) for r in got[2:]] == [
        ("refused", FaultKind.QUOTA),
        ("done", None),
    ]


def test_what_replaces_nodes_that_the_cloud_does_not_take_back_waits() -> None:
    """Two of the three could still be delivered; the third node is for other pods."""
    made = world()
    made.cloud.fail_next("resize", fault("g8", FaultKind.THROTTLED))
    claims = (ClaimPods("p-000", "g4", (A,)), ClaimPods("p-001", "g4", (B,)))
    found = receipts(made, *claims, Resize("g4", 0, 3, ("p-000", "p-001", "old-000")), Resize("g8", 3, 1, ()))
    text = "2 nodes wait until another target is lowered"
    assert [(r.action.group, r.outcome, r.text) for r in found if isinstance(r.action, Resize)] == [
        ("g8", "refused", "none left"),
        ("g4", "done", text),
    ]
    assert made.cloud.group("g4").target_nodes == 1


def test_pods_do_not_wait_for_a_cloud_that_never_takes_back() -> None:
    """They were promised a node more than a minute ago."""
    made = world()
    made.cloud.fail_next("resize", fault("g8", FaultKind.DENIED))
    groups = (group(target_nodes=1), group("g4", gpus=4))
    seen = snapshot(groups=groups, pods=pods("old", 1, claim=("old-000", "g4"), claimed_at_s=NOW - 60))
    plan = Plan("p", NOW, "f", (Resize("g8", 3, 1, ()), Resize("g4", 0, 1, ("old-000",))))
    found = act(plan, seen, made.kube, (made.cloud,), made.time, threads=1)
    assert [r.outcome for r in found] == ["refused", "done"]


def test_the_taint_comes_before_the_tolerations_and_is_not_written_twice() -> None:
    """A node that is tainted already only needs its pods let in."""
    made = world()
    made.kube.assign("n", slot="p-000", at_s=NOW)
    assert carry_out(made, Hold("n", "p-000", (A,))) == [("Hold", "done")]
    count = made.fuse.count
    assert carry_out(made, Hold("n", "p-000", (B,), tainted=True)) == [("Hold", "done")]
    assert made.fuse.count == count + 1
    assert [p.tolerated_slots for p in made.kube.pods.values()] == [("p-000",), ("p-000",)]


def test_an_unclaim_leaves_another_slots_claim_alone() -> None:
    """It is somebody's by now."""
    made = world()
    made.kube.claim(A, slot="new", group="g8", at_s=NOW)
    carry_out(made, Unclaim("old", (A,), WHY))
    assert made.kube.pods["uid-a"].claim is not None


def removal(made: World) -> RemoveNode:
    """The removal of node n."""
    return RemoveNode("g8", "n", made.cloud.group("g8").instances[0].id, WHY)


def test_a_node_is_cordoned_then_removed_with_its_target() -> None:
    """In one call to the cloud."""
    made = world()
    assert carry_out(made, removal(made)) == [("RemoveNode", "done")]
    assert made.kube.nodes["n"].unschedulable
    assert made.cloud.group("g8").target_nodes == 0


def test_a_node_that_got_work_meanwhile_is_opened_again() -> None:
    """Looked at once more after the cordon."""
    made = world()
    made.kube.pods["uid-c"] = pod("c", node_name="n", phase="Running")
    assert carry_out(made, removal(made)) == [("RemoveNode", "skipped")]
    assert not made.kube.nodes["n"].unschedulable
    assert made.cloud.calls == []


def test_a_refused_removal_opens_the_node_again() -> None:
    """It goes on serving until the next try."""
    made = world()
    made.cloud.fail_next("remove", fault("g8", FaultKind.DENIED))
    assert carry_out(made, removal(made)) == [("RemoveNode", "refused")]
    assert not made.kube.nodes["n"].unschedulable
