"""Every step of a reservation, each from a snapshot to the actions that it calls for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscale.decide.fleet import survey
from autoscale.decide.lifecycle import Standing, stand
from autoscale.model.plan import Action, Assign, Hold, Release, Unclaim
from autoscale.model.rules import PodRules, PodTerm, Requirement
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Backoff, Ledger, Snapshot
from autoscale.model.supply import FaultKind, InstanceState
from autoscale.model.workload import Claim, DaemonSet, PodShape, Taint, Toleration
from tests.builders import NOW, fault, group, instance, node, pod, resources, shape, snapshot

AGENT = DaemonSet("logs", "agent", PodShape(resources(cpu=1, pods=1)))
CLAIMED = (pod("a", claim=("p-000", "g8")), pod("b", claim=("p-000", "g8")))
REFS = (("uid-a", "default/a"), ("uid-b", "default/b"))


def standing(world: Snapshot) -> Standing:
    """Where everything stands with the usual settings."""
    return stand(survey(world, DecideSettings()))


def done(world: Snapshot) -> list[Action]:
    """The actions without their reasons' words."""
    return list(standing(world).actions)


def kinds(world: Snapshot) -> list[tuple[str, str]]:
    """(kind, slot) of each action."""
    return [(type(a).__name__, a.slot) for a in done(world)]  # type: ignore[union-attr]  # all actions here have a slot


def joined(**more: Any) -> Snapshot:
    """One node of g8 that has just joined without devices, and two pods that claim p-000."""
    there = node("g8-0", gpus=0, created_at_s=NOW, **more)
    return snapshot(pods=CLAIMED, nodes=(there,), groups=(group(running=1),))


def test_an_open_slot_waits_for_its_node() -> None:
    """Claims that were paid for call for nothing, and their pods are no demand."""
    world = snapshot(pods=CLAIMED, groups=(group(target_nodes=1),))
    found = standing(world)
    assert (found.actions, found.waiting) == ((), ())
    state = found.groups["g8"]
    assert (state.established, len(state.open), state.needed, state.surplus) == (0, 1, 1, 0)


def test_a_node_that_joins_takes_the_lowest_open_slot_and_is_held_at_once() -> None:
    """Without DaemonSets there is nothing to wait for."""
    assert done(joined()) == [Assign("g8-0", "p-000"), Hold("g8-0", "p-000", REFS)]


def test_the_older_claim_is_the_lower_slot() -> None:
    """Two open slots, one node: it goes to the one that was claimed first, whatever its name."""
    pods = (
        pod("a", claim=("a-000", "g8"), claimed_at_s=NOW - 5),
        pod("b", claim=("z-000", "g8"), claimed_at_s=NOW - 9),
    )
    world = snapshot(pods=pods, nodes=(node("g8-0", created_at_s=NOW),), groups=(group(running=1, target_nodes=2),))
    assert Assign("g8-0", "z-000") in done(world)


def test_a_node_waits_for_its_daemon_sets_before_it_is_held() -> None:
    """Held too early, what makes devices appear would be kept out."""
    world = joined()
    world = replace(world, cluster=replace(world.cluster, daemon_sets=(AGENT,)))
    assert done(world) == [Assign("g8-0", "p-000")]


@pytest.mark.parametrize(
    ("waited_s", "bound", "held"),
    [
        (5, False, False),
        (5, True, True),  # its DaemonSet pod is there
        (60, False, True),  # daemon_timeout_s
    ],
)
def test_an_assigned_node_is_held_once_its_daemons_are_there_or_late(*, waited_s: int, bound: bool, held: bool) -> None:
    """The DaemonSets that belong on it are counted against the pods bound to it."""
    world = joined(slot="p-000", since_s=NOW - waited_s)
    daemon = pod("d", AGENT.shape, owner="DaemonSet/agent", namespace="logs", node_name="g8-0", phase="Running")
    cluster = replace(world.cluster, daemon_sets=(AGENT,), pods=(*CLAIMED, *((daemon,) if bound else ())))
    assert done(replace(world, cluster=cluster)) == ([Hold("g8-0", "p-000", REFS)] if held else [])


