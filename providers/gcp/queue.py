"""Flex-start capacity: machines that Google is asked for by resize requests, which wait in a queue until all of them can be had.

A request is taken in or refused at once, and fulfilled whole, or not at all; until then the group's size does not show it.
What the group is to have is its size and what is in the queue. https://cloud.google.com/compute/docs/instance-groups/about-resize-requests-mig
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from autoscale.errors import ProviderError
from providers.gcp.faults import CLOUD_ERRORS
from providers.gcp.line import line_of
from providers.gcp.writing import GET, AlreadyThereError

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.gcp.calls import Calls
    from providers.gcp.groups import Found
    from providers.gcp.naming import Orders
    from providers.gcp.refs import Ref
    from providers.gcp.writing import Writer

_UNSURE_S = 600  # how long a request whose answer was lost is asked about


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request of which nobody knows whether it was heard. `target` is what the group is to have if it was."""

    name: str
    size: int
    token: str
    target: int
    at_s: int


class Queue:
    """Requests of this project's flex-start groups."""

    def __init__(self, calls: Calls, writer: Writer, orders: Orders, *, now_s: Callable[[], int]) -> None:
        self._calls = calls
        self._writer = writer
        self._orders = orders
        self._now_s = now_s
        self._lock = threading.Lock()
        self._unsure: dict[Ref, _Sent] = {}
        self._failed: dict[tuple[Ref, str], int] = {}  # when a request was first seen to have failed, by our own clock

    def look(self, found: Found) -> Found:
        """The group with its queue. Raises ProviderError.

        The queue is read before the size: what is fulfilled in between then counts twice, which buys nothing.
        """
        try:
            line = line_of(self._calls.resize_requests(found.ref))
            manager = self._calls.group(found.ref)
        except CLOUD_ERRORS as error:
            raise ProviderError(self._writer.fault(error, group=found.ref.id, doing=GET)) from error
        with self._lock:
            if line.failed:
                line = replace(line, since_s=self._failed.setdefault((found.ref, line.failed), self._now_s()))
        return replace(found, manager=manager, line=line)

    def grow(self, found: Found, now: int, target: int, request_id: str) -> None:
        """Ask for what the target lacks in one request, so that it comes whole. `now` is what the group is to have so far."""
        now = max(now, self._settled(found))
        if target <= now:
            return
        order = self._orders.open(found.ref, request_id)
        (name,) = order.names(found.manager.base_instance_name, [target])
        self._send(found, _Sent(name, target - now, order.token([name, str(target)]), target, self._now_s()))

    def cancel(self, found: Found, target: int, request_id: str) -> int:
        """Take the newest requests back until no more is to come; gives what the group is to have then.

        A request can't be made smaller: one that is too large is taken back whole, and what is still needed asked for anew.
        """
        self._writer.guard(found, target)
        if self._settled(found):
            found = self.look(found)
        now = found.target
        for each in sorted(found.line.waiting, key=lambda each: each.since_s, reverse=True):
            if now <= target:
                break
            order = self._orders.open(found.ref, request_id)
            send = partial(self._calls.cancel_resize_request, found.ref, each.name, order.token(["cancel", each.name]))
            self._writer.send(found.ref, send)
            now -= each.size
            self._writer.accepted(found, now)
        if now < target:
            self.grow(found, now, target, request_id)
        return max(now, target)

    def _settled(self, found: Found) -> int:
        """What the group is to have at least, once a request whose answer was lost was sent again; 0 without one."""
        with self._lock:
            sent = self._unsure.get(found.ref)
        if sent is None or self._now_s() - sent.at_s > _UNSURE_S:
            return 0
        self._send(found, sent)
        return sent.target

    def _send(self, found: Found, sent: _Sent) -> None:
        with self._lock:
            self._unsure[found.ref] = sent
        insert = partial(
            self._calls.insert_resize_request, found.ref, sent.name, sent.size, found.run_for_s, sent.token
        )
        try:
            self._writer.send(found.ref, insert)
        except AlreadyThereError:
            pass  # it had been heard
        except ProviderError as error:
            if not error.fault.maybe_applied:
                self._forget(found.ref)
            raise
        self._forget(found.ref)
        self._writer.accepted(found, sent.target)

    def _forget(self, ref: Ref) -> None:
        with self._lock:
            self._unsure.pop(ref, None)
