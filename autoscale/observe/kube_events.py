"""Events, written beside the loop: a tick never waits for them, and the API server gets them no faster than it should.

A purchase for 10,000 pods has 10,000 Events. Written within the tick, they would keep it from holding nodes that join.

Events about the same thing have the same name, so that the API server itself tells whether one is there already, also to an
engine that has just been started: the one that is there is counted up, at most once in `again_s`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - the decoder reads the annotations
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from autoscale.errors import ClusterError, Conflict
from autoscale.observe.kube_http import MERGE_PATCH

if TYPE_CHECKING:
    from autoscale.observe.kube_http import Http

_log = structlog.get_logger()
_COMPONENT = "gpu-autoscale"
_OF_NODES = "default"  # the namespace of Events about what has none, as the kubelet writes them
_LONGEST_MESSAGE = 1024  # bytes; what the API allows in an Event's note


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """How Events are written.

    per_s, burst: as the kubelet's own defaults. kept: those that wait to be written; beyond, the oldest are let go.
    close_s: how long closing may take to write, as fast as it can, what still waits.
    again_s: how old the last Event about the same has to be before it is said again.
    """

    per_s: float = 50.0
    burst: int = 100
    kept: int = 50_000
    close_s: float = 3.0
    again_s: float = 300.0


class EventWriter:
    """Writes Events one after another, from a thread that starts with the first. Best effort: nothing here raises."""

    def __init__(self, http: Http, settings: EventSettings | None = None) -> None:
        self._http = http
        self._settings = settings or EventSettings()
        self._waiting: deque[_Said] = deque()
        self._dropped = 0
        self._changed = threading.Condition()
        self._until_s: float | None = None  # set by `close`: when to give up
        self._writing = False
        self._failing = False
        self._thread: threading.Thread | None = None

    def add(self, pod: tuple[str, str], *, event: str, text: str, about: str = "") -> None:
        """Have an Event about the pod, or node, written soon; without `about`, it is about its text."""
        with self._changed:
            if self._until_s is not None:
                return
            if len(self._waiting) >= self._settings.kept:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(_Said(pod, event, text, about or text, int(time.time())))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="events", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all are written or let go, at most so long; whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._writing, timeout_s)

    def close(self) -> None:
        """Write what waits while there is time, and end."""
        with self._changed:
            self._until_s = time.monotonic() + self._settings.close_s
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(self._settings.close_s)
        lost = self._dropped + len(self._waiting)
        if lost:
            _log.warning("events were not written", count=lost)

    def _run(self) -> None:
        credit, at_s = float(self._settings.burst), time.monotonic()
        while True:
            now_s = time.monotonic()
            credit, at_s = min(self._settings.burst, credit + (now_s - at_s) * self._settings.per_s), now_s
            with self._changed:
                if credit < 1 and self._until_s is None:
                    self._changed.wait_for(lambda: self._until_s is not None, (1 - credit) / self._settings.per_s)
                    continue
                self._changed.wait_for(lambda: self._waiting or self._until_s is not None)
                if not self._waiting or (self._until_s is not None and time.monotonic() > self._until_s):
                    return
                each = self._waiting.popleft()
                self._writing = True
            credit -= 1
            try:
                self._write(each)
            finally:
                with self._changed:
                    self._writing = False
                    self._changed.notify_all()

    def _write(self, said: _Said) -> None:
        try:
            try:
                self._http.post(f"/api/v1/namespaces/{said.namespace}/events", _body(said))
            except Conflict:  # one about the same is there
                self._count_up(said)
        except (ClusterError, msgspec.MsgspecError) as error:
            if not self._failing:  # the next ones will most likely fail alike
                _log.warning("could not write an event", pod=said.pod[1], reason=said.event, error=str(error))
            self._failing = True
        else:
            self._failing = False

    def _count_up(self, said: _Said) -> None:
        path = f"/api/v1/namespaces/{said.namespace}/events/{said.name}"
        there = _THERE.decode(self._http.get(path))
        if there.last_timestamp is not None and said.at_s - there.last_timestamp.timestamp() < self._settings.again_s:
            return
        change = {"count": (there.count or 0) + 1, "lastTimestamp": _time(said.at_s), "message": _message(said.text)}
        self._http.patch(path, change, content_type=MERGE_PATCH)


@dataclass(frozen=True, slots=True)
class _Said:
    """An Event to be written."""

    pod: tuple[str, str]
    event: str
    text: str
    about: str
    at_s: int

    @property
    def namespace(self) -> str:
        return self.pod[1].rpartition("/")[0] or _OF_NODES

    @property
    def name(self) -> str:
        """The same for the same pod and reason."""
        same = hashlib.sha256(f"{self.pod[0]}/{self.event}/{self.about}".encode()).hexdigest()[:16]
        return f"{self.pod[1].rpartition('/')[2][:200]}.{same}"


class _There(msgspec.Struct, rename="camel"):
    """What is read of an Event that is there."""

    count: int | None = None
    last_timestamp: datetime | None = None


_THERE = msgspec.json.Decoder(_There)


def _body(said: _Said) -> dict[str, Any]:
    namespace, _, name = said.pod[1].rpartition("/")
    about = {"kind": "Pod", "namespace": namespace} if namespace else {"kind": "Node"}
    at = _time(said.at_s)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": said.name, "namespace": said.namespace},
        "involvedObject": {"apiVersion": "v1", **about, "name": name, "uid": said.pod[0]},
        "type": "Normal",
        "reason": said.event,
        "message": _message(said.text),
        "source": {"component": _COMPONENT},
        "reportingComponent": _COMPONENT,
        "reportingInstance": _COMPONENT,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def _time(at_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def _message(text: str) -> str:
    """As much of it as an Event may have."""
    return text.encode()[:_LONGEST_MESSAGE].decode(errors="ignore")
