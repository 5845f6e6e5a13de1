"""Plans for pods with rules about each other: what is bought, what stays pending and why; and that every plan binds."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from autoscale.decide import decide
from autoscale.demand.sites import Site
from autoscale.demand.world import World
from autoscale.model.plan import ClaimPods, Plan, Release, Resize, Unclaim
from autoscale.model.rules import HostPort, PodRules, PodTerm, Requirement, Selector, Spread
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Backoff, Ledger
from autoscale.model.supply import FaultKind
from autoscale.model.workload import Code, Pod
from autoscale.solve import solve
from tests.builders import NOW, Taint, fault, group, node, pod, pods, resources, shape, snapshot

if TYPE_CHECKING:
    from autoscale.model.problem import Problem, Solution
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Node, NodeGroup

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def app(name: str) -> Selector:
    """Pods with this label."""
    return (Requirement("app", "In", (name,)),)


def together(name: str, key: str = ZONE) -> PodRules:
    """With pods of this app."""
    return PodRules(affinity=(PodTerm(key, app(name)),))


def apart(name: str, key: str = HOST) -> PodRules:
    """Away from pods of this app."""
    return PodRules(anti_affinity=(PodTerm(key, app(name)),))


def even(name: str, key: str = ZONE, **more: Any) -> PodRules:
    """Spread with pods of this app."""
    return PodRules(spread=(Spread(key, 1, app(name), **more),))


def work(name: str, count: int, rules: PodRules, *, gpus: int = 1, labels: str = "") -> tuple[Pod, ...]:
    """Pods of one app with rules."""
    same = {"app": labels or name}
    return pods(name, count, shape(gpus=gpus, cpu=1, memory_gi=1, rules=rules), labels=same)


def zones(*, usd: tuple[float, ...] = (10, 11, 12), **more: Any) -> tuple[NodeGroup, ...]:
    """A group of 8-GPU nodes in each of some zones."""
    return tuple(
        group(f"g-z{i}", usd=price, labels={ZONE: f"z{i}", "group": f"g-z{i}"}, **more) for i, price in enumerate(usd)
    )


def quick(problem: Problem) -> Solution:
    """The solver, with little time."""
    return solve(problem, time_limit_s=0.3)


def plan_of(seen: Snapshot) -> Plan:
    """What is decided."""
    return decide(seen, (), quick, DecideSettings())


def bought(plan: Plan) -> dict[str, int]:
    """Group -> nodes bought."""
    return {a.group: a.target_nodes - a.current_nodes for a in plan.actions if isinstance(a, Resize)}


def claimed(plan: Plan) -> list[tuple[str, list[str]]]:
    """(group, pods) of each slot."""
    return [(a.group, [ref.partition("/")[2] for _, ref in a.pods]) for a in plan.actions if isinstance(a, ClaimPods)]


def test_pods_that_avoid_each_other_get_a_node_each() -> None:
    """Self anti-affinity on the host name: as many nodes as pods, and the bound knows it."""
    plan = plan_of(snapshot(pods=work("db", 3, apart("db")), groups=(group(),)))
    assert bought(plan) == {"g8": 3}
    assert plan.bound_microusd_per_hour == plan.cost_microusd_per_hour


def test_a_host_port_is_had_once_a_node() -> None:
    """One pod with the port a node, whatever room is left."""
    plan = plan_of(snapshot(pods=work("web", 3, PodRules(ports=(HostPort(8080),))), groups=(group(),)))
    assert bought(plan) == {"g8": 3}


def test_a_port_that_a_pod_there_has_is_taken() -> None:
    """The node that is there has room and no port."""
    rules = PodRules(ports=(HostPort(8080),))
    there = pod("old", shape(gpus=1, rules=rules), node_name="g8-0")
    seen = snapshot(pods=(there, *work("web", 1, rules)), nodes=(node("g8-0"),), groups=(group(running=1),))
    assert bought(plan_of(seen)) == {"g8": 1}


def test_pods_that_avoid_another_app_share_no_node_with_it() -> None:
    """Class against class: no linear rule says it, the plan obeys all the same."""
    plan = plan_of(snapshot(pods=(*work("a", 2, apart("b")), *work("b", 2, PodRules())), groups=(group(),)))
    assert bought(plan) == {"g8": 2}
    assert sorted({name[0] for name in names} for _, names in claimed(plan)) == [{"a"}, {"b"}]


def per_group(plan: Plan) -> dict[str, int]:
    """Group -> pods that claim its nodes."""
    found: dict[str, int] = {}
    for name, names in claimed(plan):
        found[name] = found.get(name, 0) + len(names)
    return found


@pytest.mark.parametrize(("count", "each"), [(6, (2, 2, 2)), (7, (3, 2, 2)), (2, (1, 1))])
def test_pods_are_spread_over_the_zones_that_are_offered(count: int, each: tuple[int, ...]) -> None:
    """To the scheduler a zone without a node is no domain; who asks to be spread means the zones that could be had."""
    plan = plan_of(snapshot(pods=work("web", count, even("web")), groups=zones()))
    assert per_group(plan) == {f"g-z{i}": pods_there for i, pods_there in enumerate(each)}
    assert not plan.unmet


def test_zones_that_are_used_up_or_closed_to_the_pods_do_not_count() -> None:
    """Where a zone can't take its share the others are evened out, and no pod stays pending for it."""
    first, second, third = zones()
    few = (first, second, replace(third, max_nodes=1))
    plan = plan_of(snapshot(pods=work("web", 6, even("web"), gpus=8), groups=few))
    assert per_group(plan) == {"g-z0": 3, "g-z1": 3}
    closed = (first, second, replace(third, taints=(Taint("team", "red"),)))
    assert per_group(plan_of(snapshot(pods=work("web", 4, even("web")), groups=closed))) == {"g-z0": 2, "g-z1": 2}
    limited = tuple(replace(each, max_nodes=1) for each in (second, third))
    plan = plan_of(snapshot(pods=work("web", 6, even("web"), gpus=8), groups=(first, *limited)))
    assert (per_group(plan), plan.unmet) == ({"g-z0": 6}, ())


