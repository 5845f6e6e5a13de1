"""The provider: reads the groups, sets targets, removes instances. Faults of the cloud are data."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.errors import BadInput, ProviderError
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import Fault, FaultKind, NodeGroup, SkippedGroup
from providers.books import Books
from providers.gcp import members
from providers.gcp.calls import Calls
from providers.gcp.catalog import Book, shipped_book
from providers.gcp.faults import CLOUD_ERRORS
from providers.gcp.groups import Found, bounds, labels_of, model, own_labels, place_of, template_url
from providers.gcp.line import Line, queued
from providers.gcp.making import Maker
from providers.gcp.naming import Orders
from providers.gcp.offered import Offered, taken
from providers.gcp.queue import Queue
from providers.gcp.quotas import RegionQuotas
from providers.gcp.reading import Reader
from providers.gcp.refs import Ref, last, ref_of
from providers.gcp.reserve import Reserve
from providers.gcp.templates import Template, Templates
from providers.gcp.writing import GET, Writer
from providers.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.cloud import compute_v1 as compute

    from autoscale.ports import Catalogs
    from providers.gcp.pools import Offer
    from providers.gcp.settings import GcpSettings

_OBSERVE_S = 60.0  # an observation that takes longer is cut off; what was read of it would be old
_LIST = "compute.instanceGroupManagers.list"


class GcpProvider:
    """Managed instance groups that the discovery rules find. Group ids are `gcp:ZONE/NAME` or `gcp:REGION/NAME`."""

    name = "gcp"

    def __init__(
        self,
        settings: GcpSettings,
        *,
        now_s: Callable[[], int],
        read_timeout_s: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
        catalogs: Catalogs | None = None,
    ) -> None:
        self._settings = settings
        self._books = Books(catalogs, Book, shipped_book)
        self._now_s = now_s
        self._calls = Calls(settings, read_timeout_s=read_timeout_s, sleep=sleep)
        self._templates = Templates(self._calls, now_s=now_s)
        self._orders = Orders(now_s=now_s)
        self._recent = Recent(now_s=now_s)
        self._writer = Writer(self._calls, self._orders, self._recent, now_s=now_s)
        self._queue = Queue(self._calls, self._writer, self._orders, now_s=now_s)
        self._reader = Reader(self._calls, now_s=now_s, lead_s=settings.drain_before_end_s)
        self._quotas = RegionQuotas(self._calls)
        self._maker = Maker(self._calls, now_s=now_s)
        self._offered = Offered(settings, self._maker, self._templates, self._books)
        self._reserve = Reserve(
            self._calls, self._offered, self._books, now_s=now_s, lead_s=settings.drain_before_end_s
        )

    def check(self) -> None:
        """Make sure that the project can be read. Raises BadInput in one sentence when a person must mend something."""
        try:
            if not self._calls.project:
                raise BadInput("no Google Cloud project: set gcp.project", where="gcp")
            self._calls.groups()
        except CLOUD_ERRORS as error:
            fault = self._writer.fault(error, doing=_LIST)
            if fault.kind in (FaultKind.DENIED, FaultKind.NOT_FOUND) or fault.code == "Unreachable":
                raise BadInput(fault.message, where="gcp") from error

    def observe(self) -> CloudView:
        """Read all groups of ours. A failed list is a view without groups; a failed detail, one without that group."""
        until = time.monotonic() + _OBSERVE_S
        try:
            managers, unreachable = self._calls.groups()
        except CLOUD_ERRORS as error:
            return CloudView(self.name, faults=(self._writer.fault(error, doing=_LIST),))
        faults = [
            Fault("", FaultKind.OTHER, "Unreachable", f"{_LIST}: {last(place)} does not answer", self._now_s())
            for place in unreachable
        ]
        self._reserve.begin(faults)
        found, unread = self._found(managers)
        faults += unread
        found = self._with_queues(found, faults)
        modelled = [(each, model(each, self._settings, self._books.of(each.ref.region))) for each in found]
        unmade = self._offered.unmade({place_of(each).id for each in managers}, faults)
        offered = [each for each in unmade if isinstance(each, NodeGroup)]
        left_out = [each for each in (*(g for _, g in modelled), *unmade) if isinstance(each, SkippedGroup)]
        groups = [(each, self._offered.pooled(each, group)) for each, group in modelled if isinstance(group, NodeGroup)]
        lines = {each.ref.id: each.line for each in found}
        read = sorted([*self._reader.with_members(groups, until, faults), *offered], key=lambda each: each.id)
        read = [queued(each, lines.get(each.id, Line())) for each in read]
        read, ceilings = self._reserve.bounded(found, read, faults)
        return CloudView(
            provider=self.name,
            groups=tuple(read),
            quotas=(*self._quotas.read(read), *ceilings),
            skipped=tuple(sorted(left_out, key=lambda each: each.id)),
            faults=tuple({fault.code: fault for fault in reversed(faults)}.values())[::-1],
        )

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """Create what the target lacks, under names of our own; or take back what was asked for and never came."""
        if offer := self._offered.of(group):
            self._made(offer, target_nodes, request_id)
        found, (low, high) = self._one(group)
        if not low <= target_nodes <= high:
            raise self._writer.refusal(
                group, "OutOfBounds", f"target {target_nodes} is outside the group's {low} to {high}"
            )
        told = self._recent.target(group, found.target)
        if target_nodes > max(told, found.target):  # whichever is right, no more than what is missing is bought
            if self._writer.wait_for_others(found.ref):
                found, _ = self._one(group)
            if found.flex:
                self._queue.grow(found, max(told, found.target), target_nodes, request_id)
            else:
                self._writer.grow(found, target_nodes, request_id)
        elif told not in (found.target, target_nodes):
            text = f"it still shows a target of {found.target}, where we asked for {told}"
            raise self._writer.refusal(group, "StaleRead", text, FaultKind.THROTTLED)
        elif target_nodes < told:
            if found.flex:
                if self._queue.cancel(found, target_nodes, request_id) == target_nodes:
                    return
                found = replace(found, line=Line())
            self._writer.cancel(found, target_nodes, request_id)

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:
        """Delete those that are there, as many as the minimum allows, and refuse the rest."""
        found, (least, _) = self._one(group)
        there = {
            members.instance_id(each.instance): each for each in self._writer.members(found) if members.alive(each)
        }
        named = [there[each] for each in dict.fromkeys(instances) if each in there]
        now = min(found.target, self._recent.target(group, found.target))
        allowed = named[: max(0, now - least)]
        self._writer.delete(found, [each.instance for each in allowed], now, request_id)
        if len(allowed) < len(named):
            name = members.instance_id(named[len(allowed)].instance)
            if found.target - least > len(allowed):
                text = f"it still shows a target of {found.target}, where we left {now}; {name} is left for later"
                raise self._writer.refusal(group, "StaleRead", text, FaultKind.THROTTLED)
            text = f"removing {name} would bring the group below its minimum of {least}"
            raise self._writer.refusal(group, "OutOfBounds", text)

    def delete(self, group: str, *, request_id: str) -> None:
        """Delete a group that a pool made, and its instance template."""
        offer = self._offered.of(group)
        if offer is None:
            raise self._writer.refusal(group, "NotFromTemplate", "no pool that is configured made this group")
        ref = Ref(offer.zone, offer.name)
        manager = self._named(ref)
        if manager is None:
            return
        if not offer.owns(own_labels(manager)):
            raise self._writer.refusal(group, "NotFromTemplate", "no pool that is configured made this group")
        found = Found(ref, manager, Template("", market=offer.market), (0, offer.of.pool.max_nodes))
        found = self._queue.look(found) if found.flex else found
        inside = sum(members.exists(each) for each in self._writer.members(found))
        if found.target or inside:
            text = f"it has a target of {found.target} and {inside} instances"
            raise self._writer.refusal(group, "NotEmpty", text)
        self._maker.delete(ref, template_url(manager), request_id)
        self._recent.forget(group)

    # ---- groups of pools

    def _made(self, offer: Offer, target_nodes: int, request_id: str) -> None:
        """Make the offer's group unless it is there."""
        ref = Ref(offer.zone, offer.name)
        if not 0 <= target_nodes <= offer.of.pool.max_nodes:
            text = f"target {target_nodes} is outside the group's 0 to {offer.of.pool.max_nodes}"
            raise self._writer.refusal(ref.id, "OutOfBounds", text)
        manager = self._named(ref)
        if manager is None:
            self._maker.make(offer, request_id)
            self._recent.forget(ref.id)
        elif not offer.owns(own_labels(manager)):
            raise self._writer.refusal(ref.id, "NameTaken", taken(offer))

    def _named(self, ref: Ref) -> compute.InstanceGroupManager | None:
        """The group of that name, whosever it is; None when there is none. Raises ProviderError."""
        try:
            return self._calls.group(ref)
        except CLOUD_ERRORS as error:
            fault = self._writer.fault(error, group=ref.id, doing=GET)
            if fault.kind == FaultKind.NOT_FOUND:
                return None
            raise ProviderError(fault) from error

    # ---- reading

    def _found(self, managers: Sequence[compute.InstanceGroupManager]) -> tuple[list[Found], list[Fault]]:
        """The groups of ours, with their templates, and why templates could not be read.

        What a name already rules out is not looked into.
        """
        near = managers
        if not self._settings.by_label:
            near = [each for each in managers if self._settings.found_by(each.name, {}) or self._offered.owner(each)]
        templates = self._templates.read(template_url(each) for each in near)
        out = []
        for manager in near:
            template = templates[template_url(manager)]
            labels = labels_of(manager, template)
            if offer := self._offered.owner(manager):
                out.append(Found(place_of(manager), manager, template, (0, offer.of.pool.max_nodes)))
            elif rule := self._settings.found_by(manager.name, labels):
                out.append(Found(place_of(manager), manager, template, bounds(rule, labels)))
        failed = [each for each in templates.values() if isinstance(each, Fault)]
        return out, [each for each in failed if each.kind != FaultKind.NOT_FOUND]

    def _with_queues(self, found: Sequence[Found], faults: list[Fault]) -> list[Found]:
        """The groups with what waits in their queues; without it a group would look as if it were to have less."""
        out = []
        for each in found:
            try:
                out.append(self._queue.look(each) if each.flex and each.ref.zonal else each)
            except ProviderError as error:
                faults.append(replace(error.fault, group=""))
        return out

    def _one(self, group: str) -> tuple[Found, tuple[int, int]]:
        """The group as it is now, and its bounds. Raises ProviderError, NOT_FOUND also when it is not one of ours."""
        ref = ref_of(group)
        if ref is None:
            raise self._writer.refusal(group, "GroupNotFound", "no group of this name is found", FaultKind.NOT_FOUND)
        try:
            manager = self._calls.group(ref)
        except CLOUD_ERRORS as error:
            raise ProviderError(self._writer.fault(error, group=group, doing=GET)) from error
        found, unread = self._found([manager])
        if unread:
            raise ProviderError(replace(unread[0], group=group))
        if not found:
            raise self._writer.refusal(group, "GroupNotFound", "no rule of gcp.discover finds it", FaultKind.NOT_FOUND)
        limits = found[0].bounds
        if isinstance(limits, str):
            raise self._writer.refusal(group, "BadBounds", limits, FaultKind.BAD_TEMPLATE)
        return (self._queue.look(found[0]) if found[0].flex else found[0]), limits
