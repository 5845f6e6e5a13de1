"""What the pools offer now: every group that they may make, and each as it will be seen once it is made. No calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from autoscale.model.supply import Fault, NodeGroup
from autoscale.model.workload import Code, Reason
from providers.aws import pools
from providers.aws.groups import PREFIX, Surroundings, model, tags_of
from providers.aws.specifications import REGION
from providers.aws.templates import Template, TemplateRef, template_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

    from autoscale.model.supply import SkippedGroup
    from providers.aws.pools import AwsPool, Offer
    from providers.aws.settings import AwsSettings


@dataclass(frozen=True)
class Making:
    """How one group is made: the name and content of its launch template, and the request for the group."""

    offer: Offer
    template: str
    data: Mapping[str, Any]
    request: Mapping[str, Any]

    @property
    def ref(self) -> TemplateRef:
        """Its launch template, as the group names it."""
        return TemplateRef(self.template, by_name=True, version="1")

    @cached_property
    def launches(self) -> Template:
        """What its launch template says of its nodes, known without reading it: the name has the content in it."""
        return template_of(cast("Any", self.data))

    def owns(self, group: AutoScalingGroupTypeDef) -> bool:
        """Whether a group of this name was made for this pool and cluster."""
        tags, wanted = tags_of(group), {each["Key"]: each["Value"] for each in self.request["Tags"]}
        return all(tags.get(key) == wanted[key] for key in (pools.POOL, pools.CLUSTER))

    def seen(self, group: AutoScalingGroupTypeDef | None) -> AutoScalingGroupTypeDef:
        """The group as what is asked of it will make it, with what is in it now."""
        kept = ("DesiredCapacity", "Instances", "MinSize", "Status", "SuspendedProcesses", "WarmPoolConfiguration")
        now = {key: value for key, value in (group or {}).items() if key in kept}
        return cast("AutoScalingGroupTypeDef", {**self.request, "AvailabilityZones": [self.offer.zone], **now})


class Offered:
    """All that the pools offer, worked out anew when what it rests on changes."""

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._rests_on: dict[str, object] = {}
        self._makings: dict[str, dict[str, Making]] = {}
        self._unmade: dict[str, NodeGroup | SkippedGroup] = {}

    @property
    def bases(self) -> list[TemplateRef]:
        """The launch templates that pools start from."""
        return [_base(of) for of in self._settings.pools]

    def update(self, around: Surroundings) -> list[Fault]:
        """Work it out. Of a pool whose launch template can't be read, what was known goes on; else it offers nothing."""
        faults = []
        for of in self._settings.pools:
            base = around.templates[_base(of)]
            if isinstance(base, Fault):
                faults.append(replace(base, message=f"aws.pools.{of.pool.name}: {base.message}"))
                continue
            kept = tuple(
                (each.id, each.instance_type, each.zone, each.block)
                for each in around.reservations
                if each.chosen_by(of.reservations)
            )
            rests_on = (base.data, dict(around.zone_ids), around.region, id(around.book), kept)
            if self._rests_on.get(of.pool.name) != rests_on:
                self._rests_on[of.pool.name] = rests_on
                self._makings[of.pool.name] = self._made_of(of, base.data, around)
                self._unmade.clear()
        return faults

    def making(self, name: str) -> Making | None:
        """How the group of that name is made; None when no pool offers it."""
        return next((found[name] for found in self._makings.values() if name in found), None)

    def names(self) -> list[str]:
        """Of all groups that the pools may make."""
        return [name for found in self._makings.values() for name in found]

    def refs(self) -> set[TemplateRef]:
        """Launch templates whose content is known without reading them."""
        return {making.ref for found in self._makings.values() for making in found.values()}

    def unmade(self, name: str, around: Surroundings) -> NodeGroup | SkippedGroup:
        """The group as it will be, at zero."""
        if name not in self._unmade:
            self._unmade[name] = self.made(name, None, around)
        return self._unmade[name]

    def made(self, name: str, group: AutoScalingGroupTypeDef | None, around: Surroundings) -> NodeGroup | SkippedGroup:
        """The group as it is, or as it will be when there is none."""
        making = self.making(name)
        assert making is not None  # noqa: S101 - whoever asks has the name from here
        pool = making.offer.of.pool
        found = model(making.seen(group), replace(around, templates={making.ref: making.launches}))
        if not isinstance(found, NodeGroup):
            return found
        return replace(found, template=pool.name, made=group is not None, delete_after_s=pool.delete_after_s)

    def _made_of(self, of: AwsPool, base: Mapping[str, Any], around: Surroundings) -> dict[str, Making]:
        cluster, discover = self._settings.cluster, dict(self._settings.discover_tags)
        found = {}
        told = pools.offers(
            of, cluster, zone_ids=around.zone_ids, bundled=around.region == REGION, reserved=around.reservations
        )
        for offer in told:
            data = pools.template_data(offer, base)
            template = pools.template_name(offer, data)
            request = pools.group_request(offer, template, cluster, discover)
            found[offer.name] = Making(offer, template, data, request)
        return found


def orphan(group: NodeGroup, tags: Mapping[str, str]) -> NodeGroup:
    """A group that a pool made which is not configured any more, with a note; any other as it is."""
    if pools.POOL not in tags:
        return group
    text = f"pool {tags[pools.POOL]} made it and does not offer it any more; it works on and is never deleted"
    return replace(group, notes=(*group.notes, Reason(Code.UNMODELLED, text, source="aws")))


def taken(group: NodeGroup, pool: str) -> NodeGroup:
    """A group of a person that has the name of one that a pool would make, with a note."""
    text = f"pool {pool} would make a group of this name and did not make this one, which it leaves alone"
    return replace(group, notes=(*group.notes, Reason(Code.UNMODELLED, text, source="aws")))


def unavailable(name: str, pool: str) -> str:
    """Why an offering is left out whose name a group has that we don't manage."""
    return f"pool {pool} can't make {PREFIX}{name}: a group of this name is there that it did not make"


def _base(of: AwsPool) -> TemplateRef:
    return TemplateRef.of(cast("Any", of.base))
