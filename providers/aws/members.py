"""The machines of an auto scaling group, and what Amazon does to them by itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.supply import Instance, InstanceState, Notice, NoticeKind

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef, InstanceTypeDef

_GONE = ("Terminat", "Detach", "Standby", "EnteringStandby")  # Standby: Amazon no longer counts it in the target
_WARM = "Warmed"  # the beginning of every state that a machine of a warm pool may have
_UNHEALTHY = Notice(NoticeKind.INTERRUPTED, "Amazon finds the machine unhealthy and is about to end it")


def members(group: AutoScalingGroupTypeDef) -> tuple[Instance, ...]:
    """The group's instances, those that wait in a warm pool left out, by id."""
    stopped = suspended(group)
    found = [
        _instance(each, stopped) for each in group.get("Instances", []) if not each["LifecycleState"].startswith(_WARM)
    ]
    return tuple(sorted(found, key=lambda each: each.id))


def suspended(group: AutoScalingGroupTypeDef) -> frozenset[str]:
    """Names of the group's processes that a person has suspended."""
    return frozenset(each.get("ProcessName", "") for each in group.get("SuspendedProcesses", []))


def warm_running(group: AutoScalingGroupTypeDef) -> int:
    """Machines of the group's warm pool that run, and so count against quotas."""
    state = group.get("WarmPoolConfiguration", {}).get("PoolState")
    return group.get("WarmPoolSize", 0) if state == "Running" else 0


def remarks(group: AutoScalingGroupTypeDef) -> list[str]:
    """What Amazon does, or keeps from doing, beside what is asked of it."""
    stopped, found = suspended(group), list[str]()
    if "Launch" in stopped:
        found.append("its Launch process is suspended, so it can't grow")
    if "Terminate" in stopped:
        found.append("its Terminate process is suspended, so that none of its nodes is removed but what ends anyway")
    if "AZRebalance" not in stopped and len(group["AvailabilityZones"]) > 1:
        found.append("its AZRebalance process is not suspended: Amazon may end nodes to even out its zones")
    lives = [each["LifecycleState"] for each in group.get("Instances", [])]
    for life in ("Pending:Wait", "Terminating:Wait"):
        if count := lives.count(life):
            found.append(f"{count} of its machines wait for a lifecycle hook ({life})")
    sick = sum(each.get("HealthStatus") == "Unhealthy" for each in group.get("Instances", []))
    if sick and "ReplaceUnhealthy" in stopped:
        found.append(f"{sick} of its machines are unhealthy, and its ReplaceUnhealthy process is suspended")
    if group.get("WarmPoolConfiguration"):
        found.append(f"it has a warm pool, whose {group.get('WarmPoolSize', 0)} machines are no nodes of it")
    return found


def _instance(found: InstanceTypeDef, stopped: frozenset[str]) -> Instance:
    """In our words. A lifecycle hook and a suspended process protect a machine from us as a person's protection does."""
    zone, life = found["AvailabilityZone"], found["LifecycleState"]
    if life.startswith(_GONE):
        state = InstanceState.TERMINATING
    else:
        state = InstanceState.PENDING if life.startswith("Pending") else InstanceState.RUNNING
    replaced = found.get("HealthStatus") == "Unhealthy" and "ReplaceUnhealthy" not in stopped
    return Instance(
        id=found["InstanceId"],
        provider_id=f"aws:///{zone}/{found['InstanceId']}",
        state=state,
        zone=zone,
        instance_type=found.get("InstanceType", ""),
        protected=found.get("ProtectedFromScaleIn", False) or life == "Pending:Wait" or "Terminate" in stopped,
        notice=_UNHEALTHY if replaced and state is not InstanceState.TERMINATING else None,
    )
