"""The embedded cluster's memory: versioned objects of every kind, and the history that watches read.

Objects are JSON as dictionaries and are never changed in place: a writer puts a new one. One counter gives every change
its `resourceVersion`, as etcd does.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from autoscale.sim.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history. `was` is the object before, `now` the object after (of a deleted one: its last state)."""

    version: int
    resource: str
    kind: str  # ADDED, MODIFIED or DELETED
    now: Json
    was: Json | None


class ObjectStore:
    """Objects by resource (`pods`) and key (`namespace/name` or `name`). Safe to share between threads.

    `history` is how many changes are remembered; a watch from before that is refused with 410.
    """

    def __init__(self, *, history: int = 100_000, seed: int = 0) -> None:
        self.version = 1
        self.closed = False
        self._objects: dict[str, dict[str, Json]] = {}
        self._history: deque[Change] = deque(maxlen=history)
        self._forgotten = 1  # changes up to this version are not in the history any more
        self._random = Random(seed)  # noqa: S311 - uids of a simulation
        self.changed = threading.Condition(threading.RLock())

    def create(self, resource: str, obj: Json) -> Json:
        """Add an object; uid, version and time of creation are given to it."""
        with self.changed:
            meta = dict(obj.get("metadata") or {})
            if not meta.get("name") and meta.get("generateName"):
                meta["name"] = f"{meta['generateName']}{self._random.randrange(36**5):x}"
            if not meta.get("name"):
                raise Refused(422, f"{resource} is invalid: metadata.name: Required value: name or generateName")
            key = key_of({"metadata": meta})
            if key in self._objects.setdefault(resource, {}):
                raise Refused(409, f'{resource} "{meta["name"]}" already exists')
            meta["uid"] = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            meta["creationTimestamp"] = now_text()
            return self._put(resource, key, "ADDED", {**obj, "metadata": meta}, None)

    def get(self, resource: str, key: str) -> Json:
        """An object. Refused with 404 when there is none."""
        with self.changed:
            found = self._objects.get(resource, {}).get(key)
            if found is None:
                raise Refused(404, f'{resource} "{key.rpartition("/")[2]}" not found')
            return found

    def update(self, resource: str, key: str, change: Callable[[Json], Json]) -> Json:
        """Put what `change` makes of the object, all in one step. What stays equal gets no new version."""
        with self.changed:
            was = self.get(resource, key)
            now = change(was)
            if now == was:
                return was
            return self._put(resource, key, "MODIFIED", now, was)

    def delete(self, resource: str, key: str) -> Json:
        """Take the object out at once; its last state."""
        with self.changed:
            was = self.get(resource, key)
            return self._put(resource, key, "DELETED", was, was)

    def all(self, resource: str) -> tuple[int, list[Json]]:
        """The version now, and all objects in the order of their keys."""
        with self.changed:
            objects = self._objects.get(resource, {})
            return self.version, [objects[key] for key in sorted(objects)]

    def since(self, version: int, resource: str = "") -> list[Change]:
        """The changes after that version, of one resource or of all. Refused with 410 when they are not remembered."""
        with self.changed:
            if self.forgot(version):
                raise Refused(410, f"too old resource version: {version} ({self._forgotten})")
            newer = []
            for change in reversed(self._history):
                if change.version <= version:
                    break
                if not resource or change.resource == resource:
                    newer.append(change)
            newer.reverse()
            return newer

    def forgot(self, version: int) -> bool:
        """Whether changes after that version are not remembered any more."""
        return version < self._forgotten

    def wait(self, version: int, timeout_s: float) -> None:
        """Wait until something is newer than that version, or the store is closed."""
        with self.changed:
            self.changed.wait_for(lambda: self.closed or self.version > version, timeout_s)

    def compact(self) -> None:
        """Forget the history: a watch may go on from now only."""
        with self.changed:
            self.version += 1
            self._forgotten = self.version
            self._history.clear()
            self.changed.notify_all()

    def close(self) -> None:
        """Wake all who wait; it is over."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _put(self, resource: str, key: str, kind: str, obj: Json, was: Json | None) -> Json:
        self.version += 1
        now = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        if kind == "DELETED":
            del self._objects[resource][key]
        else:
            self._objects[resource][key] = now
        if len(self._history) == self._history.maxlen:
            self._forgotten = self._history[0].version
        self._history.append(Change(self.version, resource, kind, now, was))
        self.changed.notify_all()
        return now


def key_of(obj: Json) -> str:
    """`namespace/name`, or `name` for what has no namespace."""
    meta = obj["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def now_text() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
