"""Compute Engine's REST resources for managed instance groups, in memory behind a real HTTP server.

Every body that comes in and every answer that goes out passes through the library's own types, so that a field that
Google does not have can't slip in. Faults are made at the wire by `Rule`s, as for AWS.
"""

import json
import re
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler
from typing import Any

from google.cloud import compute_v1 as compute

from tests.serving import Served, answer, hang_up, received

from .gce_messages import BASE, instance_of, json_of, kind_of, managed_of, manager_of
from .gce_project import Project, RefusedError
from .wire import Rule, take

_GROUP = re.compile(
    r"/(?P<kind>zones|regions)/(?P<place>[^/]+)/instanceGroupManagers/(?P<name>[^/]+)(?:/(?P<verb>\w+)(?:/(?P<request>[^/]+)/cancel)?)?"
)
_GROUPS = re.compile(r"/zones/(?P<place>[^/]+)/instanceGroupManagers")
_TEMPLATE = re.compile(r"/(?:global|regions/[^/]+)/instanceTemplates/[^/]+")
_REGION = re.compile(r"/regions/(?P<region>[^/]+)")
_TEMPLATES = "/global/instanceTemplates"
_OPERATIONS = re.compile(
    r"/(?P<kind>zones|regions|global)(?:(?<!global)/(?P<place>[^/]+))?/operations(?:/(?P<name>[^/]+))?(?:/wait)?"
)