def test_a_held_node_lets_the_rest_of_its_pods_in() -> None:
    """Cut off between two tolerations, the next tick writes the one that is missing and leaves the taint alone."""
    world = joined(slot="p-000", phase="held")
    pods = (replace(CLAIMED[0], tolerated_slots=("p-000",)), CLAIMED[1])
    world = replace(world, cluster=replace(world.cluster, pods=pods))
    assert done(world) == [Hold("g8-0", "p-000", REFS[1:], tainted=True)]


def test_a_daemon_set_that_comes_late_is_let_onto_a_held_node() -> None:
    """Held, without devices, and a DaemonSet belongs there that is not: the taint comes off, nobody is demand yet."""
    world = joined(slot="p-000", phase="held")
    world = replace(world, cluster=replace(world.cluster, daemon_sets=(AGENT,)))
    assert (kinds(world), standing(world).waiting) == ([("Release", "p-000")], ())


def test_a_node_is_released_when_its_pods_are_bound() -> None:
    """Nobody waits for it any more."""
    bound = tuple(replace(p, node_name="g8-0", phase="Running") for p in CLAIMED)
    world = snapshot(pods=bound, nodes=(node("g8-0", slot="p-000", phase="held"),), groups=(group(running=1),))
    assert kinds(world) == [("Release", "p-000")]


def test_a_node_stays_closed_while_pods_of_others_would_fit_on_it() -> None:
    """A pod that waits for its own node would take the room, and leave that node to nobody; once too large, it may not."""
    taints = (Taint("gpu-autoscale.dev/slot", "p-000"),)
    there = node("g8-0", slot="p-000", phase="held", taints=taints)
    bound = pod("a", shape(gpus=6), node_name="g8-0", claim=("p-000", "g8"))
    for gpus, closed in ((2, True), (4, False)):
        other = pod("b", shape(gpus=gpus), claim=("p-001", "g8"))
        world = snapshot(pods=(bound, other), nodes=(there,), groups=(group(running=1, target_nodes=2),))
        assert kinds(world) == ([] if closed else [("Release", "p-000")])


def test_a_node_stays_closed_to_pods_without_a_plan_while_rules_count_on_who_is_where() -> None:
    """A pod that no plan found a place for could be let in now, and keep out others for whom nodes were bought."""
    taints = (Taint("gpu-autoscale.dev/slot", "p-000"),)
    there = node("g8-0", slot="p-000", phase="held", taints=taints)
    bound = pod("a", shape(gpus=6), node_name="g8-0", claim=("p-000", "g8"))
    apart = PodRules(anti_affinity=(PodTerm("zone", (Requirement("app", "In", ("x",)),)),))
    for rules, closed in ((apart, True), (PodRules(), False)):
        claimed = pod("b", shape(gpus=8, rules=rules), claim=("p-001", "g8"))
        world = snapshot(
            pods=(bound, claimed, pod("c", shape(gpus=2))), nodes=(there,), groups=(group(running=1, target_nodes=2),)
        )
        assert kinds(world) == ([] if closed else [("Release", "p-000")])


@pytest.mark.parametrize(
    ("gpus", "ready_s", "held_s", "over"),
    [
        (8, 119, 500, False),
        (8, 120, 500, True),  # hold_timeout_s since it was up
        (8, 500, 119, False),  # and since it was held
        (0, None, 899, False),  # without devices there is more time
        (0, None, 900, True),  # provision_timeout_s
    ],
)
def test_a_hold_ends_when_its_pods_take_too_long(*, gpus: int, ready_s: int | None, held_s: int, over: bool) -> None:
    """The clock starts when the node is held and shows its devices; pods that were kept out are demand again."""
    there = node("g8-0", gpus=gpus, slot="p-000", phase="held", since_s=NOW - held_s)
    ledger = Ledger(ready_since_s={} if ready_s is None else {"g8-0": NOW - ready_s})
    claim = Claim("p-000", "g8", NOW - 1000)
    pods = tuple(replace(p, tolerated_slots=("p-000",), claim=claim) for p in CLAIMED)
    found = standing(snapshot(pods=pods, nodes=(there,), groups=(group(running=1),), ledger=ledger))
    assert [type(a) for a in found.actions] == ([Unclaim, Release] if over else [])
    assert found.waiting == (pods if over else ())
    assert [f.code for f in found.faults] == (["PodsNotBound"] if over else [])


