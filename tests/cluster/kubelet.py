"""The machines' side of a cluster: what a cloud's instances, their kubelets and the cloud's node controller do.

Every instance that an auto scaling group starts becomes a Node after a while; its GPUs become allocatable later, when
the device plugin has run; pods bound to it run, and end when deleted; a terminated instance takes its Node and pods.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self

import botocore.exceptions
import urllib3

from .aws import aws_client
from .controlplane import Api, ApiError, Json, wait_until
from .controlplane.api import STRATEGIC

_log = logging.getLogger(__name__)
_TEMPLATE = "k8s.io/cluster-autoscaler/node-template"
_NODES, _PODS = "/api/v1/nodes", "/api/v1/pods"
_TROUBLE = (OSError, urllib3.exceptions.HTTPError)  # the API server is away; it may come back
_RETRY_S = 0.5

Amounts = Mapping[str, str]
"""Quantities by resource name, as a Node's status has them: {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One machine of an auto scaling group, with the labels and taints that its group's tags promise."""

    id: str
    group: str
    type: str
    zone: str
    labels: Mapping[str, str]
    taints: tuple[Json, ...]

    @property
    def node(self) -> str:
        """The name under which the machine registers (Amazon's resource-based naming)."""
        return f"{self.id}.ec2.internal"


Delay = float | Callable[[Instance], float]
Catalog = Mapping[str, Amounts] | Callable[[str], Amounts]


@dataclass(slots=True)
class _Machine:
    instance: Instance
    address: str
    lock: threading.Lock = field(default_factory=threading.Lock)  # what happens to one machine happens in order
    gone: bool = False
    devices_due: bool = False


class CloudBoot:
    """A context manager that plays all machines of a moto server, from a few threads.

    `capacity` gives what a type has, GPUs included; `allocatable` what of it pods may use (all, by default). Names with
    a slash are devices: they appear last. `boot_delay_s` is from the instance's start to its Node, `device_delay_s` from
    the device plugin's start to allocatable devices; without `device_plugin` (the name of a DaemonSet) it counts from
    the Node. `startup_taints` come with the Node and go right after the devices have come. `pod_stop_s` is how long a
    deleted pod takes to end.
    """

    def __init__(
        self,
        api: Api,
        moto_url: str,
        *,
        capacity: Catalog,
        allocatable: Catalog | None = None,
        boot_delay_s: Delay = 0.2,
        device_delay_s: Delay = 0.2,
        device_plugin: str | None = None,
        startup_taints: Sequence[Json] = (),
        pod_stop_s: float = 0.0,
        poll_s: float = 0.3,
    ) -> None:
        self._api = api
        self._moto_url = moto_url
        self._capacity, self._allocatable = capacity, allocatable or capacity
        self._boot_delay_s, self._device_delay_s = boot_delay_s, device_delay_s
        self._device_plugin = device_plugin
        self._startup_taints = tuple(startup_taints)
        self._pod_stop_s, self._poll_s = pod_stop_s, poll_s
        self._machines: dict[str, _Machine] = {}  # by node name; only the clock's thread adds and removes
        self._running: set[str] = set()  # uids of pods that were told to run, so that no pod is told twice
        self._ending: set[str] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._due_lock = threading.Lock()
        self._order = itertools.count()
        self._addresses = itertools.count(1)
        self._stopped = threading.Event()
        self._listed = threading.Event()
        self.errors: list[BaseException] = []

    def __enter__(self) -> Self:
        self._cloud = aws_client("autoscaling", self._moto_url)
        self._workers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="kubelet")
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._keep_time, self._watch_pods)]
        for thread in self._threads:
            thread.start()
        wait_until("the pods are listed", self._listed.is_set, within_s=30)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stopped.set()
        self._workers.shutdown(cancel_futures=True)
        for thread in self._threads:
            thread.join(timeout=10)
        self._cloud.close()
        if self.errors and error is None:
            raise ExceptionGroup("the machines' side failed", [e for e in self.errors if isinstance(e, Exception)])

    def set_ready(self, node: str, status: str) -> None:
        """Set a node's Ready condition to True, False or Unknown, as a healthy, sick or silent kubelet leads to."""
        self._api.patch(f"{_NODES}/{node}/status", {"status": {"conditions": [_ready(status)]}}, content_type=STRATEGIC)

    def finish_pod(self, namespace: str, name: str) -> None:
        """Let a running pod end well."""
        self._api.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": {"phase": "Succeeded"}})

    # ---- time: everything that happens to a machine or pod happens at a moment, in one of the workers

    def _at(self, delay_s: float, act: Callable[[], None]) -> None:
        with self._due_lock:
            heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._order), act))

    def _keep_time(self) -> None:
        next_poll = 0.0
        while not self._stopped.wait(0.02):
            if time.monotonic() >= next_poll:
                self._poll_cloud()
                next_poll = time.monotonic() + self._poll_s
            with self._due_lock:
                while self._due and self._due[0][0] <= time.monotonic():
                    self._workers.submit(self._try, heapq.heappop(self._due)[2])

    def _try(self, act: Callable[[], None]) -> None:
        """Do it; later again when the API server is away or busy or someone else wrote first; else keep the error."""
        try:
            act()
        except _TROUBLE:
            self._at(_RETRY_S, act)
        except ApiError as error:
            if error.status in (409, 429) or error.status >= 500:
                self._at(_RETRY_S, act)
            elif error.status != 404:  # what is gone needs nothing more
                self._fail(error)
        except Exception as error:  # noqa: BLE001  # told at the end of the test, whatever it is
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        _log.error("the machines' side failed", exc_info=error)
        self.errors.append(error)

    # ---- the cloud's side

    def _poll_cloud(self) -> None:
        try:
            instances = {instance.node: instance for instance in self._instances()}
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            _log.warning("moto does not answer: %s", error)
            return
        for node, instance in instances.items():
            if node not in self._machines:
                number = next(self._addresses)
                machine = _Machine(instance, f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
                self._machines[node] = machine
                self._at(_delay(self._boot_delay_s, instance), partial(self._register, machine))
        for node in [node for node in self._machines if node not in instances]:
            machine = self._machines.pop(node)
            machine.gone = True
            self._at(0, partial(self._remove, machine))

    def _instances(self) -> list[Instance]:
        pages = self._cloud.get_paginator("describe_auto_scaling_groups").paginate()
        groups = [group for page in pages for group in page["AutoScalingGroups"]]
        return [
            Instance(
                id=each["InstanceId"],
                group=group["AutoScalingGroupName"],
                type=each["InstanceType"],
                zone=each["AvailabilityZone"],
                labels=_template(group, "label"),
                taints=tuple(_taint(key, text) for key, text in _template(group, "taint").items()),
            )
            for group in groups
            for each in group["Instances"]
            if not each["LifecycleState"].startswith("Terminat")
        ]

    def _remove(self, machine: _Machine) -> None:
        """Delete the Node and its pods, as the cloud node controller and the pod garbage collector do."""
        with machine.lock:
            self._api.delete(f"{_NODES}/{machine.instance.node}")
            for pod in self._api.items(_PODS, fieldSelector=f"spec.nodeName={machine.instance.node}"):
                self._api.delete(_path(pod), grace_s=0)

    # ---- the kubelet's side

    def _register(self, machine: _Machine) -> None:
        with machine.lock:
            if machine.gone:
                return
            try:
                self._api.create(_NODES, self._node(machine))
            except ApiError as error:
                if error.status != 409:  # a conflict is our own node, whose answer was lost on an earlier try
                    raise
        if self._device_plugin is None:
            self._devices_after_delay(machine)

    def _node(self, machine: _Machine) -> Json:
        instance = machine.instance
        now = _now()
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": instance.node,
                "labels": {
                    "kubernetes.io/arch": "amd64",
                    "kubernetes.io/hostname": instance.node,
                    "kubernetes.io/os": "linux",
                    "node.kubernetes.io/instance-type": instance.type,
                    "topology.kubernetes.io/region": instance.zone[:-1],
                    "topology.kubernetes.io/zone": instance.zone,
                    **instance.labels,
                },
            },
            "spec": {
                "providerID": f"aws:///{instance.zone}/{instance.id}",
                "taints": [*instance.taints, *self._startup_taints],
            },
            "status": {
                "capacity": _amounts(self._capacity, instance.type, devices=False),
                "allocatable": _amounts(self._allocatable, instance.type, devices=False),
                "conditions": [
                    _ready("True"),
                    *(
                        {"type": kind, "status": "False", "reason": "KubeletHasSufficient", "lastHeartbeatTime": now}
                        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")
                    ),
                ],
                "addresses": [
                    {"type": "InternalIP", "address": machine.address},
                    {"type": "Hostname", "address": instance.node},
                ],
                "nodeInfo": {
                    "architecture": "amd64",
                    "operatingSystem": "linux",
                    "kubeletVersion": "v1.36.3",
                    "kubeProxyVersion": "",
                    "containerRuntimeVersion": "containerd://2.1.0",
                    "kernelVersion": "6.12.0",
                    "osImage": "Linux",
                    "machineID": instance.id,
                    "systemUUID": instance.id,
                    "bootID": instance.id,
                },
            },
        }

    def _devices_after_delay(self, machine: _Machine) -> None:
        if not machine.devices_due:
            machine.devices_due = True
            self._at(_delay(self._device_delay_s, machine.instance), lambda: self._add_devices(machine))

    def _add_devices(self, machine: _Machine) -> None:
        """Make the devices allocatable, then take the start-up taints off."""
        instance = machine.instance
        with machine.lock:
            if machine.gone:
                return
            status = {
                "capacity": _amounts(self._capacity, instance.type, devices=True),
                "allocatable": _amounts(self._allocatable, instance.type, devices=True),
            }
            self._api.patch(f"{_NODES}/{instance.node}/status", {"status": status})
            starting = {taint["key"] for taint in self._startup_taints}
            if starting:
                node = self._api.get(f"{_NODES}/{instance.node}")
                kept = [taint for taint in node["spec"].get("taints", ()) if taint["key"] not in starting]
                version = node["metadata"]["resourceVersion"]  # another writer in between is a conflict: tried again
                patch = {"metadata": {"resourceVersion": version}, "spec": {"taints": kept}}
                self._api.patch(f"{_NODES}/{instance.node}", patch)

    def _watch_pods(self) -> None:
        """See every pod and each of its changes, whatever happens to the API server in between."""
        version = ""
        while not self._stopped.is_set():
            try:
                if not version:
                    listed = self._api.get(_PODS)
                    version = listed["metadata"]["resourceVersion"]
                    for pod in listed["items"]:
                        self._see(pod)
                    self._listed.set()
                for event in self._api.watch(_PODS, version=version, idle_s=1.0):
                    if event["type"] == "ERROR":
                        version = ""
                        break
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self._see(event["object"])
                    if self._stopped.is_set():
                        return
            except urllib3.exceptions.ReadTimeoutError:
                continue  # silence: watch on from where we are
            except ApiError:
                version = ""
                self._stopped.wait(_RETRY_S)
            except _TROUBLE:
                self._stopped.wait(_RETRY_S)

    def _see(self, pod: Json) -> None:
        """Run a pod that was bound to one of our nodes; end it when it was deleted."""
        uid, node = pod["metadata"]["uid"], pod["spec"].get("nodeName")
        if node is None or not node.endswith(".ec2.internal"):
            return
        if "deletionTimestamp" in pod["metadata"]:
            if uid not in self._ending:
                self._ending.add(uid)
                self._at(self._pod_stop_s, lambda: self._end(pod))
        elif pod["status"]["phase"] == "Pending" and uid not in self._running:
            self._running.add(uid)
            self._at(0, lambda: self._run(pod))

    def _run(self, pod: Json) -> None:
        machine = self._machines.get(pod["spec"]["nodeName"])
        if machine is None:
            return
        now = _now()
        number = next(self._addresses)
        conditions = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")
        status = {
            "phase": "Running",
            "startTime": now,
            "hostIP": machine.address,
            "podIP": f"100.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in conditions],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": container["image"],
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": now}},
                }
                for container in pod["spec"]["containers"]
            ],
        }
        # The uid makes sure that it is this pod and not a new one of the same name.
        patch = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        self._api.patch(f"{_path(pod)}/status", patch, content_type=STRATEGIC)
        owners = pod["metadata"].get("ownerReferences", ())
        if any(owner["kind"] == "DaemonSet" and owner["name"] == self._device_plugin for owner in owners):
            self._devices_after_delay(machine)

    def _end(self, pod: Json) -> None:
        current = self._api.find(_path(pod))
        if current and current["metadata"]["uid"] == pod["metadata"]["uid"]:
            self._api.delete(_path(pod), grace_s=0)


def _path(pod: Json) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _template(group: Json, kind: str) -> dict[str, str]:
    prefix = f"{_TEMPLATE}/{kind}/"
    return {tag["Key"].removeprefix(prefix): tag["Value"] for tag in group["Tags"] if tag["Key"].startswith(prefix)}


def _taint(key: str, text: str) -> Json:
    value, _, effect = text.rpartition(":")
    return {"key": key, "value": value, "effect": effect}


def _delay(delay: Delay, instance: Instance) -> float:
    return delay(instance) if callable(delay) else delay


def _amounts(catalog: Catalog, instance_type: str, *, devices: bool) -> dict[str, str]:
    """Give the devices of a type (names with a slash), or all the rest; 110 pods unless it says otherwise."""
    amounts = catalog(instance_type) if callable(catalog) else catalog[instance_type]
    chosen = {name: amount for name, amount in amounts.items() if ("/" in name) == devices}
    return chosen if devices else {"pods": "110", **chosen}


def _ready(status: str) -> Json:
    now = _now()
    reason = {"True": "KubeletReady", "False": "KubeletNotReady", "Unknown": "NodeStatusUnknown"}[status]
    return {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
