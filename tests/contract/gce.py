"""Compute Engine's REST resources for managed instance groups, in memory behind a real HTTP server.

Every body that comes in and every answer that goes out passes through the library's own types, so that a field that
Google does not have can't slip in. Faults are made at the wire by `Rule`s, as for AWS.
"""

import json
import re
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from google.cloud import compute_v1 as compute

from .wire import Rule, answer, take

PROJECT = "demo-project"
_BASE = f"/compute/v1/projects/{PROJECT}"
_ROOT = f"https://www.googleapis.com{_BASE}"
_GROUP = re.compile(
    r"/(?P<kind>zones|regions)/(?P<place>[^/]+)/instanceGroupManagers/(?P<name>[^/]+)(?:/(?P<verb>\w+))?"
)
_TEMPLATE = re.compile(r"/(?:global|regions/[^/]+)/instanceTemplates/[^/]+")
_OPERATIONS = re.compile(r"/(?P<kind>zones|regions)/(?P<place>[^/]+)/operations(?:/(?P<name>[^/]+))?(?:/wait)?")


class RefusedError(Exception):
    """An answer with an error: status, reason, message."""


@dataclass(slots=True)
class Machine:
    """A managed instance. One that could not be created has `error` and no `number`."""

    name: str
    zone: str
    number: int = 0
    action: str = "NONE"
    status: str = "RUNNING"
    error: tuple[str, str] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"{_ROOT}/zones/{self.zone}/instances/{self.name}"


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


