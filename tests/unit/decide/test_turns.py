"""Where pods may not be changed: when a node is opened, for whom, and which of them first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.fleet import survey
from autoscale.decide.lifecycle import stand
from autoscale.model.plan import Action, Assign, Hold, Release, Unclaim
from autoscale.model.rules import PodRules, PodTerm, Requirement, Spread
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Ledger
from autoscale.model.workload import Pod, Taint
from tests.builders import NOW, group, node, pod, shape, snapshot

if TYPE_CHECKING:
    from autoscale.model.supply import Node

UNCHANGED = DecideSettings(changes_pods=False)
HOST = "kubernetes.io/hostname"


def shut(number: int, *, gpus: int = 8, since_s: int = NOW - 60) -> Node:
    """A node that is up, held for its slot and closed to all."""
    name, slot = f"g8-{number}", f"p-{number}"
    taints = (Taint("gpu-autoscale.dev/slot", slot),)
    return node(name, gpus=gpus, slot=slot, phase="held", since_s=since_s, taints=taints, labels={HOST: name})


def opened(number: int, *, since_s: int) -> Node:
    """The same, open since then."""
    return replace(shut(number, since_s=since_s), taints=())


def mine(number: int, *gpus: int, rules: PodRules | None = None, nominated: str = "") -> tuple[Pod, ...]:
    """Pods of one app that wait for a node's slot."""
    return tuple(
        pod(
            f"{number}-{i}",
            shape(gpus=count, rules=rules or PodRules()),
            claim=(f"p-{number}", "g8"),
            labels={"app": "a"},
            nominated_node=nominated,
        )
        for i, count in enumerate(gpus)
    )


def done(pods: tuple[Pod, ...], *nodes: Node, target: int = 0) -> list[Action]:
    """What happens to these nodes."""
    world = snapshot(pods=pods, nodes=nodes, groups=(group(running=len(nodes), target_nodes=target or len(nodes)),))
    return list(stand(survey(world, UNCHANGED)).actions)


def chosen(actions: list[Action]) -> list[tuple[str, list[str]]]:
    """Which closed nodes are chosen, and who is nominated to them, in order."""
    return [
        (a.node, [ref.partition("/")[2] for _, ref in a.pods]) for a in actions if isinstance(a, Hold) and not a.tainted
    ]


def let_in(actions: list[Action]) -> list[tuple[str, list[str]]]:
    """Which nodes are open from now on, and who had to be nominated for that, in order."""
    return [
        (a.node, [ref.partition("/")[2] for _, ref in a.pods]) for a in actions if isinstance(a, Hold) and a.tainted
    ]


def test_a_node_that_joins_is_closed_and_nobody_let_in() -> None:
    """No toleration could be given; it has no devices yet, so that nobody is late."""
    there = node("g8-0", gpus=0, created_at_s=NOW)
    assert done(mine(0, 4), there) == [Assign("g8-0", "p-0"), Hold("g8-0", "p-0", ())]
    assert done(mine(0, 4), shut(0, gpus=0)) == []


def test_a_node_that_is_up_is_opened_once_its_pods_are_nominated() -> None:
    """Whoever lost that meanwhile is nominated again as it is opened."""
    assert done(mine(0, 4, 2), shut(0)) == [
        Hold("g8-0", "p-0", (("uid-0-0", "default/0-0"), ("uid-0-1", "default/0-1")))
    ]
    assert let_in(done(mine(0, 4, 2, nominated="g8-0"), shut(0))) == [("g8-0", [])]
    first, second = mine(0, 4, 2, nominated="g8-0")
    assert let_in(done((first, replace(second, nominated_node="")), shut(0))) == [("g8-0", ["0-1"])]


def test_a_node_whose_pods_lose_every_nomination_is_opened_in_the_end() -> None:
    """A scheduler that is never at rest must not keep it closed."""
    world = snapshot(
        pods=mine(0, 4), nodes=(shut(0),), groups=(group(running=1),), ledger=Ledger(ready_since_s={"g8-0": NOW - 180})
    )
    assert let_in(list(stand(survey(world, UNCHANGED)).actions)) == [("g8-0", ["0-0"])]


def test_who_was_chosen_is_opened_before_another_is_chosen() -> None:
    """Though the other is fuller and came later."""
    pods = (*mine(0, 4, nominated="g8-0"), *mine(1, 4, 4))
    found = done(pods, shut(0), shut(1))
    assert (let_in(found), chosen(found)) == ([("g8-0", [])], [])


def test_the_fullest_is_opened_first_and_the_next_when_its_pods_are_bound() -> None:
    """What is left on a node is open to all that wait: on the full one nothing is."""
    pods = (*mine(0, 4), *mine(1, 4, 4))
    assert chosen(done(pods, shut(0), shut(1))) == [("g8-1", ["1-0", "1-1"])]
    waiting = (*mine(0, 4), *mine(1, 4, 4, nominated="g8-1"))
    assert done(waiting, shut(0), opened(1, since_s=NOW - 4)) == []
    bound = (*mine(0, 4), *(replace(p, node_name="g8-1") for p in mine(1, 4, 4)))
    assert done(bound, shut(0), opened(1, since_s=NOW - 1))[1:] == [Hold("g8-0", "p-0", (("uid-0-0", "default/0-0"),))]


