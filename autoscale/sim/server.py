"""The embedded API server: HTTP/1.1 on loopback in front of an `ObjectStore`."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

import msgspec

from autoscale.sim.evicting import evict
from autoscale.sim.faults import HANG_UP, Faults
from autoscale.sim.patching import patched
from autoscale.sim.refusals import Refused
from autoscale.sim.rules import KINDS, NAMESPACED, admitted, bind, changed, end_pod
from autoscale.sim.selecting import selector
from autoscale.sim.watching import watch

if TYPE_CHECKING:
    from autoscale.sim.objects import Json, ObjectStore

_log = logging.getLogger(__name__)
_ROOTS = {
    "/api/v1/": ("pods", "nodes", "events", "namespaces", "configmaps"),
    "/apis/apps/v1/": ("daemonsets",),
    "/apis/policy/v1/": ("poddisruptionbudgets",),
}
_VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.0-embedded", "platform": "python"}
_LISTS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a collection, or with `name` one object, or a part of it."""

    resource: str
    namespace: str = ""
    name: str = ""
    part: str = ""

    @property
    def key(self) -> str:
        """The object's key in the store."""
        return f"{self.namespace}/{self.name}" if self.resource in NAMESPACED else self.name


class ApiServer(ThreadingHTTPServer):
    """Serves from `start` to `stop`, on a free port of loopback."""

    daemon_threads = False  # so that `stop` waits for all of them
    request_queue_size = 128

    def __init__(self, store: ObjectStore, faults: Faults, *, bookmark_s: float = 60.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = store
        self.faults = faults
        self.bookmark_s = bookmark_s
        self.requests: list[tuple[str, str]] = []  # (method, path with query), for whoever wants to know
        self._lists: OrderedDict[str, tuple[int, list[Json]]] = OrderedDict()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="api server")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Cut all connections, end all threads."""
        self.store.close()
        self.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # closed by the other side
                    continue
        self.server_close()

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection, to cut it when we stop."""
        with self._lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._connections.discard(connection)

    def page(self, version: int, items: list[Json], limit: int) -> tuple[list[Json], str]:
        """The first `limit` items and a token for the rest, empty when there is none."""
        if not limit or len(items) <= limit:
            return items, ""
        with self._lock:
            token = f"{version}.{len(items) - limit}.{id(items):x}"
            self._lists[token] = (version, items[limit:])
            while len(self._lists) > _LISTS_KEPT:
                self._lists.popitem(last=False)
        return items[:limit], token

    def rest(self, token: str) -> tuple[int, list[Json]]:
        """What a token stands for. Refused with 410 when it was too long ago."""
        with self._lock:
            found = self._lists.pop(token, None)
        if found is None or self.store.forgot(found[0]):
            raise Refused(410, "The provided continue parameter is too old to display a consistent list result")
        return found

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """Clients may go away whenever they like; anything else is a defect of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            _log.exception("the embedded API server failed on a request of %s", client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def api(self) -> ApiServer:
        return cast("ApiServer", self.server)

    def setup(self) -> None:
        super().setup()
        self.api.opened(self.connection)

    def finish(self) -> None:
        self.api.closed(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing; whoever wants to know reads `requests`."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.api.requests.append((self.command, self.path))
        fault = self.api.faults.take(self.command, url.path)
        if fault == HANG_UP:
            self.close_connection = True
            return
        try:
            if fault:
                self._answer(fault, Refused(fault, "refused on purpose").status)
            elif url.path in ("/version", "/healthz", "/readyz", "/livez"):
                self._answer(200, _VERSION)
            elif self.command == "GET" and query.get("watch") in ("1", "true"):
                self._watch(_target(url.path), query)
            else:
                self._answer(201 if self.command == "POST" else 200, self._do(_target(url.path), query, body))
        except Refused as refused:
            self._answer(refused.code, refused.status)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the base class's names

    def _do(self, target: Target, query: dict[str, str], body: bytes) -> Json:
        store = self.api.store
        match self.command, bool(target.name):
            case "GET", True:
                return store.get(target.resource, target.key)
            case "GET", False:
                return self._list(target, query)
            case "POST", False:
                return self._create(target, _json(body))
            case "POST", True if target.part == "binding":
                bind(store, target.key, str(_json(body)["target"]["name"]))
                return {"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201}
            case "POST", True if target.part == "eviction":
                return evict(store, target.key, _json(body))
            case "PATCH", True if target.part in ("", "status"):
                return self._patch(target, body)
            case "DELETE", True:
                grace = (_json(body) if body else {}).get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
                if target.resource == "pods":
                    return end_pod(store, target.key, grace_s=None if grace is None else int(grace))
                return store.delete(target.resource, target.key)
        raise Refused(405, f"the server does not allow this method on the requested resource: {self.command}")

    def _create(self, target: Target, obj: Json) -> Json:
        meta = dict(obj.get("metadata") or {})
        if target.resource in NAMESPACED:
            meta["namespace"] = target.namespace or "default"
            self.api.store.get("namespaces", meta["namespace"])
        return self.api.store.create(target.resource, admitted(target.resource, {**obj, "metadata": meta}))

    def _patch(self, target: Target, body: bytes) -> Json:
        content_type = self.headers.get("Content-Type", "")
        patch = _json(body)

        def change(was: Json) -> Json:
            now = patched(was, patch, content_type)
            return changed(target.resource, was, now, status_only=target.part == "status")

        return self.api.store.update(target.resource, target.key, change)

    def _list(self, target: Target, query: dict[str, str]) -> Json:
        if query.get("continue"):
            version, items = self.api.rest(query["continue"])
        else:
            version, items = self.api.store.all(target.resource)
            selects = selector(query.get("fieldSelector", ""), query.get("labelSelector", ""), target.namespace)
            items = [item for item in items if selects(item)]
        items, token = self.api.page(version, items, int(query.get("limit") or 0))
        api_version, kind = KINDS[target.resource]
        meta = {"resourceVersion": str(version), **({"continue": token} if token else {})}
        return {"kind": f"{kind}List", "apiVersion": api_version, "metadata": meta, "items": items}

    def _watch(self, target: Target, query: dict[str, str]) -> None:
        selects = selector(query.get("fieldSelector", ""), query.get("labelSelector", ""), target.namespace)
        api = self.api
        lines = watch(api.store, api.faults, target.resource, query, selects, bookmark_s=api.bookmark_s)
        first = next(lines)  # opens it, or is refused with 410 before anything was answered
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        self._chunk(first)
        for line in lines:
            self._chunk(line)
            if not line.endswith(b"\n"):
                return  # cut off in the middle: no end of the chunks either
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _answer(self, code: int, body: Json) -> None:
        data = msgspec.json.encode(body)
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _target(path: str) -> Target:
    """What a path names. Refused with 404 when it is nothing of ours."""
    for root, resources in _ROOTS.items():
        if not path.startswith(root):
            continue
        namespace, *rest = "", *path.removeprefix(root).split("/")
        if rest[0] == "namespaces" and len(rest) > 2:
            _, namespace, *rest = rest
        if rest[0] in resources and len(rest) <= 3:
            return Target(rest[0], namespace, *rest[1:])
    raise Refused(404, "the server could not find the requested resource")


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise Refused(400, f"the request's body is not JSON: {error}") from None