class Gce:
    """A context manager. `url` is the address; `actions` are the calls that came, by the permission that each needs."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.actions: list[str] = []
        self.groups: dict[tuple[str, str], Group] = {}
        self.templates: dict[str, compute.InstanceTemplate] = {}
        self.stockouts: dict[str, tuple[str, str]] = {}
        self.operation_errors: list[tuple[str, str]] = []
        self.unreachable: list[str] = []
        self.frozen: dict[str, bytes] | None = None  # while it is a dict, what was read once is read again
        self.slow = False  # machines take for ever to start and to go
        self.page = 500
        self.late = False  # a change takes effect when its operation is waited for
        self._late: dict[str, Any] = {}
        self._operations: dict[str, compute.Operation] = {}
        self._tokens: dict[str, str] = {}
        self._count = 0
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        gce = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                gce.serve(self)

            def do_POST(self) -> None:
                gce.serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reset(self) -> None:
        """An empty project and a whole wire."""
        self.rules.clear()
        self.actions.clear()
        self.groups.clear()
        self.templates.clear()
        self._operations.clear()
        self._tokens.clear()
        self.stockouts.clear()
        self.operation_errors.clear()
        self.unreachable.clear()
        self.frozen = None
        self.slow = self.late = False
        self.page = 500

    # ---- the stage

    def template(self, name: str, machine_type: str, *, region: str = "", **properties: Any) -> str:
        """Create an instance template, give its address."""
        path = f"/{f'regions/{region}' if region else 'global'}/instanceTemplates/{name}"
        self.templates[path] = compute.InstanceTemplate(
            name=name,
            self_link=_ROOT + path,
            properties=compute.InstanceProperties(machine_type=machine_type, **properties),
        )
        return _ROOT + path

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

    def resize_by_hand(self, place: str, name: str, size: int) -> None:
        """As the console does it."""
        with self._lock:
            self._resize(self.groups[place, name], size)

    def restock(self, zone: str) -> None:
        """The zone has machines again, and groups get those that they wait for."""
        with self._lock:
            self.stockouts.pop(zone, None)
            for group in self.groups.values():
                for machine in group.machines.values():
                    if machine.zone == zone and machine.error:
                        self._start(machine)

    # ---- the wire

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request, or do to it what the first rule for its action says."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        address = urllib.parse.urlsplit(handler.path)
        path, query = address.path.removeprefix(_BASE), dict(urllib.parse.parse_qsl(address.query))
        action = _action(path)
        rule = self._take(action)
        if rule and rule.error:
            _refuse(handler, *rule.error)
            return
        with self._lock:
            reading = handler.command == "GET" or path.endswith("/listManagedInstances")
            data = self.frozen.get(handler.path) if reading and self.frozen is not None else None
            try:
                data = data or self._answer(path, query, body).encode()
            except RefusedError as error:
                _refuse(handler, *error.args)
                return
            if reading and self.frozen is not None:
                self.frozen[handler.path] = data
        if rule and rule.lost is not None:
            time.sleep(rule.lost)
            handler.close_connection = True
            handler.connection.close()
            return
        if rule and rule.rewrite:
            data = rule.rewrite(data.decode()).encode()
        answer(handler, 200, {"Content-Type": "application/json"}, data)

    def _take(self, action: str) -> Rule | None:
        with self._lock:
            self.actions.append(action)
            return take(self.rules, action)

    # ---- the server

    def _answer(self, path: str, query: dict[str, str], body: bytes) -> str:
        if path == "/aggregated/instanceGroupManagers":
            return self._list_groups(query)
        if path == "/aggregated/instances":
            return self._list_instances(query)
        if path == "/aggregated/instanceTemplates":
            return self._list_templates(query)
        if _TEMPLATE.fullmatch(path):
            if path not in self.templates:
                raise RefusedError(404, "notFound", f"The resource '{path}' was not found")
            return _json(self.templates[path])
        if match := _OPERATIONS.fullmatch(path):
            return self._operation(match["kind"], match["place"], match["name"])
        match = _GROUP.fullmatch(path)
        group = self.groups.get((match["place"], match["name"])) if match else None
        if match is None or group is None:
            raise RefusedError(404, "notFound", f"The resource '{path}' was not found")
        match match["verb"]:
            case None:
                return _json(_manager(group))
            case "listManagedInstances":
                page, token = self._page(list(group.machines.values()), query)
                listed = compute.InstanceGroupManagersListManagedInstancesResponse(
                    managed_instances=[_managed(each) for each in page], next_page_token=token
                )
                return _json(listed)
            case "createInstances":
                kind = (
                    compute.InstanceGroupManagersCreateInstancesRequest
                    if match["kind"] == "zones"
                    else compute.RegionInstanceGroupManagersCreateInstancesRequest
                )
                names = [each.name for each in kind.from_json(body, ignore_unknown_fields=False).instances]
                return self._write(group, query, lambda: self._create(group, names))
            case "deleteInstances":
                gone = (
                    compute.InstanceGroupManagersDeleteInstancesRequest
                    if match["kind"] == "zones"
                    else compute.RegionInstanceGroupManagersDeleteInstancesRequest
                ).from_json(body, ignore_unknown_fields=False)
                urls, skip = list(gone.instances), gone.skip_instances_on_validation_error
                return self._write(group, query, lambda: self._delete(group, urls, skip=skip))
            case "resize":
                return self._write(group, query, lambda: self._resize(group, int(query["size"])))
        raise RefusedError(404, "notFound", path)

    def _write(self, group: Group, query: dict[str, str], act: Any) -> str:
        """Do it once for each token, and answer with a running operation."""
        token = query.get("requestId", "")
        if token in self._tokens:
            return _json(self._operations[self._tokens[token]])
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
            target_link=f"{_ROOT}/{_kind(group.place)}/{group.place}/instanceGroupManagers/{group.name}",
            error=compute.Error(errors=errors) if errors else None,
        )
        if token:
            self._tokens[token] = name
        return _json(compute.Operation(name=name, status=compute.Operation.Status.RUNNING))

    def _operation(self, kind: str, place: str, name: str | None) -> str:
        if name is None:
            open_ = [
                each
                for each in self._operations.values()
                if each.status != compute.Operation.Status.DONE and f"/{kind}/{place}/" in each.target_link
            ]
            return _json(compute.OperationList(items=open_))
        if name not in self._operations:
            raise RefusedError(404, "notFound", f"The resource '{name}' was not found")
        while name in self._late:  # one after the other, in the order in which they came
            self._late.pop(next(iter(self._late)))()
        done: Any = self._operations[name]
        done.status = "DONE"
        return _json(self._operations[name])

    def _create(self, group: Group, names: list[str]) -> None:
        if there := [name for name in names if name in group.machines]:
            raise RefusedError(409, "alreadyExists", f"The instance {there[0]} already exists")
        for name in names:
            self._count += 1
            machine = Machine(name, group.zones[len(group.machines) % len(group.zones)])
            group.machines[name] = machine
            if machine.zone in self.stockouts:
                machine.action, machine.status = "CREATING", ""
                machine.error = self.stockouts[machine.zone]
            else:
                self._start(machine)
        group.target += len(names)

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

    def _list_groups(self, query: dict[str, str]) -> str:
        page, token = self._page(list(self.groups.values()), query)
        items: dict[str, compute.InstanceGroupManagersScopedList] = {}
        for group in page:
            scoped = items.setdefault(f"{_kind(group.place)}/{group.place}", compute.InstanceGroupManagersScopedList())
            scoped.instance_group_managers.append(_manager(group))
        return _json(
            compute.InstanceGroupManagerAggregatedList(
                items=items, next_page_token=token, unreachables=self.unreachable
            )
        )

    def _list_instances(self, query: dict[str, str]) -> str:
        machines = [(group, each) for group in self.groups.values() for each in group.machines.values() if each.number]
        page, token = self._page(machines, query)
        items: dict[str, compute.InstancesScopedList] = {}
        for group, machine in page:
            scoped = items.setdefault(f"zones/{machine.zone}", compute.InstancesScopedList())
            maker = f"projects/12345/{_kind(group.place)}/{group.place}/instanceGroupManagers/{group.name}"
            scoped.instances.append(
                compute.Instance(
                    name=machine.name,
                    self_link=machine.url,
                    status=machine.status,
                    metadata=compute.Metadata(items=[compute.Items(key="created-by", value=maker)]),
                )
            )
        return _json(compute.InstanceAggregatedList(items=items, next_page_token=token))

    def _list_templates(self, query: dict[str, str]) -> str:
        page, token = self._page(list(self.templates.items()), query)
        items: dict[str, compute.InstanceTemplatesScopedList] = {}
        for path, template in page:
            scope = path.removeprefix("/").partition("/instanceTemplates/")[0]
            scoped = items.setdefault(scope, compute.InstanceTemplatesScopedList())
            scoped.instance_templates.append(template)
        return _json(compute.InstanceTemplateAggregatedList(items=items, next_page_token=token))

    def _page(self, items: list[Any], query: dict[str, str]) -> tuple[list[Any], str]:
        start = int(query.get("pageToken", 0))
        size = min(int(query.get("maxResults", 500)), self.page)
        return items[start : start + size], str(start + size) if start + size < len(items) else ""


_PERMISSIONS = {
    "instanceGroupManagers": "compute.instanceGroupManagers.list",
    "instances": "compute.instances.list",
    "instanceTemplates": "compute.instanceTemplates.list",
}


def _action(path: str) -> str:
    """The permission that a request needs, as Google's API reference gives it for each method."""
    if path.startswith("/aggregated/"):
        return _PERMISSIONS[path.rpartition("/")[2]]
    if "/instanceTemplates/" in path:
        return "compute.instanceTemplates.get"
    if match := _OPERATIONS.fullmatch(path):
        return f"compute.{match['kind'][:-1]}Operations.{'get' if match['name'] else 'list'}"
    match = _GROUP.fullmatch(path)
    verb = match["verb"] if match else None
    return f"compute.instanceGroupManagers.{'get' if verb in (None, 'listManagedInstances') else verb}"


