"""What changes a group: instances created under names of our own, wishes taken back, machines deleted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from autoscale.errors import ProviderError
from autoscale.model.supply import Fault, FaultKind
from providers.gcp import members
from providers.gcp.calls import chunks
from providers.gcp.faults import CLOUD_ERRORS, ambiguous, fault_of, told
from providers.gcp.refs import Ref, last

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.cloud import compute_v1 as compute

    from providers.gcp.calls import Calls
    from providers.gcp.groups import Found
    from providers.gcp.naming import Orders
    from providers.recent import Recent

GET = "compute.instanceGroupManagers.get"
UPDATE = "compute.instanceGroupManagers.update"
_ALREADY_THERE = ("alreadyExists", "ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS")


class AlreadyThereError(ProviderError):
    """What was to be made under a name of ours exists: the order was heard before."""


class Writer:
    """Every method raises ProviderError, and nothing else."""

    def __init__(self, calls: Calls, orders: Orders, recent: Recent, *, now_s: Callable[[], int]) -> None:
        self._calls = calls
        self._orders = orders
        self._recent = recent
        self._now_s = now_s

    def grow(self, found: Found, target: int, request_id: str) -> None:
        """Names follow from the order and the place in the group: the same order twice is the same instances."""
        ref = found.ref
        now = max(found.target, self._recent.target(ref.id, found.target))
        order = self._orders.open(ref, request_id)
        names = order.names(found.manager.base_instance_name, range(now + 1, target + 1))
        for part in chunks(names):
            try:
                self.send(ref, partial(self._calls.create, ref, part, order.token(part)))
            except AlreadyThereError:  # the open order had been heard, and the group shows an old target
                break
        self.accepted(found, target)

    def cancel(self, found: Found, target: int, request_id: str) -> None:
        """Names that wait for a machine are deleted by name; only what is left of the difference is a resize."""
        ref, its = found.ref, self.guard(found, target)
        surplus = found.target - target
        waiting = [each.instance for each in its if members.waiting(each)][:surplus]
        self.delete(found, waiting, found.target, request_id)
        if len(waiting) < surplus:
            order = self._orders.open(ref, request_id)
            self.send(ref, partial(self._calls.resize, ref, target, order.token([str(target)])))
        self.accepted(found, target)

    def guard(self, found: Found, target: int) -> list[compute.ManagedInstance]:
        """The group's instances as they are now; refused when the target would end any."""
        its = self.members(found)
        there = sum(members.alive(each) for each in its)
        if target < min(there, found.target):
            text = f"target {target} would let Google choose which of {there} instances to end; remove them by id"
            raise self.refusal(found.ref.id, "WouldTerminate", text)
        return its

    def delete(self, found: Found, urls: Sequence[str], now: int, request_id: str) -> None:
        """Delete these and lower the target of `now` by as many."""
        for part in chunks(urls):
            order = self._orders.open(found.ref, request_id)
            self.send(found.ref, partial(self._calls.delete, found.ref, part, order.token(part)))
            now -= len(part)
            self.accepted(found, now)

    def members(self, found: Found) -> list[compute.ManagedInstance]:
        """The group's instances as they are now."""
        try:
            return self._calls.members(found.ref)
        except CLOUD_ERRORS as error:
            raise ProviderError(self.fault(error, group=found.ref.id, doing=GET)) from error

    def accepted(self, found: Found, target: int) -> None:
        """The open order was taken in: the group has this target now, whatever it shows."""
        self._orders.close(found.ref)
        self._recent.asked(found.ref.id, target, before=found.target)

    def send(self, ref: Ref, write: Callable[[], compute.Operation]) -> None:
        """Sent once and waited for. A definite no closes the order; without an answer it stays open for the next try."""
        try:
            operation = write()
        except CLOUD_ERRORS as error:
            fault = self.fault(error, group=ref.id, doing=UPDATE, writing=True)
            if fault.code in _ALREADY_THERE:
                raise AlreadyThereError(fault) from error
            if not ambiguous(error):
                self._orders.close(ref)
            raise ProviderError(fault) from error
        try:
            operation = self._calls.finish(ref, operation)
        except CLOUD_ERRORS as error:
            fault = self.fault(error, group=ref.id, doing=_operations(ref, "get"))
            raise ProviderError(replace(fault, maybe_applied=True)) from error
        for each in operation.error.errors:
            code, kind = told(each.code, each.message)
            text = " ".join((each.message or code).split()).rstrip(".")
            fault = Fault(ref.id, kind, code, f"{UPDATE}: {text}", self._now_s())
            if code in _ALREADY_THERE:
                raise AlreadyThereError(fault)
            self._orders.close(ref)
            raise ProviderError(fault)

    def wait_for_others(self, ref: Ref) -> bool:
        """What an earlier life of ours may have asked for just before it ended is finished before anything is bought.

        False when nothing had to be looked for: this life has changed the group already.
        """
        if self._recent.knows(ref.id) or self._orders.is_open(ref):
            return False
        try:
            for each in self._calls.running(ref):
                if last(each.target_link) == ref.name:
                    self._calls.finish(ref, each)
        except CLOUD_ERRORS as error:
            raise ProviderError(self.fault(error, group=ref.id, doing=_operations(ref, "list"))) from error
        return True

    def fault(self, error: Exception, *, group: str = "", doing: str, writing: bool = False) -> Fault:
        """What came of a call."""
        return fault_of(error, group=group, at_s=self._now_s(), doing=doing, writing=writing)

    def refusal(self, group: str, code: str, text: str, kind: FaultKind = FaultKind.OTHER) -> ProviderError:
        """Our own no, before Google is asked."""
        return ProviderError(Fault(group=group, kind=kind, code=code, message=text, at_s=self._now_s()))


def _operations(ref: Ref, verb: str) -> str:
    return f"compute.{'zone' if ref.zonal else 'region'}Operations.{verb}"
