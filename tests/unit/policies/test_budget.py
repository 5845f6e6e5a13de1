"""`budget`: what the fleet may cost."""

from dataclasses import replace

import pytest

from autoscale.errors import BadInput
from autoscale.model.overlay import Commitment, Selector
from autoscale.model.problem import Rule
from autoscale.model.workload import Code, Reason
from policies.budget import Budget
from tests.builders import USD, group, snapshot

from .asked import ask, plan

DEAR = group("dear", usd=10, running=3)
CHEAP = group("cheap", usd=2.5, running=2)
WORLD = snapshot(groups=(CHEAP, DEAR))


def test_the_hard_budget_is_a_rule_on_prices() -> None:
    """The price of what is bought stays within 50 - 35 $/h, in units of 2.5 $/h that divide all prices."""
    problem, question = ask((CHEAP, DEAR))
    assert Budget(hard_microusd_per_hour=50 * USD).shape(problem, question, WORLD).rules == (
        Rule(
            "budget/hard",
            "budget",
            6,
            {0: 1, 1: 4},
            text="$ 50.00/h at most for the fleet, $ 35.00/h runs already: $ 15.00/h more",
            unit=2_500_000,
            of="money",
        ),
    )


def test_a_hard_budget_that_is_passed_buys_nothing_and_says_so() -> None:
    """Nothing is left, nothing is removed, and the plan notes it."""
    problem, question = ask((CHEAP, DEAR))
    rule = Budget(hard_microusd_per_hour=30 * USD)
    text = "$ 30.00/h at most for the fleet, $ 35.00/h runs already: nothing more is bought, nothing is removed"
    assert [r.limit for r in rule.shape(problem, question, WORLD).rules] == [0]
    assert rule.review(plan(), WORLD) == plan(notes=(Reason(Code.LIMIT, text, "budget"),))


def test_the_soft_budget_is_only_said() -> None:
    """It makes no rule; a plan that passes it gets a note."""
    problem, question = ask((CHEAP, DEAR))
    rule = Budget(soft_microusd_per_hour=40 * USD)
    assert rule.shape(problem, question, WORLD) == problem
    assert rule.review(plan(cost_microusd_per_hour=5 * USD), WORLD) == plan(cost_microusd_per_hour=5 * USD)
    text = "the fleet would cost $ 45.00/h, the soft budget is $ 40.00/h"
    assert rule.review(plan(cost_microusd_per_hour=10 * USD), WORLD).notes == (Reason(Code.LIMIT, text, "budget"),)


FREE = Commitment("paid", Selector(), nodes=3)
SPEND = Commitment("plan", Selector(), spend_microusd_per_hour=12 * USD, discount_ppm=200_000)
PART = Commitment("dear ones", Selector(types=("dear-type",)), nodes=9)


@pytest.mark.parametrize(
    ("commitments", "runs"),
    [
        ((), 35),
        ((FREE,), 20),  # two of 2.5 and one of 10 are paid for
        ((SPEND,), 20),  # 2 + 2 + 8 of the money
        ((PART,), 5),
        ((PART, FREE), 0),
        ((FREE, PART), 20),  # groups count for the first that means them
    ],
)
def test_what_is_paid_for_is_not_spent_again(commitments: tuple[Commitment, ...], runs: int) -> None:
    """Nodes that a commitment pays for take nothing of the budget, neither those that run nor those to buy."""
    dear = replace(DEAR, offering=replace(DEAR.offering, instance_type="dear-type"))
    world = replace(snapshot(groups=(CHEAP, dear)), commitments=commitments)
    problem, question = ask((CHEAP, dear))
    paid = replace(question, homes=(question.homes[0], replace(question.homes[1], paid_by="paid")))
    (rule,) = Budget(hard_microusd_per_hour=50 * USD).shape(problem, paid, world).rules
    assert (rule.limit * rule.unit, rule.per_node) == ((50 - runs) * USD, {0: 1})


def test_a_budget_must_say_something_sensible() -> None:
    """None at all, or a soft one above the hard one, is refused."""
    with pytest.raises(BadInput, match=r"^no budget, expected hard, soft or both$"):
        Budget()
    with pytest.raises(BadInput, match=r"^the soft budget is above the hard one, expected at most"):
        Budget(hard_microusd_per_hour=1, soft_microusd_per_hour=2)