def permission(action: str) -> str:
    """The right that an action of the wire needs: all changes of a group need the same one."""
    changes = ("createInstances", "deleteInstances", "resize")
    return "compute.instanceGroupManagers.update" if action.rpartition(".")[2] in changes else action


def _kind(place: str) -> str:
    return "zones" if re.fullmatch(r"[a-z]+-[a-z]+\d+-[a-z]", place) else "regions"


def _manager(group: Group) -> compute.InstanceGroupManager:
    creating = sum(each.action == "CREATING" for each in group.machines.values())
    deleting = sum(each.action == "DELETING" for each in group.machines.values())
    fields: dict[str, Any] = {
        "name": group.name,
        "base_instance_name": group.name,
        "instance_template": group.template,
        "target_size": group.target,
        _kind(group.place)[:-1]: f"{_ROOT}/{_kind(group.place)}/{group.place}",
        "all_instances_config": {"properties": {"labels": group.labels}},
        "current_actions": {"creating": creating, "deleting": deleting},
        "distribution_policy": {"zones": [{"zone": f"{_ROOT}/zones/{zone}"} for zone in group.zones]},
    }
    return compute.InstanceGroupManager({**fields, **group.more})


def _managed(machine: Machine) -> compute.ManagedInstance:
    fields: dict[str, Any] = {"instance": machine.url, "name": machine.name, "current_action": machine.action}
    if machine.number:
        fields |= {"id": machine.number, "instance_status": machine.status}
    if machine.error:
        code, message = machine.error
        fields["last_attempt"] = {"errors": {"errors": [{"code": code, "message": message}]}}
    return compute.ManagedInstance(fields)


def _json(message: Any) -> str:
    """As the wire has it: enums by name, and nothing that is not set."""
    kind: Any = type(message)
    text: str = kind.to_json(message, use_integers_for_enums=False, always_print_fields_with_no_presence=False)
    return text


def _refuse(handler: BaseHTTPRequestHandler, status: int, reason: str, message: str) -> None:
    error = {"code": status, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}
    answer(handler, status, {"Content-Type": "application/json"}, json.dumps({"error": error}).encode())
