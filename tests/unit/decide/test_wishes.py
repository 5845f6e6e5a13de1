"""Wishes choose among plans of equal cost, and never cost more than the settings allow."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from autoscale.decide import decide
from autoscale.model.plan import Resize
from autoscale.model.rules import PodRules, PodTerm, Requirement, Spread, Wishes
from autoscale.model.settings import DecideSettings
from autoscale.model.workload import NodeSelectorTerm
from autoscale.solve import solve
from tests.builders import Taint, Toleration, group, node, pods, shape, snapshot

if TYPE_CHECKING:
    from autoscale.model.problem import Problem, Solution
    from autoscale.model.supply import NodeGroup
    from autoscale.model.workload import Pod

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
APP = (Requirement("app", "In", ("web",)),)
IN_Z1 = ((50, NodeSelectorTerm((Requirement(ZONE, "In", ("z1",)),))),)


def solver(problem: Problem) -> Solution:
    """The real one."""
    return solve(problem, time_limit_s=5, seed=0)


def zones(*usd: float, taints: tuple[Taint, ...] = (), **more: Any) -> tuple[NodeGroup, ...]:
    """A group of 8-GPU nodes in each of some zones; `taints` are those of the first."""
    return tuple(
        group(f"g-z{i}", usd=price, labels={ZONE: f"z{i}"}, taints=taints if i == 0 else (), **more)
        for i, price in enumerate(usd)
    )


def bought(
    *there: Pod, groups: tuple[NodeGroup, ...], extra_ppm: int = 0, nodes: tuple[Any, ...] = ()
) -> dict[str, int]:
    """Group -> nodes bought."""
    plan = decide(
        snapshot(pods=there, nodes=nodes, groups=groups),
        (),
        solver,
        DecideSettings(preferences_max_extra_ppm=extra_ppm),
    )
    assert not plan.unmet
    return dict(Counter({a.group: a.target_nodes - a.current_nodes for a in plan.actions if isinstance(a, Resize)}))


def web(count: int, gpus: int = 8, name: str = "web", **more: Any) -> tuple[Pod, ...]:
    """Pods that fill a node each, unless they ask for less."""
    return pods(name, count, shape(gpus=gpus, **more), labels={"app": "web"})


def test_a_preferred_zone_is_bought_when_it_costs_the_same() -> None:
    """Without a wish the first of equal groups; with one the zone that is preferred."""
    assert bought(*web(1), groups=zones(10, 10)) == {"g-z0": 1}
    assert bought(*web(1, preferred_nodes=IN_Z1), groups=zones(10, 10)) == {"g-z1": 1}


@pytest.mark.parametrize(("extra_ppm", "chosen"), [(0, "g-z0"), (9_999, "g-z0"), (10_000, "g-z1")])
def test_a_wish_costs_no_more_than_it_may(extra_ppm: int, chosen: str) -> None:
    """A zone that is 1 % dearer is chosen from 1 % on."""
    assert bought(*web(1, preferred_nodes=IN_Z1), groups=zones(10, 10.1), extra_ppm=extra_ppm) == {chosen: 1}


def test_what_wishes_may_cost_is_for_all_of_them_together() -> None:
    """Of four nodes two may be 1 % dearer when the plan may cost half a percent more."""
    wanted = web(4, preferred_nodes=IN_Z1)
    assert bought(*wanted, groups=zones(10, 10.1), extra_ppm=5_000) == {"g-z0": 2, "g-z1": 2}


def test_a_taint_that_is_only_preferred_is_avoided_by_those_who_do_not_tolerate_it() -> None:
    """PreferNoSchedule."""
    taint = (Taint("old", "", "PreferNoSchedule"),)
    assert bought(*web(1), groups=zones(10, 10, taints=taint)) == {"g-z1": 1}
    tolerant = web(1, tolerations=(Toleration("old", "Exists"),))
    assert bought(*tolerant, groups=zones(10, 10, taints=taint)) == {"g-z0": 1}


def test_pods_are_spread_where_that_costs_nothing() -> None:
    """ScheduleAnyway over zones, those that run counted in."""
    spread = Wishes(spread=(Spread(ZONE, 1, APP),))
    assert bought(*web(4, wishes=spread), groups=zones(10, 10)) == {"g-z0": 2, "g-z1": 2}
    assert bought(*web(4, wishes=spread), groups=zones(10, 10.5)) == {"g-z0": 4}
    runs = tuple(replace(p, node_name=f"n{i}", phase="Running") for i, p in enumerate(web(2, name="there")))
    there = tuple(node(f"n{i}", provider_id="", labels={ZONE: "z0"}) for i in range(2))
    assert bought(*runs, *web(4, wishes=spread), groups=zones(10, 10), nodes=there) == {"g-z0": 1, "g-z1": 3}


@pytest.mark.parametrize(("kind", "chosen"), [("affinity", "g-z1"), ("anti_affinity", "g-z0")])
def test_company_is_sought_or_avoided(kind: str, chosen: str) -> None:
    """Preferred pod affinity goes where the others are, preferred anti-affinity where they are not."""
    runs = replace(web(1, name="there")[0], node_name="n", phase="Running")
    term = ((10, PodTerm(ZONE, APP)),)
    wish = Wishes(affinity=term) if kind == "affinity" else Wishes(anti_affinity=term)
    groups = zones(10, 10) if kind == "affinity" else tuple(reversed(zones(10, 10)))
    there = (node("n", provider_id="", labels={ZONE: "z1"}),)
    assert bought(runs, *web(1, wishes=wish), groups=groups, nodes=there) == {chosen: 1}


def test_pods_that_would_rather_not_share_a_node_are_levelled_over_those_that_are_bought() -> None:
    """No node more is bought for it."""
    apart = Wishes(anti_affinity=((100, PodTerm(HOST, APP)),))
    big = pods("big", 2, shape(gpus=6))
    plan = decide(snapshot(pods=(*web(4, gpus=1, wishes=apart), *big), groups=zones(10)), (), solver, DecideSettings())
    assert sorted(dict(each.pods).get("default/web", 0) for each in plan.packing for _ in range(each.count)) == [2, 2]


def test_rules_come_before_wishes() -> None:
    """A wish for one zone and a rule to be spread: spread, and nothing dearer."""
    rule = PodRules(spread=(Spread(ZONE, 1, APP, min_domains=2),))
    both = web(4, rules=rule, preferred_nodes=IN_Z1)
    assert bought(*both, groups=zones(10, 10)) == {"g-z0": 2, "g-z1": 2}


def test_a_wish_that_would_leave_another_pod_without_a_place_is_not_heeded() -> None:
    """One would rather be in z1, another has to be there, and away from it."""
    wishful = web(1, preferred_nodes=IN_Z1)
    away = PodRules(anti_affinity=(PodTerm(ZONE, APP),))
    bound = pods("zonal", 1, shape(gpus=8, node_selector=((ZONE, "z1"),), rules=away))
    assert bought(*wishful, *bound, groups=zones(10, 10)) == {"g-z0": 1, "g-z1": 1}


def test_groups_that_cost_too_much_use_up_no_looks() -> None:
    """However many there are, they do not keep the search from one that may be bought."""
    dear = tuple(group(f"a-dear-{i}", usd=20, labels={ZONE: "z2"}) for i in range(200))
    cheap = zones(10, 10, max_nodes=40)
    assert bought(*web(30, preferred_nodes=IN_Z1), groups=(*dear, *cheap)) == {"g-z1": 30}


def test_a_group_that_is_full_takes_no_more() -> None:
    """Wishes keep to maximum sizes."""
    first, second = zones(10, 10)
    assert bought(*web(3, preferred_nodes=IN_Z1), groups=(first, replace(second, max_nodes=2))) == {
        "g-z0": 1,
        "g-z1": 2,
    }
