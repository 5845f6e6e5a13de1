"""The provider: reads the tagged groups, sets targets, removes instances. Faults of the cloud are data."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.errors import BadInput, ProviderError
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import Fault, FaultKind, InstanceState
from providers.aws import activities
from providers.aws.catalog import Book, shipped_book
from providers.aws.clients import Clients
from providers.aws.faults import CLOUD_ERRORS, ambiguous, fault_of
from providers.aws.groups import PREFIX, tags_of
from providers.aws.making import Maker
from providers.aws.members import members
from providers.aws.notices import Notices
from providers.aws.offered import Offered, unavailable
from providers.aws.queue import Patience, Queue
from providers.aws.reading import Reader
from providers.books import Books
from providers.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef, FilterTypeDef

    from autoscale.model.supply import NodeGroup
    from autoscale.ports import Catalogs
    from providers.aws.offered import Making
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
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._now_s = now_s
        self._clients = Clients(settings, read_timeout_s=read_timeout_s)
        self._offered = Offered(settings)
        self._maker = Maker(self._clients, now_s=now_s)
        self._made_at_s: dict[str, int] = {}  # groups that we made, which a stale read may not show yet
        self._reader = Reader(settings, self._clients, self._offered, Books(catalogs, Book, shipped_book), now_s=now_s)
        self._grown_at_s: dict[str, int] = {}
        self._recent = Recent(now_s=now_s)
        self._sent_away: set[str] = set()  # instances whose removal Amazon accepted: a stale read must not repeat it
        self._notices = Notices(now_s=now_s)
        self._queue: Queue | None = None
        if settings.interruption_queue:
            self._queue = Queue(
                self._clients,
                settings.interruption_queue,
                self._notices,
                gone=self._sent_away.__contains__,
                patience=patience or Patience(),
            )

    def check(self) -> None:
        """Make sure that the account can be read. Raises BadInput in one sentence when a person must mend something."""
        try:
            self._clients.autoscaling.describe_auto_scaling_groups(MaxRecords=1)
        except CLOUD_ERRORS as error:
            fault = self._of_reading(error)
            if fault.kind == FaultKind.DENIED or fault.code == "Unreachable":
                raise BadInput(fault.message, where="aws") from error

    def listen(self, ring: Callable[[], None]) -> None:
        """Hear of machines' ends from the queue that is configured, if one is."""
        if self._queue is not None:
            self._queue.listen(ring)

    def deafen(self) -> None:
        """Hear no more."""
        if self._queue is not None:
            self._queue.deafen()

    def observe(self) -> CloudView:
        """Read all tagged groups. A failed list is a view without groups; a failed detail, one without that group."""
        until = time.monotonic() + _OBSERVE_S
        try:
            found = self._tagged(until)
            region = self._clients.region
        except CLOUD_ERRORS as error:
            return CloudView(self.name, faults=(self._of_reading(error),))
        if found is None:
            late = f"{_DESCRIBE}: the groups took longer than {_OBSERVE_S:.0f} s to list"
            return CloudView(self.name, faults=(Fault("", FaultKind.OTHER, "Timeout", late, self._now_s()),))
        view = self._reader.view(found, region)
        faults = list(view.faults)
        groups = self._explained(view.groups, until, faults)
        return replace(
            view,
            groups=self._notices.laid_over(groups, whole=not faults),
            faults=tuple(_distinct(faults)),
            notes=(*view.notes, *(self._queue.notes if self._queue else ())),
        )

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:  # noqa: ARG002 - absolute targets need no token
        """Set the group's target. Refused where Amazon would accept it silently and do harm."""
        doing = "autoscaling:SetDesiredCapacity"
        making = self._making(group)
        found = self._brought_up(group, making, target_nodes) if making else self._one(group)
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
            raise ProviderError(self._fault(error, group=group, doing=doing, writing=True)) from error

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

    def delete(self, group: str, *, request_id: str) -> None:  # noqa: ARG002 - a name goes once
        """Delete a group that a pool made, and its launch template. Amazon, too, refuses while anything is in it."""
        found = self._named(group)
        if found is None or found.get("Status"):
            return
        making = self._making(group)
        if making is None or not making.owns(found):
            raise self._refusal(group, "NotFromTemplate", "no pool that is configured made this group")
        if found["DesiredCapacity"] or found.get("Instances"):
            text = f"it has a target of {found['DesiredCapacity']} and {len(found.get('Instances', []))} instances"
            raise self._refusal(group, "NotEmpty", text)
        self._maker.delete(found)
        self._made_at_s.pop(group, None)

    # ---- groups of pools

    def _making(self, group: str) -> Making | None:
        """How a pool makes the group of that id; None when none does. What pools offer is known once we have looked."""
        if self._settings.pools and not self._offered.names():
            self.observe()
        return self._offered.making(group.removeprefix(PREFIX)) if group.startswith(PREFIX) else None

    def _brought_up(self, group: str, making: Making, target_nodes: int) -> AutoScalingGroupTypeDef:
        """The pool's group, made if it is not there, and launching what the pool says now if it is to grow."""
        found = self._named(group)
        if found is None and group not in self._made_at_s and self._make(making):
            self._made_at_s[group] = self._now_s()
        elif found is None and group not in self._made_at_s:
            found = self._named(group)
            if found is None:
                text = "a group of this name is there and is not shown yet"
                raise self._refusal(group, "StaleRead", text, FaultKind.THROTTLED)
        if found is None:
            return making.seen(None)
        if not making.owns(found):
            self._reader.taken(making.offer.name)
            raise self._refusal(group, "NameTaken", unavailable(making.offer.name, making.offer.of.pool.name))
        if found.get("Status"):
            raise self._refusal(group, "BeingDeleted", f"it is being deleted ({found['Status']})", FaultKind.THROTTLED)
        if target_nodes > found["DesiredCapacity"]:
            self._maker.bring_up_to_date(making, found)
        return making.seen(found)

    def _make(self, making: Making) -> bool:
        try:
            return self._maker.make(making)
        except ProviderError as error:
            self._reader.refused(error.fault)
            raise

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
        found = self._named(group) if group.startswith(PREFIX) else None
        if found is None or not self._ours(found):
            raise self._refusal(group, "GroupNotFound", "no group of this name carries the tags", FaultKind.NOT_FOUND)
        return found

    def _named(self, group: str) -> AutoScalingGroupTypeDef | None:
        """The group of that name, whosever it is; None when there is none. Raises ProviderError."""
        name = group.removeprefix(PREFIX)
        try:
            answer = self._clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        except CLOUD_ERRORS as error:
            raise ProviderError(self._fault(error, group=group, doing=_DESCRIBE)) from error
        return next(iter(answer["AutoScalingGroups"]), None)

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

    def _explained(self, groups: Sequence[NodeGroup], until: float, faults: list[Fault]) -> list[NodeGroup]:
        """The groups, those that miss instances with the launches that failed."""
        out = []
        for group in groups:
            if group.target_nodes <= len(group.staying) or faults or time.monotonic() > until:
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

    def _of_reading(self, error: Exception) -> Fault:
        """Why the groups can't be listed. Where nobody answers, the region may be the reason."""
        fault = self._fault(error, doing=_DESCRIBE)
        if fault.code == "Unreachable" and (sentence := self._clients.unknown_region()):
            return replace(fault, kind=FaultKind.DENIED, code="UnknownRegion", message=sentence)
        return fault

    def _fault(self, error: Exception, *, group: str = "", doing: str, writing: bool = False) -> Fault:
        return fault_of(error, group=group, at_s=self._now_s(), doing=doing, writing=writing)

    def _refusal(self, group: str, code: str, text: str, kind: FaultKind = FaultKind.OTHER) -> ProviderError:
        """Our own no, before Amazon is asked."""
        return ProviderError(Fault(group=group, kind=kind, code=code, message=text, at_s=self._now_s()))


def _alive(group: AutoScalingGroupTypeDef, instance: str) -> bool:
    """Whether the instance is a member that nobody has sent away yet."""
    return any(each.id == instance and each.state != InstanceState.TERMINATING for each in members(group))


def _distinct(faults: Sequence[Fault]) -> list[Fault]:
    """One of each code: a hundred groups that can't be read for one reason are one fault."""
    return list({fault.code: fault for fault in reversed(faults)}.values())[::-1]
