"""Resources of Compute Engine as the library's own types have them."""

import re
from typing import TYPE_CHECKING, Any

from google.cloud import compute_v1 as compute

if TYPE_CHECKING:
    from .gce_project import Group, Machine

PROJECT = "demo-project"
BASE = f"/compute/v1/projects/{PROJECT}"
ROOT = f"https://www.googleapis.com{BASE}"


def kind_of(place: str) -> str:
    """`zones` or `regions`."""
    return "zones" if re.fullmatch(r"[a-z]+-[a-z]+\d+-[a-z]", place) else "regions"


def manager_of(group: "Group") -> compute.InstanceGroupManager:
    """The group as a list or a look at it shows it."""
    creating = sum(each.action == "CREATING" for each in group.machines.values())
    deleting = sum(each.action == "DELETING" for each in group.machines.values())
    fields: dict[str, Any] = {
        "name": group.name,
        "base_instance_name": group.name,
        "instance_template": group.template,
        "target_size": group.target,
        kind_of(group.place)[:-1]: f"{ROOT}/{kind_of(group.place)}/{group.place}",
        "all_instances_config": {"properties": {"labels": group.labels}},
        "current_actions": {"creating": creating, "deleting": deleting},
        "distribution_policy": {"zones": [{"zone": f"{ROOT}/zones/{zone}"} for zone in group.zones]},
    }
    return compute.InstanceGroupManager({**fields, **group.more})


def managed_of(machine: "Machine") -> compute.ManagedInstance:
    """One of its members."""
    fields: dict[str, Any] = {"instance": machine.url, "name": machine.name, "current_action": machine.action}
    if machine.number:
        fields |= {"id": machine.number, "instance_status": machine.status}
        fields |= {
            "version": {"instance_template": machine.template},
            "scheduling": {"termination_timestamp": machine.ends},
        }
    if machine.error:
        code, message = machine.error
        fields["last_attempt"] = {"errors": {"errors": [{"code": code, "message": message}]}}
    return compute.ManagedInstance(fields)


def instance_of(machine: "Machine", group: "Group") -> compute.Instance:
    """The machine itself, which names what made it by the project's number."""
    maker = f"projects/12345/{kind_of(group.place)}/{group.place}/instanceGroupManagers/{group.name}"
    template = f"projects/12345/{machine.template.rpartition('/projects/')[2].partition('/')[2]}"
    return compute.Instance(
        name=machine.name,
        self_link=machine.url,
        status=machine.status,
        metadata={"items": [{"key": "instance-template", "value": template}, {"key": "created-by", "value": maker}]},
        resource_status={
            "scheduling": {"termination_timestamp": machine.ends},
            "upcoming_maintenance": {"window_start_time": machine.maintained},
        },
    )


def json_of(message: Any) -> str:
    """As the wire has it: enums by name, and nothing that is not set."""
    kind: Any = type(message)
    text: str = kind.to_json(message, use_integers_for_enums=False, always_print_fields_with_no_presence=False)
    return text
