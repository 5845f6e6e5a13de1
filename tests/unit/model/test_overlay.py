"""What an overlay makes of a group: its price, its risk, its resources."""

from dataclasses import replace

import pytest

from autoscale.model.catalog import Catalog, Machine
from autoscale.model.overlay import Adjustment, Interruption, Overlay, Selector, score_in
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, NodeGroup, Offering

HOUR = 1_000_000
GPU = "nvidia.com/gpu"
GROUP = NodeGroup(
    id="aws:a",
    provider="aws",
    name="a",
    offering=Offering("p4d.24xlarge", "us-east-1a", CapacityType.SPOT, 10 * HOUR),
    allocatable=Resources({"cpu": 96_000, GPU: 8}),
    labels={"topology.kubernetes.io/region": "us-east-1"},
    devices=(GPU,),
)


def laid(*rules: Adjustment, group: NodeGroup = GROUP, score: int | None = None) -> NodeGroup:
    """The group through these rules."""
    return Overlay("x", rules).laid_over(group, score)


def rule(**says: object) -> Adjustment:
    """A rule for everything."""
    return Adjustment("r", Selector(), **says)  # type: ignore[arg-type]  # each test says what it means


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        (Selector(), True),
        (Selector(providers=("gcp", "a*")), True),
        (Selector(providers=("gcp",)), False),
        (Selector(regions=("us-*",)), True),
        (Selector(regions=("eu-*",)), False),
        (Selector(zones=("us-east-1a",)), True),
        (Selector(zones=("us-east-1b",)), False),
        (Selector(types=("p4d.*", "p5.*")), True),
        (Selector(types=("p4d",)), False),
        (Selector(capacity_types=("spot",)), True),
        (Selector(capacity_types=("on-demand", "reserved")), False),
        (Selector(types=("p4d.*",), capacity_types=("on-demand",)), False),
    ],
)
def test_all_that_a_selector_names_must_hold(selector: Selector, *, meant: bool) -> None:
    """Patterns as in a shell; any of them, for each thing that is named."""
    assert selector.matches(GROUP) is meant


@pytest.mark.parametrize(
    ("types", "zone", "selector", "meant"),
    [
        ("p4d.24xlarge|p5.48xlarge", "a", Selector(types=("p*",)), True),
        ("p4d.24xlarge|g5.xlarge", "a", Selector(types=("p*",)), False),
        ("p4d.24xlarge", "", Selector(zones=("a",)), False),
        ("p4d.24xlarge", "", Selector(zones=("*",)), True),
    ],
)
def test_a_group_of_several_types_or_zones_is_meant_for_certain_or_not_at_all(
    types: str, zone: str, selector: Selector, *, meant: bool
) -> None:
    """A discount on one of its types is no discount on the group."""
    group = replace(GROUP, offering=Offering(types, zone, CapacityType.SPOT, 1))
    assert selector.matches(group) is meant


def test_the_last_rule_about_a_price_counts_and_charges_come_on_top() -> None:
    """A discount is off what the cloud asks, not off another rule's price."""
    price, discount = rule(price_microusd_per_hour=4 * HOUR), rule(discount_ppm=250_000)
    charge, dearer = rule(node_charge_microusd_per_hour=HOUR), rule(node_charge_microusd_per_hour=2 * HOUR)
    assert laid(price, discount).offering.price_microusd_per_hour == 7_500_000
    assert laid(discount, price).offering.price_microusd_per_hour == 4 * HOUR
    assert laid(charge, dearer, price).offering.price_microusd_per_hour == 6 * HOUR
    assert laid(Adjustment("r", Selector(("gcp",)), price_microusd_per_hour=1)) is GROUP


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (None, 100_000),  # 2 % an hour of 2 US$ and half an hour of 6 US$/h
        (10, 25_000),  # 0.5 %
        (9, 25_000),
        (8, 150_000),  # 3 %
        (4, 100_000),  # below every step: the plain rate
    ],
)
def test_an_interruption_costs_its_rate_times_its_cost(score: int | None, expected: int) -> None:
    """By hand; what is paid stays the price, decisions compare both together."""
    interruption = Interruption(20_000, ((9, 5_000), (5, 30_000)), 2 * HOUR, 1800)
    found = laid(rule(price_microusd_per_hour=6 * HOUR, interruption=interruption), score=score).offering
    assert found == replace(
        GROUP.offering,
        price_microusd_per_hour=6 * HOUR,
        listed_microusd_per_hour=10 * HOUR,
        interruption_microusd_per_hour=expected,
    )
    assert found.weighed_microusd_per_hour == 6 * HOUR + expected


def test_expected_costs_round_up() -> None:
    """A risk never rounds away."""
    assert Interruption(1, (), 1, 0).expected_microusd_per_hour(0, None) == 1
    assert Interruption(None, ((5, 10_000),), HOUR, 0).expected_microusd_per_hour(0, None) == 0


def test_shared_gpus_are_what_pods_ask_for() -> None:
    """Under the same name or another, times the replicas; the node is up when that is what it shows."""
    assert dict(laid(rule(replicas=4)).allocatable.amounts) == {"cpu": 96_000, GPU: 32}
    shared = laid(rule(replicas=4, shared_as="nvidia.com/gpu.shared"))
    assert dict(shared.allocatable.amounts) == {"cpu": 96_000, "nvidia.com/gpu.shared": 32}
    assert shared.devices == ("nvidia.com/gpu.shared",)
    cut = laid(rule(mig={"nvidia.com/mig-1g.5gb": 7}))
    assert dict(cut.allocatable.amounts) == {"cpu": 96_000, "nvidia.com/mig-1g.5gb": 56}
    assert cut.devices == ("nvidia.com/mig-1g.5gb",)


def test_a_node_without_gpus_has_none_to_share() -> None:
    """A rule for all types leaves CPU machines alone."""
    plain = replace(GROUP, allocatable=Resources({"cpu": 1000}), devices=())
    assert laid(rule(replicas=4), rule(mig={"nvidia.com/mig-1g.5gb": 7}), group=plain) == plain


def test_resources_are_set_and_taken_away() -> None:
    """As much as the rule says, whatever was there."""
    found = laid(rule(resources={"example.com/fpga": 2, GPU: 0, "cpu": 90_000}))
    assert dict(found.allocatable.amounts) == {"cpu": 90_000, "example.com/fpga": 2}
    assert found.devices == ("example.com/fpga",)


def test_a_score_is_that_of_the_accelerator_in_the_zone() -> None:
    """The worst of a group's types; none for on-demand, and none when one of them is not scored."""
    machines = tuple(
        Machine(name=n, vcpus=1, memory_mib=1, accelerator=a) for n, a in (("p", "A100"), ("q", "T4"), ("r", ""))
    )
    catalog = Catalog(
        provider="aws",
        region="x",
        source="y",
        at_s=1,
        machines=machines,
        quotes=(),
        scores={("A100", "a"): 7, ("T4", "a"): 3},
    )

    def score(types: str, kind: CapacityType = CapacityType.SPOT, zone: str = "a") -> int | None:
        return score_in(catalog, replace(GROUP, offering=Offering(types, zone, kind, 1)))

    assert (score("p"), score("p|q"), score("p|r"), score("p", zone="b")) == (7, 3, None, None)
    assert score("p", CapacityType.ON_DEMAND) is None
