"""Who preempts whom, in the cases that DefaultPreemption's own documentation and code tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from autoscale.demand.pending import left_to_others, may_preempt
from autoscale.demand.preemption import Contest
from autoscale.demand.sites import Site
from autoscale.demand.world import World
from autoscale.model.rules import DisruptionBudget, PodRules, PodTerm, Requirement
from autoscale.model.settings import DecideSettings
from autoscale.model.workload import Taint, Toleration
from tests.builders import GPU, NOW, pod, resources, shape

if TYPE_CHECKING:
    from autoscale.model.workload import Pod

HOST = "kubernetes.io/hostname"


def low(name: str, on: str, *, priority: int = 0, gpus: int = 1, **more: Any) -> Pod:
    """A pod that runs."""
    of = shape(gpus=gpus, priority=priority, **more.pop("shape", {}))
    return pod(name, of, node_name=on, phase="Running", **more)


def high(name: str = "p", *, priority: int = 100, gpus: int = 1, **more: Any) -> Pod:
    """A pod that waits."""
    return pod(name, shape(gpus=gpus, priority=priority, **more.pop("shape", {})), **more)


def contest(
    *running: Pod, gpus: int = 4, nodes: int = 2, taints: dict[str, Taint] | None = None, **more: Any
) -> Contest:
    """Nodes n0, n1... with these pods on them."""
    world = World()
    there: dict[Site, list[Pod]] = {}
    for i in range(nodes):
        name = f"n{i}"
        tainted = (taints[name],) if taints and name in taints else ()
        site = Site(name, {HOST: name}, tainted, resources(cpu=96, memory_gi=768, gpus=gpus, pods=110))
        there[site] = [each for each in running if name in (each.node_name, each.nominated_node)]
        for each in there[site]:
            site.change(world.kind_of(each), 1)
        world.open(site)
    return Contest(world, there, more.pop("budgets", ()), now_s=NOW)


def settled(found: Contest, *pods: Pod) -> list[tuple[str, str, list[str]]]:
    """(pod, node, victims)."""
    return [(each.pod.name, each.node, [v.name for v in each.victims]) for each in found.settle(pods)]


def waiting(name: str, on: str, *, priority: int, gpus: int = 1) -> Pod:
    """A pod that preemption nominated to a node; it counts as there."""
    return pod(name, shape(gpus=gpus, priority=priority), nominated_node=on)


def test_a_nominated_pod_reserves_nothing_against_a_higher_priority() -> None:
    """Who ranks higher takes the room that is left beside those who run, the lowest of the nominated giving way; others do not."""
    there = (low("a", "n0", gpus=3), waiting("mid", "n0", priority=50), waiting("less", "n0", priority=10))
    assert settled(contest(*there, nodes=1), high()) == [("p", "n0", ["less", "mid"])]
    assert settled(contest(*there, nodes=1), high(priority=50)) == [("p", "n0", ["a", "less"])]
    assert settled(contest(*there, nodes=1), high(priority=10)) == [("p", "n0", ["a"])]
    assert settled(contest(*there, nodes=2), high()) == []


def test_nominated_pods_are_no_victims_that_count() -> None:
    """The node where least runs is chosen, whoever is nominated to it; they wait again."""
    full = (low("a", "n0", gpus=4, priority=1), low("b", "n1", gpus=4, priority=2))
    assert settled(contest(*full, waiting("mid", "n0", priority=50)), high()) == [("p", "n0", ["a", "mid"])]


def test_a_pod_that_fits_takes_nobodys_place() -> None:
    """Room on any node is used before anybody goes."""
    assert settled(contest(low("a", "n0", gpus=4), low("b", "n1", gpus=3)), high()) == []


def test_only_as_many_go_as_have_to_and_the_least_important() -> None:
    """Victims are spared in the order of importance: priority, then age on the node."""
    there = contest(
        low("old", "n0", started_at_s=NOW - 50), low("young", "n0", started_at_s=NOW - 5), low("mid", "n0", priority=7, gpus=2),
        nodes=1,
    )  # fmt: skip
    assert settled(there, high()) == [("p", "n0", ["young"])]


def test_equal_priority_is_no_victim() -> None:
    """Only lower ones go."""
    assert settled(contest(low("a", "n0", priority=100, gpus=4), nodes=1), high()) == []


def test_a_pod_that_never_preempts_waits() -> None:
    """`preemptionPolicy: Never` keeps its place in the queue and takes nobody's."""
    assert settled(contest(low("a", "n0", gpus=4), nodes=1), high(shape={"preempts": False})) == []


