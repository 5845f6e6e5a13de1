"""A managed instance group as a NodeGroup: what a node of it will be, and what it costs. Pure: everything is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, Fault, NodeGroup, Offering, SkippedGroup
from autoscale.model.workload import Code, Reason
from providers.gcp import machines
from providers.gcp.catalog import capacity_labels, zone_labels
from providers.gcp.line import MODEL, Line
from providers.gcp.refs import Ref, last
from providers.gcp.tpus import TOPOLOGY, tpu_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.cloud import compute_v1 as compute

    from providers.gcp.catalog import Book
    from providers.gcp.kube_env import KubeEnv
    from providers.gcp.settings import Discovery, GcpSettings
    from providers.gcp.specifications import Specification
    from providers.gcp.templates import Template

MIN, MAX = "gpu-autoscale-min", "gpu-autoscale-max"
_MOST = 1000  # instances of a group that nobody bounds
_LOCAL_SSD_GIB = 375
_MARKETS = {
    "STANDARD": CapacityType.ON_DEMAND,
    "SPOT": CapacityType.SPOT,
    MODEL: CapacityType.FLEX_START,
    "RESERVATION_BOUND": CapacityType.RESERVED,
}


@dataclass(frozen=True, slots=True)
class Found:
    """A group that one of the rules found, with what its template says; `bounds` is a sentence when they can't be read.

    `line` is what waits in its queue, of a group whose machines are had so.
    """

    ref: Ref
    manager: compute.InstanceGroupManager
    template: Template | Fault
    bounds: tuple[int, int] | str
    line: Line = field(default_factory=Line)

    @property
    def flex(self) -> bool:
        """Whether its machines are asked for through a queue."""
        return not isinstance(self.template, Fault) and self.template.market == MODEL

    @property
    def run_for_s(self) -> int | None:
        """How long its machines may run."""
        return None if isinstance(self.template, Fault) else self.template.run_for_s

    @property
    def size(self) -> int:
        """The group's own target size, those that are suspended or stopped included."""
        manager = self.manager
        return manager.target_size + manager.target_suspended_size + manager.target_stopped_size

    @property
    def target(self) -> int:
        """How many instances it is to have, those that wait in a queue included."""
        return self.size + self.line.nodes


def place_of(manager: compute.InstanceGroupManager) -> Ref:
    """Where the group is and what it is called."""
    return Ref(last(manager.zone or manager.region), manager.name)


def template_url(manager: compute.InstanceGroupManager) -> str:
    """The template that new instances are made from: during a roll-out the version that has no size of its own."""
    return template_urls(manager)[-1]


def template_urls(manager: compute.InstanceGroupManager) -> tuple[str, ...]:
    """All that its instances are to be made from, the one of new instances last."""
    versions = [each for each in manager.versions if each.instance_template]
    rest = [each for each in versions if "target_size" not in each]
    order = sorted(versions, key=lambda each: each is (rest or versions)[-1])
    return tuple(each.instance_template for each in order) or (manager.instance_template,)


def own_labels(manager: compute.InstanceGroupManager) -> dict[str, str]:
    """The labels that the group itself gives its instances."""
    return dict(manager.all_instances_config.properties.labels)


def labels_of(manager: compute.InstanceGroupManager, template: Template | Fault) -> dict[str, str]:
    """The labels that the group's instances carry: the template's, and the group's own before them."""
    own = own_labels(manager)
    return own if isinstance(template, Fault) else {**template.labels, **own}


def bounds(rule: Discovery, labels: dict[str, str]) -> tuple[int, int] | str:
    """Least and most instances: the rule's, else the labels', else 0 and a thousand."""
    found = []
    for given, label, default in ((rule.low, MIN, 0), (rule.high, MAX, _MOST)):
        text = labels.get(label, str(default))
        if given is None and not text.isdecimal():
            return f"label {label}: expected a whole number, found {text!r}"
        found.append(int(text) if given is None else given)
    low, high = found
    return (low, high) if low <= high else f"its minimum of {low} is above its maximum of {high}"


def skipped(ref: Ref, text: str) -> SkippedGroup:
    """A group that can't be modelled, and why."""
    return SkippedGroup(ref.id, Reason(Code.UNMODELLED, f"group {ref.name} is left out: {text}", source="gcp"))


def model(found: Found, settings: GcpSettings, book: Book) -> NodeGroup | SkippedGroup:
    """The group in our words, without its instances, or why it has none."""
    ref, template, limits = found.ref, found.template, found.bounds
    if isinstance(template, Fault):
        return skipped(ref, f"its instance template can't be read: {template.message}")
    if isinstance(limits, str):
        return skipped(ref, limits)
    if problem := _problem(found.manager, template):
        return skipped(ref, problem)
    env, spec = template.env, _specification(template, book)
    if isinstance(env, str):
        return skipped(ref, env)
    if isinstance(spec, str):
        return skipped(ref, spec)
    capacity_type = CapacityType.RESERVED if template.reservation else _MARKETS[template.market]
    zones = zones_of(found, book)
    zone = zones[0] if len(zones) == 1 else ""
    cost = _price(spec, zones, capacity_type, settings, book)
    if isinstance(cost, str):
        return skipped(ref, cost)
    amount, notes = cost
    machine = machines.instance_type(spec, disk_gib=_disk_gib(template, env), reserved=env.reserved)
    room = Resources({**machine.allocatable.amounts, **env.resources})
    return NodeGroup(
        id=ref.id,
        provider="gcp",
        name=ref.name,
        offering=Offering(spec.name, zone, capacity_type, amount),
        allocatable=room,
        labels=MappingProxyType(_labels(machine.labels, env, zone, ref.region, capacity_type)),
        taints=env.taints,
        devices=tuple(sorted({*machine.devices, *(name for name in env.resources if "/" in name and room[name])})),
        min_nodes=limits[0],
        max_nodes=limits[1],
        target_nodes=found.target,
        provision_s=settings.queue_for_s if found.flex else None,
        notes=tuple(Reason(Code.UNMODELLED, text, source="gcp") for text in (*notes, *_remarks(found.manager))),
    )


