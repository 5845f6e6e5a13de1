"""An auto scaling group as a NodeGroup: what a node of it will be, and what it costs. Pure: everything is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, NodeGroup, Offering, SkippedGroup
from autoscale.model.workload import Code, Reason
from providers.aws.catalog import capacity_labels, shipped_book, zone_labels
from providers.aws.launches import Launch, launch
from providers.aws.machines import EFA
from providers.aws.members import members, remarks, suspended
from providers.aws.tags import node_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

    from autoscale.model.supply import Fault
    from providers.aws.catalog import Book
    from providers.aws.reservations import Reservation
    from providers.aws.settings import AwsSettings
    from providers.aws.tags import NodeTemplate
    from providers.aws.templates import Template, TemplateRef

PREFIX = "aws:"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a group's model rests on beside the group.

    `zone_ids`: zone name -> zone ID, the account's own or, when it did not tell (`zones_told`), dealt in order.
    """

    settings: AwsSettings
    region: str
    zone_ids: Mapping[str, str]
    zones_told: bool
    templates: Mapping[TemplateRef, Template | Fault]
    book: Book = field(default_factory=shipped_book)
    reservations: tuple[Reservation, ...] = ()


def tags_of(group: AutoScalingGroupTypeDef) -> dict[str, str]:
    """The group's tags by key."""
    return {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", []) if "Key" in tag}


def model(group: AutoScalingGroupTypeDef, around: Surroundings) -> NodeGroup | SkippedGroup:
    """The group in our words, or why it has none."""
    name = group["AutoScalingGroupName"]
    plan = launch(group, around.templates)
    template = node_template(tags_of(group))
    if group.get("Status"):
        return _skipped(name, f"it is being deleted ({group.get('Status')})")
    if isinstance(plan, str):
        return _skipped(name, plan)
    if isinstance(template, str):
        return _skipped(name, template)
    for each in plan.types:
        if around.book.instance_type(each) is None:
            return _skipped(name, f"the catalogue does not have instance type {each}")
        if fraction := around.book.gpu_fraction(each):
            return _skipped(name, f"{each} has {fraction} of a GPU, which no device plugin offers as a resource")
    zones = sorted(group["AvailabilityZones"])
    zone = zones[0] if len(zones) == 1 else ""
    price, notes = _price(plan, zones, around)
    if not price and plan.capacity_type is not CapacityType.RESERVED:
        return _skipped(name, f"there is no price for {' or '.join(plan.types)}: set aws.prices")
    allocatable = _allocatable(plan, template, around.book)
    closed = "Launch" in suspended(group)
    return NodeGroup(
        id=PREFIX + name,
        provider="aws",
        name=name,
        offering=Offering("|".join(plan.types), zone, plan.capacity_type, price),
        allocatable=allocatable,
        labels=MappingProxyType(_labels(plan, template, zone, around)),
        taints=template.taints,
        devices=_devices(plan, template, allocatable, around.book),
        min_nodes=group["MinSize"],
        max_nodes=min(group["MaxSize"], group["DesiredCapacity"]) if closed else group["MaxSize"],
        target_nodes=group["DesiredCapacity"],
        instances=members(group),
        notes=tuple(Reason(Code.UNMODELLED, text, source="aws") for text in (*plan.notes, *notes, *remarks(group))),
    )


def _skipped(name: str, text: str) -> SkippedGroup:
    return SkippedGroup(PREFIX + name, Reason(Code.UNMODELLED, f"group {name} is left out: {text}", source="aws"))


def _allocatable(plan: Launch, template: NodeTemplate, book: Book) -> Resources:
    """The catalogue's room, EFA only as far as the launch template attaches it, the tags' amounts before both."""
    room = dict(book.common(plan.types, disk_gib=plan.template.disk_gib).allocatable.amounts)
    room[EFA] = min(room.get(EFA, 0), plan.template.efa_interfaces)
    return Resources({**room, **template.resources})


def _devices(plan: Launch, template: NodeTemplate, allocatable: Resources, book: Book) -> tuple[str, ...]:
    """The types' own devices and any extended resource that a tag promises."""
    promised = [*book.common(plan.types).devices, *(name for name in template.resources if "/" in name)]
    return tuple(sorted({name for name in promised if allocatable[name] > 0}))


def _labels(plan: Launch, template: NodeTemplate, zone: str, around: Surroundings) -> dict[str, str]:
    labels = {**around.book.common(plan.types).labels, **zone_labels(zone, around.region)}
    if plan.certain:
        labels |= capacity_labels(plan.capacity_type)
    if around.zones_told and zone in around.zone_ids:
        labels["topology.k8s.aws/zone-id"] = around.zone_ids[zone]
    return labels | dict(template.labels)


def _price(plan: Launch, zones: list[str], around: Surroundings) -> tuple[int, tuple[str, ...]]:
    """The dearest of all types and zones that a node may land on, and what had to be assumed.

    A reserved machine is paid for already: it costs what the configuration says, else nothing.
    """
    if plan.capacity_type is CapacityType.RESERVED:
        set_ = [around.settings.price_as_reserved(name, zone) for name in plan.types for zone in zones]
        return max(set_, default=0), ()
    dearest, guessed, foreign = 0, False, False
    for name in plan.types:
        for zone in zones:
            price = around.settings.price(name, zone, plan.capacity_type)
            if price is None:
                foreign = foreign or around.region != around.book.catalog.region
                price = _catalogue_price(around.book, name, around.zone_ids.get(zone, ""), plan.capacity_type)
            if price is None:
                guessed, price = True, around.book.on_demand_price(name) or 0
            dearest = max(dearest, price)
    notes = []
    if guessed:
        notes.append("the spot price is not known; it is priced as on-demand")
    if foreign:
        notes.append(f"there are no prices for {around.region}; those of {around.book.catalog.region} stand in")
    return dearest, tuple(notes)


def _catalogue_price(book: Book, name: str, zone_id: str, capacity_type: CapacityType) -> int | None:
    if capacity_type == CapacityType.SPOT:
        return book.spot_price(name, zone_id)
    return book.on_demand_price(name)
