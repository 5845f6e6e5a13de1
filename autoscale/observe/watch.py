"""List once, then watch: keeps one store as the API server has it, from a thread of its own.

A watch that ends or breaks off goes on from the last version seen. Only when that version is no longer kept (410, as
HTTP status or as an ERROR event) everything is listed again.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from autoscale.errors import ClusterError, Unreachable
from autoscale.observe.kube_http import Gone, Http, Status, Stream, refusal

if TYPE_CHECKING:
    from autoscale.observe.kube_store import Store

_log = structlog.get_logger()
_SHORT_S = 1.0  # a watch that says nothing and ends sooner is paused after, like a failure
_LONG_S = 10.0  # one that broke off later is a new trouble, not the last one again
_RELIST_AFTER = 4  # failures in a row that were answers; whatever is wrong with the version, a list heals it


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """How to list and watch.

    page: objects asked for at a time; the API server's own tools take 500.
    watch_s: how long one watch lasts before it is opened anew, give or take a tenth, so that servers are rebalanced.
    pause_s, longest_pause_s: pause after a failure, doubling, with jitter.
    sync_timeout_s: how long the first list may take.
    stale_after_s: a store that could not follow for so long is not acted upon.
    """

    page: int = 500
    watch_s: int = 300
    pause_s: float = 0.2
    longest_pause_s: float = 10.0
    sync_timeout_s: float = 120.0
    stale_after_s: float = 15.0


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = "0"
    continue_: str | None = msgspec.field(default=None, name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_LIST = msgspec.json.Decoder(_List)
_EVENT = msgspec.json.Decoder(_Event)
_STATUS = msgspec.json.Decoder(Status)


class Watcher:
    """Keeps `store` as the collection at `path` is."""

    def __init__(
        self, http: Http, path: str, store: Store[Any], *, settings: WatchSettings, field_selector: str = ""
    ) -> None:
        self._http = http
        self._path = path
        self._store = store
        self._settings = settings
        self._query = {"fieldSelector": field_selector} if field_selector else {}
        self._stopped = threading.Event()
        self._answered = threading.Condition()
        self._version = 0
        self._failures = 0
        self._synced = False
        self._error: ClusterError | None = None
        self._failing_since: float | None = None
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End it; `join` waits for the thread."""
        self._stopped.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def join(self) -> None:
        """Wait for the thread to end after `stop`."""
        if self._thread.ident is not None:
            self._thread.join(timeout=10)

    def check(self) -> None:
        """Wait for the first list. Raises Unreachable when it failed, or when the store is too old to be trusted."""
        settings = self._settings
        with self._answered:
            in_time = self._answered.wait_for(lambda: self._synced or self._error, settings.sync_timeout_s)
            since, error = self._failing_since, self._error
        if self._synced and (since is None or time.monotonic() - since < settings.stale_after_s):
            return
        if not in_time:
            raise Unreachable(f"{self._http.url}{self._path} was not listed within {settings.sync_timeout_s:g} s")
        raise Unreachable(f"could not follow {self._path}: {error}") from error

    def list(self) -> int:
        """List everything into the store, page by page; the version that it is as of."""
        try:
            return self._list()
        except msgspec.MsgspecError as error:
            raise Unreachable(f"{self._http.url}{self._path} is not answered as Kubernetes would: {error}") from error

    def _list(self) -> int:
        objects: list[tuple[str, int, Any]] = []
        version, token = 0, ""
        query: dict[str, str | int] = {**self._query, "limit": self._settings.page}
        while True:
            try:
                page = _LIST.decode(self._http.get(self._path, query | ({"continue": token} if token else {})))
            except Gone:
                if not token:
                    raise
                # The pages' version ran out while we read: take all at once, which can't run out.
                objects, token = [], ""
                del query["limit"]
                continue
            objects += self._store.decode_all(page.items or ())
            version = int(page.metadata.resource_version)
            token = page.metadata.continue_ or ""
            if not token:
                break
        self._store.replace(objects, version)
        return version

    def _run(self) -> None:
        while not self._stopped.is_set():
            opened = time.monotonic()
            try:
                if not self._version:
                    self._version = self.list()
                    self._note(None)
                    opened = time.monotonic()
                self._follow()
                if time.monotonic() - opened < _SHORT_S:
                    self._failures += 1
            except Gone as error:
                _log.info("listing again", path=self._path, because=str(error))
                self._version = 0
                self._failures += 1
            except (ClusterError, msgspec.MsgspecError) as error:
                if self._stopped.is_set():
                    return
                self._failures = 1 if time.monotonic() - opened > _LONG_S else self._failures + 1
                if self._failures >= _RELIST_AFTER and not isinstance(error, Unreachable):
                    self._version = 0
                self._note(
                    error if isinstance(error, ClusterError) else ClusterError(f"not the JSON expected: {error}")
                )
                log = (
                    _log.info if self._failures == 1 else _log.warning
                )  # a watch that breaks off once is everyday life
                log("watch failed", path=self._path, failures=self._failures, error=str(error))
            if self._failures:
                self._pause(self._failures)

    def _pause(self, failures: int) -> None:
        longest_s, first_s = self._settings.longest_pause_s, self._settings.pause_s
        pause_s = min(longest_s, first_s * 2 ** min(failures - 1, 16))
        self._stopped.wait(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - nothing secret about a pause

    def _follow(self) -> None:
        """One watch, from the version last seen until it ends. Raises Gone when that version is too old."""
        watch_s = int(self._settings.watch_s * random.uniform(0.9, 1.1)) or 1  # noqa: S311 - as above
        query: dict[str, str | int] = {**self._query, "resourceVersion": self._version, "timeoutSeconds": watch_s}
        stream = self._http.watch(self._path, query | {"allowWatchBookmarks": "true"}, silence_s=watch_s + 30)
        self._stream = stream
        try:
            if self._stopped.is_set():
                stream.close()
            self._note(None)
            for line in stream:
                self._version = self._take(_EVENT.decode(line))
                self._failures = 0
        finally:
            self._stream = None
            stream.close()

    def _take(self, event: _Event) -> int:
        if event.type == "ERROR":
            status = _STATUS.decode(event.object)
            raise refusal(status.code, status.message)
        return self._store.apply(event.type, event.object)

    def _note(self, error: ClusterError | None) -> None:
        with self._answered:
            self._error = error
            if error is None:
                self._synced = True
                self._failing_since = None
            elif self._failing_since is None:
                self._failing_since = time.monotonic()
            self._answered.notify_all()
