"""The contract: what `autoscale.ports.Provider` promises, whatever the cloud."""

import contextlib
import logging
import traceback
from functools import partial

import pytest

from autoscale.errors import ProviderError
from autoscale.model.supply import FaultKind

from .clouds import FAULTS, Cloud, Short


def refused(error: pytest.ExceptionInfo[ProviderError]) -> tuple[FaultKind, str]:
    """What kind of no, and about which group."""
    return error.value.fault.kind, error.value.fault.group


def test_observe_finds_the_tagged_groups_and_no_others(cloud: Cloud) -> None:
    """A group without the tags is none of our business."""
    mine = [cloud.create("b-mine"), cloud.create("a-mine")]
    cloud.create("theirs", tagged=False)
    view = cloud.provider.observe()
    assert ([group.id for group in view.groups], view.skipped, view.faults) == (sorted(mine), (), ())


def test_observe_tells_the_target_the_bounds_and_every_instance(cloud: Cloud) -> None:
    """The view is the cloud's books: target, bounds and instances with the provider id that their Nodes will have."""
    group = cloud.create("gpu", nodes=2, low=1, high=7)
    (seen,) = cloud.provider.observe().groups
    _, ids = cloud.truth(group)
    assert (seen.target_nodes, seen.min_nodes, seen.max_nodes, seen.provider) == (2, 1, 7, cloud.provider.name)
    assert seen.instances == tuple(cloud.running(each) for each in sorted(ids))


def test_resize_grows_the_group_to_exactly_the_target(cloud: Cloud) -> None:
    """The target is absolute."""
    group = cloud.create("gpu", nodes=1)
    cloud.provider.resize(group, target_nodes=4, request_id="plan-1")
    target, ids = cloud.truth(group)
    assert (target, len(ids)) == (4, 4)


def test_the_same_resize_again_changes_nothing(cloud: Cloud) -> None:
    """A retry, with the same or another request id, buys nothing."""
    group = cloud.create("gpu")
    cloud.provider.resize(group, target_nodes=3, request_id="plan-1")
    before = cloud.truth(group)
    cloud.provider.resize(group, target_nodes=3, request_id="plan-1")
    cloud.provider.resize(group, target_nodes=3, request_id="plan-2")
    assert cloud.truth(group) == before


def test_remove_takes_the_named_instance_only_and_lowers_the_target_by_one(cloud: Cloud) -> None:
    """Nobody but us chooses which machine goes."""
    group = cloud.create("gpu", nodes=3)
    _, (first, second, third) = cloud.truth(group)
    cloud.provider.remove(group, [second], request_id="plan-1")
    target, left = cloud.truth(group)
    assert (target, set(left)) == (2, {first, third})


def test_remove_twice_is_remove_once(cloud: Cloud) -> None:
    """An instance that is gone, named twice, or never was there counts as done."""
    group = cloud.create("gpu", nodes=3)
    _, (first, *_) = cloud.truth(group)
    cloud.provider.remove(group, [first, first], request_id="plan-1")
    cloud.provider.remove(group, [first, "i-00000000000000000"], request_id="plan-2")
    target, left = cloud.truth(group)
    assert (target, len(left)) == (2, 2)


@pytest.mark.parametrize("target", [11, 1], ids=["above the maximum", "below the minimum"])
def test_a_target_outside_the_bounds_is_refused(cloud: Cloud, target: int) -> None:
    """The group's bounds are its owner's word."""
    group = cloud.create("gpu", nodes=2, low=2, high=10)
    before = cloud.truth(group)
    with pytest.raises(ProviderError) as error:
        cloud.provider.resize(group, target_nodes=target, request_id="plan-1")
    assert (refused(error), cloud.truth(group)) == ((FaultKind.OTHER, group), before)


def test_a_target_that_would_end_instances_is_refused(cloud: Cloud) -> None:
    """Lowering a target lets a cloud end any machine, busy or not; `remove` names it."""
    group = cloud.create("gpu", nodes=3)
    before = cloud.truth(group)
    with pytest.raises(ProviderError) as error:
        cloud.provider.resize(group, target_nodes=2, request_id="plan-1")
    assert (error.value.fault.code, cloud.truth(group)) == ("WouldTerminate", before)


