"""The contract: what `autoscale.ports.Provider` promises, whatever the cloud."""

from __future__ import annotations

import contextlib
import logging
import traceback
from functools import partial
from typing import TYPE_CHECKING

import pytest

from autoscale.errors import BadInput, ProviderError
from autoscale.model.supply import FaultKind
from autoscale.testing.stage import FAULTS

if TYPE_CHECKING:
    from autoscale.testing.stage import Stage


def refused(error: pytest.ExceptionInfo[ProviderError]) -> tuple[FaultKind, str]:
    """What kind of no, and about which group."""
    return error.value.fault.kind, error.value.fault.group


class ProviderContract:
    """Inherit, and give a stage without groups."""

    @pytest.fixture
    def stage(self) -> Stage:
        """The provider's stage, new for each test."""
        raise NotImplementedError("a provider's test class has a fixture `stage`")

    def test_observe_finds_the_tagged_groups_and_no_others(self, stage: Stage) -> None:
        """A group without the tags is none of our business."""
        mine = [stage.create("b-mine"), stage.create("a-mine")]
        stage.create("theirs", tagged=False)
        view = stage.provider.observe()
        assert ([group.id for group in view.groups], view.skipped, view.faults) == (sorted(mine), (), ())

    def test_observe_tells_the_target_the_bounds_and_every_instance(self, stage: Stage) -> None:
        """The view is the cloud's books: target, bounds and instances with the provider id that their Nodes will have."""
        group = stage.create("gpu", nodes=2, low=1, high=7)
        (seen,) = stage.provider.observe().groups
        _, ids = stage.truth(group)
        assert (seen.target_nodes, seen.min_nodes, seen.max_nodes, seen.provider) == (2, 1, 7, stage.provider.name)
        assert seen.instances == tuple(stage.running(each) for each in sorted(ids))

    def test_resize_grows_the_group_to_exactly_the_target(self, stage: Stage) -> None:
        """The target is absolute."""
        group = stage.create("gpu", nodes=1)
        stage.provider.resize(group, target_nodes=4, request_id="plan-1")
        target, ids = stage.truth(group)
        assert (target, len(ids)) == (4, 4)

    def test_the_same_resize_again_changes_nothing(self, stage: Stage) -> None:
        """A retry, with the same or another request id, buys nothing."""
        group = stage.create("gpu")
        stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        before = stage.truth(group)
        stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        stage.provider.resize(group, target_nodes=3, request_id="plan-2")
        assert stage.truth(group) == before

    def test_remove_takes_the_named_instance_only_and_lowers_the_target_by_one(self, stage: Stage) -> None:
        """Nobody but us chooses which machine goes."""
        group = stage.create("gpu", nodes=3)
        _, (first, second, third) = stage.truth(group)
        stage.provider.remove(group, [second], request_id="plan-1")
        target, left = stage.truth(group)
        assert (target, set(left)) == (2, {first, third})

    def test_remove_twice_is_remove_once(self, stage: Stage) -> None:
        """An instance that is gone, named twice, or never was there counts as done."""
        group = stage.create("gpu", nodes=3)
        _, (first, *_) = stage.truth(group)
        stage.provider.remove(group, [first, first], request_id="plan-1")
        stage.provider.remove(group, [first, "i-00000000000000000"], request_id="plan-2")
        target, left = stage.truth(group)
        assert (target, len(left)) == (2, 2)

    @pytest.mark.parametrize("target", [11, 1], ids=["above the maximum", "below the minimum"])
    def test_a_target_outside_the_bounds_is_refused(self, stage: Stage, target: int) -> None:
        """The group's bounds are its owner's word."""
        group = stage.create("gpu", nodes=2, low=2, high=10)
        before = stage.truth(group)
        with pytest.raises(ProviderError) as error:
            stage.provider.resize(group, target_nodes=target, request_id="plan-1")
        assert (refused(error), stage.truth(group)) == ((FaultKind.OTHER, group), before)

    def test_a_target_that_would_end_instances_is_refused(self, stage: Stage) -> None:
        """Lowering a target lets a cloud end any machine, busy or not; `remove` names it."""
        group = stage.create("gpu", nodes=3)
        before = stage.truth(group)
        with pytest.raises(ProviderError) as error:
            stage.provider.resize(group, target_nodes=2, request_id="plan-1")
        assert (error.value.fault.code, stage.truth(group)) == ("WouldTerminate", before)

    def test_remove_stops_at_the_minimum(self, stage: Stage) -> None:
        """What the bounds allow is done, the rest is refused."""
        group = stage.create("gpu", nodes=2, low=1)
        _, (first, second) = stage.truth(group)
        with pytest.raises(ProviderError) as error:
            stage.provider.remove(group, [first, second], request_id="plan-1")
        assert (refused(error), stage.truth(group)) == ((FaultKind.OTHER, group), (1, [second]))

    def test_an_unknown_group_is_not_found(self, stage: Stage) -> None:
        """Whether it never was there or is not ours."""
        theirs = stage.create("theirs", tagged=False)
        for group in ("aws:nowhere", theirs):
            with pytest.raises(ProviderError) as error:
                stage.provider.resize(group, target_nodes=1, request_id="plan-1")
            assert refused(error) == (FaultKind.NOT_FOUND, group)
            with pytest.raises(ProviderError) as error:
                stage.provider.remove(group, ["i-00000000000000000"], request_id="plan-1")
            assert refused(error) == (FaultKind.NOT_FOUND, group)

    def test_observe_reads_every_page(self, stage: Stage) -> None:
        """120 groups are more than one page of any cloud."""
        ids = [stage.create(f"gpu-{n:03}") for n in range(120)]
        assert [group.id for group in stage.provider.observe().groups] == ids

    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_refused_resize_buys_nothing_and_says_what_kind_of_no_it_was(self, stage: Stage, fault: str) -> None:
        """The fault is named, and the next try works."""
        group = stage.create("gpu", nodes=1)
        stage.fail("resize", fault)
        with pytest.raises(ProviderError) as error:
            stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        assert (refused(error), stage.truth(group)[0]) == ((FAULTS[fault], group), 1)
        stage.mend()
        stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        assert stage.truth(group)[0] == 3

    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_refused_removal_removes_nothing_and_says_what_kind_of_no_it_was(self, stage: Stage, fault: str) -> None:
        """The fault is named, and the next try works."""
        group = stage.create("gpu", nodes=2)
        _, (first, second) = stage.truth(group)
        stage.fail("remove", fault)
        with pytest.raises(ProviderError) as error:
            stage.provider.remove(group, [first], request_id="plan-1")
        assert (refused(error), stage.truth(group)) == ((FAULTS[fault], group), (2, [first, second]))
        stage.mend()
        stage.provider.remove(group, [first], request_id="plan-1")
        assert stage.truth(group) == (1, [second])

    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_fault_of_the_read_is_in_the_view_and_not_an_exception(self, stage: Stage, fault: str) -> None:
        """The view has the fault and no half of the groups."""
        stage.create("gpu")
        stage.fail("observe", fault)
        view = stage.provider.observe()
        assert (view.groups, view.skipped, [(each.kind, each.group) for each in view.faults]) == (
            (),
            (),
            [(FAULTS[fault], "")],
        )
        stage.mend()
        assert stage.provider.observe().faults == ()

    def test_check_is_silent_unless_a_person_has_something_to_mend(self, stage: Stage) -> None:
        """Rights that are missing are one sentence, and whatever may pass is left to the next look."""
        stage.create("gpu")
        provider = stage.provider
        provider.check()
        stage.fail("observe", "denied")
        with pytest.raises(BadInput) as error:
            provider.check()
        assert "\n" not in str(error.value)
        stage.mend()
        stage.fail("observe", "throttled")
        provider.check()
        stage.mend()
        provider.check()

    def test_a_lost_answer_to_a_resize_buys_once(self, stage: Stage) -> None:
        """The call took effect, the answer never came; the next tick asks for the same target."""
        group = stage.create("gpu", nodes=1)
        stage.lose("resize")
        with pytest.raises(ProviderError) as error:
            stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        assert error.value.fault.maybe_applied
        stage.mend()
        stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        target, ids = stage.truth(group)
        assert (target, len(ids)) == (3, 3)

    def test_a_lost_answer_to_a_removal_removes_once(self, stage: Stage) -> None:
        """Whether the provider found out by itself or is asked again, the target goes down by one."""
        group = stage.create("gpu", nodes=3)
        _, (first, *_) = stage.truth(group)
        stage.lose("remove")
        try:
            stage.provider.remove(group, [first], request_id="plan-1")
        except ProviderError as error:
            assert error.fault.group == group  # noqa: PT017 - it may find out, it need not
        stage.mend()
        stage.provider.remove(group, [first], request_id="plan-1")
        target, left = stage.truth(group)
        assert (target, len(left), first in left) == (2, 2, False)

    def test_what_came_before_a_stock_out_counts_and_the_rest_is_bought_later(self, stage: Stage) -> None:
        """Machines run out in the middle of the purchase: the next one buys what is missing, however far it came."""
        group = stage.create("gpu", nodes=1)
        stage.fail("resize", "out of stock", after=1)
        with contextlib.suppress(ProviderError):  # where one call does it all nothing fails
            stage.provider.resize(group, target_nodes=4, request_id="plan-1")
        stage.mend()
        stage.provider.resize(group, target_nodes=4, request_id="plan-2")
        target, ids = stage.truth(group)
        assert (target, len(ids)) == (4, 4)

    def test_old_news_buy_nothing_twice(self, stage: Stage) -> None:
        """The group still shows its old size, and the next plan asks for the same target."""
        group = stage.create("gpu", nodes=1)
        stage.freeze()
        stage.provider.observe()
        for plan in ("plan-1", "plan-2"):
            stage.provider.resize(group, target_nodes=3, request_id=plan)
            stage.provider.observe()
        target, ids = stage.truth(group)
        assert (target, len(ids)) == (3, 3)

    def test_old_news_and_a_lost_answer_together_buy_nothing_twice(self, stage: Stage) -> None:
        """Nobody knows whether the call was heard, and the group does not tell."""
        group = stage.create("gpu", nodes=1)
        stage.freeze()
        stage.provider.observe()
        provider = stage.provider
        stage.lose("resize")
        with pytest.raises(ProviderError):
            provider.resize(group, target_nodes=3, request_id="plan-1")
        stage.mend()
        provider.resize(group, target_nodes=3, request_id="plan-2")
        target, ids = stage.truth(group)
        assert (target, len(ids)) == (3, 3)

    def test_old_news_remove_nothing_twice(self, stage: Stage) -> None:
        """The instance still shows among the living, and the next plan removes it again."""
        group = stage.create("gpu", nodes=3)
        first = stage.truth(group)[1][0]
        provider = stage.provider
        stage.freeze()
        for plan in ("plan-1", "plan-2"):
            provider.remove(group, [first], request_id=plan)
            provider.observe()
        target, left = stage.truth(group)
        assert (target, len(left), first in left) == (2, 2, False)

    def test_what_a_failure_left_of_a_removal_is_done_by_the_next(self, stage: Stage) -> None:
        """The first of three went, or all, or none; in the end those three are gone and no other."""
        group = stage.create("gpu", nodes=5)
        ids = stage.truth(group)[1]
        stage.fail("remove", "broken", after=1)
        try:
            stage.provider.remove(group, ids[:3], request_id="plan-1")
        except ProviderError as error:
            assert error.fault.group == group  # noqa: PT017 - where one call does it all nothing fails
        stage.mend()
        stage.provider.remove(group, ids[:3], request_id="plan-2")
        target, left = stage.truth(group)
        assert (target, sorted(left)) == (2, sorted(ids[3:]))

    def test_a_target_that_a_person_has_passed_ends_no_instance(self, stage: Stage) -> None:
        """Between our look and our call somebody scaled up: what is there stays, and is shown."""
        group = stage.create("gpu", nodes=1)
        stage.provider.observe()
        stage.set_by_hand(group, 4)
        with pytest.raises(ProviderError) as error:
            stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        target, ids = stage.truth(group)
        assert (error.value.fault.code, target, len(ids)) == ("WouldTerminate", 4, 4)
        (seen,) = stage.provider.observe().groups
        assert (seen.target_nodes, len(seen.instances)) == (4, 4)

    def test_a_target_that_a_person_has_set_already_buys_nothing(self, stage: Stage) -> None:
        """Targets are absolute, whoever sets them."""
        group = stage.create("gpu", nodes=1)
        stage.provider.observe()
        stage.set_by_hand(group, 3)
        stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        target, ids = stage.truth(group)
        assert (target, len(ids)) == (3, 3)

    def test_a_group_that_is_deleted_under_us_is_not_found_and_the_others_work_on(self, stage: Stage) -> None:
        """It is gone from the view too."""
        gone, left = stage.create("gone", nodes=2), stage.create("left", nodes=1)
        ids = stage.truth(gone)[1]
        provider = stage.provider
        provider.observe()
        stage.delete_by_hand(gone)
        provider = stage.provider
        with pytest.raises(ProviderError) as error:
            provider.resize(gone, target_nodes=3, request_id="plan-1")
        assert refused(error) == (FaultKind.NOT_FOUND, gone)
        with pytest.raises(ProviderError) as error:
            provider.remove(gone, ids[:1], request_id="plan-1")
        assert refused(error) == (FaultKind.NOT_FOUND, gone)
        provider.resize(left, target_nodes=2, request_id="plan-1")
        view = provider.observe()
        assert ([group.id for group in view.groups], view.skipped, view.faults) == ([left], (), ())

    def test_a_thousand_groups_are_read_in_few_calls(self, stage: Stage) -> None:
        """At most twelve for each hundred groups, also when it is the first look."""
        ids = [stage.create(f"gpu-{n:04}") for n in range(1000)]
        stage.calls()
        view = stage.provider.observe()
        assert [group.id for group in view.groups] == ids
        assert stage.calls() <= 120

    def test_no_secret_is_ever_shown(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        """Not in a view, an error, its causes or a log line of any level, whatever goes wrong."""
        caplog.set_level(logging.DEBUG)
        group = stage.create("gpu", nodes=2)
        ids = stage.truth(group)[1]
        provider, shown = stage.provider, []
        for fault in (*FAULTS, "silence", "nothing"):
            for verb in ("observe", "resize", "remove") if fault != "nothing" else ("",):
                if fault == "silence":
                    stage.lose(verb)
                elif verb:
                    stage.fail(verb, fault)
                shown.append(repr(provider.observe()))
                for call in (
                    partial(provider.resize, group, target_nodes=3, request_id="plan-1"),
                    partial(provider.remove, group, ids[:1], request_id="plan-1"),
                ):
                    try:
                        call()
                    except ProviderError as error:
                        shown.append(f"{error!r} {error.fault!r} {''.join(traceback.format_exception(error))}")
                stage.mend()
        with contextlib.suppress(ProviderError):
            provider.remove("nowhere", ids, request_id="plan-2")
        assert len(shown) > 12
        text = "\n".join((*shown, caplog.text))
        assert not stage.secret or stage.secret not in text
