"""The Kubernetes cluster: `ports.Cluster` on a real API server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from autoscale.demand.pending import may_preempt
from autoscale.model.names import FREEZES
from autoscale.model.snapshot import ClusterView
from autoscale.observe import decode, storage
from autoscale.observe.kube_admission import read_admission
from autoscale.observe.kube_connect import connect
from autoscale.observe.kube_store import Changes, Store, node_alarms, pod_matters
from autoscale.observe.kube_verbs import Verbs
from autoscale.observe.watch import Watcher, WatchSettings

if TYPE_CHECKING:
    from types import TracebackType

    from autoscale.model.admission import Admission
    from autoscale.model.rules import DisruptionBudget
    from autoscale.model.storage import (
        AttachLimits,
        Attachment,
        Driver,
        StorageCapacity,
        StorageClass,
        Volume,
        VolumeClaim,
    )
    from autoscale.model.supply import Node
    from autoscale.model.workload import DaemonSet, Pod
    from autoscale.observe.kube_http import Http

_UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"


class KubeCluster(Verbs):
    """Reads through stores, writes through `Verbs`. A context manager; `close` ends its threads.

    With `watch` the stores follow the API server from the first `observe` on; without, every `observe` lists anew.
    """

    def __init__(self, http: Http, *, watch: bool = True, settings: WatchSettings | None = None) -> None:
        self._changes = Changes()
        self._daemon_sets: Store[DaemonSet] = Store(self._changes, decode.daemon_set)
        pods: Store[Pod] = Store(self._changes, decode.pod, keep=lambda pod: not pod.finished, matters=pod_matters)
        nodes: Store[Node] = Store(self._changes, decode.node, alarms=node_alarms)
        self._namespaces: Store[decode.Namespace] = Store(self._changes, decode.namespace)
        super().__init__(http, pods, nodes)
        settings = settings or WatchSettings()
        self._watchers: tuple[Watcher, ...] = (
            Watcher(http, "/api/v1/nodes", nodes, settings=settings),
            Watcher(http, "/api/v1/pods", pods, settings=settings, field_selector=_UNFINISHED),
            Watcher(http, "/apis/apps/v1/daemonsets", self._daemon_sets, settings=settings),
            Watcher(http, "/api/v1/namespaces", self._namespaces, settings=settings),
        )
        self._claims: Store[VolumeClaim] = Store(self._changes, storage.claim)
        self._volumes: Store[Volume] = Store(self._changes, storage.volume)
        self._classes: Store[StorageClass] = Store(self._changes, storage.storage_class)
        self._limits: Store[AttachLimits] = Store(self._changes, storage.attach_limits)
        self._attachments: Store[Attachment] = Store(self._changes, storage.attachment)
        self._capacities: Store[StorageCapacity] = Store(self._changes, storage.capacity)
        self._drivers: Store[Driver] = Store(self._changes, storage.csi_driver)
        self._storage_watchers: tuple[Watcher, ...] = (
            Watcher(http, "/api/v1/persistentvolumeclaims", self._claims, settings=settings),
            Watcher(http, "/api/v1/persistentvolumes", self._volumes, settings=settings),
            Watcher(http, "/apis/storage.k8s.io/v1/storageclasses", self._classes, settings=settings),
            Watcher(http, "/apis/storage.k8s.io/v1/csinodes", self._limits, settings=settings),
            Watcher(http, "/apis/storage.k8s.io/v1/volumeattachments", self._attachments, settings=settings),
            Watcher(http, "/apis/storage.k8s.io/v1/csistoragecapacities", self._capacities, settings=settings),
            Watcher(http, "/apis/storage.k8s.io/v1/csidrivers", self._drivers, settings=settings),
        )
        self._budgets: Store[DisruptionBudget] = Store(self._changes, decode.budget, matters=lambda _, __: False)
        self._budget_watchers: tuple[Watcher, ...] = (
            Watcher(http, "/apis/policy/v1/poddisruptionbudgets", self._budgets, settings=settings),
        )
        self._watch = watch
        self._started = 0
        self._view: tuple[int, ClusterView] | None = None

    @classmethod
    def connect(cls, kubeconfig: str | None = None, context: str | None = None, *, watch: bool = True) -> Self:
        """The cluster of a kubeconfig, or the one that we run in. Raises Unreachable, which says what was tried."""
        return cls(connect(kubeconfig, context), watch=watch)

    def observe(self) -> ClusterView:
        """All nodes, unfinished pods, DaemonSets and namespaces, our own writes included.

        Raises Unreachable when they can't be listed, or when the watches have been cut off for too long to trust them.
        """
        self._follow()
        if self._storage_watchers and any(p.shape.claims for p in self._pods.all()):
            self._watchers += self._storage_watchers  # only where pods have volumes
            self._storage_watchers = ()
            self._follow()
        if self._budget_watchers and may_preempt(self._pods.all()):
            self._watchers += self._budget_watchers  # only where a pod may preempt others
            self._budget_watchers = ()
            self._follow()
        revision = self._changes.revision  # before reading: a change in between is then seen next time, too
        if self._view is None or self._view[0] != revision:
            self._view = (
                revision,
                ClusterView(
                    self._nodes.all(),
                    self._pods.all(),
                    self._daemon_sets.all(),
                    {each.name: each.labels for each in self._namespaces.all()},
                    storage.storage(
                        claims=self._claims.all(),
                        volumes=self._volumes.all(),
                        classes=self._classes.all(),
                        limits=self._limits.all(),
                        attachments=self._attachments.all(),
                        capacities=self._capacities.all(),
                        drivers=self._drivers.all(),
                    ),
                    self._budgets.all(),
                    *next(
                        ((each.freeze, each.gone) for each in self._namespaces.all() if each.name == FREEZES), ("", ())
                    ),
                ),
            )
        return self._view[1]

    def admission(self, namespace: str) -> Admission:
        """What decides in a namespace whether pods come to be: read now, not watched."""
        return read_admission(self._http, namespace)

    def _follow(self) -> None:
        """Have everything at hand that is watched, listed once when it is new."""
        if not self._watch:
            with ThreadPoolExecutor(len(self._watchers)) as side_by_side:
                list(side_by_side.map(Watcher.list, self._watchers))
            return
        for watcher in self._watchers[self._started :]:
            watcher.start()
        self._started = len(self._watchers)
        for watcher in self._watchers:
            watcher.check()

    @property
    def generation(self) -> int:
        """Grows with every change by others that the engine should look at; heartbeats and our own writes don't count."""
        return self._changes.generation

    @property
    def alarms(self) -> int:
        """Grows with every change that may not wait: somebody else tainted a node, or a condition of it changed."""
        return self._changes.alarms

    def wait_for_change(self, generation: int, timeout_s: float) -> bool:
        """Wait until the generation is not this one any more, at most so long; whether it changed."""
        return self._changes.wait(generation, timeout_s)

    def close(self) -> None:
        """Write the Events that wait, end the watches and close the connections."""
        self.events.close()
        for watcher in self._watchers:
            watcher.stop()
        for watcher in self._watchers:
            watcher.join()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