def test_remove_stops_at_the_minimum(cloud: Cloud) -> None:
    """What the bounds allow is done, the rest is refused."""
    group = cloud.create("gpu", nodes=2, low=1)
    _, (first, second) = cloud.truth(group)
    with pytest.raises(ProviderError) as error:
        cloud.provider.remove(group, [first, second], request_id="plan-1")
    assert (refused(error), cloud.truth(group)) == ((FaultKind.OTHER, group), (1, [second]))


def test_an_unknown_group_is_not_found(cloud: Cloud) -> None:
    """Whether it never was there or is not ours."""
    theirs = cloud.create("theirs", tagged=False)
    for group in ("aws:nowhere", theirs):
        with pytest.raises(ProviderError) as error:
            cloud.provider.resize(group, target_nodes=1, request_id="plan-1")
        assert refused(error) == (FaultKind.NOT_FOUND, group)
        with pytest.raises(ProviderError) as error:
            cloud.provider.remove(group, ["i-00000000000000000"], request_id="plan-1")
        assert refused(error) == (FaultKind.NOT_FOUND, group)


def test_observe_reads_every_page(cloud: Cloud) -> None:
    """120 groups are more than one page of any cloud."""
    ids = [cloud.create(f"gpu-{n:03}") for n in range(120)]
    assert [group.id for group in cloud.provider.observe().groups] == ids


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refused_resize_buys_nothing_and_says_what_kind_of_no_it_was(cloud: Cloud, fault: str) -> None:
    """The fault is named, and the next try works."""
    group = cloud.create("gpu", nodes=1)
    cloud.fail("resize", fault)
    with pytest.raises(ProviderError) as error:
        cloud.provider.resize(group, target_nodes=3, request_id="plan-1")
    assert (refused(error), cloud.truth(group)[0]) == ((FAULTS[fault], group), 1)
    cloud.mend()
    cloud.provider.resize(group, target_nodes=3, request_id="plan-1")
    assert cloud.truth(group)[0] == 3


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refused_removal_removes_nothing_and_says_what_kind_of_no_it_was(cloud: Cloud, fault: str) -> None:
    """The fault is named, and the next try works."""
    group = cloud.create("gpu", nodes=2)
    _, (first, second) = cloud.truth(group)
    cloud.fail("remove", fault)
    with pytest.raises(ProviderError) as error:
        cloud.provider.remove(group, [first], request_id="plan-1")
    assert (refused(error), cloud.truth(group)) == ((FAULTS[fault], group), (2, [first, second]))
    cloud.mend()
    cloud.provider.remove(group, [first], request_id="plan-1")
    assert cloud.truth(group) == (1, [second])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_read_is_in_the_view_and_not_an_exception(cloud: Cloud, fault: str) -> None:
    """The view has the fault and no half of the groups."""
    cloud.create("gpu")
    cloud.fail("observe", fault)
    view = cloud.provider.observe()
    assert (view.groups, view.skipped, [(each.kind, each.group) for each in view.faults]) == (
        (),
        (),
        [(FAULTS[fault], "")],
    )
    cloud.mend()
    assert cloud.provider.observe().faults == ()


def test_a_lost_answer_to_a_resize_buys_once(cloud: Cloud) -> None:
    """The call took effect, the answer never came; the next tick asks for the same target."""
    group = cloud.create("gpu", nodes=1)
    cloud.lose("resize")
    with pytest.raises(ProviderError):
        cloud.provider.resize(group, target_nodes=3, request_id="plan-1")
    cloud.mend()
    cloud.provider.resize(group, target_nodes=3, request_id="plan-1")
    target, ids = cloud.truth(group)
    assert (target, len(ids)) == (3, 3)


