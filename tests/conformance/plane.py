"""What all judges share: a control plane that is made anew when it has grown slow, and waiting for the scheduler's word."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster.controlplane import Api, ApiError, ControlPlane, Json, wait_until

from .words import DELETING

NODES, ALL_PODS, DEFAULT_PODS = "/api/v1/nodes", "/api/v1/pods", "/api/v1/namespaces/default/pods"
_INVALID = (400, 403, 422)
_EVERY_S = 0.4
_CANARY_S = 240.0  # as long as any pod may wait for its answer


class Plane:
    """A context manager; `prepare` fills each control plane before it is used. Without controllers nobody evicts.

    Nothing is deleted on it, which would cost as much as all the rest: after `most` pods that asked it is left for another.
    """

    def __init__(
        self,
        binaries: Path,
        *,
        most: int,
        prepare: Callable[[ControlPlane], None] = lambda _: None,
        controllers: tuple[str, ...] = (),
    ) -> None:
        self._binaries, self._most, self._prepare, self._controllers = binaries, most, prepare, controllers
        self._plane: ControlPlane | None = None
        self._asked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._plane is not None:
            self._plane.__exit__(kind, error, at)
            self._plane = None

    def api(self, asking: int = 0) -> Api:
        """The API server, for so many pods that will ask."""
        if self._plane is None or self._asked + asking > self._most:
            self.__exit__(None, None, None)
            self._asked = 0
            self._plane = ControlPlane(
                self._binaries, controller_manager=bool(self._controllers), controllers=self._controllers
            )
            self._plane.__enter__()
            self._prepare(self._plane)
        self._asked += asking
        return self._plane.api()

    @property
    def version(self) -> str:
        """Kubernetes' version."""
        return str(self.api().get("/version")["gitVersion"])


class PlaneJudge:
    """A context manager that asks in batches, each with a letter of its kind and a number, on a plane of its own."""

    def __init__(self, plane: Plane, letter: str, workers: int) -> None:
        self._plane, self._letter, self._workers = plane, letter, workers
        self._batches = count()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._plane.__exit__(kind, error, at)

    @property
    def version(self) -> str:
        """Kubernetes' version."""
        return self._plane.version

    def batch(self, asking: int) -> tuple[Api, str]:
        """The API server for so many pods that will ask, and the batch's name."""
        return self._plane.api(asking), f"{self._letter}{next(self._batches)}"


def path_of(pod: Json) -> str:
    """Where pods of its namespace are."""
    return f"/api/v1/namespaces/{pod['metadata'].get('namespace', 'default')}/pods"


def try_to_create(api: Api, path: str, body: Json) -> tuple[Json | None, str]:
    """The object, or why the API server does not take it."""
    try:
        return api.create(path, body), ""
    except ApiError as error:
        if error.status not in _INVALID:
            raise
        return None, str(error)


def run(api: Api, manifest: Json) -> Json:
    """Create a pod that is on a node, finished or on its way out if it says so."""
    path = f"{path_of(manifest)}/{manifest['metadata']['name']}"
    made = api.create(path_of(manifest), manifest)
    status = manifest.get("status") or {}
    phase = status.get("phase", "Pending")
    if phase != "Pending":
        made = api.patch(f"{path}/status", {"status": status})
    elif DELETING in manifest["metadata"].get("annotations", {}):
        api.delete(path)
        made = api.get(path)
    return made


def condition(pod: Json) -> Json:
    """What the scheduler last said of it."""
    conditions: list[Json] = pod["status"].get("conditions", [])
    return next((each for each in conditions if each["type"] == "PodScheduled"), {})


def answers(
    api: Api, waiting: Iterable[str], label: str, *, also: Callable[[], None] = lambda: None, within_s: float = 240
) -> dict[str, Json]:
    """The pods with this label (`key=value`) once all that wait, by uid, are bound or refused; `also` is done meanwhile.

    They are asked for as the API server's cache has them, which costs it least.
    """
    left, said = set(waiting), dict[str, Json]()
    wait_until(
        "every pod has an answer", partial(_collect, api, label, left, said, also), within_s=within_s, every_s=_EVERY_S
    )
    return said


def _collect(api: Api, label: str, waiting: set[str], said: dict[str, Json], also: Callable[[], None]) -> bool:
    if waiting:
        also()
        for pod in api.items(ALL_PODS, labelSelector=label, resourceVersion="0"):
            uid = pod["metadata"]["uid"]
            if uid in waiting and (pod["spec"].get("nodeName") or condition(pod).get("status") == "False"):
                said[uid] = pod
                waiting.discard(uid)
    return not waiting


def canary(api: Api, batch: str) -> None:
    """A node and a pod for it, made after all others: when it is bound, the scheduler has seen all others."""
    name, only = f"{batch}-canary", f"{batch}.example.test/canary"
    room = {"pods": "1", only: "1"}
    ready = [{"type": "Ready", "status": "True"}]
    api.create(NODES, {"metadata": {"name": name}, "status": {"allocatable": room, "conditions": ready}})
    resources = {"requests": {only: "1"}, "limits": {only: "1"}}
    container = {"name": "c", "image": "example.test/work:1", "resources": resources}
    spec = {"containers": [container], "automountServiceAccountToken": False}
    api.create(DEFAULT_PODS, {"metadata": {"name": name}, "spec": spec})
    path = f"{DEFAULT_PODS}/{name}"
    wait_until("the canary is bound", lambda: api.get(path)["spec"].get("nodeName"), within_s=_CANARY_S)