def test_pods_for_which_there_is_room_are_left_to_the_scheduler() -> None:
    """It sees the one zone with a node, and binds them all there at once: nothing is bought for the others."""
    groups = zones(running=1)
    nodes = (node("g-z0-0", labels=dict(groups[0].labels)),)
    one = (groups[0], *zones()[1:])
    assert bought(plan_of(snapshot(pods=work("web", 6, even("web")), nodes=nodes, groups=one))) == {}


def test_a_running_pod_keeps_others_out_of_its_zone() -> None:
    """Anti-affinity of what runs counts for pods that have no rules at all."""
    guard = pod("guard", shape(gpus=1, rules=apart("b", ZONE)), node_name="g-z0-0", labels={"app": "guard"})
    groups = zones(running=1)
    nodes = tuple(node(f"g-z{i}-0", gpus=8 if i else 1, labels=dict(groups[i].labels)) for i in range(3))
    full = tuple(pod(f"full-{i}", shape(gpus=8), node_name=f"g-z{i}-0") for i in (1, 2))
    seen = snapshot(pods=(guard, *full, *work("b", 2, PodRules())), nodes=nodes, groups=groups)
    assert bought(plan_of(seen)) == {"g-z1": 1}


def test_pods_are_spread_over_zones_that_must_be_there() -> None:
    """With minDomains the first pod of each zone comes before the second of any."""
    plan = plan_of(snapshot(pods=work("web", 6, even("web", min_domains=3)), groups=zones()))
    assert bought(plan) == {"g-z0": 1, "g-z1": 1, "g-z2": 1}
    assert sorted(len(names) for _, names in claimed(plan)) == [2, 2, 2]


