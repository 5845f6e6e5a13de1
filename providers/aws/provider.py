"""The provider: reads the tagged groups, sets targets, removes instances. Faults of the cloud are data."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.errors import BadInput, ProviderError
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import Fault, FaultKind, InstanceState, NodeGroup, SkippedGroup
from providers.aws import activities
from providers.aws.catalog import Books
from providers.aws.clients import Clients
from providers.aws.faults import CLOUD_ERRORS, ambiguous, fault_of
from providers.aws.groups import PREFIX, Surroundings, members, model, tags_of
from providers.aws.launches import template_refs
from providers.aws.specifications import REGION, ZONE_IDS
from providers.aws.templates import Templates
from providers.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef, FilterTypeDef

    from autoscale.ports import Catalogs
    from providers.aws.settings import AwsSettings

_PAGE = 100
_OBSERVE_S = 60.0  # an observation that takes longer is cut off; what was read of it would be old
_ACTIVITY_S = 900  # older failures say nothing about what the group can get now
_DESCRIBE = "autoscaling:DescribeAutoScalingGroups"


class AwsProvider:
    """EC2 Auto Scaling groups that carry the discovery tags. Group ids are `aws:NAME`."""

    name = "aws"

    def __init__(
        self,
        settings: AwsSettings,
        *,
        now_s: Callable[[], int],
        read_timeout_s: float = 10.0,
        catalogs: Catalogs | None = None,
    ) -> None:
        self._settings = settings
        self._books = Books(catalogs)
        self._now_s = now_s
        self._clients = Clients(settings, read_timeout_s=read_timeout_s)
        self._templates = Templates(self._clients, now_s=now_s)
        self._grown_at_s: dict[str, int] = {}
        self._recent = Recent(now_s=now_s)
        self._sent_away: set[str] = (
            set()
        )  # instances whose removal Amazon has accepted: a stale read must not repeat it
        self._zones: Mapping[str, str] | None = None

    def check(self) -> None:
        """Make sure that the account can be read. Raises BadInput in one sentence when a person must mend something."""
        try:
            self._clients.autoscaling.describe_auto_scaling_groups(MaxRecords=1)
        except CLOUD_ERRORS as error:
            fault = fault_of(error, at_s=self._now_s(), doing=_DESCRIBE)
            if fault.kind == FaultKind.DENIED or fault.code in ("NoRegion", "Unreachable"):
                raise BadInput(fault.message, where="aws") from error

    def observe(self) -> CloudView:
        """Read all tagged groups. A failed list is a view without groups; a failed detail, one without that group."""
        until = time.monotonic() + _OBSERVE_S
        try:
            found = self._tagged(until)
            region = self._clients.region
        except CLOUD_ERRORS as error:
            return CloudView(self.name, faults=(self._fault(error, doing=_DESCRIBE),))
        if found is None:
            late = f"{_DESCRIBE}: the groups took longer than {_OBSERVE_S:.0f} s to list"
            return CloudView(self.name, faults=(Fault("", FaultKind.OTHER, "Timeout", late, self._now_s()),))
        faults: list[Fault] = []
        templates = self._templates.read(ref for group in found for ref in template_refs(group))
        faults += [each for each in templates.values() if isinstance(each, Fault) and each.kind != FaultKind.NOT_FOUND]
        told = self._zone_ids(faults) if found else None
        zone_ids = told or (ZONE_IDS if region == REGION else {})
        around = Surroundings(self._settings, region, zone_ids, told is not None, templates, self._books.of(region))
        modelled = [model(group, around) for group in found]
        groups = [each for each in modelled if isinstance(each, NodeGroup)]
        return CloudView(
            provider=self.name,
            groups=tuple(sorted(self._explained(groups, until, faults), key=lambda each: each.id)),
            skipped=tuple(sorted((s for s in modelled if isinstance(s, SkippedGroup)), key=lambda each: each.id)),
            faults=tuple(_distinct(faults)),
        )

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:  # noqa: ARG002 - absolute targets need no token
        """Set the group's target. Refused where Amazon would accept it silently and do harm."""
        doing = "autoscaling:SetDesiredCapacity"
        found = self._one(group)
        low, high, now = found["MinSize"], found["MaxSize"], found["DesiredCapacity"]
        there = sum(each.state != InstanceState.TERMINATING for each in members(found))
        if not low <= target_nodes <= high:
            raise self._refusal(group, "OutOfBounds", f"target {target_nodes} is outside the group's {low} to {high}")
        if target_nodes < min(there, now):
            text = f"target {target_nodes} would let Amazon choose which of {there} instances to end; remove them by id"
            raise self._refusal(group, "WouldTerminate", text)
        if target_nodes < (told := self._recent.target(group, now)) != now:
            text = f"it still shows a target of {now}, where we asked for {told}; lowering that might end instances"
            raise self._refusal(group, "StaleRead", text, FaultKind.THROTTLED)
        if target_nodes > now:
            self._grown_at_s[group] = self._now_s()
        self._recent.asked(group, target_nodes, before=now)
        try:
            self._clients.autoscaling.set_desired_capacity(
                AutoScalingGroupName=group.removeprefix(PREFIX), DesiredCapacity=target_nodes, HonorCooldown=False
            )
        except CLOUD_ERRORS as error:
            raise ProviderError(self._fault(error, group=group, doing=doing)) from error

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:  # noqa: ARG002 - a state is checked instead
        """Terminate each instance and lower the target by one for each; one on its way out is left alone."""
        for instance in dict.fromkeys(instances):
            found = self._one(group)
            if instance in self._sent_away or not _alive(found, instance):
                continue
            if found["DesiredCapacity"] <= found["MinSize"]:
                text = f"removing {instance} would bring the group below its minimum of {found['MinSize']}"
                raise self._refusal(group, "OutOfBounds", text)
            self._terminate(group, instance)

    def delete(self, group: str, *, request_id: str) -> None:  # noqa: ARG002 - nothing is ever deleted
        """Refused: people make groups here."""
        raise self._refusal(group, "NotFromTemplate", "a person made this group")

    # ---- the calls

    def _terminate(self, group: str, instance: str) -> None:
        """Sent once. When no answer comes, the group itself says whether it was heard."""
        try:
            self._clients.autoscaling_once.terminate_instance_in_auto_scaling_group(
                InstanceId=instance, ShouldDecrementDesiredCapacity=True
            )
        except CLOUD_ERRORS as error:
            if not ambiguous(error) or _alive(self._one(group), instance):
                doing = "autoscaling:TerminateInstanceInAutoScalingGroup"
                raise ProviderError(self._fault(error, group=group, doing=doing)) from error
        self._sent_away.add(instance)

    def _one(self, group: str) -> AutoScalingGroupTypeDef:
        """The group as it is now. Raises ProviderError, NOT_FOUND also when it is not one of ours."""
        name = group.removeprefix(PREFIX)
        try:
            answer = self._clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        except CLOUD_ERRORS as error:
            raise ProviderError(self._fault(error, group=group, doing=_DESCRIBE)) from error
        found = [each for each in answer["AutoScalingGroups"] if self._ours(each)]
        if not found or not group.startswith(PREFIX):
            raise self._refusal(group, "GroupNotFound", "no group of this name carries the tags", FaultKind.NOT_FOUND)
        return found[0]

    def _tagged(self, until: float) -> list[AutoScalingGroupTypeDef] | None:
        """All groups with all the tags; None when the time is up."""
        filters: list[FilterTypeDef] = [
            {"Name": f"tag:{key}", "Values": [value]} if value else {"Name": "tag-key", "Values": [key]}
            for key, value in self._settings.discover_tags
        ]
        pages = self._clients.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
            Filters=filters, PaginationConfig={"PageSize": _PAGE}
        )
        found: list[AutoScalingGroupTypeDef] = []
        for page in pages:
            found += [group for group in page["AutoScalingGroups"] if self._ours(group)]
            if time.monotonic() > until:
                return None
        return found

    def _ours(self, group: AutoScalingGroupTypeDef) -> bool:
        tags = tags_of(group)
        return all(key in tags and value in ("", tags[key]) for key, value in self._settings.discover_tags)

    def _zone_ids(self, faults: list[Fault]) -> Mapping[str, str] | None:
        """Zone name -> zone ID of this account, asked once; None when it may not be asked."""
        if self._zones is None:
            try:
                answer = self._clients.ec2.describe_availability_zones()
            except CLOUD_ERRORS as error:
                fault = self._fault(error, doing="ec2:DescribeAvailabilityZones")
                if fault.kind != FaultKind.DENIED:
                    faults.append(fault)
                    return None
                self._zones = {}
            else:
                self._zones = {each["ZoneName"]: each["ZoneId"] for each in answer["AvailabilityZones"]}
        return self._zones or None

    def _explained(self, groups: Sequence[NodeGroup], until: float, faults: list[Fault]) -> list[NodeGroup]:
        """The groups, those that miss instances with the launches that failed."""
        out = []
        for group in groups:
            there = sum(each.state != InstanceState.TERMINATING for each in group.instances)
            if group.target_nodes <= there or faults or time.monotonic() > until:
                out.append(group)
                continue
            try:
                answer = self._clients.autoscaling.describe_scaling_activities(
                    AutoScalingGroupName=group.name, MaxRecords=20
                )
            except CLOUD_ERRORS as error:
                faults.append(self._fault(error, doing="autoscaling:DescribeScalingActivities"))
                out.append(group)
                continue
            since_s = max(self._now_s() - _ACTIVITY_S, self._grown_at_s.get(group.id, 0))
            found = activities.faults_of(answer["Activities"], group=group.id, offering=group.offering, since_s=since_s)
            out.append(replace(group, faults=found))
        return out

    def _fault(self, error: Exception, *, group: str = "", doing: str) -> Fault:
        return fault_of(error, group=group, at_s=self._now_s(), doing=doing)

    def _refusal(self, group: str, code: str, text: str, kind: FaultKind = FaultKind.OTHER) -> ProviderError:
        """Our own no, before Amazon is asked."""
        return ProviderError(Fault(group=group, kind=kind, code=code, message=text, at_s=self._now_s()))


def _alive(group: AutoScalingGroupTypeDef, instance: str) -> bool:
    """Whether the instance is a member that nobody has sent away yet."""
    return any(each.id == instance and each.state != InstanceState.TERMINATING for each in members(group))


def _distinct(faults: Sequence[Fault]) -> list[Fault]:
    """One of each code: a hundred groups that can't be read for one reason are one fault."""
    return list({fault.code: fault for fault in reversed(faults)}.values())[::-1]