def test_whoever_claims_a_node_that_is_held_has_the_time_that_all_have() -> None:
    """The clock starts anew with the last claim: a pod that takes an evicted one's place comes when the node is long ready."""
    there = node("g8-0", slot="p-000", phase="held", since_s=NOW - 900)
    late = replace(CLAIMED[0], tolerated_slots=("p-000",), claim=Claim("p-000", "g8", NOW - 119))
    ledger = Ledger(ready_since_s={"g8-0": NOW - 800})
    world = snapshot(pods=(late,), nodes=(there,), groups=(group(running=1),), ledger=ledger)
    assert done(world) == []
    assert [type(a) for a in done(replace(world, now_s=NOW + 1))] == [Unclaim, Release]


def test_a_claim_on_a_released_node_is_void() -> None:
    """Its pod is demand, and the claim is taken off lest it ask for a node when that one is gone."""
    world = snapshot(pods=CLAIMED, nodes=(node("g8-0", slot="p-000", phase="released"),), groups=(group(running=1),))
    found = standing(world)
    assert (kinds(world), found.waiting) == ([("Unclaim", "p-000")], CLAIMED)


def test_a_slot_whose_node_never_came_is_given_up() -> None:
    """After provision_timeout_s: claims back, group closed, target down to what is there, fault for the ledger."""
    late = tuple(replace(p, claim=replace(p.claim, claimed_at_s=NOW - 900)) for p in CLAIMED if p.claim)
    found = standing(snapshot(pods=late, groups=(group(target_nodes=1),)))
    state = found.groups["g8"]
    assert [a.pods for a in found.actions if isinstance(a, Unclaim)] == [REFS]
    assert (state.target, state.limit, state.surplus, found.waiting) == (0, 0, 0, late)
    assert [(f.group, f.code) for f in found.faults] == [("g8", "NodeNeverCame")]


@pytest.mark.parametrize(("provision_s", "given_up"), [(None, True), (60, True), (3600, False)])
def test_a_group_whose_nodes_take_longer_is_waited_for(*, provision_s: int | None, given_up: bool) -> None:
    """A cloud's queue may take hours; nothing is waited for less long than the settings say."""
    for age_s, late in ((899, False), (900, given_up), (3600, True)):
        pods = tuple(replace(p, claim=replace(p.claim, claimed_at_s=NOW - age_s)) for p in CLAIMED if p.claim)
        found = standing(snapshot(pods=pods, groups=(group(target_nodes=1, provision_s=provision_s),)))
        assert (found.waiting == pods, [f.code for f in found.faults]) == (late, ["NodeNeverCame"] * late)


def test_a_fault_takes_back_only_what_can_not_be_seen_coming() -> None:
    """Two slots, one instance on its way: the lower slot keeps it."""
    pods = (pod("a", claim=("p-000", "g8")), pod("b", claim=("p-001", "g8")))
    short = group(target_nodes=2, instances=(instance("i-1", InstanceState.PENDING),), faults=(fault(),))
    found = standing(snapshot(pods=pods, groups=(short,)))
    assert [a.slot for a in found.actions if isinstance(a, Unclaim)] == ["p-001"]
    assert ([s.id for s in found.groups["g8"].open], found.groups["g8"].target) == (["p-000"], 1)
    assert [p.name for p in found.waiting] == ["b"]


