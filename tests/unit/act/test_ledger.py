"""What is remembered from one tick to the next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscale.act.ledger import remember
from autoscale.decide.explain import announced_key
from autoscale.model.plan import Announce, Plan, Receipt, RemoveNode, Resize
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Backoff, Ledger
from autoscale.model.supply import FaultKind
from autoscale.model.workload import Code, Reason
from tests.builders import NOW, fault, group, snapshot

PLAN = Plan("abc1234", NOW, "facts", ())
SETTINGS = DecideSettings()
GROW = Resize("g8", 1, 3, ())
WORLD = snapshot(groups=(group(target_nodes=1),))


def after(ledger: Ledger, *receipts: Receipt, plan: Plan = PLAN, now_s: int = NOW) -> Ledger:
    """The next ledger."""
    return remember(ledger, plan, receipts, WORLD, settings=SETTINGS, now_s=now_s)


def test_a_purchase_is_remembered_until_the_cloud_has_had_time_to_show_it() -> None:
    """Target and time, for target_memory_s."""
    ledger = after(Ledger(), Receipt(GROW, "done"))
    assert ledger == Ledger(targets={"g8": 3}, grown_at_s={"g8": NOW})
    assert after(ledger, now_s=NOW + 59).targets == {"g8": 3}
    assert after(ledger, now_s=NOW + 60).targets == {}


def test_a_purchase_that_may_have_been_heard_counts_until_the_cloud_has_had_time_to_show_otherwise() -> None:
    """Nothing is bought elsewhere meanwhile; asking the group again has to wait, too."""
    no = fault("g8", FaultKind.OTHER, maybe_applied=True)
    ledger = after(Ledger(), Receipt(GROW, "refused", "no answer", no))
    assert (ledger.targets, ledger.grown_at_s, set(ledger.backoffs)) == ({"g8": 3}, {"g8": NOW}, {"g8"})
    lower = Receipt(Resize("g8", 3, 1, ()), "refused", "no answer", no)
    assert after(Ledger(), lower).targets == {}


@pytest.mark.parametrize("outcome", ["refused", "skipped"])
def test_what_was_not_done_is_no_target(outcome: str) -> None:
    """Nothing was asked for."""
    assert after(Ledger(), Receipt(GROW, outcome)) == Ledger()


def test_a_removal_lowers_the_target_by_one() -> None:
    """From what we asked for, or from what the cloud showed."""
    gone = RemoveNode("g8", "g8-0", "g8-0", Reason(Code.IDLE, "idle"))
    ledger = after(Ledger(), Receipt(gone, "done"))
    assert (ledger.targets, ledger.shrunk_at_s) == ({"g8": 0}, {"g8": NOW})


def test_each_failure_in_a_row_doubles_the_wait_up_to_the_most() -> None:
    """180 s, 360 s, ... 1800 s."""
    ledger, now, waits = Ledger(), NOW, []
    for _ in range(6):
        ledger = after(ledger, Receipt(GROW, "refused", fault=fault(kind=FaultKind.QUOTA, at_s=now)), now_s=now)
        waits.append(ledger.backoffs["g8"].until_s - now)
        now = ledger.backoffs["g8"].until_s
    assert waits == [180, 360, 720, 1440, 1800, 1800]


def test_a_stock_out_is_remembered_by_offering() -> None:
    """So that other groups of it rest as well."""
    out = fault(offering="type/z1/spot")
    ledger = after(Ledger(), plan=replace(PLAN, faults=(out,)))
    assert ledger.backoffs == {"type/z1/spot": Backoff(out, NOW + 180)}


def test_a_stock_out_told_at_the_call_is_remembered_by_what_the_group_sells() -> None:
    """As one read from a group's activities is; a quota is the group's own affair as long as it names no offering."""
    ledger = after(Ledger(), Receipt(GROW, "refused", fault=fault()))
    sold = WORLD.groups[0].offering.key
    assert ledger.backoffs == {sold: Backoff(fault(offering=sold), NOW + 180)}
    assert set(after(Ledger(), Receipt(GROW, "refused", fault=fault(kind=FaultKind.QUOTA))).backoffs) == {"g8"}


def test_throttling_is_no_reason_to_rest() -> None:
    """It says nothing of the group."""
    assert after(Ledger(), Receipt(GROW, "refused", fault=fault(kind=FaultKind.THROTTLED))) == Ledger()


def test_an_old_failure_is_forgotten() -> None:
    """After backoff_max_s without another, the count starts anew."""
    ledger = Ledger(backoffs={"g8": Backoff(fault(), NOW, failures=4)})
    assert after(ledger, now_s=NOW + 1799).backoffs == ledger.backoffs
    assert after(ledger, now_s=NOW + 1800).backoffs == {}


def test_since_when_is_kept_as_long_as_it_is_so() -> None:
    """Idle, ready and starting: first seen counts, and whatever ends starts anew."""
    before = Ledger(idle_since_s={"a": 5, "b": 6}, ready_since_s={"a": 7}, starting_since_s={"i-1": 8})
    seen = after(before, plan=replace(PLAN, idle=("a", "c"), ready=("a", "b"), starting=("i-2",)))
    assert (seen.idle_since_s, seen.ready_since_s, seen.starting_since_s) == (
        {"a": 5, "c": NOW},
        {"a": 7, "b": NOW},
        {"i-2": NOW},
    )


def test_an_event_is_remembered_for_its_time() -> None:
    """Whatever its words, so that neither a countdown nor a group more is news; another reason is."""
    said = Announce("uid-a", "default/a", "NotTriggerScaleUp", "left alone for 57 s more", "OfferingInBackOff")
    later = replace(said, text="left alone for 54 s more, and so is another")
    assert announced_key(said) != announced_key(replace(said, about="UntoleratedTaint"))
    ledger = after(Ledger(), Receipt(said, "done"))
    assert ledger.announced == {announced_key(later): NOW}
    assert after(ledger, now_s=NOW + 300).announced == {}
