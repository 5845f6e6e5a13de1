"""What we know of one kind of object: the newest version of each, as model types.

Three writers feed it: lists, watch events and the answers to our own writes. They come in any order; an object's
`resourceVersion` (an integer that only grows) decides which is newer.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
import structlog

from autoscale.model.names import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod

T = TypeVar("T")
_log = structlog.get_logger()


class ObjectMeta(msgspec.Struct, rename="camel"):
    """What the store itself reads of an object."""

    name: str = ""
    namespace: str | None = None
    resource_version: str = "0"


class Envelope(msgspec.Struct):
    """An object, as far as the store itself reads it."""

    metadata: ObjectMeta

    @property
    def key(self) -> str:
        """`namespace/name`, or `name`."""
        meta = self.metadata
        return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name

    @property
    def version(self) -> int:
        """The object's resource version."""
        return int(self.metadata.resource_version or 0)


_ENVELOPE = msgspec.json.Decoder(Envelope)


class Changes:
    """Counters that several stores share: `revision` grows with every change, `generation` with those that matter.

    `alarms` grows with those that matter at once. Our own writes raise the revision only: whoever wrote knows.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.generation = 0
        self.alarms = 0
        self._condition = threading.Condition()

    def note(self, *, matters: bool, alarming: bool = False) -> None:
        """Something changed."""
        with self._condition:
            self.revision += 1
            self.alarms += alarming
            if matters:
                self.generation += 1
                self._condition.notify_all()

    def wait(self, generation: int, timeout_s: float) -> bool:
        """Wait until the generation is another than this one; whether it is."""
        with self._condition:
            return self._condition.wait_for(lambda: self.generation != generation, timeout_s)


class _InFlight:
    """Writes of ours to one object that are not answered yet, and the versions that the watch has shown meanwhile."""

    __slots__ = ("seen", "writers")

    def __init__(self) -> None:
        self.writers = 0
        self.seen: set[int] = set()


class Store(Generic[T]):
    """Objects of one kind by `namespace/name` or `name`. Safe to share between threads.

    `keep` says whether an object is of interest at all, `matters` whether a change from old to new is one that the
    engine should wake up for (None stands for not there), `alarms` whether it should at once.
    """

    def __init__(
        self,
        changes: Changes,
        decode: Callable[[bytes | msgspec.Raw], T],
        *,
        keep: Callable[[T], bool] = lambda _: True,
        matters: Callable[[T | None, T | None], bool] = lambda old, new: old != new,
        alarms: Callable[[T, T], bool] = lambda _old, _new: False,
    ) -> None:
        self._changes = changes
        self._decode = decode
        self._keep = keep
        self._matters = matters
        self._alarms = alarms
        self._objects: dict[str, tuple[int, T]] = {}
        self._lock = threading.Lock()
        self._writing: dict[str, _InFlight] = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: str) -> T | None:
        """The newest known version of an object."""
        found = self._objects.get(key)
        return found[1] if found else None

    def all(self) -> tuple[T, ...]:
        """All objects."""
        with self._lock:
            return tuple(obj for _, obj in self._objects.values())

    def decode_all(self, items: Iterable[msgspec.Raw]) -> list[tuple[str, int, T]]:
        """The objects of a page of a list, for `replace`."""
        return [decoded for raw in items if (decoded := self._read(raw))]

    def replace(self, objects: Iterable[tuple[str, int, T]], version: int) -> None:
        """A whole list, as of `version`. What we know to be newer stays."""
        listed = {key: (at, obj) for key, at, obj in objects if self._keep(obj)}
        with self._lock:
            if version >= self.version:  # otherwise the server's past was restored, and only the list is true
                for key, known in self._objects.items():
                    if known[0] > version and (key not in listed or listed[key][0] < known[0]):
                        listed[key] = known
            before, self._objects = self._objects, listed
            self.version = version
            matters = len(before) != len(listed) or any(
                key not in before or self._matters(before[key][1], obj) for key, (_, obj) in listed.items()
            )
        self._changes.note(matters=matters)

    def apply(self, kind: str, raw: msgspec.Raw) -> int:
        """A watch event of kind ADDED, MODIFIED, DELETED or BOOKMARK; the version to watch on from."""
        envelope = _ENVELOPE.decode(raw)
        self.version = version = envelope.version  # first, so that a late answer of ours can't bring back what is gone
        if kind == "DELETED":
            self._take_out(envelope.key, version)
        elif kind in ("ADDED", "MODIFIED"):
            self._put(raw, own=False)
        return version

    @contextmanager
    def writing(self, key: str) -> Iterator[None]:
        """While we write an object: the watch may show our change before the answer comes, which should wake nobody."""
        with self._lock:
            flight = self._writing.setdefault(key, _InFlight())
            flight.writers += 1
        try:
            yield
        finally:
            with self._lock:
                flight.writers -= 1
                if not flight.writers:
                    del self._writing[key]
            if not flight.writers and flight.seen:
                self._changes.note(matters=True)  # somebody else wrote, too

    def put_own(self, raw: bytes) -> None:
        """The answer to a write of ours: visible at once, unless it is old news."""
        self._put(msgspec.Raw(raw), own=True)

    def _read(self, raw: msgspec.Raw) -> tuple[str, int, T] | None:
        envelope = _ENVELOPE.decode(raw)
        try:
            return envelope.key, envelope.version, self._decode(raw)
        except (msgspec.MsgspecError, ValueError) as error:
            _log.warning("an object can't be read and is left out", object=envelope.key, error=str(error))
            return None

    def _put(self, raw: msgspec.Raw, *, own: bool) -> None:
        read = self._read(raw)
        if read is None:
            return
        key, version, obj = read
        if not self._keep(obj):
            self._take_out(key, version)
            return
        with self._lock:
            old = self._objects.get(key)
            flight = self._writing.get(key)
            if own and flight:
                flight.seen.discard(version)
            # An answer that is older than the watch, of an object that the watch does not have: it is deleted by now.
            if (old and old[0] >= version) or (own and not old and version <= self.version):
                return
            self._objects[key] = (version, obj)
            matters = not own and self._matters(old[1] if old else None, obj)
            if matters and flight:
                flight.seen.add(version)
                matters = False
        self._changes.note(matters=matters, alarming=not own and old is not None and self._alarms(old[1], obj))

    def _take_out(self, key: str, version: int) -> None:
        with self._lock:
            old = self._objects.get(key)
            if old is None or old[0] > version:
                return
            del self._objects[key]
        self._changes.note(matters=self._matters(old[1], None))


def pod_matters(old: Pod | None, new: Pod | None) -> bool:
    """Whether the engine should look again: a pod came, went, was bound, claimed or ungated; not that it started."""
    if old is None or new is None or old.uid != new.uid:
        return True
    return _looked_at(old) != _looked_at(new)


def node_alarms(old: Node, new: Node) -> bool:
    """Whether somebody has said something of the node that may mean its end: a taint that is not ours, or a condition."""
    return _said_of(old) != _said_of(new)


def _said_of(node: Node) -> tuple[object, ...]:
    return (
        [taint for taint in node.taints if not taint.key.startswith(PREFIX)],
        [(each.type, each.status, each.reason) for each in node.conditions if each.type != "Ready"],
    )


def _looked_at(pod: Pod) -> tuple[object, ...]:
    return (
        pod.node_name, pod.deleting, pod.gated, pod.claim, pod.nominated_node, pod.tolerated_slots, pod.shape,
        None if pod.node_name else pod.labels,
    )  # fmt: skip
