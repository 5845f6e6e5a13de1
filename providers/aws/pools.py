"""Pools: templates that auto scaling groups are made from on first use, one group an instance type, zone and way to pay.

Pure: from the configuration and the launch template that a pool starts from to the requests that make a group.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autoscale.errors import BadInput
from autoscale.model.frozen import empty
from autoscale.model.supply import CapacityType
from providers import pool_settings
from providers.aws.specifications import specifications
from providers.names import digest, shortened
from providers.pool_settings import Pool, texts, texts_by_key
from providers.settings_values import refuse_unknown_keys, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.catalog import Machine
    from providers.aws.reservations import Reservation

POOL = "gpu-autoscale.dev/pool"  # tag on what we made: its value is the pool's name
CLUSTER = "gpu-autoscale.dev/cluster"
_TEMPLATE = "k8s.io/cluster-autoscaler/node-template"
_KEYS = (
    *pool_settings.KEYS, "efa", "launch_template", "launch_template_version", "placement_group", "reservations", "subnets",
    "tags", "zones",
)  # fmt: skip
_OURS = ("CapacityReservationSpecification", "InstanceMarketOptions", "InstanceRequirements")  # not the base's to say
_WAYS = (CapacityType.ON_DEMAND, CapacityType.SPOT, CapacityType.RESERVED)
_UNFIT = re.compile(r"[^A-Za-z0-9().\-/_]")  # what no name of a launch template may have
_ID = re.compile(r"lt-[0-9a-f]{8,17}")
_LONGEST = 119  # of a group's name: a launch template's may have 128 and ends in a digest


@dataclass(frozen=True, slots=True)
class AwsPool:
    """A pool, and what only Amazon needs of it.

    `launch_template` (a name or an id) has all that the pool does not say: image, security groups,
    role, user data. `zones`: zone -> subnets, none for the zone's default one. `placement_group` may have `{zone}` in it.
    `reservations` are ids, or tags as `KEY=VALUE`, of those that it offers as `reserved`. `machines` has its instance types.
    """

    pool: Pool
    launch_template: str
    launch_template_version: str
    zones: Mapping[str, tuple[str, ...]]
    efa: bool
    placement_group: str
    tags: Mapping[str, str]
    reservations: tuple[str, ...] = ()
    machines: Mapping[str, Machine] = field(default_factory=empty)

    @property
    def base(self) -> dict[str, str]:
        """The launch template as a group would name it."""
        key = "LaunchTemplateId" if _ID.fullmatch(self.launch_template) else "LaunchTemplateName"
        return {key: self.launch_template, "Version": self.launch_template_version}


@dataclass(frozen=True, slots=True)
class Offer:
    """One group of a pool, whether it is made or not."""

    name: str
    of: AwsPool
    instance_type: str
    zone: str
    capacity_type: CapacityType
    reservation: Reservation | None = None


def pools(settings: Mapping[str, Any], known: Mapping[str, Machine]) -> tuple[AwsPool, ...]:
    """From a configuration's `aws` section, by name. `known` are all types there are. Raises BadInput."""
    found = pool_settings.pools(settings, "aws")
    return tuple(_pool(name, given, known) for name, given in sorted(found.items()))


def offers(
    of: AwsPool, cluster: str, *, zone_ids: Mapping[str, str], bundled: bool, reserved: Sequence[Reservation] = ()
) -> list[Offer]:
    """All that a pool offers. Types that a zone does not have are left out where the catalogue knows (`bundled`)."""
    ways = [way for way in of.pool.capacity_types if way is not CapacityType.RESERVED]
    out = [
        Offer(
            group_name(cluster, of, each.instance_type, each.zone, each.id),
            of,
            each.instance_type,
            each.zone,
            CapacityType.RESERVED,
            each,
        )
        for each in reserved
        if each.chosen_by(of.reservations) and each.instance_type in of.pool.instance_types and each.zone in of.zones
    ]
    for name in of.pool.instance_types:
        spec = specifications().get(name) if bundled else None
        for zone in of.zones:
            if of.machines[name].gpu_fraction or (spec and zone in zone_ids and zone_ids[zone] not in spec.zone_ids):
                continue
            out += [Offer(group_name(cluster, of, name, zone, way), of, name, zone, way) for way in ways]
    return out


def group_name(cluster: str, of: AwsPool, instance_type: str, zone: str, way: str) -> str:
    """`CLUSTER-POOL-TYPE-ZONE-WAY`, the same always; one that is too long ends in a digest of all of it."""
    name = _UNFIT.sub("-", f"{cluster}-{of.pool.name}-{instance_type}-{zone}-{way}")
    return shortened(name, _LONGEST)


def template_data(offer: Offer, base: Mapping[str, Any]) -> dict[str, Any]:
    """What the group launches: the pool's launch template with the offer's type, market and interfaces."""
    data = {key: value for key, value in base.items() if key not in _OURS}
    data["InstanceType"] = offer.instance_type
    if offer.capacity_type is CapacityType.SPOT:
        data["InstanceMarketOptions"] = {"MarketType": "spot"}
    if offer.reservation is not None:
        data["CapacityReservationSpecification"] = {
            "CapacityReservationTarget": {"CapacityReservationId": offer.reservation.id}
        }
        if offer.reservation.block:
            data["InstanceMarketOptions"] = {"MarketType": "capacity-block"}
    if offer.of.efa and (count := offer.of.machines[offer.instance_type].efa_interfaces):
        data["NetworkInterfaces"] = _interfaces(
            data.pop("SecurityGroupIds", []), data.get("NetworkInterfaces", []), count
        )
    return data