def test_a_lost_answer_to_a_removal_removes_once(cloud: Cloud) -> None:
    """Whether the provider found out by itself or is asked again, the target goes down by one."""
    group = cloud.create("gpu", nodes=3)
    _, (first, *_) = cloud.truth(group)
    cloud.lose("remove")
    try:
        cloud.provider.remove(group, [first], request_id="plan-1")
    except ProviderError as error:
        assert error.fault.group == group  # noqa: PT017 - it may find out, it need not
    cloud.mend()
    cloud.provider.remove(group, [first], request_id="plan-1")
    target, left = cloud.truth(group)
    assert (target, len(left), first in left) == (2, 2, False)


def test_old_news_buy_nothing_twice(cloud: Cloud) -> None:
    """The group still shows its old size, and the next plan asks for the same target."""
    group = cloud.create("gpu", nodes=1)
    cloud.freeze()
    cloud.provider.observe()
    for plan in ("plan-1", "plan-2"):
        cloud.provider.resize(group, target_nodes=3, request_id=plan)
        cloud.provider.observe()
    target, ids = cloud.truth(group)
    assert (target, len(ids)) == (3, 3)


def test_old_news_and_a_lost_answer_together_buy_nothing_twice(cloud: Cloud) -> None:
    """Nobody knows whether the call was heard, and the group does not tell."""
    group = cloud.create("gpu", nodes=1)
    cloud.freeze()
    cloud.provider.observe()
    provider = cloud.provider
    cloud.lose("resize")
    with pytest.raises(ProviderError):
        provider.resize(group, target_nodes=3, request_id="plan-1")
    cloud.mend()
    provider.resize(group, target_nodes=3, request_id="plan-2")
    target, ids = cloud.truth(group)
    assert (target, len(ids)) == (3, 3)


def test_old_news_remove_nothing_twice(cloud: Cloud) -> None:
    """The instance still shows among the living, and the next plan removes it again."""
    group = cloud.create("gpu", nodes=3)
    first = cloud.truth(group)[1][0]
    provider = cloud.provider
    cloud.freeze()
    for plan in ("plan-1", "plan-2"):
        provider.remove(group, [first], request_id=plan)
        provider.observe()
    target, left = cloud.truth(group)
    assert (target, len(left), first in left) == (2, 2, False)


def test_what_a_failure_left_of_a_removal_is_done_by_the_next(cloud: Cloud) -> None:
    """The first of three went, or all, or none; in the end those three are gone and no other."""
    group = cloud.create("gpu", nodes=5)
    ids = cloud.truth(group)[1]
    cloud.fail("remove", "broken", after=1)
    try:
        cloud.provider.remove(group, ids[:3], request_id="plan-1")
    except ProviderError as error:
        assert error.fault.group == group  # noqa: PT017 - where one call does it all nothing fails
    cloud.mend()
    cloud.provider.remove(group, ids[:3], request_id="plan-2")
    target, left = cloud.truth(group)
    assert (target, sorted(left)) == (2, sorted(ids[3:]))


def test_a_target_that_a_person_has_passed_ends_no_instance(cloud: Cloud) -> None:
    """Between our look and our call somebody scaled up: what is there stays, and is shown."""
    group = cloud.create("gpu", nodes=1)
    cloud.provider.observe()
    cloud.set_by_hand(group, 4)
    with pytest.raises(ProviderError) as error:
        cloud.provider.resize(group, target_nodes=3, request_id="plan-1")
    target, ids = cloud.truth(group)
    assert (error.value.fault.code, target, len(ids)) == ("WouldTerminate", 4, 4)
    (seen,) = cloud.provider.observe().groups
    assert (seen.target_nodes, len(seen.instances)) == (4, 4)


def test_a_target_that_a_person_has_set_already_buys_nothing(cloud: Cloud) -> None:
    """Targets are absolute, whoever sets them."""
    group = cloud.create("gpu", nodes=1)
    cloud.provider.observe()
    cloud.set_by_hand(group, 3)
    cloud.provider.resize(group, target_nodes=3, request_id="plan-1")
    target, ids = cloud.truth(group)
    assert (target, len(ids)) == (3, 3)


