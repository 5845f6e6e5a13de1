"""The Kubernetes cluster: `ports.Cluster` on a real API server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from autoscale.model.snapshot import ClusterView
from autoscale.observe import decode
from autoscale.observe.kube_admission import read_admission
from autoscale.observe.kube_connect import connect
from autoscale.observe.kube_store import Changes, Store, pod_matters
from autoscale.observe.kube_verbs import Verbs
from autoscale.observe.watch import Watcher, WatchSettings

if TYPE_CHECKING:
    from types import TracebackType

    from autoscale.model.admission import Admission
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
        nodes: Store[Node] = Store(self._changes, decode.node)
        self._namespaces: Store[decode.Namespace] = Store(self._changes, decode.namespace)
        super().__init__(http, pods, nodes)
        settings = settings or WatchSettings()
        self._watchers = (
            Watcher(http, "/api/v1/nodes", nodes, settings=settings),
            Watcher(http, "/api/v1/pods", pods, settings=settings, field_selector=_UNFINISHED),
            Watcher(http, "/apis/apps/v1/daemonsets", self._daemon_sets, settings=settings),
            Watcher(http, "/api/v1/namespaces", self._namespaces, settings=settings),
        )
        self._watch = watch
        self._started = False
        self._view: tuple[int, ClusterView] | None = None

    @classmethod
    def connect(cls, kubeconfig: str | None = None, context: str | None = None, *, watch: bool = True) -> Self:
        """The cluster of a kubeconfig, or the one that we run in. Raises Unreachable, which says what was tried."""
        return cls(connect(kubeconfig, context), watch=watch)

    def observe(self) -> ClusterView:
        """All nodes, unfinished pods, DaemonSets and namespaces, our own writes included.

        Raises Unreachable when they can't be listed, or when the watches have been cut off for too long to trust them.
        """
        if not self._watch:
            with ThreadPoolExecutor(len(self._watchers)) as side_by_side:
                list(side_by_side.map(Watcher.list, self._watchers))
        elif not self._started:
            self._started = True
            for watcher in self._watchers:
                watcher.start()
        if self._watch:
            for watcher in self._watchers:
                watcher.check()
        revision = self._changes.revision  # before reading: a change in between is then seen next time, too
        if self._view is None or self._view[0] != revision:
            namespaces = {each.name: each.labels for each in self._namespaces.all()}
            self._view = revision, ClusterView(self._nodes.all(), self._pods.all(), self._daemon_sets.all(), namespaces)
        return self._view[1]

    def admission(self, namespace: str) -> Admission:
        """What decides in a namespace whether pods come to be: read now, not watched."""
        return read_admission(self._http, namespace)

    @property
    def generation(self) -> int:
        """Grows with every change by others that the engine should look at; heartbeats and our own writes don't count."""
        return self._changes.generation

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
