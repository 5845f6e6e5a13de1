"""A scalable object as a NodeGroup: what a node of it will be, and what it costs. Pure: everything is given."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, NodeGroup, Offering, SkippedGroup
from autoscale.model.workload import Code, Reason
from providers.clusterapi import machines
from providers.clusterapi.objects import annotations_of
from providers.clusterapi.templates import infrastructure, node_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from providers.clusterapi.objects import Scalable
    from providers.clusterapi.settings import ClusterApiSettings
    from providers.kubernetes_api import Json

_TYPE, _CAPACITY_TYPE = "node.kubernetes.io/instance-type", "karpenter.sh/capacity-type"
_PLAIN = ("cpu", "memory", "ephemeral-storage", "pods")


def mark(settings: ClusterApiSettings) -> str:
    """The annotation that makes a Machine the next to go."""
    return f"{settings.api_group}/delete-machine"


def model(
    found: Scalable, machines_: Sequence[Json], infra: Json | None, settings: ClusterApiSettings, *, at_s: int
) -> NodeGroup | SkippedGroup:
    """The group in our words, or why it has none."""
    if f"{settings.api_group}/paused" in annotations_of(found.document):
        return _skipped(found, "it is paused")
    if isinstance(found.bounds, str):
        return _skipped(found, found.bounds)
    if problem := unchoosable(found, machines_):
        return _skipped(found, problem)
    template = node_template(found.document, infra)
    if isinstance(template, str):
        return _skipped(found, template)
    room = (template.capacity - settings.reserved).max(Resources())
    spec = found.document["spec"]["template"]["spec"]
    offering = Offering(
        template.labels.get(_TYPE) or infrastructure(found.document)[2] or found.ref.name,
        spec.get("failureDomain") or "",
        _capacity_type(template.labels.get(_CAPACITY_TYPE, "")),
        settings.price(found.ref.name),
    )
    low, high = found.bounds
    return NodeGroup(
        id=found.ref.id,
        provider="clusterapi",
        name=found.ref.name,
        offering=offering,
        allocatable=room,
        labels=MappingProxyType(dict(template.labels)),
        taints=template.taints,
        devices=tuple(sorted(name for name in room if name not in _PLAIN and "/" in name)),
        min_nodes=low,
        max_nodes=high,
        target_nodes=found.replicas,
        instances=machines.instances_of(
            machines_, machine_type=offering.instance_type, mark=mark(settings), replicas=found.replicas
        ),
        faults=machines.faults_of(machines_, group=found.ref.id, offering=offering, at_s=at_s),
    )


def unchoosable(found: Scalable, machines_: Sequence[Json]) -> str:
    """Why nobody can say which machine goes; empty when that can be said."""
    if found.ref.kind == "machinepool" and found.replicas and not machines_:
        return "its infrastructure has no Machines, so that nobody could choose which one goes"
    return ""


def _capacity_type(text: str) -> CapacityType:
    return CapacityType(text) if text in set(CapacityType) else CapacityType.ON_DEMAND


def _skipped(found: Scalable, text: str) -> SkippedGroup:
    reason = Reason(Code.UNMODELLED, f"group {found.ref.name} is left out: {text}", source="clusterapi")
    return SkippedGroup(found.ref.id, reason)