def test_pods_are_spread_over_zones_that_are_there() -> None:
    """A zone with a full node counts: it can't take its share without a further node."""
    groups = zones(running=1)
    nodes = tuple(node(f"g-z{i}-0", labels=dict(groups[i].labels)) for i in range(3))
    full = tuple(pod(f"full-{i}", shape(gpus=8), node_name=f"g-z{i}-0") for i in range(3))
    plan = plan_of(snapshot(pods=(*full, *work("web", 5, even("web"))), nodes=nodes, groups=groups))
    assert bought(plan) == {"g-z0": 1, "g-z1": 1, "g-z2": 1}
    assert sorted(len(names) for _, names in claimed(plan)) == [1, 2, 2]


def test_pods_that_want_company_go_where_it_is() -> None:
    """The dearer zone, as the pod that they want runs there."""
    groups = zones(usd=(10, 20), running=1)
    nodes = tuple(node(f"g-z{i}-0", labels=dict(groups[i].labels)) for i in range(2))
    full = tuple(pod(f"full-{i}", shape(gpus=8), node_name=f"g-z{i}-0", labels={"app": f"f{i}"}) for i in range(2))
    plan = plan_of(snapshot(pods=(*full, *work("web", 2, together("f1"))), nodes=nodes, groups=groups))
    assert bought(plan) == {"g-z1": 1}


def test_the_first_of_a_group_may_go_anywhere() -> None:
    """And the rest follows it into one zone."""
    plan = plan_of(snapshot(pods=work("web", 12, together("web")), groups=zones()))
    assert bought(plan) == {"g-z0": 2}


def test_a_group_that_wants_one_node_gets_one_that_holds_it() -> None:
    """Cheaper nodes would hold some of them; one dearer node holds all."""
    small, large = group("small", gpus=2, usd=2), group("large", gpus=8, usd=20)
    plan = plan_of(snapshot(pods=work("web", 6, together("web", HOST)), groups=(small, large)))
    assert bought(plan) == {"large": 1}


def test_company_that_is_to_come_counts() -> None:
    """The pod that others want waits itself: both are planned, in one zone."""
    both = (*work("a", 3, together("b")), *work("b", 1, PodRules()))
    plan = plan_of(snapshot(pods=both, groups=zones()))
    assert bought(plan) == {"g-z0": 1}
    assert not plan.unmet


def test_pods_that_wait_for_each_other_are_told_so() -> None:
    """A cycle that nobody can begin: a reason on both, and all others are planned."""
    seen = snapshot(
        pods=(*work("a", 1, together("b")), *work("b", 1, together("a")), *work("c", 1, PodRules())), groups=zones()
    )
    plan = plan_of(seen)
    assert claimed(plan) == [("g-z0", ["c-0"])]
    assert [(u.class_key, u.reasons[0].code) for u in plan.unmet] == [
        ("default/a", Code.POD_AFFINITY),
        ("default/b", Code.POD_AFFINITY),
    ]


def test_a_spread_over_a_label_that_no_node_has_is_told() -> None:
    """As is every rule that nothing can satisfy."""
    plan = plan_of(snapshot(pods=(*work("a", 1, even("a", "rack")), *work("c", 1, PodRules())), groups=zones()))
    assert claimed(plan) == [("g-z0", ["c-0"])]
    assert [(u.class_key, u.reasons[0].code) for u in plan.unmet] == [("default/a", Code.SPREAD)]


def test_pods_with_a_claim_count_where_they_will_be() -> None:
    """A pod planned a moment ago keeps others away from its node, and they from it."""
    first = replace(work("db", 1, apart("db"))[0], claim=None)
    plan = plan_of(snapshot(pods=(first,), groups=(group(),)))
    slot = next(a.slot for a in plan.actions if isinstance(a, ClaimPods))
    rules = apart("db")
    waiting = pod("db-0", shape(gpus=1, cpu=1, memory_gi=1, rules=rules), claim=(slot, "g8"), labels={"app": "db"})
    more = pod("db-1", waiting.shape, labels={"app": "db"})
    again = plan_of(snapshot(pods=(waiting, more), groups=(group(target_nodes=1),)))
    assert bought(again) == {"g8": 1}
    assert claimed(again) == [("g8", ["db-1"])]


