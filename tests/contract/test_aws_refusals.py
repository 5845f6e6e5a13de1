"""What Amazon refuses at the call itself, with the whole engine on the wire: pods go elsewhere in the same tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from . import stages
from .clock import StageClock
from .engine import StageWorld
from .wire import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cloud_aws import AwsCloud
    from .wire import Wire

NONE = (400, "InsufficientInstanceCapacity", "We currently do not have sufficient g4dn.xlarge capacity.")
QUOTA = (400, "VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of 8.")
GROUPS = (400, "LimitExceeded", "You have already reached the limit for Auto Scaling groups in this region.")


@pytest.fixture
def still_aws(wire: Wire) -> Iterator[AwsCloud]:
    """An empty account in which nobody sleeps, and whose time stands still."""
    with stages.awake_aws(wire, clock=StageClock(stages.START_S)) as stage:
        yield stage


def refuse(aws: AwsCloud, action: str, group: str, error: tuple[int, str, str]) -> None:
    """Every request of the action about the group."""
    name = group.removeprefix("aws:")
    aws.wire.rules.append(Rule(action, times=100, error=error, about=f"AutoScalingGroupName={name}&"))


def bought(aws: AwsCloud) -> int:
    """All targets together, whoever set them."""
    found: list[dict[str, Any]] = aws._autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    return sum(each["DesiredCapacity"] for each in found)


@pytest.mark.parametrize("error", [NONE, QUOTA], ids=["stock-out", "quota"])
def test_a_refusal_at_the_call_sends_pods_elsewhere_in_the_same_tick(
    still_aws: AwsCloud, error: tuple[int, str, str]
) -> None:
    """The only cheap zone refuses; the tick ends with three nodes bought of the other, and never more than three."""
    world = StageWorld(still_aws)
    refuse(still_aws, "SetDesiredCapacity", world.cheap, error)
    world.want(3)
    world.tick()
    assert (world.targets(), bought(still_aws)) == ({world.dear: 3}, 3)
    world.go_on(120)
    assert (world.unbound(), world.targets(), world.quiet()) == ([], {world.dear: 3}, True)
    assert world.peak == {world.dear: 3}


def test_a_stock_out_holds_for_all_groups_that_sell_the_same(still_aws: AwsCloud) -> None:
    """Two groups of one type and zone: the second is not even asked."""
    world = StageWorld(still_aws)
    twin = still_aws.create(f"{world.cheap.removeprefix('aws:')}-twin")
    for group in (world.cheap, twin):
        refuse(still_aws, "SetDesiredCapacity", group, NONE)
    world.want(1)
    still_aws.wire.actions.clear()
    world.tick()
    refused = still_aws.wire.actions.count("autoscaling:SetDesiredCapacity")
    assert (world.targets(), refused) == ({world.dear: 1}, 2)


def test_a_group_that_may_not_be_made_is_done_without(still_aws: AwsCloud) -> None:
    """The account has all the groups that it may have: one that is there is used instead, in the same tick."""
    world = StageWorld(still_aws)
    still_aws.pool("gpu", capacity_types=["spot"])
    offer = "aws:demo-gpu-g4dn.xlarge-us-east-1a-spot"
    world.use(still_aws.provider)
    refuse(still_aws, "CreateAutoScalingGroup", offer, GROUPS)
    world.want(2)
    world.tick()
    assert (world.targets(), still_aws.made(offer), bought(still_aws)) == ({world.cheap: 2}, False, 2)
    assert still_aws.wire.actions.count("autoscaling:CreateAutoScalingGroup") == 1
