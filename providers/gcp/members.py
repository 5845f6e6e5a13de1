"""The instances of a group: which exist, what becomes of them, and why some can't be created. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.supply import Fault, Instance, InstanceState
from providers.gcp.faults import told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud import compute_v1 as compute

    from autoscale.model.supply import Offering

_LEAVING = ("DELETING", "ABANDONING")
_COMING = ("CREATING", "CREATING_WITHOUT_RETRIES", "RECREATING")
_STARTING = ("PROVISIONING", "STAGING", "PENDING")
_ENDING = ("STOPPING", "STOPPED", "SUSPENDING", "SUSPENDED", "TERMINATED", "DEPROVISIONING", "PENDING_STOP")


def exists(member: compute.ManagedInstance) -> bool:
    """Whether there is a machine: one that still waits for capacity has a name and nothing else."""
    return bool(member.id or member.instance_status)


def alive(member: compute.ManagedInstance) -> bool:
    """Whether it is a machine that nobody has sent away."""
    return exists(member) and _state(member.current_action, member.instance_status) != InstanceState.TERMINATING


def waiting(member: compute.ManagedInstance) -> bool:
    """Whether it is a name that waits for a machine."""
    return not exists(member) and member.current_action not in _LEAVING


def instance_id(url: str) -> str:
    """`ZONE/NAME` of an instance's address: names are only unique within a zone."""
    parts = url.split("/")
    return f"{parts[-3]}/{parts[-1]}"


def instances_of(
    members: Iterable[compute.ManagedInstance], *, project: str, machine_type: str
) -> tuple[Instance, ...]:
    """The machines, sorted by id."""
    found = [
        _instance(each.instance, _state(each.current_action, each.instance_status), project, machine_type)
        for each in members
        if exists(each)
    ]
    return tuple(sorted(found, key=lambda each: each.id))


def listed(instances: Iterable[compute.Instance], *, project: str, machine_type: str) -> tuple[Instance, ...]:
    """The same from the instances themselves, for a group that is at rest; sorted by id."""
    found = [_instance(each.self_link, _state("", each.status), project, machine_type) for each in instances]
    return tuple(sorted(found, key=lambda each: each.id))


def created_by(instance: compute.Instance) -> str:
    """`PLACE/NAME` of the group that made the instance, empty for one that no group made."""
    for item in instance.metadata.items:
        if item.key == "created-by" and "/instanceGroupManagers/" in item.value:
            parts = item.value.split("/")
            return f"{parts[-3]}/{parts[-1]}"
    return ""


def faults_of(
    members: Iterable[compute.ManagedInstance], *, group: str, offering: Offering, at_s: int
) -> tuple[Fault, ...]:
    """Why instances that should be created are not, each code and zone once, sorted by code.

    Google keeps trying and tells of its last attempt, without a time: what it tells now is news of now.
    """
    faults: dict[tuple[str, str], Fault] = {}
    for member in members:
        if member.current_action not in _COMING:
            continue
        zone = instance_id(member.instance).partition("/")[0] if member.instance else offering.zone
        place = f"{offering.instance_type}/{zone or '*'}/{offering.capacity_type}"
        for error in member.last_attempt.errors.errors:
            code, kind = told(error.code, error.message)
            text = " ".join(error.message.split()).rstrip(".") or code
            faults.setdefault((code, place), Fault(group, kind, code, text, at_s, offering=place))
    return tuple(faults[key] for key in sorted(faults))


def _instance(url: str, state: InstanceState, project: str, machine_type: str) -> Instance:
    name = instance_id(url)
    zone = name.partition("/")[0]
    return Instance(name, f"gce://{project}/{name}", state, zone, machine_type)


def _state(action: str, status: str) -> InstanceState:
    if action in _LEAVING or status in _ENDING:
        return InstanceState.TERMINATING
    if action in _COMING or status in _STARTING:
        return InstanceState.PENDING
    return InstanceState.RUNNING
