"""A Machine in our words: an instance, a wish that waits for one, or a failure with a reason. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.sentence import one_line
from autoscale.model.supply import Fault, FaultKind, Instance, InstanceState
from providers.clusterapi.objects import annotations_of
from providers.kubernetes_api import classify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscale.model.supply import Offering
    from providers.kubernetes_api import Json

_READY = "InfrastructureReady"


def machine_id(machine: Json) -> str:
    """`NAMESPACE/NAME`."""
    return f"{machine['metadata']['namespace']}/{machine['metadata']['name']}"


def leaving(machine: Json) -> bool:
    """Whether it is being deleted."""
    return bool(machine["metadata"].get("deletionTimestamp")) or _phase(machine) in ("Deleting", "Deleted")


def marked(machine: Json, mark: str) -> bool:
    """Whether it is the next to go when one has to, by the annotation `mark`, and not on its way yet."""
    return mark in annotations_of(machine) and not leaving(machine)


def surplus(machines: Iterable[Json], replicas: int) -> int:
    """How many more there are than there should be: so many Cluster API is about to delete, marked ones first."""
    return max(0, sum(not leaving(each) for each in machines) - replicas)


def exists(machine: Json) -> bool:
    """Whether there is a machine behind it: one that still waits for capacity has no provider id."""
    return bool(_provider_id(machine) or machine.get("status", {}).get("nodeRef"))


def instances_of(machines: Sequence[Json], *, machine_type: str, mark: str, replicas: int) -> tuple[Instance, ...]:
    """The machines that exist, sorted by id. A mark alone ends none: as long as none is too many they all stay."""
    found = []
    due = surplus(machines, replicas) > 0
    for each in machines:
        if not exists(each):
            continue
        running = each.get("status", {}).get("nodeRef") or _phase(each) == "Running"
        state = InstanceState.RUNNING if running else InstanceState.PENDING
        if leaving(each) or (due and marked(each, mark)):
            state = InstanceState.TERMINATING
        zone = each.get("spec", {}).get("failureDomain") or ""
        found.append(Instance(machine_id(each), _provider_id(each), state, zone, machine_type))
    return tuple(sorted(found, key=lambda each: each.id))


def faults_of(machines: Iterable[Json], *, group: str, offering: Offering, at_s: int) -> tuple[Fault, ...]:
    """Why machines that should come don't, each code once, sorted by code. What is told now is news of now."""
    faults: dict[str, Fault] = {}
    for each in machines:
        if leaving(each) or each.get("status", {}).get("nodeRef"):
            continue
        if why := _why(each):
            kind, code, text = why
            faults.setdefault(code, Fault(group, kind, code, text, at_s, offering.key))
    return tuple(faults[code] for code in sorted(faults))


def _why(machine: Json) -> tuple[FaultKind, str, str] | None:
    """Kind, code and sentence of a machine that failed; None for one that is merely not there yet."""
    status = machine.get("status", {})
    deprecated = status.get("deprecated", {}).get("v1beta1", {})  # where v1beta2 keeps them
    reason = status.get("failureReason") or deprecated.get("failureReason") or ""
    sentence = status.get("failureMessage") or deprecated.get("failureMessage") or ""
    failed = bool(reason or sentence) or _phase(machine) == "Failed"
    for condition in [*(status.get("conditions") or []), *(deprecated.get("conditions") or [])]:
        if condition.get("type") != _READY or condition.get("status") != "False":
            continue
        told = " ".join((condition.get("message") or "").split())
        if condition.get("severity") == "Error" or classify(told):
            failed, reason, sentence = True, reason or condition.get("reason", ""), sentence or told
    if not failed:
        return None
    text = one_line(f"{reason or 'ProvisioningFailed'}: {sentence}").rstrip(": ")
    known = classify(sentence)
    kind, code = known or (FaultKind.OTHER, reason or "ProvisioningFailed")
    return kind, code, text


def _phase(machine: Json) -> str:
    return str(machine.get("status", {}).get("phase") or "")


def _provider_id(machine: Json) -> str:
    return str(machine.get("spec", {}).get("providerID") or "")