def test_a_held_node_waits_longer_for_pods_that_wait_for_others() -> None:
    """While another node is on its way, a pod with rules about others has as long as that may take."""
    ledger = Ledger(ready_since_s={"g8-0": NOW - 300})
    for rules, opened in ((together("b"), False), (PodRules(), True)):
        waits = pod("a", shape(rules=rules), claim=("p-0", "g8"), claimed_at_s=NOW - 300, tolerated_slots=("p-0",))
        other = pod("b", shape(gpus=8), claim=("p-1", "g8"), labels={"app": "b"})
        there = node("g8-0", slot="p-0", phase="held", since_s=NOW - 300)
        seen = snapshot(pods=(waits, other), nodes=(there,), groups=(group(running=1, target_nodes=2),), ledger=ledger)
        plan = decide(seen, (), quick, DecideSettings())
        assert ("g8-0" in [a.node for a in plan.actions if isinstance(a, Release)]) is opened


def test_a_held_node_waits_longer_for_pods_whose_company_is_to_be_planned_anew() -> None:
    """Nothing is on its way for the pod that is wanted, as its group rests after a fault: so long its company waits as well."""
    ledger = Ledger(
        ready_since_s={"g8-0": NOW - 300},
        backoffs={"far": Backoff(fault("far", FaultKind.NO_CAPACITY), 1, NOW + 60)},
    )
    for label, opened in (("b", False), ("c", True)):
        waits = pod(
            "a", shape(rules=together("b")), claim=("p-0", "g8"), claimed_at_s=NOW - 300, tolerated_slots=("p-0",)
        )
        other = pod("b", shape(node_selector=(("group", "far"),)), labels={"app": label})
        there = node("g8-0", slot="p-0", phase="held", since_s=NOW - 300)
        seen = snapshot(pods=(waits, other), nodes=(there,), groups=(group(running=1), group("far")), ledger=ledger)
        assert ("g8-0" in [a.node for a in plan_of(seen).actions if isinstance(a, Release)]) is opened


@pytest.mark.parametrize("seed", range(60))
def test_every_plan_binds(seed: int) -> None:
    """Nodes of random plans join in any order, and a scheduler that obeys the rules binds every pod where it was planned."""
    rng = Random(seed)
    seen = _random(rng)
    plan = plan_of(seen)
    waiting = {p.uid: p for p in seen.cluster.pods if not p.node_name}
    slots = [(a.group, [waiting.pop(uid) for uid, _ in a.pods]) for a in plan.actions if isinstance(a, ClaimPods)]
    assert slots
    for _ in range(3):
        rng.shuffle(slots)
        assert _bind(seen, slots, list(waiting.values()), rng) == []


def _bind(seen: Snapshot, slots: list[tuple[str, list[Pod]]], others: list[Pod], rng: Random) -> list[str]:
    """Let the nodes join one by one, and bind what may be bound after each; who is left in the end.

    Pods without a claim go to any node that was there and lets them in.
    """
    groups = {g.id: g for g in seen.groups}
    world = World()
    there = [Site(n.name, n.labels, n.taints, n.allocatable) for n in seen.cluster.nodes]
    for site in there:
        world.open(site)
        for each in seen.cluster.pods:
            if each.node_name == site.name:
                world.put(world.kind_of(each), site)
    left: list[tuple[Pod, list[Site]]] = [(each, there) for each in others]
    for index, (id_, planned) in enumerate(slots):
        labels = {HOST: f"joined-{index}", **groups[id_].labels}
        site = Site(f"joined-{index}", labels, (), groups[id_].allocatable)
        world.open(site)
        left += [(each, [site]) for each in planned]
        moving = True
        while moving:
            moving = False
            for each, homes in list(left):
                kind = world.kind_of(each)
                takers = [home for home in homes if world.takes(kind, home)]
                if takers:
                    world.put(kind, rng.choice(takers))
                    left.remove((each, homes))
                    moving = True
    return [each.name for each, homes in left if homes is not there]


