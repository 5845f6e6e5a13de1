"""The threads of the embedded cluster: the control loop (DaemonSets, scheduler) and the kubelets."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from autoscale.sim.daemon_sets import DaemonSets
from autoscale.sim.mirror import Mirror
from autoscale.sim.refusals import Refused
from autoscale.sim.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.sim.objects import Json, ObjectStore

_log = logging.getLogger(__name__)
_PAUSE_S = 0.02  # between turns, so that changes are taken in by the handful


class Worker(ABC):
    """A thread that takes turns until it is stopped. An error ends it and is kept for whoever stops it."""

    def __init__(self, name: str, store: ObjectStore) -> None:
        self._store = store
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.error: Exception | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._stopped.set()
        with self._store.changed:
            self._store.changed.notify_all()
        self._thread.join()

    @abstractmethod
    def turn(self) -> None:
        """Do what there is to do, or wait for it a little."""

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self.turn()
        except Exception as error:  # noqa: BLE001 - kept for whoever stops it, whatever it is
            _log.exception("a thread of the embedded cluster failed")
            self.error = error


class ControlLoop(Worker):
    """DaemonSet pods are made, then everything that waits is scheduled, whenever something changed."""

    def __init__(self, store: ObjectStore, *, scheduler: bool = True, seed: int = 0) -> None:
        super().__init__("control loop", store)
        self._mirror = Mirror(store)
        self._daemon_sets = DaemonSets(store, self._mirror)
        self._scheduler = Scheduler(store, self._mirror, seed=seed) if scheduler else None

    def turn(self) -> None:
        """One look at everything."""
        if self._mirror.catch_up():
            self._daemon_sets.reconcile()
            if self._scheduler is not None:
                self._scheduler.schedule()
        self._stopped.wait(_PAUSE_S)
        self._store.wait(self._mirror.version, 0.5)


class Kubelets(Worker):
    """Runs the pods that are bound, ends those that are deleted; and whatever else is due at a time (`at`)."""

    def __init__(self, store: ObjectStore, *, pod_start_s: float, pod_stop_s: float) -> None:
        super().__init__("kubelets", store)
        self._pod_start_s = pod_start_s
        self._pod_stop_s = pod_stop_s
        self._version = 0
        self._known: set[tuple[str, str]] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()

    def at(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do it then, in the kubelets' thread."""
        with self._lock:
            heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._order), act))

    def turn(self) -> None:
        """Look at what changed, do what is due."""
        with self._store.changed:
            version = self._store.version
            if not self._version or self._store.forgot(self._version):
                pods = self._store.all("pods")[1]
            else:
                pods = [c.now for c in self._store.since(self._version, "pods") if c.kind != "DELETED"]
        self._version = version
        for pod in pods:
            self._see(pod)
        while (act := self._next()) is not None:
            act()
        with self._lock:
            next_s = self._due[0][0] - time.monotonic() if self._due else 0.5
        self._store.wait(self._version, max(0.0, min(next_s, 0.05)))

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            if self._due and self._due[0][0] <= time.monotonic():
                return heapq.heappop(self._due)[2]
        return None

    def _see(self, pod: Json) -> None:
        meta, uid = pod["metadata"], pod["metadata"]["uid"]
        key = f"{meta['namespace']}/{meta['name']}"
        if not pod["spec"].get("nodeName"):
            return
        if "deletionTimestamp" in meta and ("end", uid) not in self._known:
            self._known.add(("end", uid))
            self.at(self._pod_stop_s, lambda: self._end(key, uid))
        elif pod["status"]["phase"] == "Pending" and ("run", uid) not in self._known:
            self._known.add(("run", uid))
            self.at(self._pod_start_s, lambda: self._run_pod(key, uid))

    def _run_pod(self, key: str, uid: str) -> None:
        def change(pod: Json) -> Json:
            if pod["metadata"]["uid"] != uid or pod["status"]["phase"] != "Pending":
                return pod
            return {**pod, "status": {**pod["status"], "phase": "Running"}}

        try:
            self._store.update("pods", key, change)
        except Refused:  # gone meanwhile
            return

    def _end(self, key: str, uid: str) -> None:
        with self._store.changed:
            try:
                if self._store.get("pods", key)["metadata"]["uid"] == uid:
                    self._store.delete("pods", key)
            except Refused:  # gone meanwhile
                return