def test_room_that_pods_without_a_plan_would_take_is_opened_last() -> None:
    """They could keep out others that are still to be bound."""
    pods = (*mine(0, 4, 4), *mine(1, 1), pod("free", shape(gpus=2)))
    assert chosen(done(pods, shut(0), shut(1))) == [("g8-0", ["0-0", "0-1"])]


def test_a_pod_whose_place_was_taken_is_planned_anew_when_all_nodes_are_open() -> None:
    """Until then those who took it may leave theirs; nominating it to a node that is full would be in vain."""
    thief = replace(mine(1, 4)[0], node_name="g8-0", claim=None)
    pods = (thief, *mine(0, 6), *mine(1, 4, 4)[1:])
    found = done(pods, opened(0, since_s=NOW - 6), shut(1))
    assert found == [Hold("g8-1", "p-1", (("uid-1-1", "default/1-1"),))]
    over = done(pods, opened(0, since_s=NOW - 6), opened(1, since_s=NOW - 1))
    assert [(a.slot, a.pods) for a in over if isinstance(a, Unclaim)] == [("p-0", (("uid-0-0", "default/0-0"),))]


def test_a_node_whose_pods_stay_out_keeps_others_waiting_for_seconds_only() -> None:
    """They may wait for whom the next one is for."""
    pods = (*mine(0, 4), *mine(1, 4, 4, nominated="g8-1"))
    assert chosen(done(pods, shut(0), opened(1, since_s=NOW - 5))) == [("g8-0", ["0-0"])]


def test_nodes_with_the_same_pods_are_opened_together_unless_others_would_fit() -> None:
    """If two of them change places, nothing has changed; a pod that is another could take a place."""
    same = shape(gpus=4)
    pods = tuple(replace(p, shape=same) for number in range(2) for p in mine(number, 4, 4))
    assert chosen(done(pods, shut(0), shut(1))) == [("g8-0", ["0-0", "0-1"]), ("g8-1", ["1-0", "1-1"])]
    other = pod("other", shape(gpus=2))
    assert chosen(done((*pods, other), shut(0), shut(1))) == [("g8-0", ["0-0", "0-1"])]


def test_a_nomination_that_the_scheduler_dropped_is_given_again() -> None:
    """It drops it whenever it tries a pod in vain."""
    first, second = mine(0, 4, 4, nominated="g8-0")
    assert let_in(done((first, replace(second, nominated_node="")), opened(0, since_s=NOW - 1))) == [("g8-0", ["0-1"])]


def test_nodes_whose_pods_need_each_other_are_opened_together_once_all_are_there() -> None:
    """Spread over nodes, no node can be filled before another has some; while one is on its way all stay closed."""
    spread = PodRules(spread=(Spread(HOST, 1, (Requirement("app", "In", ("a",)),)),))
    pods = (*mine(0, 4, 4, rules=spread), *mine(1, 4, 4, rules=spread))
    assert chosen(done(pods, shut(0), shut(1))) == [("g8-0", ["0-0", "0-1"]), ("g8-1", ["1-0", "1-1"])]
    late = (*pods, *mine(2, 4, 4, rules=spread))
    assert done(late, shut(0), shut(1), shut(2, gpus=0)) == []


def test_pods_that_the_rules_let_in_go_before_fuller_nodes_whose_pods_have_to_wait() -> None:
    """Company first."""
    company = PodRules(affinity=(PodTerm(HOST, (Requirement("app", "In", ("b",)),)),))
    alone = tuple(replace(p, labels={"app": "b"}) for p in mine(0, 4))
    assert chosen(done((*alone, *mine(1, 4, 4, rules=company)), shut(0), shut(1))) == [("g8-0", ["0-0"])]


def test_a_node_with_room_is_closed_again_while_others_would_fit() -> None:
    """Its own are bound; a pod that waits for another node would take what is left."""
    bound = tuple(replace(p, node_name="g8-0") for p in mine(0, 4))
    other = mine(1, 2)
    found = done((*bound, *other), opened(0, since_s=NOW - 1), target=2)
    assert found == [Hold("g8-0", "p-0", ())]
    assert [type(a) for a in done(bound, opened(0, since_s=NOW - 1))] == [Release]


def test_a_node_that_waits_for_its_turn_has_as_long_as_one_that_joins() -> None:
    """Once it was opened it has the time that all have; nobody says then that its group is at fault."""
    ledger = Ledger(ready_since_s={"g8-0": NOW - 500})
    for there, over in ((shut(0, since_s=NOW - 500), False), (opened(0, since_s=NOW - 500), True)):
        claimed = tuple(replace(p, claim=replace(p.claim, claimed_at_s=NOW - 600)) for p in mine(0, 4) if p.claim)
        world = snapshot(pods=claimed, nodes=(there,), groups=(group(running=1),), ledger=ledger)
        found = stand(survey(world, UNCHANGED))
        assert any(isinstance(action, Unclaim) for action in found.actions) is over
        assert found.faults == ()
