"""The instances of a group: which exist, what becomes of them, and why some can't be created. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.model.supply import Fault, Instance, InstanceState
from providers.gcp import endings
from providers.gcp.faults import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.cloud import compute_v1 as compute

    from autoscale.model.supply import Notice, Offering

_LEAVING = ("DELETING", "ABANDONING")
_COMING = ("CREATING", "CREATING_WITHOUT_RETRIES", "RECREATING")
_STARTING = ("PROVISIONING", "STAGING", "PENDING")
_ENDED = ("STOPPED", "SUSPENDING", "SUSPENDED", "TERMINATED", "DEPROVISIONING")


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


@dataclass(frozen=True, slots=True)
class Group:
    """What a group's instances have in common. `templates`: see `endings.outdated`; `lead_s`: see `endings.notice_of`."""

    project: str
    machine_type: str
    templates: tuple[str, ...]
    now_s: int
    lead_s: int


def instances_of(
    members: Iterable[compute.ManagedInstance], of: Group, told: Mapping[str, compute.Instance]
) -> tuple[Instance, ...]:
    """The machines, sorted by id. `told` are those of the project by id, as far as they were read."""
    found = []
    for each in members:
        if exists(each):
            name = instance_id(each.instance)
            notice = endings.notice_of_member(each, of.now_s, of.lead_s)
            if notice is None and name in told and each.current_action in ("", "NONE"):
                notice = endings.notice_of(told[name], of.now_s, of.lead_s)
            old = endings.outdated(each.version.instance_template, of.templates)
            found.append(_instance(name, _state(each.current_action, each.instance_status), of, notice, old))
    return tuple(sorted(found, key=lambda each: each.id))


def listed(instances: Iterable[compute.Instance], of: Group) -> tuple[Instance, ...]:
    """The same from the instances themselves, for a group that is at rest; sorted by id."""
    found = [
        _instance(
            instance_id(each.self_link),
            _state("", each.status),
            of,
            endings.notice_of(each, of.now_s, of.lead_s),
            endings.outdated(endings.template_of(each), of.templates),
        )
        for each in instances
    ]
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


def _instance(name: str, state: InstanceState, of: Group, notice: Notice | None, old: str) -> Instance:
    zone = name.partition("/")[0]
    return Instance(name, f"gce://{of.project}/{name}", state, zone, of.machine_type, notice=notice, outdated=old)


def _state(action: str, status: str) -> InstanceState:
    if action in _LEAVING or status in _ENDED:
        return InstanceState.TERMINATING
    if action in _COMING or status in _STARTING:
        return InstanceState.PENDING
    return InstanceState.RUNNING