def _random(rng: Random) -> Snapshot:
    groups = zones(usd=(10, 10.5, 12), running=1)
    nodes = tuple(
        node(f"g-z{i}-0", labels={HOST: f"g-z{i}-0", **groups[i].labels}) for i in range(3) if rng.random() < 0.7
    )
    apps = ("a", "b", "c")
    running = tuple(
        pod(f"run-{i}", shape(gpus=rng.randint(1, 4), cpu=1, rules=_rules(rng, apps)), labels={"app": rng.choice(apps)},
            node_name=rng.choice(nodes).name)
        for i in range(rng.randint(0, 4)) if nodes
    )  # fmt: skip
    asking = [
        each
        for i in range(rng.randint(2, 5))
        for each in work(f"w{i}", rng.randint(1, 9), _rules(rng, apps), gpus=rng.randint(1, 4), labels=rng.choice(apps))
    ]
    plain = work("plain", 3, PodRules(), gpus=8, labels="z")
    return snapshot(pods=(*running, *_settled(rng, nodes, running, asking), *plain), nodes=nodes, groups=groups)


def _settled(rng: Random, nodes: tuple[Node, ...], running: tuple[Pod, ...], asking: list[Pod]) -> list[Pod]:
    """The pods that ask, bound where there is a place for them: nobody plans for pods that the scheduler has not tried."""
    world = World()
    sites = [Site(n.name, n.labels, n.taints, n.allocatable) for n in nodes]
    for site in sites:
        world.open(site)
        for each in running:
            if each.node_name == site.name:
                world.put(world.kind_of(each), site)
    moving = True
    while moving:
        moving = False
        for index, each in enumerate(asking):
            takers = [site for site in sites if not each.node_name and world.takes(world.kind_of(each), site)]
            if takers:
                home = rng.choice(takers)
                world.put(world.kind_of(each), home)
                asking[index] = replace(each, node_name=home.name)
                moving = True
    return asking


def _rules(rng: Random, apps: tuple[str, ...]) -> PodRules:
    key = rng.choice((HOST, ZONE))
    match rng.randrange(6):
        case 0:
            return apart(rng.choice(apps), key)
        case 1:
            return together(rng.choice(apps), key)
        case 2:
            return even(rng.choice(apps), key, min_domains=rng.choice((1, 1, 2)))
        case 3:
            return PodRules(ports=(HostPort(rng.choice((80, 81))),))
        case 4:
            return replace(apart(rng.choice(apps), ZONE), spread=even(rng.choice(apps), HOST).spread)
    return PodRules()


def _waiting(infer_in: tuple[int, ...], *, zone: int, many: int = 2) -> Snapshot:
    """A web pod waits for its node in a zone, spread with infer pods; so many of these run on each node of some zones."""
    here = {*infer_in, zone}
    groups = tuple(g for i in range(3) for g in zones(running=int(i in here))[i : i + 1])
    nodes = tuple(
        node(f"g-z{i}-0", labels={HOST: f"g-z{i}-0", **groups[i].labels}, slot=f"p-{i}",
             phase="held" if i == zone else "released")
        for i in sorted(here)
    )  # fmt: skip
    web = pod(
        "web", shape(gpus=1, cpu=1, rules=even("infer")), claim=(f"p-{zone}", f"g-z{zone}"), labels={"app": "web"}
    )
    there = [
        pod(f"infer-{i}-{k}", shape(gpus=1), labels={"app": "infer"}, node_name=f"g-z{i}-0")
        for i in infer_in
        for k in range(many)
    ]
    full = [pod(f"full-{i}", shape(gpus=6), node_name=f"g-z{i}-0") for i in infer_in if i != zone]
    return snapshot(pods=(replace(web, tolerated_slots=(f"p-{zone}",)), *there, *full), nodes=nodes, groups=groups)


