"""Pools: templates that managed instance groups are made from on first use, one group a machine, zone and way to pay.

Pure: from the configuration, and the instance template that a pool starts from, to the resources that make a group. The
Google library is imported only when a resource is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from autoscale.errors import BadInput
from autoscale.model.frozen import empty
from autoscale.model.supply import CapacityType
from providers import pool_settings
from providers.names import digest, shortened
from providers.pool_settings import texts
from providers.settings_values import duration_s, refuse_unknown_keys, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from google.cloud import compute_v1 as compute

    from autoscale.model.supply import NodeGroup
    from providers.gcp.reservations import Reservation
    from providers.gcp.specifications import Specification
    from providers.gcp.templates import Template
    from providers.pool_settings import Pool

NAME_KEY = "compute.googleapis.com/reservation-name"  # by which machines name the reservation that they are of
POOL = "gpu-autoscale-pool"  # label on what we made: its value is the pool's name
CLUSTER = "gpu-autoscale-cluster"
NODE_LABELS, NODE_TAINTS = "gpu-autoscale-node-labels", "gpu-autoscale-node-taints"  # metadata of the machines
_KEYS = (*pool_settings.KEYS, "instance_template", "reservations", "run_for", "zones")
_WAYS = tuple(CapacityType)
_MODELS = {CapacityType.ON_DEMAND: "STANDARD", CapacityType.SPOT: "SPOT", CapacityType.FLEX_START: "FLEX_START"}
# A group takes resize requests as long as it neither replaces nor moves its machines by itself.
_QUEUEING = {"instance_lifecycle_policy": {"default_action_on_failure": "DO_NOTHING"}}
_ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")
_LONGEST_RUN_S = 7 * 86_400
_LONGEST = 54  # of a group's name: a template's may have 63 and ends in a digest


@dataclass(frozen=True, slots=True)
class GcpPool:
    """A pool, and what only Google needs of it.

    `instance_template` has all that the pool does not say. `machines` has its instance types. `reservations` are names, with
    * and ? for any, of those that it offers as `reserved`. `run_for_s` is how long flex-start machines run.
    """

    pool: Pool
    instance_template: str
    zones: tuple[str, ...]
    machines: Mapping[str, Specification] = field(default_factory=empty, hash=False)
    reservations: tuple[str, ...] = ()
    run_for_s: int = 86_400


@dataclass(frozen=True, slots=True)
class Offer:
    """One group of a pool, whether it is made or not."""

    name: str
    of: GcpPool
    spec: Specification
    zone: str
    capacity_type: CapacityType
    marks: Mapping[str, str]
    reservation: Reservation | None = None

    def owns(self, labels: Mapping[str, str]) -> bool:
        """Whether a group of this name, with those labels of its own, was made for this pool and cluster."""
        return all(labels.get(key) == value for key, value in self.marks.items())

    def template(self, base: Template) -> Template:
        """What its machines are, from the template that the pool starts from."""
        return replace(
            base,
            machine_type=self.spec.machine_type,
            accelerators=self._attached,
            market=self.market,
            reservation=self.reservation.name if self.reservation else "",
            run_for_s=self.of.run_for_s if self.capacity_type is CapacityType.FLEX_START else base.run_for_s,
        )

    def as_pool(self, group: NodeGroup, *, made: bool) -> NodeGroup:
        """The group with what the pool says of it."""
        pool = self.of.pool
        return replace(
            group,
            labels=MappingProxyType({**group.labels, **pool.labels}),
            taints=(*group.taints, *(each for each in pool.taints if each not in group.taints)),
            template=pool.name,
            made=made,
            delete_after_s=pool.delete_after_s,
        )

    def template_resource(self, base: compute.InstanceTemplate) -> compute.InstanceTemplate:
        """The instance template of the group; its name has a digest of its content."""
        from google.cloud import compute_v1

        properties = compute_v1.InstanceProperties(base.properties)
        properties.machine_type = self.spec.machine_type
        properties.guest_accelerators = [
            compute_v1.AcceleratorConfig(accelerator_type=name, accelerator_count=count)
            for name, count in self._attached
        ]
        scheduling = properties.scheduling
        scheduling.provisioning_model = self.market
        scheduling.preemptible = False
        if self.spec.accelerators:
            scheduling.on_host_maintenance = "TERMINATE"  # machines with GPUs can't be moved
        if self.market != "STANDARD":
            scheduling.automatic_restart = False
            scheduling.instance_termination_action = "DELETE"
        if self.capacity_type is CapacityType.FLEX_START:
            scheduling.max_run_duration = compute_v1.Duration(seconds=self.of.run_for_s)
            properties.reservation_affinity = compute_v1.ReservationAffinity(consume_reservation_type="NO_RESERVATION")
        properties.scheduling = scheduling
        if self.reservation is not None:
            properties.reservation_affinity = compute_v1.ReservationAffinity(
                consume_reservation_type="SPECIFIC_RESERVATION", key=NAME_KEY, values=[self.reservation.name]
            )
        properties.labels = {**properties.labels, **self.marks}
        properties.metadata = self._metadata(properties.metadata)
        content = compute_v1.InstanceProperties.to_json(
            properties, always_print_fields_with_no_presence=False, sort_keys=True
        )
        return compute_v1.InstanceTemplate(name=f"{self.name}-{digest(content)}", properties=properties)

    def group_resource(self, template_url: str) -> compute.InstanceGroupManager:
        """The group, at zero."""
        from google.cloud import compute_v1

        return compute_v1.InstanceGroupManager(
            name=self.name,
            base_instance_name=self.name,
            instance_template=template_url,
            target_size=0,
            all_instances_config={"properties": {"labels": dict(self.marks)}},
            **(_QUEUEING if self.capacity_type is CapacityType.FLEX_START else {}),
        )

    @property
    def market(self) -> str:
        """The provisioning model. Machines of a reservation with an end live as long as it does."""
        if self.reservation is not None:
            return "RESERVATION_BOUND" if self.reservation.ends else "STANDARD"
        return _MODELS[self.capacity_type]

    @property
    def _attached(self) -> tuple[tuple[str, int], ...]:
        """Accelerators that the machine type does not bring along."""
        return ((self.spec.accelerator, self.spec.accelerators),) if self.spec.attached else ()

    def _metadata(self, base: compute.Metadata) -> compute.Metadata:
        """What the machine's start script hands to the kubelet."""
        from google.cloud import compute_v1

        pool = self.of.pool
        told = {
            NODE_LABELS: ",".join(f"{key}={value}" for key, value in sorted(pool.labels.items())),
            NODE_TAINTS: ",".join(f"{each.key}={each.value}:{each.effect}" for each in pool.taints),
        }
        items = [item for item in base.items if item.key not in told]
        items += [compute_v1.Items(key=key, value=value) for key, value in told.items() if value]
        return compute_v1.Metadata(items=items)


