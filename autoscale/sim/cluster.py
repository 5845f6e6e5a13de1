"""The embedded cluster as a whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from autoscale.sim.control import ControlLoop, Kubelets, Worker
from autoscale.sim.faults import Faults
from autoscale.sim.objects import ObjectStore, key_of
from autoscale.sim.refusals import Refused
from autoscale.sim.rules import KINDS, NAMESPACED, admitted, end_node, end_pod
from autoscale.sim.server import ApiServer

if TYPE_CHECKING:
    from types import TracebackType

    from autoscale.sim.objects import Json

_RESOURCES = {kind: resource for resource, (_, kind) in KINDS.items()}


class EmbeddedCluster:
    """A context manager: an API server on loopback, a scheduler, DaemonSets and kubelets, all in this process.

        with EmbeddedCluster() as cluster:
            cluster.create({"kind": "Pod", ...})
            KubeCluster.connect(cluster.kubeconfig_path)

    `seed` decides uids, ties and delays. `scheduler=False` leaves binding to the test, `kubelets=False` leaves pods as
    they are. `history` is how many changes a watch may be behind; `bookmark_s` how often a quiet watch says where it is.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        scheduler: bool = True,
        kubelets: bool = True,
        history: int = 100_000,
        bookmark_s: float = 60.0,
        pod_start_s: float = 0.05,
        pod_stop_s: float = 0.05,
    ) -> None:
        self.store = ObjectStore(history=history, seed=seed)
        self.faults = Faults()
        self._server = ApiServer(self.store, self.faults, bookmark_s=bookmark_s)
        self._workers: list[Worker] = [ControlLoop(self.store, scheduler=scheduler, seed=seed)]
        if kubelets:
            self._workers.append(Kubelets(self.store, pod_start_s=pod_start_s, pod_stop_s=pod_stop_s))
        self._folder = Path(tempfile.mkdtemp(prefix="embedded-cluster-"))
        for namespace in ("default", "kube-system"):
            self.create({"kind": "Namespace", "metadata": {"name": namespace}})

    def __enter__(self) -> Self:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "embedded", "cluster": {"server": self.url}}],
            "users": [{"name": "embedded", "user": {}}],
            "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": "embedded"}}],
            "current-context": "embedded",
        }
        Path(self.kubeconfig_path).write_text(json.dumps(config))  # JSON is YAML
        self._server.start()
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()  # wakes all who wait for a change
        for worker in reversed(self._workers):
            worker.stop()
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        failed = [worker.error for worker in self._workers if worker.error is not None]
        if failed and error is None:
            raise failed[0]

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return self._server.url

    @property
    def kubeconfig_path(self) -> str:
        """A kubeconfig file for it."""
        return str(self._folder / "kubeconfig")

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Every request that came: method and path with query."""
        return list(self._server.requests)

    def create(self, obj: Json) -> Json:
        """Create an object of any kind that there is, its namespace too; as it is then."""
        resource = _RESOURCES.get(str(obj.get("kind")))
        if resource is None:
            raise Refused(404, f"no kind {obj.get('kind')!r}; there are {', '.join(_RESOURCES)}")
        meta = dict(obj.get("metadata") or {})
        if resource in NAMESPACED:
            meta.setdefault("namespace", "default")
            self._ensure_namespace(meta["namespace"])
        return self.store.create(resource, admitted(resource, {**obj, "metadata": meta}))

    def delete(self, kind: str, key: str) -> None:
        """Delete the object `namespace/name` or `name` of a kind; a node takes its pods along."""
        if kind == "Pod":
            end_pod(self.store, key, grace_s=None)
        elif kind == "Node":
            end_node(self.store, key)
        else:
            self.store.delete(_RESOURCES[kind], key)

    def get(self, kind: str, key: str) -> Json:
        """The object `namespace/name` or `name` of a kind."""
        return self.store.get(_RESOURCES[kind], key)

    def update(self, obj: Json) -> Json:
        """Put this in place of the object of its kind and name, whatever its version, status included."""
        return self.store.update(_RESOURCES[obj["kind"]], key_of(obj), lambda _: obj)

    def finish(self, key: str) -> None:
        """Let a pod end well."""
        self.store.update("pods", key, lambda pod: {**pod, "status": {**pod["status"], "phase": "Succeeded"}})

    def pods(self) -> list[Json]:
        """All pods."""
        return self.store.all("pods")[1]

    def nodes(self) -> list[Json]:
        """All nodes."""
        return self.store.all("nodes")[1]

    def events(self) -> list[Json]:
        """All Events."""
        return self.store.all("events")[1]

    def _ensure_namespace(self, name: str) -> None:
        try:
            self.store.get("namespaces", name)
        except Refused:
            self.store.create("namespaces", admitted("namespaces", {"metadata": {"name": name}}))
