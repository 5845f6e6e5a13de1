"""What a provider tells, beside the target, of machines that don't come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autoscale.model.supply import FaultKind

if TYPE_CHECKING:
    from autoscale.testing.stage import StockOutStage


class StockOutContract:
    """Inherit beside `ProviderContract`; the stage has `starve` and `feed`."""

    @pytest.mark.parametrize("there", [0, 2], ids=["before the first", "after some have come"])
    def test_a_stock_out_is_told_and_can_be_taken_back(self, stage: StockOutStage, there: int) -> None:
        """The target is what was asked for, the fault says what is missing, and taking it back ends no machine."""
        group = stage.create("gpu", nodes=there)
        ids = stage.truth(group)[1]
        stage.starve(group)
        stage.provider.resize(group, target_nodes=there + 2, request_id="plan-1")
        assert stage.truth(group) == (there + 2, ids)
        (seen,) = stage.provider.observe().groups
        assert (seen.target_nodes, sorted(each.id for each in seen.instances)) == (there + 2, sorted(ids))
        assert [(each.kind, each.group, each.offering) for each in seen.faults] == [
            (FaultKind.NO_CAPACITY, group, seen.offering.key)
        ]
        stage.provider.resize(group, target_nodes=there, request_id="plan-2")
        assert stage.truth(group) == (there, ids)
        assert stage.provider.observe().groups[0].faults == ()

    def test_machines_that_come_after_all_are_there_and_no_fault_is_left(self, stage: StockOutStage) -> None:
        """The stock-out ends before anybody takes back what was asked for."""
        group = stage.create("gpu", nodes=1)
        stage.starve(group)
        stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        stage.truth(group)
        stage.feed(group)
        (seen,) = stage.provider.observe().groups
        assert (seen.target_nodes, len(seen.instances), seen.faults) == (3, 3, ())

    def test_those_that_were_left_come_and_the_others_are_missing(self, stage: StockOutStage) -> None:
        """The stock-out comes in the middle of a purchase: what came is there, what did not can be taken back."""
        group = stage.create("gpu", nodes=1)
        stage.starve(group, left=2)
        stage.provider.resize(group, target_nodes=5, request_id="plan-1")
        target, ids = stage.truth(group)
        assert (target, len(ids)) == (5, 3)
        (seen,) = stage.provider.observe().groups
        assert (seen.target_nodes, len(seen.instances), {each.kind for each in seen.faults}) == (
            5,
            3,
            {FaultKind.NO_CAPACITY},
        )
        stage.provider.resize(group, target_nodes=3, request_id="plan-2")
        assert stage.truth(group) == (3, ids)

    def test_one_that_is_there_can_be_removed_while_others_are_missing(self, stage: StockOutStage) -> None:
        """The target goes down by one, and the wish stays a wish."""
        group = stage.create("gpu", nodes=2)
        stage.starve(group)
        stage.provider.resize(group, target_nodes=3, request_id="plan-1")
        first, second = sorted(stage.truth(group)[1])
        stage.provider.remove(group, [first], request_id="plan-2")
        assert stage.truth(group) == (2, [second])
