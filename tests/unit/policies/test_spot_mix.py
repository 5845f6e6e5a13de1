"""`spot-mix`: shares of spot and of one offering."""

import pytest

from autoscale.errors import BadInput
from autoscale.model.problem import Rule
from autoscale.model.supply import CapacityType
from policies.spot_mix import Selector, SpotMix
from tests.builders import group, node, pod, pods, snapshot

from .asked import ask, plan

SPOT = group("spot", capacity_type=CapacityType.SPOT, running=1)
ON_DEMAND = group("steady", running=1)
GROUPS = (ON_DEMAND, SPOT)
NODES = (node("spot-0"), node("steady-0"))
SERVE = pods("web", 10, namespace="serve-a", labels={"tier": "web"})
TRAIN = pods("fit", 5, namespace="train")


def test_the_share_of_spot_counts_what_runs() -> None:
    """4 of 6 run on spot already; with 60 % at most, 5 (spot - 0.6 all) <= 5 (0.6 * 6 - 4) of the pods placed now."""
    running = (
        *pods("s", 4, namespace="serve-a", node_name="spot-0"),
        *pods("d", 2, namespace="serve-b", node_name="steady-0"),
        pod("other", namespace="train", node_name="spot-0"),
        pod("agent", namespace="serve-a", node_name="spot-0", owner="DaemonSet/agent"),
    )
    problem, question = ask(GROUPS, (*SERVE, *TRAIN))
    rule = SpotMix(selector=Selector(namespaces=("serve-*",)), max_spot_ppm=600_000)
    world = snapshot(groups=GROUPS, nodes=NODES, pods=(*running, *SERVE, *TRAIN))
    text = "60 % of pods of serve-* on spot at most, 4 of 6 there already"
    assert rule.shape(problem, question, world).rules == (
        Rule("spot-mix/spot", "spot-mix", 0, per_pod={(0, 0): -3, (0, 1): 2}, text=text),
        Rule("spot-mix/spot/all", "spot-mix", 5, per_pod={(0, 1): 1}, text=text),
    )


def test_below_the_share_one_rule_is_exact() -> None:
    """1 of 4 runs on spot: 2 spot - 3 on-demand of what is placed may reach floor(5 (0.6 * 4 - 1)) = 7."""
    running = (*pods("d", 3, node_name="steady-0"), pod("s", node_name="spot-0"))
    problem, question = ask(GROUPS, SERVE)
    world = snapshot(groups=GROUPS, nodes=NODES, pods=(*running, *SERVE))
    text = "60 % of all pods on spot at most, 1 of 4 there already"
    assert SpotMix(max_spot_ppm=600_000).shape(problem, question, world).rules == (
        Rule("spot-mix/spot", "spot-mix", 7, per_pod={(0, 0): -3, (0, 1): 2}, text=text),
    )


def test_the_share_of_one_offering_lets_a_single_pod_run() -> None:
    """25 % of one pod rounds up to one: 3 a - b <= 3 for each offering's pods a and all others' b."""
    problem, question = ask(GROUPS, SERVE[:1])
    rules = SpotMix(max_per_offering_ppm=250_000).shape(problem, question, snapshot(groups=GROUPS)).rules
    assert [(r.key, r.limit, dict(r.per_pod)) for r in rules] == [
        ("spot-mix/type-spot/z1/spot", 3, {(0, 0): -1, (0, 1): 3}),
        ("spot-mix/type-steady/z1/on-demand", 3, {(0, 0): 3, (0, 1): -1}),
    ]


def test_pods_on_their_way_count_once() -> None:
    """A claimed pod counts for its group, unless it is asked about again or its slot's node was released."""
    claimed = pod("c", namespace="serve-a", claim=("p-0", "spot"))
    void = pod("v", namespace="serve-a", claim=("p-1", "spot"))
    again = pod("a", namespace="serve-a", claim=("p-2", "spot"))
    nodes = (node("spot-0", slot="p-1", phase="released"), node("steady-0"))
    problem, question = ask(GROUPS, (again,))
    world = snapshot(groups=GROUPS, nodes=nodes, pods=(claimed, void, again))
    rules = SpotMix(max_spot_ppm=500_000).shape(problem, question, world).rules
    assert rules[0].text == "50 % of all pods on spot at most, 1 of 1 there already"


def test_labels_select() -> None:
    """All labels must match; a class that does not is left alone, and without any nothing is added."""
    problem, question = ask(GROUPS, (*SERVE, *TRAIN))
    world = snapshot(groups=GROUPS)
    web = SpotMix(selector=Selector(labels={"tier": "web"}), max_spot_ppm=0).shape(problem, question, world).rules
    assert [dict(rule.per_pod) for rule in web] == [{(0, 1): 1}]
    assert SpotMix(selector=Selector(labels={"tier": "db"}), max_spot_ppm=0).shape(problem, question, world) == problem


def test_a_mix_must_set_a_share() -> None:
    """Nothing set is refused; the plan is never touched afterwards."""
    with pytest.raises(BadInput, match=r"^no share, expected maxSpot, maxPerOffering or both$"):
        SpotMix()
    assert SpotMix(max_spot_ppm=0).review(plan(), snapshot()) == plan()
