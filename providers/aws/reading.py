"""The groups as Amazon lists them, made into a view: with launch templates, zones, reservations and quotas read beside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.model.snapshot import CloudView
from autoscale.model.supply import Fault, FaultKind, NodeGroup, SkippedGroup
from autoscale.model.workload import Code, Reason
from providers.aws.faults import CLOUD_ERRORS, fault_of
from providers.aws.groups import PREFIX, Surroundings, model, tags_of
from providers.aws.launches import template_refs
from providers.aws.limits import AccountLimits
from providers.aws.members import warm_running
from providers.aws.offered import orphan, taken, unavailable
from providers.aws.open_reservations import commitments
from providers.aws.quotas import ServiceQuotas, quotas_over
from providers.aws.reservations import Reservations, bounded, shared
from providers.aws.specifications import REGION, ZONE_IDS
from providers.aws.templates import Template, Templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

    from autoscale.model.supply import Quota
    from providers.aws.catalog import Book
    from providers.aws.clients import Clients
    from providers.aws.offered import Offered
    from providers.aws.reservations import Reservation
    from providers.aws.settings import AwsSettings
    from providers.books import Books

_TAKEN_S = 900  # how long a name that others have is not tried again


class Reader:
    """What is read once, or now and then, is kept here between looks."""

    def __init__(
        self, settings: AwsSettings, clients: Clients, offered: Offered, books: Books[Book], *, now_s: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._offered = offered
        self._books = books
        self._now_s = now_s
        self._templates = Templates(clients, now_s=now_s)
        self._quotas = ServiceQuotas(clients, now_s=now_s)
        self._reservations = Reservations(clients, now_s=now_s)
        self._limits = AccountLimits(clients, now_s=now_s)
        self._zones: Mapping[str, str] | None = None
        self._taken_at_s: dict[str, int] = {}  # names that others' groups have

    def taken(self, name: str) -> None:
        """A pool's group could not be made: another has its name."""
        self._taken_at_s[name] = self._now_s()

    def refused(self, fault: Fault) -> None:
        """A pool's group could not be made: when that is for want of groups, none can for a while."""
        if fault.code == "LimitExceeded":
            self._limits.refused("Amazon makes no more auto scaling groups in this account")

    def view(self, found: Sequence[AutoScalingGroupTypeDef], region: str) -> CloudView:
        """These groups and those that pools offer, without what failed to launch."""
        faults: list[Fault] = []
        notes: list[str] = []
        around = self._around(found, region, faults)
        modelled = [*(self._model(group, around) for group in found), *self._unmade(found, around, notes)]
        groups = [each for each in modelled if isinstance(each, NodeGroup)]
        launched_into = self._launched_into(found, around)
        known = {each.id: each for each in around.reservations}
        groups = [self._bounded(group, launched_into.get(group.id), known) for group in groups]
        quotas = (*self._service_quotas(groups, found, around, notes), *_of_reservations(groups, launched_into, known))
        return CloudView(
            provider="aws",
            groups=tuple(sorted(groups, key=lambda each: each.id)),
            skipped=tuple(sorted((s for s in modelled if isinstance(s, SkippedGroup)), key=lambda each: each.id)),
            faults=tuple(faults),
            quotas=quotas,
            notes=tuple(Reason(Code.LIMIT, text, source="aws") for text in notes),
            commitments=commitments(groups, around.reservations) if self._settings.open_reservations else (),
        )

    def _around(self, found: Sequence[AutoScalingGroupTypeDef], region: str, faults: list[Fault]) -> Surroundings:
        """What groups are modelled with. The content of launch templates that pools make is known without reading."""
        pools = bool(self._settings.pools)
        told = self._zone_ids(faults) if found or pools else None
        zone_ids = told or (ZONE_IDS if region == REGION else {})
        templates = self._templates.read(self._offered.bases) if pools else {}
        around = Surroundings(self._settings, region, zone_ids, told is not None, templates, self._books.of(region))
        asked = self._settings.open_reservations or any(of.reservations for of in self._settings.pools)
        if asked:
            around = replace(around, reservations=self._reserved(faults))
        faults += self._offered.update(around)
        known = self._offered.refs()
        read = self._templates.read(ref for group in found for ref in template_refs(group) if ref not in known)
        faults += [each for each in read.values() if isinstance(each, Fault) and each.kind != FaultKind.NOT_FOUND]
        around = replace(around, templates={**templates, **read})
        if not asked and any(isinstance(each, Template) and each.reservation for each in read.values()):
            around = replace(around, reservations=self._reserved(faults))
        return around

    def _reserved(self, faults: list[Fault]) -> tuple[Reservation, ...]:
        found, fault = self._reservations.read()
        faults += [fault] if fault else []
        return found

    def _model(self, group: AutoScalingGroupTypeDef, around: Surroundings) -> NodeGroup | SkippedGroup:
        name, tags = group["AutoScalingGroupName"], tags_of(group)
        making = self._offered.making(name)
        if making is not None and making.owns(group):
            return self._offered.made(name, group, around)
        found = model(group, around)
        if not isinstance(found, NodeGroup):
            return found
        return orphan(found, tags) if making is None else taken(found, making.offer.of.pool.name)

    def _unmade(
        self, found: Sequence[AutoScalingGroupTypeDef], around: Surroundings, notes: list[str]
    ) -> Iterator[NodeGroup | SkippedGroup]:
        """What the pools may make beside the groups that are there, if the account may have more groups."""
        there = {group["AutoScalingGroupName"] for group in found}
        names = [name for name in self._offered.names() if name not in there]
        if names and (full := self._limits.full()):
            notes.append(f"{full}, so that pools make no more of theirs")
            return
        for name in names:
            if self._now_s() - self._taken_at_s.get(name, -_TAKEN_S) < _TAKEN_S:
                making = self._offered.making(name)
                text = unavailable(name, making.offer.of.pool.name if making else "")
                yield SkippedGroup(PREFIX + name, Reason(Code.UNMODELLED, text, source="aws"))
            else:
                yield self._offered.unmade(name, around)

    def _launched_into(self, found: Sequence[AutoScalingGroupTypeDef], around: Surroundings) -> dict[str, str]:
        """Group id -> the reservation that its launch template names."""
        out = {}
        for group in found:
            refs = template_refs(group)
            template = around.templates.get(refs[0]) if refs else None
            if isinstance(template, Template) and template.reservation:
                out[PREFIX + group["AutoScalingGroupName"]] = template.reservation
        for name in self._offered.names():
            making = self._offered.making(name)
            if making is not None and making.offer.reservation is not None:
                out[PREFIX + name] = making.offer.reservation.id
        return out

    def _bounded(self, group: NodeGroup, reservation: str | None, known: Mapping[str, Reservation]) -> NodeGroup:
        if reservation is None:
            return group
        return bounded(group, reservation, known, lead_s=self._settings.drain_before_end_s)

    def _service_quotas(
        self,
        groups: Sequence[NodeGroup],
        found: Iterable[AutoScalingGroupTypeDef],
        around: Surroundings,
        notes: list[str],
    ) -> tuple[Quota, ...]:
        if not groups or not self._settings.quotas:
            return ()
        values, trouble = self._quotas.read()
        notes += [trouble] if trouble else []
        warm = {PREFIX + each["AutoScalingGroupName"]: warm_running(each) for each in found}
        return quotas_over(groups, values, around.reservations, around.book, warm)

    def _zone_ids(self, faults: list[Fault]) -> Mapping[str, str] | None:
        """Zone name -> zone ID of this account, asked once; None when it may not be asked."""
        if self._zones is None:
            try:
                answer = self._clients.ec2.describe_availability_zones()
            except CLOUD_ERRORS as error:
                fault = fault_of(error, at_s=self._now_s(), doing="ec2:DescribeAvailabilityZones")
                if fault.kind != FaultKind.DENIED:
                    faults.append(fault)
                    return None
                self._zones = {}
            else:
                self._zones = {each["ZoneName"]: each["ZoneId"] for each in answer["AvailabilityZones"]}
        return self._zones or None


def _of_reservations(
    groups: Iterable[NodeGroup], launched_into: Mapping[str, str], known: Mapping[str, Reservation]
) -> tuple[Quota, ...]:
    there = {group.id: len(group.staying) for group in groups if group.id in launched_into}
    return shared({id_: launched_into[id_] for id_ in there}, known, there)