def test_a_group_that_is_deleted_under_us_is_not_found_and_the_others_work_on(cloud: Cloud) -> None:
    """It is gone from the view too."""
    gone, left = cloud.create("gone", nodes=2), cloud.create("left", nodes=1)
    ids = cloud.truth(gone)[1]
    provider = cloud.provider
    provider.observe()
    cloud.delete_by_hand(gone)
    provider = cloud.provider
    with pytest.raises(ProviderError) as error:
        provider.resize(gone, target_nodes=3, request_id="plan-1")
    assert refused(error) == (FaultKind.NOT_FOUND, gone)
    with pytest.raises(ProviderError) as error:
        provider.remove(gone, ids[:1], request_id="plan-1")
    assert refused(error) == (FaultKind.NOT_FOUND, gone)
    provider.resize(left, target_nodes=2, request_id="plan-1")
    view = provider.observe()
    assert ([group.id for group in view.groups], view.skipped, view.faults) == ([left], (), ())


def test_a_thousand_groups_are_read_in_few_calls(cloud: Cloud) -> None:
    """At most twelve for each hundred groups, also when it is the first look."""
    ids = [cloud.create(f"gpu-{n:04}") for n in range(1000)]
    cloud.calls()
    view = cloud.provider.observe()
    assert [group.id for group in view.groups] == ids
    assert cloud.calls() <= 120


@pytest.mark.parametrize("there", [0, 2], ids=["before the first", "after some have come"])
def test_a_stock_out_is_told_and_can_be_taken_back(short: Short, there: int) -> None:
    """The target is what was asked for, the fault says what is missing, and taking it back ends no machine."""
    group = short.create("gpu", nodes=there)
    ids = short.truth(group)[1]
    short.starve(group)
    short.provider.resize(group, target_nodes=there + 2, request_id="plan-1")
    assert short.truth(group) == (there + 2, ids)
    (seen,) = short.provider.observe().groups
    assert (seen.target_nodes, sorted(each.id for each in seen.instances)) == (there + 2, sorted(ids))
    assert [(each.kind, each.group, each.offering) for each in seen.faults] == [
        (FaultKind.NO_CAPACITY, group, seen.offering.key)
    ]
    short.provider.resize(group, target_nodes=there, request_id="plan-2")
    assert short.truth(group) == (there, ids)
    assert short.provider.observe().groups[0].faults == ()


def test_machines_that_come_after_all_are_there_and_no_fault_is_left(short: Short) -> None:
    """The stock-out ends before anybody takes back what was asked for."""
    group = short.create("gpu", nodes=1)
    short.starve(group)
    short.provider.resize(group, target_nodes=3, request_id="plan-1")
    short.truth(group)
    short.feed(group)
    (seen,) = short.provider.observe().groups
    assert (seen.target_nodes, len(seen.instances), seen.faults) == (3, 3, ())


def test_no_secret_is_ever_shown(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a view, an error, its causes or a log line of any level, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    group = cloud.create("gpu", nodes=2)
    ids = cloud.truth(group)[1]
    provider, shown = cloud.provider, []
    for fault in (*FAULTS, "silence", "nothing"):
        for verb in ("observe", "resize", "remove") if fault != "nothing" else ("",):
            if fault == "silence":
                cloud.lose(verb)
            elif verb:
                cloud.fail(verb, fault)
            shown.append(repr(provider.observe()))
            for call in (
                partial(provider.resize, group, target_nodes=3, request_id="plan-1"),
                partial(provider.remove, group, ids[:1], request_id="plan-1"),
            ):
                try:
                    call()
                except ProviderError as error:
                    shown.append(f"{error!r} {error.fault!r} {''.join(traceback.format_exception(error))}")
            cloud.mend()
    with contextlib.suppress(ProviderError):
        provider.remove("nowhere", ids, request_id="plan-2")
    assert len(shown) > 12
    text = "\n".join((*shown, caplog.text))
    assert not cloud.secret or cloud.secret not in text
