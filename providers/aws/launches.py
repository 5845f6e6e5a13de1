"""What a group launches: its instance types and how they are paid, from launch template or mixed instances policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.model.supply import CapacityType, Fault
from providers.aws.templates import TemplateRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef, InstancesDistributionOutputTypeDef

    from providers.aws.templates import Template

_ATTRIBUTES = "it selects instance types by attributes (InstanceRequirements), which is not supported yet"


@dataclass(frozen=True, slots=True)
class Launch:
    """Instance types in the group's order, the template all of them start from, and remarks on what was assumed."""

    types: tuple[str, ...]
    capacity_type: CapacityType
    certain: bool  # whether every node will be of that capacity type
    template: Template
    notes: tuple[str, ...] = ()


def template_refs(group: AutoScalingGroupTypeDef) -> tuple[TemplateRef, ...]:
    """The template versions that decide what the group launches, its main one first; none for a launch configuration."""
    policy = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    specs = [policy.get("LaunchTemplateSpecification") or group.get("LaunchTemplate")]
    specs += [override.get("LaunchTemplateSpecification") for override in policy.get("Overrides", [])]
    return tuple(TemplateRef.of(spec) for spec in specs if spec)


def launch(group: AutoScalingGroupTypeDef, templates: Mapping[TemplateRef, Template | Fault]) -> Launch | str:
    """What the group launches, or a sentence why that can't be told."""
    refs = template_refs(group)
    if not refs:
        return "it has a launch configuration; Amazon's successor, the launch template, is what is read"
    for ref in refs:
        if isinstance(fault := templates[ref], Fault):
            return f"launch template {ref.key} version {ref.version} can't be read: {fault.message}"
    main = templates[refs[0]]
    assert not isinstance(main, Fault)  # noqa: S101 - the loop above returned
    policy = group.get("MixedInstancesPolicy")
    if not policy:
        return _plain(main)
    types = []
    for override in policy.get("LaunchTemplate", {}).get("Overrides", []) or [{}]:
        spec = override.get("LaunchTemplateSpecification")
        template = templates[TemplateRef.of(spec)] if spec else main
        assert not isinstance(template, Fault)  # noqa: S101 - the loop above returned
        if override.get("InstanceRequirements") or (template.attribute_based and not override.get("InstanceType")):
            return _ATTRIBUTES
        if override.get("WeightedCapacity", "1") != "1":
            return "it counts its size in weighted capacity, not in nodes"
        types.append(override.get("InstanceType") or template.instance_type)
    if not all(types):
        return "neither its launch template nor its overrides name an instance type"
    capacity_type, certain, notes = _purchase(policy.get("InstancesDistribution", {}))
    return Launch(tuple(dict.fromkeys(types)), capacity_type, certain, main, notes)


def _plain(template: Template) -> Launch | str:
    if template.attribute_based:
        return _ATTRIBUTES
    if not template.instance_type:
        return "its launch template names no instance type"
    types = (template.instance_type,)
    if template.market == "spot":
        return Launch(types, CapacityType.SPOT, certain=True, template=template)
    if template.reservation or template.market == "capacity-block":
        note = () if template.reservation else ("its launch template names no reservation, so that it can't launch",)
        return Launch(types, CapacityType.RESERVED, certain=True, template=template, notes=note)
    return Launch(types, CapacityType.ON_DEMAND, certain=True, template=template)


def _purchase(distribution: InstancesDistributionOutputTypeDef) -> tuple[CapacityType, bool, tuple[str, ...]]:
    """Absent figures are Amazon's defaults: base 0, 100 % on-demand above it."""
    base = distribution.get("OnDemandBaseCapacity") or 0
    percent = distribution.get("OnDemandPercentageAboveBaseCapacity", 100)
    if percent == 100:
        return CapacityType.ON_DEMAND, True, ()
    if base == 0 and percent == 0:
        return CapacityType.SPOT, True, ()
    note = f"it mixes on-demand (the first {base}, then {percent} %) and spot; every node is priced as on-demand"
    return CapacityType.ON_DEMAND, False, (note,)
