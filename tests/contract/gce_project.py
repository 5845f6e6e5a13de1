"""The books of a Google project: groups, machines, templates and operations, and what calls make of them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.cloud import compute_v1 as compute

from .gce_messages import ROOT, json_of


class RefusedError(Exception):
    """An answer with an error: status, reason, message."""


@dataclass(slots=True)
class Machine:
    """A managed instance. One that could not be created has `error` and no `number`.

    `template` is what it was made of; `ends` and `maintained` are times as Google writes them, empty for none.
    """

    name: str
    zone: str
    template: str = ""
    ends: str = ""
    maintained: str = ""
    number: int = 0
    action: str = "NONE"
    status: str = "RUNNING"
    error: tuple[str, str] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"{ROOT}/zones/{self.zone}/instances/{self.name}"


@dataclass(slots=True)
class Group:
    """A managed instance group and its books."""

    name: str
    place: str
    zones: list[str]
    template: str
    labels: dict[str, str]
    target: int = 0
    machines: dict[str, Machine] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    requests: dict[str, compute.InstanceGroupManagerResizeRequest] = field(default_factory=dict)


class Project:
    """What there is, how machines are made and ended, and what a test may decide about it."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, str], Group] = {}
        self.templates: dict[str, compute.InstanceTemplate] = {}
        self.stockouts: dict[str, tuple[str, str]] = {}
        self.left: dict[str, int] = {}  # zone that is about to run out -> machines that it still has
        self.quotas: dict[str, tuple[float, float]] = {}  # metric -> limit and usage, of any region
        self.lifecycle: dict[str, str] = {}  # group that was made -> what it does about machines that fail
        self.reservations: list[compute.Reservation] = []
        self.operation_errors: list[tuple[str, str]] = []
        self.unreachable: list[str] = []
        self.slow = False  # machines take for ever to start and to go
        self.late = False  # a change takes effect when its operation is waited for
        self._late: dict[str, Callable[[], None]] = {}
        self._operations: dict[str, compute.Operation] = {}
        self._tokens: dict[str, str] = {}
        self._count = 0
        self._lock = threading.RLock()

    def reset(self) -> None:
        """An empty project."""
        self.groups.clear()
        self.templates.clear()
        self._operations.clear()
        self._tokens.clear()
        self._late.clear()
        self.stockouts.clear()
        self.left.clear()
        self.quotas.clear()
        self.reservations.clear()
        self.operation_errors.clear()
        self.unreachable.clear()
        self.slow = self.late = False

    def template(self, name: str, machine_type: str, *, region: str = "", **properties: Any) -> str:
        """Create an instance template, give its address."""
        path = f"/{f'regions/{region}' if region else 'global'}/instanceTemplates/{name}"
        self.templates[path] = compute.InstanceTemplate(
            name=name,
            self_link=ROOT + path,
            properties=compute.InstanceProperties(machine_type=machine_type, **properties),
        )
        return ROOT + path

    def group(
        self,
        name: str,
        place: str,
        *,
        template: str,
        nodes: int = 0,
        labels: dict[str, str] | None = None,
        zones: list[str] | None = None,
        **more: Any,
    ) -> Group:
        """Create a group with so many machines. `more` are fields of the resource."""
        with self._lock:
            found = Group(name, place, zones or [place], template, labels or {}, more=more)
            self.groups[place, name] = found
            self._create(found, [f"{name}-{n:04}" for n in range(nodes)])
            return found

    def reserve(self, name: str, zone: str, machine_type: str, count: int, **more: Any) -> None:
        """Reserve machines, which only those get that name it. `more` are fields of the resource."""
        what = {"count": count, "instance_properties": {"machine_type": machine_type}}
        fields = {"name": name, "zone": f"{ROOT}/zones/{zone}", "status": "READY", "specific_reservation": what}
        self.reservations.append(compute.Reservation({**fields, "specific_reservation_required": True, **more}))

    def used(self, reservation: compute.Reservation) -> int:
        """How many of its machines run."""
        return sum(
            machine.number > 0 and machine.zone == reservation.zone.rpartition("/")[2]
            for group in self.groups.values()
            if self._names(group) == reservation.name
            for machine in group.machines.values()
        )

    def _names(self, group: Group) -> str:
        """The reservation that the group's template names."""
        template = self.templates.get(group.template.removeprefix(ROOT))
        template = template or self.templates.get(f"/global/{group.template.partition('/global/')[2]}")
        values = template.properties.reservation_affinity.values if template else []
        return values[0] if values else ""

    def resize_by_hand(self, place: str, name: str, size: int) -> None:
        """As the console does it."""
        with self._lock:
            self._resize(self.groups[place, name], size)

    def restock(self, zone: str) -> None:
        """The zone has machines again, and groups get those that they wait for."""
        with self._lock:
            self.stockouts.pop(zone, None)
            self.left.pop(zone, None)
            for group in self.groups.values():
                for machine in group.machines.values():
                    if machine.zone == zone and machine.error:
                        self._start(machine)

    # ---- changes

    def _write(self, target: str, query: dict[str, str], act: Callable[[], None]) -> str:
        """Do it once for each token, and answer with a running operation."""
        token = query.get("requestId", "")
        if token in self._tokens:
            return json_of(self._operations[self._tokens[token]])
        error = self.operation_errors.pop(0) if self.operation_errors else None
        self._count += 1
        name = f"operation-{self._count}"
        if error is None and self.late:
            self._late[name] = act
        elif error is None:
            act()
        errors = [] if error is None else [compute.Errors(code=error[0], message=error[1])]
        self._operations[name] = compute.Operation(
            name=name,
            status=compute.Operation.Status.RUNNING,
            target_link=ROOT + target,
            error=compute.Error(errors=errors) if errors else None,
        )
        if token:
            self._tokens[token] = name
        zone = "" if "/global/" in target else f"{ROOT}/{'/'.join(target.split('/')[1:3])}"
        return json_of(compute.Operation(name=name, status=compute.Operation.Status.RUNNING, zone=zone or None))

    def _operation(self, kind: str, place: str, name: str | None) -> str:
        if name is None:
            open_ = [
                each
                for each in self._operations.values()
                if each.status != compute.Operation.Status.DONE and f"/{kind}/{place}/" in each.target_link
            ]
            return json_of(compute.OperationList(items=open_))
        if name not in self._operations:
            raise RefusedError(404, "notFound", f"The resource '{name}' was not found")
        while name in self._late:  # one after the other, in the order in which they came
            self._late.pop(next(iter(self._late)))()
        done: Any = self._operations[name]
        done.status = "DONE"
        return json_of(self._operations[name])

    def _insert_template(self, template: compute.InstanceTemplate) -> None:
        path = f"/global/instanceTemplates/{template.name}"
        if path in self.templates:
            raise RefusedError(409, "alreadyExists", f"The resource '{path}' already exists")
        template.self_link = ROOT + path
        self.templates[path] = template

    def _delete_template(self, path: str) -> None:
        if any(group.template.endswith(path) for group in self.groups.values()):
            raise RefusedError(400, "resourceInUseByAnotherResource", f"{path} is already being used by a group")
        del self.templates[path]

    def _insert_group(self, place: str, manager: compute.InstanceGroupManager) -> None:
        if (place, manager.name) in self.groups:
            raise RefusedError(409, "alreadyExists", f"The resource '{manager.name}' already exists")
        if f"/global/{manager.instance_template.partition('/global/')[2]}" not in self.templates:
            raise RefusedError(404, "notFound", f"The resource '{manager.instance_template}' was not found")
        labels = dict(manager.all_instances_config.properties.labels)
        self.lifecycle[manager.name] = manager.instance_lifecycle_policy.default_action_on_failure
        self.group(manager.name, place, template=manager.instance_template, nodes=manager.target_size, labels=labels)

    def _delete_group(self, group: Group) -> None:
        del self.groups[group.place, group.name]

    def _create(self, group: Group, names: list[str]) -> None:
        if there := [name for name in names if name in group.machines]:
            raise RefusedError(409, "alreadyExists", f"The instance {there[0]} already exists")
        for name in names:
            self._count += 1
            machine = Machine(name, group.zones[len(group.machines) % len(group.zones)], group.template)
            group.machines[name] = machine
            if full := [r.name for r in self.reservations if r.name == self._names(group) and self._full(r)]:
                machine.action, machine.status = "CREATING", ""
                machine.error = ("RESERVATION_CAPACITY_EXCEEDED", f"Specified reservation '{full[0]}' has no capacity.")
            elif machine.zone in self.stockouts and not self._take_left(machine.zone):
                machine.action, machine.status = "CREATING", ""
                machine.error = self.stockouts[machine.zone]
            else:
                self._start(machine)
        group.target += len(names)

    def _queue(self, group: Group, request: compute.InstanceGroupManagerResizeRequest) -> None:
        """A resize request waits until `serve_queue`, and the size does not show it."""
        if request.name in group.requests:
            raise RefusedError(409, "alreadyExists", f"The resource '{request.name}' already exists")
        self._count += 1
        request.state = "ACCEPTED"
        request.creation_timestamp = f"2023-11-14T22:13:{self._count % 60:02}.000-08:00"
        group.requests[request.name] = request

    def _unqueue(self, group: Group, name: str) -> None:
        if group.requests[name].state != "ACCEPTED":
            raise RefusedError(400, "invalid", f"The resize request '{name}' can't be cancelled")
        group.requests[name].state = "CANCELLED"

    def serve_queue(self, place: str, name: str) -> None:
        """All that waits is had."""
        with self._lock:
            group = self.groups[place, name]
            for request in group.requests.values():
                if request.state == "ACCEPTED":
                    request.state = "SUCCEEDED"
                    self._create(group, [f"{request.name}-{n}" for n in range(request.resize_by)])

    def fail_queue(self, place: str, name: str, code: str, message: str) -> None:
        """Nothing of what waits will be had."""
        with self._lock:
            for request in self.groups[place, name].requests.values():
                if request.state == "ACCEPTED":
                    request.state = "FAILED"
                    errors = {"errors": [{"code": code, "message": message}]}
                    request.status = compute.InstanceGroupManagerResizeRequestStatus(error=errors)

    def _full(self, reservation: compute.Reservation) -> bool:
        return self.used(reservation) >= reservation.specific_reservation.count

    def _take_left(self, zone: str) -> bool:
        """Whether the zone still had one."""
        left = self.left.get(zone, 0)
        self.left[zone] = max(0, left - 1)
        return left > 0

    def _start(self, machine: Machine) -> None:
        self._count += 1
        machine.number, machine.error = self._count, None
        machine.action, machine.status = ("CREATING", "STAGING") if self.slow else ("NONE", "RUNNING")

    def _delete(self, group: Group, urls: list[str], *, skip: bool) -> None:
        for url in urls:
            machine = group.machines.get(url.rpartition("/")[2])
            if machine is None or machine.url.partition("/zones/")[2] != url.partition("/zones/")[2]:
                if not skip:
                    raise RefusedError(400, "invalid", f"The instance {url} is not a member of the group")
                continue
            if machine.action == "DELETING":
                continue
            group.target -= 1
            if self.slow and machine.number:
                machine.action, machine.status = "DELETING", "STOPPING"
            else:
                del group.machines[machine.name]

    def _resize(self, group: Group, size: int) -> None:
        order = sorted(group.machines.values(), key=lambda each: (each.number == 0, each.number), reverse=True)
        while group.target > size:
            if len(group.machines) >= group.target and order:
                del group.machines[order.pop(0).name]
            group.target -= 1
        if group.target < size:
            self._create(group, [f"{group.name}-r{self._count + n}" for n in range(size - group.target)])