@pytest.mark.parametrize(
    ("running", "node"),
    [
        ((low("a", "n0", priority=5, gpus=4), low("b", "n1", priority=4, gpus=4)), "n1"),  # lowest of the highest priorities
        (
            (low("a", "n0", gpus=4), low("b", "n1", gpus=2), low("c", "n1", gpus=2)), "n0"
        ),  # the lowest sum, so the fewest
        (
            (low("a", "n0", gpus=4, started_at_s=NOW - 9), low("b", "n1", gpus=4, started_at_s=NOW - 5)), "n1"
        ),  # the youngest
    ],
)  # fmt: skip
def test_the_node_where_it_hurts_least(running: tuple[Pod, ...], node: str) -> None:
    """The scheduler's criteria, in their order."""
    assert [each[1] for each in settled(contest(*running), high(gpus=4))] == [node]


def test_budgets_are_kept_where_there_is_a_choice() -> None:
    """The node whose victims break no budget wins although they rank higher; without a choice the budget is broken."""
    guard = DisruptionBudget("default", "guard", (Requirement("app", "In", ("db",)),), 0)
    db = low("db", "n0", gpus=4, labels={"app": "db"})
    assert settled(contest(db, low("b", "n1", priority=9, gpus=4), budgets=(guard,)), high()) == [("p", "n1", ["b"])]
    assert settled(contest(db, nodes=1, budgets=(guard,)), high()) == [("p", "n0", ["db"])]
    known = DisruptionBudget("default", "guard", guard.selector, 0, frozenset({"db"}))
    assert settled(contest(db, low("b", "n1", priority=9, gpus=4), budgets=(known,)), high()) == [("p", "n0", ["db"])]


def test_a_protected_pod_of_a_node_is_spared_first() -> None:
    """Within a node those that a budget protects are put back before the others."""
    guard = DisruptionBudget("default", "guard", (Requirement("app", "In", ("db",)),), 0)
    there = contest(
        low("db", "n0", gpus=2, labels={"app": "db"}), low("b", "n0", gpus=2, priority=9), nodes=1, budgets=(guard,)
    )
    assert settled(there, high(gpus=2)) == [("p", "n0", ["b"])]


def test_what_no_victim_changes_keeps_it_off() -> None:
    """A taint, a selector or a node that is too small."""
    tainted = {"n0": Taint("team", "red")}
    assert settled(contest(low("a", "n0", gpus=4), nodes=1, taints=tainted), high()) == []
    tolerant = high(shape={"tolerations": (Toleration("team", "Exists"),)})
    assert settled(contest(low("a", "n0", gpus=4), nodes=1, taints=tainted), tolerant) == [("p", "n0", ["a"])]
    assert settled(contest(low("a", "n0", gpus=4), nodes=1), high(shape={"node_selector": (("x", "y"),)})) == []
    assert settled(contest(low("a", "n0", gpus=4), nodes=1), high(gpus=5)) == []


def test_a_pod_that_keeps_away_takes_the_others_place() -> None:
    """Anti-affinity is a rule that a victim's going satisfies; company that is missing does not come by it."""
    apart = {"rules": PodRules(anti_affinity=(PodTerm(HOST, (Requirement("app", "In", ("web",)),)),))}
    web = low("web", "n0", labels={"app": "web"})
    assert settled(contest(web, nodes=1), high(shape=apart)) == [("p", "n0", ["web"])]
    company = {"rules": PodRules(affinity=(PodTerm(HOST, (Requirement("app", "In", ("db",)),)),))}
    assert settled(contest(low("a", "n0", gpus=4), nodes=1), high(shape=company)) == []


def test_the_queue_is_served_in_order_and_room_that_is_freed_is_used() -> None:
    """Highest first; who comes later uses what a large victim left, and no pod is a victim twice."""
    there = contest(low("big", "n0", gpus=4), nodes=1)
    later = high("q", priority=50)
    assert settled(there, later, high("p", gpus=2), high("r", priority=50, gpus=2)) == [("p", "n0", ["big"])]


def test_room_of_a_victim_is_not_given_twice() -> None:
    """Four pods of a GPU take four places, the fifth none."""
    there = contest(*(low(f"a{i}", "n0") for i in range(4)), nodes=1)
    assert len(settled(there, *(high(f"p{i}") for i in range(5)))) == 4


def test_pods_may_preempt_only_lower_ones_that_run() -> None:
    """The quick question that spares the rest."""
    assert may_preempt((low("a", "n0"), high()))
    assert not may_preempt((low("a", "n0", priority=100), high()))
    assert not may_preempt((low("a", "n0"), high(shape={"preempts": False})))
    assert not may_preempt((low("a", "n0"),))


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (shape(), ""),
        (shape(scheduler_name="volcano"), "its scheduler volcano is not one that nodes are bought for (`scheduling.schedulerNames`)"),
        (shape(priority=-10), ""),
        (
            shape(priority=-11),
            "its priority -11 is below -10 (`scheduling.expendableBelow`): it runs where there is room, and no node is bought for it",
        ),
    ],
)  # fmt: skip
def test_who_is_left_to_others(of: Any, said: str) -> None:
    """Pods of other schedulers, and expendable ones."""
    assert left_to_others(pod("p", of), DecideSettings()) == said
    assert GPU in of.requests
