"""What a provider promises that makes groups from a template when something is bought of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from autoscale.errors import ProviderError
from autoscale.model.supply import FaultKind

if TYPE_CHECKING:
    from autoscale.model.supply import NodeGroup
    from autoscale.testing.stage import TemplateStage


class TemplateContract:
    """Inherit beside `ProviderContract`; the stage has `offer`, `made` and `take_name`."""

    def test_an_offering_is_there_to_plan_on_before_anything_is_made(self, stage: TemplateStage) -> None:
        """A group at zero with all that a node of it will be; looking makes nothing."""
        group = stage.offer("gpu")
        found = seen(stage, group)
        assert (found.made, bool(found.template), found.target_nodes, found.instances) == (False, True, 0, ())
        assert (found.min_nodes, found.max_nodes, found.allocatable["nvidia.com/gpu"]) == (0, 10, 1)
        assert not stage.made(group)

    def test_the_first_purchase_makes_the_group_and_it_looks_as_foretold(self, stage: TemplateStage) -> None:
        """Name, room, labels and price are those that were planned on."""
        group = stage.offer("gpu")
        before = seen(stage, group)
        stage.provider.resize(group, target_nodes=2, request_id="plan-1")
        target, ids = stage.truth(group)
        after = seen(stage, group)
        assert (target, len(ids), after.made, after.target_nodes) == (2, 2, True, 2)
        assert (after.template, after.offering, after.allocatable, dict(after.labels), after.taints, after.devices) == (
            before.template, before.offering, before.allocatable, dict(before.labels), before.taints, before.devices,
        )  # fmt: skip

    def test_asking_again_makes_one_group(self, stage: TemplateStage) -> None:
        """With the same order, with another, and on news from before the first."""
        group = stage.offer("gpu")
        stage.freeze()
        seen(stage, group)
        for request_id in ("plan-1", "plan-1", "plan-2"):
            stage.provider.resize(group, target_nodes=2, request_id=request_id)
        stage.thaw()
        target, ids = stage.truth(group)
        assert (target, len(ids)) == (2, 2)
        assert [each.id for each in stage.provider.observe().groups] == [group]

    @pytest.mark.parametrize("verb", ["make", "resize"])
    def test_a_lost_answer_is_asked_for_again_and_buys_once(self, stage: TemplateStage, verb: str) -> None:
        """Whichever of the calls took effect."""
        group = stage.offer("gpu")
        stage.lose(verb)
        with suppress(ProviderError):  # a provider may also have looked and found it done
            stage.provider.resize(group, target_nodes=2, request_id="plan-1")
        stage.mend()
        stage.provider.resize(group, target_nodes=2, request_id="plan-1")
        target, ids = stage.truth(group)
        assert (target, len(ids)) == (2, 2)

    def test_a_group_that_was_made_and_not_sized_is_sized_later(self, stage: TemplateStage) -> None:
        """The engine died, or was refused, in between; the group is there, at zero."""
        group = stage.offer("gpu")
        stage.fail("resize", "denied")
        with pytest.raises(ProviderError):
            stage.provider.resize(group, target_nodes=2, request_id="plan-1")
        stage.mend()
        assert seen(stage, group).target_nodes == 0
        stage.provider.resize(group, target_nodes=2, request_id="plan-2")
        target, ids = stage.truth(group)
        assert (target, len(ids), seen(stage, group).made) == (2, 2, True)

    @pytest.mark.parametrize(("fault", "kind"), [("over quota", FaultKind.QUOTA), ("denied", FaultKind.DENIED)])
    def test_a_group_that_can_not_be_made_is_a_fault_and_leaves_nothing(
        self, stage: TemplateStage, fault: str, kind: FaultKind
    ) -> None:
        """Too many groups, or no right to make one."""
        group = stage.offer("gpu")
        stage.fail("make", fault)
        with pytest.raises(ProviderError) as error:
            stage.provider.resize(group, target_nodes=2, request_id="plan-1")
        assert (error.value.fault.kind, error.value.fault.group) == (kind, group)
        stage.mend()
        assert (stage.made(group), seen(stage, group).made) == (False, False)

    def test_a_name_that_is_taken_by_others_is_left_to_them(self, stage: TemplateStage) -> None:
        """Nothing of theirs is touched, now or later; the fault says whose name it is."""
        group = stage.offer("gpu")
        stage.provider.observe()
        stage.take_name(group)
        for _ in range(2):
            with pytest.raises(ProviderError) as error:
                stage.provider.resize(group, target_nodes=2, request_id="plan-1")
            assert (error.value.fault.code, error.value.fault.group) == ("NameTaken", group)
        with suppress(ProviderError):
            stage.provider.delete(group, request_id="plan-2")
        assert stage.made(group)
        assert stage.truth(group)[0] == 0

    def test_an_empty_group_is_deleted_and_is_there_to_plan_on_again(self, stage: TemplateStage) -> None:
        """Once or twice, it is gone; and the next purchase makes it again."""
        group = stage.offer("gpu")
        stage.provider.resize(group, target_nodes=1, request_id="plan-1")
        (instance,) = stage.truth(group)[1]
        with pytest.raises(ProviderError) as error:
            stage.provider.delete(group, request_id="plan-2")
        assert (error.value.fault.code, len(stage.truth(group)[1])) == ("NotEmpty", 1)
        stage.provider.remove(group, [instance], request_id="plan-3")
        for _ in range(2):
            stage.provider.delete(group, request_id="plan-4")
        assert (stage.made(group), seen(stage, group).made) == (False, False)
        stage.provider.resize(group, target_nodes=1, request_id="plan-5")
        assert (stage.truth(group)[0], seen(stage, group).made) == (1, True)

    def test_a_deletion_whose_answer_is_lost_is_done(self, stage: TemplateStage) -> None:
        """Asked again it finds nothing to do."""
        group = stage.offer("gpu")
        stage.provider.resize(group, target_nodes=0, request_id="plan-1")
        stage.lose("delete")
        with suppress(ProviderError):  # a provider may also have looked and found it done
            stage.provider.delete(group, request_id="plan-2")
        stage.mend()
        stage.provider.delete(group, request_id="plan-2")
        assert not stage.made(group)

    def test_a_group_that_a_person_made_is_never_deleted(self, stage: TemplateStage) -> None:
        """However empty."""
        group = stage.create("by-hand")
        with pytest.raises(ProviderError) as error:
            stage.provider.delete(group, request_id="plan-1")
        assert error.value.fault.code == "NotFromTemplate"
        assert stage.truth(group) == (0, [])

    def test_a_person_deletes_a_group_that_was_made(self, stage: TemplateStage) -> None:
        """It is an offering again, not a loss."""
        group = stage.offer("gpu")
        stage.provider.resize(group, target_nodes=1, request_id="plan-1")
        stage.delete_by_hand(group)
        found = seen(stage, group)
        assert (found.made, found.target_nodes, found.instances) == (False, 0, ())


def seen(stage: TemplateStage, group: str) -> NodeGroup:
    """The group as the view has it."""
    (found,) = [each for each in stage.provider.observe().groups if each.id == group]
    return found
