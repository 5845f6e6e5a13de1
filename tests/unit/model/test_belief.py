"""Which prices are believed, and what becomes of the others."""

import pytest

from autoscale.model.belief import believe
from autoscale.model.catalog import Offer, Quote, Refusal
from autoscale.model.supply import CapacityType

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
HOUR = 1_000_000


def offer(amount: str, kind: CapacityType = ON_DEMAND, **more: str) -> Offer:
    """A price of one machine in one zone."""
    return Offer("h100", "a", kind, amount, at_s=200, **more)


def last(microusd: int, kind: CapacityType = ON_DEMAND) -> Quote:
    """The last good one."""
    return Quote("h100", "a", kind, microusd, 100)


def test_a_price_is_taken_to_the_micro_dollar() -> None:
    """With the moment at which it was said."""
    assert believe([offer("4.2000011")]) == ((Quote("h100", "a", ON_DEMAND, 4_200_001, 200),), ())


@pytest.mark.parametrize(
    ("suspect", "reason"),
    [
        (offer("0"), "0 or less"),
        (offer("0.0000001"), "0 or less"),
        (offer("-1"), "0 or less"),
        (offer("free"), "not a number"),
        (offer("NaN"), "not a number"),
        (offer("9999.99"), "a placeholder, not a price"),
        (offer("999"), "a placeholder, not a price"),
        (offer("2001"), "a placeholder, not a price"),
        (offer("4", currency="CNY"), "in CNY, not in US$"),
        (offer("4", currency=""), "in no currency, not in US$"),
        (offer("4", doubt="the list itself doubts it"), "the list itself doubts it"),
        (offer("40"), "10 times above the last good price of 4"),
        (offer("0.4"), "10 times below the last good price of 4"),
    ],
)
def test_what_can_not_be_right_leaves_the_last_good_price(suspect: Offer, reason: str) -> None:
    """With its own moment; and without a last good price the offering has none."""
    refusal = Refusal("h100", "a", ON_DEMAND, f"{suspect.amount} {suspect.currency}".strip(), reason, 4 * HOUR)
    assert believe([suspect], [last(4 * HOUR)]) == ((last(4 * HOUR),), (refusal,))
    if "last good" not in reason:
        quotes, (alone,) = believe([suspect])
        assert (quotes, alone.reason, alone.kept_microusd_per_hour) == ((), reason, 0)


def test_a_large_change_below_ten_times_is_a_change() -> None:
    """Spot prices move; and a person who has looked may accept a jump."""
    assert believe([offer("39.9")], [last(4 * HOUR)])[0][0].price_microusd_per_hour == 39_900_000
    assert believe([offer("40")], [last(4 * HOUR)], jumps=True)[0][0].price_microusd_per_hour == 40 * HOUR


def test_of_two_prices_that_contradict_each_other_neither_is_believed() -> None:
    """Nothing says which of them is wrong."""
    quotes, refusals = believe([offer("4.2"), offer("5.3", SPOT)])
    assert quotes == ()
    assert [(each.capacity_type, each.reason) for each in refusals] == [
        (ON_DEMAND, "on-demand below spot 5.3"),
        (SPOT, "spot above on-demand 4.2"),
    ]


def test_an_on_demand_price_that_agrees_with_the_last_one_stands() -> None:
    """Then it is the spot price that is wrong, and its last good one stays."""
    quotes, refusals = believe([offer("4.2"), offer("5.3", SPOT)], [last(4 * HOUR), last(2 * HOUR, SPOT)])
    assert quotes == (Quote("h100", "a", ON_DEMAND, 4_200_000, 200), last(2 * HOUR, SPOT))
    assert refusals == (Refusal("h100", "a", SPOT, "5.3 USD", "spot above on-demand 4.2", 2 * HOUR),)


def test_the_answer_does_not_depend_on_the_order() -> None:
    """Sorted by offering, and what is no longer offered is gone."""
    offers = [offer("4.2"), offer("1.1", SPOT), Offer("l4", "b", SPOT, "0.3"), Offer("l4", "a", SPOT, "0")]
    assert believe(offers) == believe(offers[::-1])
    assert [each.key for each in believe(offers, [Quote("v100", "a", SPOT, 1, 1)])[0]] == [
        "h100/a/on-demand",
        "h100/a/spot",
        "l4/b/spot",
    ]