class Gce(Project, Served):
    """A context manager. `url` is the address; `actions` are the calls that came, by the permission that each needs."""

    def __init__(self) -> None:
        super().__init__()
        self.rules: list[Rule] = []
        self.actions: list[str] = []
        self.frozen: dict[str, bytes] | None = None  # while it is a dict, what was read once is read again
        self.page = 500

    def reset(self) -> None:
        """An empty project and a whole wire."""
        super().reset()
        self.rules.clear()
        self.actions.clear()
        self.frozen = None
        self.page = 500

    # ---- the wire

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request, or do to it what the first rule for its action says."""
        body = received(handler)
        address = urllib.parse.urlsplit(handler.path)
        path, query = address.path.removeprefix(BASE), dict(urllib.parse.parse_qsl(address.query))
        action = _action(path, handler.command)
        rule = self._take(action)
        if rule and rule.error:
            _refuse(handler, *rule.error)
            return
        with self._lock:
            reading = handler.command == "GET" or path.endswith("/listManagedInstances")
            data = self.frozen.get(handler.path) if reading and self.frozen is not None else None
            try:
                data = data or self._answer(path, query, body, handler.command).encode()
            except RefusedError as error:
                _refuse(handler, *error.args)
                return
            if reading and self.frozen is not None:
                self.frozen[handler.path] = data
        if rule and rule.lost is not None:
            time.sleep(rule.lost)
            hang_up(handler)
            return
        if rule and rule.rewrite:
            data = rule.rewrite(data.decode()).encode()
        answer(handler, 200, {"Content-Type": "application/json"}, data)

    def _take(self, action: str) -> Rule | None:
        with self._lock:
            self.actions.append(action)
            return take(self.rules, action)

    # ---- the server

    def _answer(self, path: str, query: dict[str, str], body: bytes, method: str) -> str:
        if path == "/aggregated/instanceGroupManagers":
            return self._list_groups(query)
        if path == "/aggregated/instances":
            return self._list_instances(query)
        if path == "/aggregated/instanceTemplates":
            return self._list_templates(query)
        if path == "/aggregated/reservations":
            for each in self.reservations:
                each.specific_reservation.in_use_count = self.used(each)
            scoped = {"zones/all": compute.ReservationsScopedList(reservations=self.reservations)}
            return json_of(compute.ReservationAggregatedList(items=scoped))
        if match := _REGION.fullmatch(path):
            told = [compute.Quota(metric=name, limit=most, usage=used) for name, (most, used) in self.quotas.items()]
            return json_of(compute.Region(name=match["region"], quotas=told))
        if path == _TEMPLATES:
            template = compute.InstanceTemplate.from_json(body, ignore_unknown_fields=False)
            return self._write(path, query, lambda: self._insert_template(template))
        if match := _GROUPS.fullmatch(path):
            manager = compute.InstanceGroupManager.from_json(body, ignore_unknown_fields=False)
            place = match["place"]
            return self._write(f"/zones/{place}", query, lambda: self._insert_group(place, manager))
        if _TEMPLATE.fullmatch(path) and method == "DELETE" and path in self.templates:
            return self._write(path, query, lambda: self._delete_template(path))
        if _TEMPLATE.fullmatch(path):
            if path not in self.templates:
                raise RefusedError(404, "notFound", f"The resource '{path}' was not found")
            return json_of(self.templates[path])
        if match := _OPERATIONS.fullmatch(path):
            return self._operation(match["kind"], match["place"], match["name"])
        match = _GROUP.fullmatch(path)
        group = self.groups.get((match["place"], match["name"])) if match else None
        if match is None or group is None:
            raise RefusedError(404, "notFound", f"The resource '{path}' was not found")
        match match["verb"]:
            case None if method == "DELETE":
                return self._write(f"/zones/{group.place}", query, lambda: self._delete_group(group))
            case None:
                return json_of(manager_of(group))
            case "listManagedInstances":
                page, token = self._page(list(group.machines.values()), query)
                listed = compute.InstanceGroupManagersListManagedInstancesResponse(
                    managed_instances=[managed_of(each) for each in page], next_page_token=token
                )
                return json_of(listed)
            case "createInstances":
                kind = (
                    compute.InstanceGroupManagersCreateInstancesRequest
                    if match["kind"] == "zones"
                    else compute.RegionInstanceGroupManagersCreateInstancesRequest
                )
                names = [each.name for each in kind.from_json(body, ignore_unknown_fields=False).instances]
                return self._write(
                    f"/{kind_of(group.place)}/{group.place}/instanceGroupManagers/{group.name}",
                    query,
                    lambda: self._create(group, names),
                )
            case "deleteInstances":
                gone = (
                    compute.InstanceGroupManagersDeleteInstancesRequest
                    if match["kind"] == "zones"
                    else compute.RegionInstanceGroupManagersDeleteInstancesRequest
                ).from_json(body, ignore_unknown_fields=False)
                urls, skip = list(gone.instances), gone.skip_instances_on_validation_error
                return self._write(
                    f"/{kind_of(group.place)}/{group.place}/instanceGroupManagers/{group.name}",
                    query,
                    lambda: self._delete(group, urls, skip=skip),
                )
            case "resizeRequests" if method == "GET":
                found = compute.InstanceGroupManagerResizeRequestsListResponse(items=list(group.requests.values()))
                return json_of(found)
            case "resizeRequests" if match["request"]:
                return self._write(path, query, lambda: self._unqueue(group, match["request"]))
            case "resizeRequests":
                wanted = compute.InstanceGroupManagerResizeRequest.from_json(body, ignore_unknown_fields=False)
                return self._write(path, query, lambda: self._queue(group, wanted))
            case "resize":
                return self._write(
                    f"/{kind_of(group.place)}/{group.place}/instanceGroupManagers/{group.name}",
                    query,
                    lambda: self._resize(group, int(query["size"])),
                )
        raise RefusedError(404, "notFound", path)

    def _list_groups(self, query: dict[str, str]) -> str:
        page, token = self._page(list(self.groups.values()), query)
        items: dict[str, compute.InstanceGroupManagersScopedList] = {}
        for group in page:
            scoped = items.setdefault(
                f"{kind_of(group.place)}/{group.place}", compute.InstanceGroupManagersScopedList()
            )
            scoped.instance_group_managers.append(manager_of(group))
        return json_of(
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
            scoped.instances.append(instance_of(machine, group))
        return json_of(compute.InstanceAggregatedList(items=items, next_page_token=token))

    def _list_templates(self, query: dict[str, str]) -> str:
        page, token = self._page(list(self.templates.items()), query)
        items: dict[str, compute.InstanceTemplatesScopedList] = {}
        for path, template in page:
            scope = path.removeprefix("/").partition("/instanceTemplates/")[0]
            scoped = items.setdefault(scope, compute.InstanceTemplatesScopedList())
            scoped.instance_templates.append(template)
        return json_of(compute.InstanceTemplateAggregatedList(items=items, next_page_token=token))

    def _page(self, items: list[Any], query: dict[str, str]) -> tuple[list[Any], str]:
        start = int(query.get("pageToken", 0))
        size = min(int(query.get("maxResults", 500)), self.page)
        return items[start : start + size], str(start + size) if start + size < len(items) else ""


_READING = (None, "listManagedInstances", "resizeRequests")
_PERMISSIONS = {
    "instanceGroupManagers": "compute.instanceGroupManagers.list",
    "instances": "compute.instances.list",
    "instanceTemplates": "compute.instanceTemplates.list",
    "reservations": "compute.reservations.list",
}


def _action(path: str, method: str) -> str:
    """The permission that a request needs, as Google's API reference gives it for each method."""
    if path.startswith("/aggregated/"):
        return _PERMISSIONS[path.rpartition("/")[2]]
    changes = {"POST": "create", "DELETE": "delete"}
    if path == _TEMPLATES or "/instanceTemplates/" in path:
        return f"compute.instanceTemplates.{changes.get(method, 'get')}"
    if _REGION.fullmatch(path):
        return "compute.regions.get"
    if _GROUPS.fullmatch(path) or (method == "DELETE" and _GROUP.fullmatch(path)):
        return f"compute.instanceGroupManagers.{changes[method]}"
    if match := _OPERATIONS.fullmatch(path):
        return f"compute.{match['kind'].removesuffix('s')}Operations.{'get' if match['name'] else 'list'}"
    match = _GROUP.fullmatch(path)
    verb = match["verb"] if match else None
    if match and verb == "resizeRequests" and method != "GET":
        verb = "cancelResizeRequest" if match["request"] else "insertResizeRequest"
    return f"compute.instanceGroupManagers.{'get' if verb in _READING else verb}"


def permission(action: str) -> str:
    """The right that an action of the wire needs: all changes of a group need the same one."""
    changes = ("createInstances", "deleteInstances", "resize", "insertResizeRequest", "cancelResizeRequest")
    return "compute.instanceGroupManagers.update" if action.rpartition(".")[2] in changes else action


def _refuse(handler: BaseHTTPRequestHandler, status: int, reason: str, message: str) -> None:
    error = {"code": status, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}
    answer(handler, status, {"Content-Type": "application/json"}, json.dumps({"error": error}).encode())
