"""Machines of a group: where they are in their life, and what Amazon does to them by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from autoscale.model.supply import InstanceState, Notice, NoticeKind
from providers.aws.members import members, remarks, warm_running

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

PENDING, RUNNING, TERMINATING = InstanceState.PENDING, InstanceState.RUNNING, InstanceState.TERMINATING
TWO_ZONES = ["us-east-1a", "us-east-1b"]


def machine(life: str = "InService", **more: Any) -> dict[str, Any]:
    """As a group lists it."""
    usual = {"InstanceId": f"i-{life}", "AvailabilityZone": "us-east-1a", "InstanceType": "g5.xlarge"}
    return usual | {"LifecycleState": life, "HealthStatus": "Healthy"} | more


def group(*machines: dict[str, Any], suspended: tuple[str, ...] = (), **more: Any) -> AutoScalingGroupTypeDef:
    """Of one zone."""
    processes = [{"ProcessName": each, "SuspensionReason": "by hand"} for each in suspended]
    usual = {"AvailabilityZones": ["us-east-1a"], "Instances": list(machines), "SuspendedProcesses": processes}
    return cast("AutoScalingGroupTypeDef", usual | more)


@pytest.mark.parametrize(
    ("life", "state"),
    [
        ("Pending", PENDING),
        ("Pending:Wait", PENDING),
        ("Pending:Proceed", PENDING),
        ("InService", RUNNING),
        ("Terminating", TERMINATING),
        ("Terminating:Wait", TERMINATING),
        ("Terminated", TERMINATING),
        ("Detaching", TERMINATING),
        ("EnteringStandby", TERMINATING),
        ("Standby", TERMINATING),
        ("Warmed:Pending:Wait", None),
        ("Warmed:Running", None),
        ("Warmed:Stopped", None),
    ],
)
def test_the_states_of_a_life(life: str, state: InstanceState | None) -> None:
    """A machine in a warm pool is none of the group's yet."""
    assert [each.state for each in members(group(machine(life)))] == ([state] if state else [])


def test_what_protects_a_machine_from_us() -> None:
    """A person's protection, a hook that has not let it in yet, and a Terminate process that is suspended."""
    there = (machine("InService"), machine("Pending:Wait"), machine("Standby", ProtectedFromScaleIn=True))
    assert [each.protected for each in members(group(*there))] == [False, True, True]
    assert [each.protected for each in members(group(*there, suspended=("Terminate",)))] == [True] * 3


def test_a_machine_that_amazon_is_about_to_replace_has_notice() -> None:
    """Not while nobody replaces it, nor when it goes already."""
    sick = (machine(HealthStatus="Unhealthy"), machine("Terminating", HealthStatus="Unhealthy"))
    said = Notice(NoticeKind.INTERRUPTED, "Amazon finds the machine unhealthy and is about to end it")
    assert [each.notice for each in members(group(*sick))] == [said, None]
    assert [each.notice for each in members(group(*sick, suspended=("ReplaceUnhealthy",)))] == [None, None]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (group(), []),
        (group(suspended=("Launch",)), ["its Launch process is suspended, so it can't grow"]),
        (
            group(suspended=("Terminate",)),
            ["its Terminate process is suspended, so that none of its nodes is removed but what ends anyway"],
        ),
        (
            group(AvailabilityZones=TWO_ZONES),
            ["its AZRebalance process is not suspended: Amazon may end nodes to even out its zones"],
        ),
        (group(AvailabilityZones=TWO_ZONES, suspended=("AZRebalance",)), []),
        (
            group(machine("Pending:Wait"), machine("Terminating:Wait"), machine("Terminating:Wait")),
            [
                "1 of its machines wait for a lifecycle hook (Pending:Wait)",
                "2 of its machines wait for a lifecycle hook (Terminating:Wait)",
            ],
        ),
        (
            group(machine(HealthStatus="Unhealthy"), suspended=("ReplaceUnhealthy",)),
            ["1 of its machines are unhealthy, and its ReplaceUnhealthy process is suspended"],
        ),
        (
            group(WarmPoolConfiguration={"PoolState": "Stopped"}, WarmPoolSize=3),
            ["it has a warm pool, whose 3 machines are no nodes of it"],
        ),
    ],
)
def test_what_amazon_does_beside_what_it_is_asked(found: AutoScalingGroupTypeDef, said: list[str]) -> None:
    """A remark for a person on each."""
    assert remarks(found) == said


def test_only_a_warm_pool_that_runs_counts_against_quotas() -> None:
    """Stopped machines take no vCPUs."""
    sizes = [
        warm_running(group(WarmPoolConfiguration={"PoolState": state}, WarmPoolSize=3))
        for state in ("Stopped", "Hibernated", "Running")
    ]
    assert (sizes, warm_running(group())) == ([0, 0, 3], 0)