def _with(seen: Snapshot, more: tuple[Pod, ...]) -> Snapshot:
    return replace(seen, cluster=replace(seen.cluster, pods=(*seen.cluster.pods, *more)))


def test_pods_that_come_later_keep_nobody_from_the_node_that_waits() -> None:
    """Two infer pods in the web pod's zone would cost nothing there, and keep the web pod out: one has to go elsewhere."""
    plan = plan_of(_with(_waiting((0, 1), zone=1), work("infer", 2, PodRules(), gpus=2)))
    assert sorted(a.group for a in plan.actions if isinstance(a, ClaimPods)) == ["g-z0", "g-z1"]
    assert not [a for a in plan.actions if isinstance(a, Unclaim)]


def test_pods_planned_anew_go_where_pods_that_wait_need_them() -> None:
    """The web pod's zone has two infer pods more than another: there they go, though the cheapest node is elsewhere."""
    seen = _waiting((1, 2), zone=1)
    lacking = tuple(p for p in seen.cluster.pods if not p.name.startswith("infer-2"))
    plan = plan_of(
        _with(replace(seen, cluster=replace(seen.cluster, pods=lacking)), work("infer", 2, PodRules(), gpus=4))
    )
    assert "g-z2" in bought(plan)
    assert not [a for a in plan.actions if isinstance(a, Unclaim)]


def test_no_zone_is_opened_that_keeps_out_pods_that_wait() -> None:
    """With the first node of a third zone the web pod could not be bound; who wants to go there waits until it is."""
    seen = _waiting((0, 1), zone=1)
    only_there = replace(shape(gpus=8), node_selector=((ZONE, "z2"),))
    plan = plan_of(_with(seen, (pod("other", only_there, labels={"app": "infer"}),)))
    assert bought(plan) == {}
    assert [(u.pods, u.reasons[0].code) for u in plan.unmet] == [(("default/other",), Code.STARTING)]


def test_no_node_is_bought_for_others_that_keeps_out_pods_that_wait() -> None:
    """A further node has none of the pods that are spread over nodes; whoever needs one waits until those are bound."""
    nodes = tuple(node(f"g8-{i}", slot=f"p-{i}", phase="held") for i in range(2))
    full = tuple(pod(f"full-{i}", shape(gpus=8), node_name=f"g8-{i}") for i in range(2))
    spread = shape(gpus=1, rules=even("db", HOST))
    mine = tuple(
        pod(
            f"db-{i}-{k}",
            replace(spread, requests=resources(cpu=1, pods=1)),
            claim=(f"p-{i}", "g8"),
            labels={"app": "db"},
        )
        for i in range(2)
        for k in range(2)
    )
    named = tuple(replace(each, labels={HOST: each.name}) for each in nodes)
    stranger = pod("stranger", shape(gpus=8))
    plan = plan_of(snapshot(pods=(*full, *mine, stranger), nodes=named, groups=(group(running=2),)))
    assert bought(plan) == {}
    assert [(u.pods, u.reasons[0].code) for u in plan.unmet] == [(("default/stranger",), Code.STARTING)]
    alone = plan_of(snapshot(pods=(*full, stranger), nodes=named, groups=(group(running=2),)))
    assert bought(alone) == {"g8": 1}


def test_a_claim_that_can_not_be_kept_is_taken_back() -> None:
    """Two more in its zone than elsewhere, and nobody to come who could change it: the web pod is planned anew."""
    seen = _waiting((1, 2), zone=1)
    lacking = tuple(p for p in seen.cluster.pods if not p.name.startswith("infer-2"))
    plan = plan_of(_with(replace(seen, cluster=replace(seen.cluster, pods=lacking)), work("other", 1, apart("other"))))
    assert [(a.slot, a.pods, a.reason.code) for a in plan.actions if isinstance(a, Unclaim)] == [
        ("p-1", (("uid-web", "default/web"),), Code.SPREAD)
    ]