def pools(settings: Mapping[str, Any], known: Mapping[str, Specification]) -> tuple[GcpPool, ...]:
    """From a configuration's `gcp` section, by name. `known` are all machines there are. Raises BadInput."""
    found = pool_settings.pools(settings, "gcp")
    return tuple(_pool(name, given, known) for name, given in sorted(found.items()))


def offers(of: GcpPool, cluster: str, sold: Callable[[Specification, str], bool]) -> list[Offer]:
    """All that a pool offers beside reservations. Machines that a zone does not have are left out where it is known (`sold`)."""
    marks = _marks(of, cluster)
    return [
        Offer(_group_name(cluster, of, name, zone, way), of, spec, zone, way, marks)
        for name, spec in ((name, of.machines[name]) for name in of.pool.instance_types)
        for zone in of.zones
        if sold(spec, zone)
        for way in of.pool.capacity_types
        if way is not CapacityType.RESERVED
    ]


def reserved_offers(of: GcpPool, cluster: str, reservations: Iterable[Reservation]) -> list[Offer]:
    """One for each reservation that the pool means, of its machines in its zones."""
    return [
        Offer(
            _group_name(cluster, of, each.machine, each.zone, f"reserved-{each.name}"),
            of,
            of.machines[each.machine],
            each.zone,
            CapacityType.RESERVED,
            _marks(of, cluster),
            each,
        )
        for each in reservations
        if any(fnmatchcase(each.name, pattern) for pattern in of.reservations)
        and each.machine in of.machines
        and each.zone in of.zones
    ]


def _marks(of: GcpPool, cluster: str) -> Mapping[str, str]:
    return MappingProxyType({CLUSTER: label(cluster), POOL: of.pool.name})


def label(value: str) -> str:
    """A name as a Google label can hold it: lower case, and dashes for all but letters, digits, `-` and `_`."""
    return re.sub(r"[^a-z0-9_-]", "-", value.lower())[:63]


def _group_name(cluster: str, of: GcpPool, machine: str, zone: str, way: str) -> str:
    """`CLUSTER-POOL-MACHINE-ZONE-WAY`, the same always; one that is too long ends in a digest of all of it."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{cluster}-{of.pool.name}-{machine}-{zone}-{way}".lower()).strip("-")
    return shortened(name if name[0].isalpha() else f"g-{name}", _LONGEST)


def _run_for_s(given: Mapping[str, Any], where: str) -> int:
    found = duration_s(given, "run_for", where, "24h")
    if not 600 <= found <= _LONGEST_RUN_S:
        expected = "a time between 10m and 7d"
        raise BadInput("wrong value", where=f"{where}.run_for", expected=expected, found=repr(given["run_for"]))
    return found


def _pool(name: str, given: Mapping[str, Any], known: Mapping[str, Specification]) -> GcpPool:
    where = f"gcp.pools.{name}"
    refuse_unknown_keys(given, _KEYS, where)
    template = text(given, "instance_template", where)
    if not template:
        raise BadInput("instance_template is missing", where=where, expected="the name of an instance template")
    expected = "a list of zones such as us-central1-a"
    zones = texts(given.get("zones"), f"{where}.zones", expected)
    for zone in zones:
        if not _ZONE.fullmatch(zone):
            raise BadInput("wrong value", where=f"{where}.zones", expected=expected, found=repr(zone))
    pool = pool_settings.pool(name, given, "gcp", known=list(known), ways=_WAYS)
    reservations = given.get("reservations", [])
    if reservations:
        reservations = texts(
            reservations, f"{where}.reservations", "a list of names of reservations, with * and ? for any"
        )
    if bool(reservations) != (CapacityType.RESERVED in pool.capacity_types):
        raise BadInput("reservations and the capacity type reserved go together", where=f"{where}.reservations")
    machines = {each: known[each] for each in pool.instance_types}
    return GcpPool(pool, template, tuple(sorted(set(zones))), machines, tuple(reservations), _run_for_s(given, where))
