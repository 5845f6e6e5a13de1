"""Machines that boot: every instance that a cloud runs becomes a Node, its devices some time later."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Self

from autoscale.model.frozen import empty
from autoscale.model.resources import Resources
from autoscale.model.supply import InstanceState
from autoscale.sim.control import Worker
from autoscale.sim.daemon_sets import DaemonSets
from autoscale.sim.mirror import Mirror
from autoscale.sim.objects import now_text
from autoscale.sim.refusals import Refused
from autoscale.sim.rules import admitted, end_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

    from autoscale.model.snapshot import CloudView
    from autoscale.model.workload import Taint
    from autoscale.sim.cluster import EmbeddedCluster
    from autoscale.sim.objects import Json

_log = logging.getLogger(__name__)
_HOSTNAME = "kubernetes.io/hostname"
_ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class BootInstance:
    """A machine that a cloud runs, and the Node that it will register as. `devices` become allocatable last."""

    id: str
    provider_id: str
    node_name: str
    allocatable: Resources
    devices: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)
    taints: tuple[Taint, ...] = ()


def instances_of(view: CloudView) -> Iterator[BootInstance]:
    """The machines of a cloud as `ports.Provider` shows it, each as its group promises. Node names are instance ids."""
    for group in view.groups:
        for instance in group.instances:
            if instance.state is not InstanceState.TERMINATING:
                zone = {_ZONE: instance.zone} if instance.zone else {}
                yield BootInstance(
                    id=instance.id,
                    provider_id=instance.provider_id,
                    node_name=instance.id,
                    allocatable=group.allocatable,
                    devices=group.devices,
                    labels={**group.labels, **zone},
                    taints=group.taints,
                )


class CloudBoot(Worker):
    """A context manager that keeps an embedded cluster's nodes as a cloud's instances are.

    `list_instances` is asked every `poll_s`; when it raises, it is asked again later. `boot_s` is from the first sight
    of an instance to its Node, `devices_s` from there to its devices, which also wait for the node's DaemonSet pods;
    both differ by up to a quarter, decided by `seed` and the order of arrival.
    """

    def __init__(
        self,
        cluster: EmbeddedCluster,
        list_instances: Callable[[], Iterable[BootInstance]],
        *,
        boot_s: float = 1.0,
        devices_s: float = 1.0,
        poll_s: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__("cloud boot", cluster.store)
        self._list_instances = list_instances
        self._boot_s, self._devices_s, self._poll_s, self._seed = boot_s, devices_s, poll_s, seed
        self._machines: dict[str, _Machine] = {}
        self._seen = 0
        self._next_poll_s = 0.0
        self._mirror = Mirror(cluster.store)
        self._daemon_sets = DaemonSets(cluster.store, self._mirror)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self.error is not None and error is None:
            raise self.error

    def turn(self) -> None:
        """Look at the cloud if it is time, and let the machines go on."""
        now_s = time.monotonic()
        if now_s >= self._next_poll_s:
            self._poll(now_s)
            self._next_poll_s = time.monotonic() + self._poll_s
        for machine in self._machines.values():
            if not machine.registered and now_s >= machine.boots_at_s:
                self._store.create("nodes", admitted("nodes", _node(machine.instance)))
                machine.registered = True
            elif machine.registered and not machine.complete and now_s >= machine.devices_at_s:
                self._mirror.catch_up()
                if self._daemon_sets.complete(machine.instance.node_name):
                    self._add_devices(machine.instance)
                    machine.complete = True
        self._stopped.wait(0.02)

    def _poll(self, now_s: float) -> None:
        try:
            instances = {instance.id: instance for instance in self._list_instances()}
        except Exception as error:  # noqa: BLE001 - a cloud may fail in any way, and is asked again
            _log.warning("the cloud does not answer: %s", error)
            return
        for name, instance in instances.items():
            if name not in self._machines:
                lot = Random(f"{self._seed}/{self._seen}")  # noqa: S311 - delays of a simulation
                self._seen += 1
                boots_at_s = now_s + self._boot_s * lot.uniform(0.75, 1.25)
                devices_at_s = boots_at_s + self._devices_s * lot.uniform(0.75, 1.25)
                self._machines[name] = _Machine(instance, boots_at_s, devices_at_s)
        for name in [name for name in self._machines if name not in instances]:
            machine = self._machines.pop(name)
            if machine.registered:
                try:
                    end_node(self._store, machine.instance.node_name)
                except Refused:  # somebody deleted it before
                    continue

    def _add_devices(self, instance: BootInstance) -> None:
        amounts = _quantities(instance.allocatable)

        def change(node: Json) -> Json:
            return {**node, "status": {**node["status"], "capacity": amounts, "allocatable": amounts}}

        try:
            self._store.update("nodes", instance.node_name, change)
        except Refused:  # somebody deleted it before
            return


@dataclass(slots=True)
class _Machine:
    instance: BootInstance
    boots_at_s: float
    devices_at_s: float
    registered: bool = False
    complete: bool = False


def _node(instance: BootInstance) -> Json:
    """The Node as the kubelet registers it: ready, and without devices."""
    there = {n: a for n, a in instance.allocatable.amounts.items() if n not in instance.devices}
    amounts = _quantities(Resources(there))
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now_text()}
    return {
        "metadata": {"name": instance.node_name, "labels": {_HOSTNAME: instance.node_name, **instance.labels}},
        "spec": {
            "providerID": instance.provider_id,
            "taints": [{"key": t.key, "value": t.value, "effect": t.effect} for t in instance.taints],
        },
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready]},
    }


def _quantities(resources: Resources) -> dict[str, str]:
    amounts = {name: f"{amount}m" if name == "cpu" else str(amount) for name, amount in resources.amounts.items()}
    return {"pods": "110", **amounts}