@pytest.mark.parametrize(
    ("kind", "age_s", "grown_s", "counts"),
    [
        (FaultKind.NO_CAPACITY, 10, None, True),
        (FaultKind.THROTTLED, 10, None, False),  # no verdict on the group
        (FaultKind.NO_CAPACITY, 10, 5, False),  # older than what we asked for since
        (FaultKind.NO_CAPACITY, 181, None, False),  # older than a back-off would last
    ],
)
def test_which_faults_close_a_group(*, kind: FaultKind, age_s: int, grown_s: int | None, counts: bool) -> None:
    """Only news of purchases that fail."""
    ledger = Ledger(grown_at_s={} if grown_s is None else {"g8": NOW - grown_s})
    world = snapshot(groups=(group(faults=(fault(kind=kind, at_s=NOW - age_s),)),), ledger=ledger)
    assert (standing(world).groups["g8"].closed is not None) is counts


def test_a_fault_is_said_to_the_ledger_once() -> None:
    """The cloud goes on showing it; the count of failures must not grow by that."""
    known = fault(at_s=NOW - 10)
    ledger = Ledger(backoffs={"g8": Backoff(known, NOW + 100)})
    found = standing(snapshot(groups=(group(faults=(known,)),), ledger=ledger))
    assert found.faults == ()
    assert found.groups["g8"].closed is not None


def test_an_offering_out_of_stock_closes_every_group_of_it() -> None:
    """Stock-outs are remembered by offering."""
    same = group("g8")
    twin = replace(same, id="twin", name="twin", faults=(fault("twin", offering=same.offering.key),))
    states = standing(snapshot(groups=(same, twin))).groups
    assert [states[name].closed is not None for name in ("g8", "twin")] == [True, True]


def test_a_group_at_rest_gives_up_what_it_was_not_asked_for() -> None:
    """Back-off and an open slot that nobody paid for: its pods look elsewhere in the same tick."""
    ledger = Ledger(backoffs={"g8": Backoff(fault(at_s=NOW - 10), NOW + 100)})
    found = standing(snapshot(pods=CLAIMED, groups=(group(),), ledger=ledger))
    assert [a.pods for a in found.actions if isinstance(a, Unclaim)] == [REFS]
    assert found.waiting == CLAIMED


def test_a_node_that_came_for_nobody_is_surplus_until_it_is_up() -> None:
    """It takes the next slot instead of a purchase."""
    young = node("g8-0", gpus=0, created_at_s=NOW - 5)
    state = standing(snapshot(nodes=(young,), groups=(group(running=1),))).groups["g8"]
    assert (state.established, state.surplus, state.spare) == (0, 1, frozenset({"g8-0"}))


def test_an_old_node_is_never_given_to_a_slot() -> None:
    """A node that was there before, idle and up, is not what was bought."""
    world = snapshot(pods=CLAIMED, nodes=(node("g8-0"),), groups=(group(running=1, target_nodes=2),))
    assert done(world) == []


def test_a_node_that_slipped_in_before_the_claim_is_taken_rather_than_another_bought() -> None:
    """The cloud owes fewer nodes than there are open slots, and a young node has no slot: it is the one."""
    slipped = node("g8-0", created_at_s=NOW - 3)
    world = snapshot(pods=CLAIMED, nodes=(slipped,), groups=(group(running=1),))
    assert done(world)[0] == Assign("g8-0", "p-000")
    assert standing(world).groups["g8"].needed == 1


def test_claims_that_are_too_many_for_a_node_are_taken_back() -> None:
    """A move of claims that was cut off leaves a slot overfull: the youngest go."""
    pods = tuple(pod(f"a{i}", shape(gpus=3), claim=("p-000", "g8"), created_at_s=NOW - 9 + i) for i in range(3))
    found = standing(snapshot(pods=pods, groups=(group(target_nodes=1),)))
    assert [a.pods for a in found.actions if isinstance(a, Unclaim)] == [(("uid-a2", "default/a2"),)]
    assert [p.name for p in found.waiting] == ["a2"]


def test_a_cloud_that_can_not_be_read_changes_no_claim() -> None:
    """Groups may be missing from the view: their slots are neither demand nor given up."""
    found = standing(snapshot(pods=CLAIMED, faults=(fault(""),)))
    assert (found.actions, found.waiting) == ((), ())