def template_name(offer: Offer, data: Mapping[str, Any]) -> str:
    """The name has the content in it: another content is another template."""
    return f"{offer.name}-{digest(json.dumps(data, sort_keys=True, default=str))}"


def tags(offer: Offer, cluster: str, discover: Mapping[str, str]) -> dict[str, str]:
    """What marks the group as ours, and what its nodes register with."""
    pool = offer.of.pool
    found = {key: value or "true" for key, value in discover.items()}
    found |= {POOL: pool.name, CLUSTER: cluster}
    found |= {f"{_TEMPLATE}/label/{key}": value for key, value in pool.labels.items()}
    found |= {f"{_TEMPLATE}/taint/{each.key}": f"{each.value}:{each.effect}" for each in pool.taints}
    return found


def group_request(offer: Offer, template: str, cluster: str, discover: Mapping[str, str]) -> dict[str, Any]:
    """The request that makes the group, at zero."""
    of = offer.of
    subnets = of.zones[offer.zone]
    marks = [(key, value, False) for key, value in tags(offer, cluster, discover).items()]
    marks += [(key, value, True) for key, value in of.tags.items()]
    request: dict[str, Any] = {
        "AutoScalingGroupName": offer.name,
        "MinSize": 0,
        "MaxSize": of.pool.max_nodes,
        "DesiredCapacity": 0,
        "LaunchTemplate": {"LaunchTemplateName": template, "Version": "1"},
        "Tags": [
            {
                "Key": key,
                "Value": value,
                "PropagateAtLaunch": spread,
                "ResourceId": offer.name,
                "ResourceType": "auto-scaling-group",
            }
            for key, value, spread in marks
        ],
    }
    request |= {"VPCZoneIdentifier": ",".join(subnets)} if subnets else {"AvailabilityZones": [offer.zone]}
    if of.placement_group:
        request["PlacementGroup"] = of.placement_group.replace("{zone}", offer.zone)
    return request


def client_token(name: str) -> str:
    """The same for the same content, so that a request that is repeated makes nothing twice. At most 64 characters."""
    return digest(name, 32)


def _interfaces(groups: Any, given: Any, count: int) -> list[dict[str, Any]]:
    """One EFA interface a network card, the first of them the machine's own; security groups move into each."""
    first = dict(given[0]) if given else {}
    secure = first.pop("Groups", None) or list(groups)
    shared = {"InterfaceType": "efa", "DeleteOnTermination": True} | ({"Groups": secure} if secure else {})
    return [shared | {"NetworkCardIndex": n, "DeviceIndex": 0 if n == 0 else 1} for n in range(count)]


def _pool(name: str, given: Mapping[str, Any], known: Mapping[str, Machine]) -> AwsPool:
    where = f"aws.pools.{name}"
    refuse_unknown_keys(given, _KEYS, where)
    template = text(given, "launch_template", where)
    if not template:
        raise BadInput("launch_template is missing", where=where, expected="the name or id of a launch template")
    efa = given.get("efa", False)
    if not isinstance(efa, bool):
        raise BadInput("wrong value", where=f"{where}.efa", expected="true or false", found=repr(efa))
    pool = pool_settings.pool(name, given, "aws", known=list(known), ways=_WAYS)
    for each in given["instance_types"] if isinstance(given["instance_types"], (list, tuple)) else ():
        _whole(known.get(each), where)
    reservations = given.get("reservations", [])
    if reservations:
        texts(reservations, f"{where}.reservations", "a list of reservation ids, or tags as KEY=VALUE")
    if bool(reservations) != (CapacityType.RESERVED in pool.capacity_types):
        raise BadInput("reservations and the capacity type reserved go together", where=f"{where}.reservations")
    return AwsPool(
        pool=pool,
        launch_template=template,
        launch_template_version=text(given, "launch_template_version", where, "$Default"),
        zones=_zones(given, where),
        efa=efa,
        placement_group=text(given, "placement_group", where),
        tags=texts_by_key(given.get("tags", {}), f"{where}.tags"),
        reservations=(reservations,) if isinstance(reservations, str) else tuple(reservations),
        machines={each: known[each] for each in pool.instance_types},
    )


def _whole(spec: Machine | None, where: str) -> None:
    if spec is not None and spec.gpu_fraction:
        what = f"{spec.name} has {spec.gpu_fraction} of a GPU, which no device plugin offers as a resource"
        raise BadInput(what, where=f"{where}.instance_types")


def _zones(given: Mapping[str, Any], where: str) -> dict[str, tuple[str, ...]]:
    """`subnets`: zone -> subnet or subnets; or `zones`, a list, for default subnets."""
    subnets, zones = given.get("subnets"), given.get("zones")
    if (subnets is None) == (zones is None):
        raise BadInput(
            "it needs one of subnets and zones", where=where, expected="subnets: {ZONE: SUBNET} or zones: [ZONE]"
        )
    if zones is not None:
        return dict.fromkeys(sorted(texts(zones, f"{where}.zones", "a list of zones such as us-east-1a")), ())
    if not hasattr(subnets, "items") or not subnets:
        raise BadInput("wrong value", where=f"{where}.subnets", expected="{ZONE: SUBNET}", found=repr(subnets))
    return {
        str(zone): tuple(texts(each, f"{where}.subnets.{zone}", "a subnet or a list of subnets"))
        for zone, each in sorted(subnets.items())
    }
