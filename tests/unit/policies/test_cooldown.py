"""`cooldown`: groups that are left alone for a while."""

import pytest

from autoscale.errors import BadInput
from autoscale.model.problem import Rule
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Backoff, Ledger
from autoscale.model.supply import FaultKind
from policies.cooldown import Cooldown, Pauses
from tests.builders import NOW, fault, group, snapshot

from .asked import ask, plan

ONE, TWO = group("one"), group("two")


def test_a_stock_out_blocks_the_offering() -> None:
    """Known from the cloud or from memory, by group or by offering; other faults and older ones don't count."""
    problem, question = ask((ONE, TWO))
    rule = Cooldown(after_stock_out_s=180)
    text = "one was out of stock, left alone for 2 m 20 s more"
    expected = (Rule("cooldown/one", "cooldown", 0, {0: 1}, text=text),)
    out = fault("one", at_s=NOW - 40)
    seen = group("one", faults=(out,))
    assert rule.shape(problem, question, snapshot(groups=(seen, TWO))).rules == expected
    for key in ("one", "type-one/z1/on-demand"):
        ledger = Ledger(backoffs={key: Backoff(out, NOW + 10)})
        assert rule.shape(problem, question, snapshot(groups=(ONE, TWO), ledger=ledger)).rules == expected
    quota = group("one", faults=(fault("one", FaultKind.QUOTA), fault("one", at_s=NOW - 180)))
    assert rule.shape(problem, question, snapshot(groups=(quota, TWO))) == problem


def test_a_group_that_grew_rests() -> None:
    """After growing, and for as long as its own setting says."""
    problem, question = ask((ONE, TWO))
    ledger = Ledger(grown_at_s={"one": NOW - 30, "two": NOW - 30})
    rule = Cooldown(after_grow_s=60, groups={"tw*": Pauses(after_grow_s=0)})
    text = "one has just grown, left alone for 30 s more"
    assert rule.shape(problem, question, snapshot(groups=(ONE, TWO), ledger=ledger)).rules == (
        Rule("cooldown/one", "cooldown", 0, {0: 1}, text=text),
    )


def test_a_shorter_pause_shortens_the_engines_back_off() -> None:
    """A longer one leaves it, since the rule itself waits longer."""
    assert Cooldown(after_stock_out_s=60).adjust(DecideSettings()) == DecideSettings(backoff_first_s=60)
    assert Cooldown(after_stock_out_s=600).adjust(DecideSettings()) == DecideSettings()
    assert Cooldown(after_grow_s=60).adjust(DecideSettings()) == DecideSettings()


def test_a_cool_down_must_set_something() -> None:
    """Nothing set is refused; the plan is never touched afterwards."""
    with pytest.raises(BadInput, match=r"^no cool-down, expected afterStockOut, afterGrow or groups$"):
        Cooldown()
    assert Cooldown(after_grow_s=1).review(plan(), snapshot()) == plan()