def _problem(manager: compute.InstanceGroupManager, template: Template) -> str:
    """Why we must not drive the group, empty when we may."""
    if manager.status.autoscaler:
        return "a Google autoscaler changes its size"
    if manager.instance_flexibility_policy.instance_selections:
        return "it chooses among machine types (instanceFlexibilityPolicy), which is not supported yet"
    if template.market == MODEL and manager.region:
        return "it is regional; flex-start capacity is asked for through zonal groups"
    if template.market not in _MARKETS:
        return f"provisioning model {template.market} is not supported yet"
    if _sliced(manager, template):
        return "its machines are one TPU slice together, which is not supported"
    if not isinstance(template.env, str) and template.env.os != "linux":
        return f"its nodes run {template.env.os}"
    return ""


def _sliced(manager: compute.InstanceGroupManager, template: Template) -> bool:
    """Whether its TPUs are parts of a slice of several machines, which come and go together."""
    tpu = tpu_of(template.machine_type)
    if tpu is None:
        return False
    told = "" if isinstance(template.env, str) else template.env.labels.get(TOPOLOGY, "")
    chips = prod(int(each) for each in told.split("x") if each.isdecimal())
    return bool(manager.resource_policies.workload_policy) or template.placed or chips > tpu.chips


def _specification(template: Template, book: Book) -> Specification | str:
    accelerators = [each for each in template.accelerators if each[1]]
    if len(accelerators) > 1:
        return "its template attaches accelerators of several types"
    accelerator, count = accelerators[0] if accelerators else ("", 0)
    if accelerator and not accelerator.startswith("nvidia-") and not tpu_of(template.machine_type):
        return f"its template attaches {accelerator}, which is no GPU"
    spec = book.specification(template.machine_type, accelerator.removesuffix("-vws"), count)
    return spec or f"the catalogue does not have machine type {template.machine_type}"


def zones_of(found: Found, book: Book) -> list[str]:
    """Where its instances may land. A regional group that does not say may land in any zone of the region."""
    if found.ref.zonal:
        return [found.ref.place]
    told = sorted(last(each.zone) for each in found.manager.distribution_policy.zones)
    return told or [zone for zone in book.zones if region_of(zone) == found.ref.region] or [""]


def region_of(zone: str) -> str:
    """`us-central1` of `us-central1-a`."""
    return zone.rpartition("-")[0]


def _disk_gib(template: Template, env: KubeEnv) -> int:
    if env.local_ssds:
        return env.local_ssds * _LOCAL_SSD_GIB
    return template.disk_gib or machines.DISK_GIB


def _labels(
    machine: Mapping[str, str], env: KubeEnv, zone: str, region: str, capacity_type: CapacityType
) -> dict[str, str]:
    labels = {**machine, **zone_labels(zone, region), **capacity_labels(capacity_type)}
    if env.arch:
        labels["kubernetes.io/arch"] = env.arch
    return labels | dict(env.labels)


def _price(
    spec: Specification, zones: list[str], capacity_type: CapacityType, settings: GcpSettings, book: Book
) -> tuple[int, list[str]] | str:
    """The dearest of all zones that a node may land in, with what had to be assumed, or why there is no price."""
    dearest, guessed, foreign, assumed = 0, False, False, False
    for zone in zones:
        amount = settings.price(spec.name, zone, capacity_type)
        if capacity_type == CapacityType.RESERVED:
            amount = settings.price_as_reserved(spec.name, zone)
        if amount is None:
            assumed = True
            foreign = foreign or region_of(zone) != book.region
            known = _listed(spec, zone, book)
            if isinstance(known, str):
                return known
            on_demand, spot = known
            guessed = guessed or (capacity_type == CapacityType.SPOT and not spot)
            amount = spot if capacity_type == CapacityType.SPOT and spot else on_demand
        dearest = max(dearest, amount)
    notes = []
    if capacity_type == CapacityType.FLEX_START and assumed:
        notes.append("the price of flex-start is not known; it is priced as on-demand")
    if guessed:
        notes.append("the spot price is not known; it is priced as on-demand")
    if foreign:
        notes.append(f"there are no prices for {region_of(zones[0]) or 'its region'}; those of {book.region} stand in")
    return dearest, notes


def _listed(spec: Specification, zone: str, book: Book) -> tuple[int, int] | str:
    """On-demand and spot from the catalogue: the zone's, elsewhere the dearest zone's."""
    near = [zone] if zone in book.zones else list(book.zones)
    found = [each for name in near if (each := book.price(spec, name))]
    if not found:
        return f"there is no price for {spec.name} in {zone or 'its zones'}: set gcp.prices"
    if refused := next((each.refused for each in found if each.refused), ""):
        return f"the price of {spec.name} is refused ({refused}): set gcp.prices"
    spot = [each.spot for each in found]
    return max(each.on_demand for each in found), max(spot) if all(spot) else 0


def _remarks(manager: compute.InstanceGroupManager) -> list[str]:
    """What a person should know of how the group behaves."""
    if manager.region and manager.update_policy.instance_redistribution_type == "PROACTIVE":
        return ["it may end instances to even out its zones (proactive redistribution); switch that off"]
    return []
