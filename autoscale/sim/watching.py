"""A watch of the embedded API server, as the lines that go over the wire."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from autoscale.sim.refusals import Refused
from autoscale.sim.rules import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from autoscale.sim.faults import Faults
    from autoscale.sim.objects import Change, Json, ObjectStore

_HALF_AN_EVENT = b'{"type":"MODIFIED","object":{"kind":"Po'


def watch(
    store: ObjectStore,
    faults: Faults,
    resource: str,
    query: Mapping[str, str],
    selects: Callable[[Json], bool],
    *,
    bookmark_s: float,
) -> Iterator[bytes]:
    """Lines of events after `resourceVersion`, until `timeoutSeconds`. The first is empty: the watch is open.

    A line without its end means that the connection is to be cut. Refused with 410 when the version is too old.
    """
    version = int(query.get("resourceVersion") or 0)
    cuts = faults.cuts
    if version:
        store.since(version)
        yield b""
    else:  # any version will do: what is there now, as if it were just added
        version, objects = store.all(resource)
        yield b"".join(_line("ADDED", obj) for obj in objects if selects(obj))
    end = time.monotonic() + float(query.get("timeoutSeconds") or 1800)
    bookmark = time.monotonic() + bookmark_s if query.get("allowWatchBookmarks") == "true" else end + 1
    while time.monotonic() < end:
        if store.closed or faults.cuts != cuts:
            yield _HALF_AN_EVENT
            return
        if faults.events_held:
            time.sleep(0.01)
            continue
        try:
            with store.changed:
                changes, now = store.since(version, resource), store.version
        except Refused as refused:
            yield _line("ERROR", refused.status)
            return
        version = now
        lines = b"".join(_event(change, selects) for change in changes)
        if lines:
            yield lines
        if time.monotonic() >= bookmark:
            yield _bookmark(resource, version)
            bookmark = time.monotonic() + bookmark_s
        store.wait(version, max(0.0, min(end, bookmark, time.monotonic() + 0.1) - time.monotonic()))
    if bookmark <= end + bookmark_s:
        yield _bookmark(resource, version)


def _event(change: Change, selects: Callable[[Json], bool]) -> bytes:
    """The event for one who sees only what the selector selects: leaving the selection is a deletion."""
    was = change.was is not None and selects(change.was)
    now = change.kind != "DELETED" and selects(change.now)
    if not was and not now:
        return b""
    return _line("MODIFIED" if was and now else "ADDED" if now else "DELETED", change.now)


def _bookmark(resource: str, version: int) -> bytes:
    api_version, kind = KINDS[resource]
    meta = {"resourceVersion": str(version), "creationTimestamp": None}
    return _line("BOOKMARK", {"kind": kind, "apiVersion": api_version, "metadata": meta})


def _line(kind: str, obj: Json) -> bytes:
    return msgspec.json.encode({"type": kind, "object": obj}) + b"\n"