def test_a_group_that_is_gone_for_good_gives_its_pods_back() -> None:
    """The cloud was read whole and has no such group."""
    found = standing(snapshot(pods=CLAIMED))
    assert ([type(a) for a in found.actions], found.waiting) == ([Unclaim], CLAIMED)


def test_a_node_whose_instance_goes_counts_no_more() -> None:
    """Its slot is open again: the cloud replaces the instance, and nothing is bought beside."""
    leaving = group(target_nodes=1, instances=(instance("g8-0", InstanceState.TERMINATING),))
    world = snapshot(pods=CLAIMED, nodes=(node("g8-0", slot="p-000", phase="held"),), groups=(leaving,))
    state = standing(world).groups["g8"]
    assert (state.established, state.needed, state.target) == (0, 1, 1)


@pytest.mark.parametrize(("asked_s", "target"), [(59, 3), (60, 1)])
def test_what_was_asked_for_is_remembered_while_the_cloud_shows_less(asked_s: int, target: int) -> None:
    """For target_memory_s; then the cloud is right."""
    ledger = Ledger(targets={"g8": 3}, grown_at_s={"g8": NOW - asked_s})
    assert standing(snapshot(groups=(group(target_nodes=1),), ledger=ledger)).groups["g8"].asked == target


def test_start_up_taints_do_not_hide_daemon_sets() -> None:
    """A DaemonSet belongs on the node by what the group is tainted with for good."""
    starting = (Taint("node.kubernetes.io/not-ready"),)
    world = joined(taints=starting)
    world = replace(world, cluster=replace(world.cluster, daemon_sets=(AGENT,)))
    assert done(world) == [Assign("g8-0", "p-000")]


STARTING = Taint("gpu-autoscale.dev/slot", "starting")


def test_a_node_that_registered_closed_is_held_at_once_when_its_daemon_sets_can_get_on() -> None:
    """DaemonSets that tolerate everything need no open door, so nobody else finds one."""
    world = joined(taints=(STARTING,))
    everywhere = replace(AGENT, shape=replace(AGENT.shape, tolerations=(Toleration(operator="Exists"),)))
    world = replace(world, cluster=replace(world.cluster, daemon_sets=(everywhere,)))
    assert done(world) == [Assign("g8-0", "p-000"), Hold("g8-0", "p-000", REFS)]


def test_a_node_that_registered_closed_is_opened_for_daemon_sets_that_need_it() -> None:
    """A DaemonSet without a toleration for held nodes gets on first; the node keeps its slot meanwhile."""
    world = joined(taints=(STARTING,))
    world = replace(world, cluster=replace(world.cluster, daemon_sets=(AGENT,)))
    assert kinds(world) == [("Assign", "p-000"), ("Release", "starting")]


def test_a_node_that_registered_closed_and_that_nobody_waits_for_is_opened() -> None:
    """A group that a person grew gives nodes to everybody."""
    there = node("g8-0", gpus=0, created_at_s=NOW, taints=(STARTING,))
    assert kinds(snapshot(nodes=(there,), groups=(group(running=1),))) == [("Release", "starting")]


def test_a_node_that_others_took_before_it_was_held_is_not_bought_again() -> None:
    """The pods that it was for are planned anew: whoever took it left room elsewhere. The cloud owes no other node."""
    large = shape(gpus=8)
    world = snapshot(
        pods=(
            pod("a", large, claim=("p-000", "g8")),
            pod("b", large, claim=("p-001", "g8")),
            pod("c", claim=("p-001", "g8"), node_name="g8-0"),
        ),
        nodes=(node("g8-0", created_at_s=NOW),),
        groups=(group(running=1, target_nodes=2),),
    )
    found = standing(world)
    assert [(a.slot, a.pods) for a in found.actions if isinstance(a, Unclaim)] == [("p-001", (("uid-b", "default/b"),))]
    assert [each.name for each in found.waiting] == ["b"]
    assert (found.groups["g8"].needed, found.groups["g8"].target) == (2, 2)
