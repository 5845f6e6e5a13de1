"""An API server behind a proxy that can lose and refuse what passes, and that keeps count of verbs and resources."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

import urllib3

from .wire import Rule, answer, take

_PATH = re.compile(
    r"/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+(?=/))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/?]+))?(?:/(?P<sub>[a-z]+))?"
)
_VERBS = {"GET": "get", "PATCH": "patch", "POST": "create", "DELETE": "delete"}
_HOP = {"transfer-encoding", "connection", "content-length", "server", "date"}


class KubeWire:
    """A context manager. `actions` are the requests that came, as `verb resource`, the way that RBAC names them."""

    def __init__(self, url: str, *, ca: Path, token: str) -> None:
        self.rules: list[Rule] = []
        self.actions: list[str] = []
        self._upstream = url
        self._token = token
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(ca_certs=str(ca), maxsize=16, retries=False)

    def __enter__(self) -> Self:
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                wire.serve(self)

            do_PATCH = do_POST = do_DELETE = do_GET  # noqa: N815 - the base class's names

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
        self._pool.clear()

    def kubeconfig(self, folder: Path, *, token: str) -> Path:
        """A kubeconfig of the proxy. Its token opens nothing: the proxy signs in itself."""
        path = folder / "wire.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "wire", "cluster": {"server": self.url}}],
            "users": [{"name": "wire", "user": {"token": token}}],
            "contexts": [{"name": "wire", "context": {"cluster": "wire", "user": "wire"}}],
            "current-context": "wire",
        }
        path.write_text(json.dumps(config))
        return path

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass one request on, or do to it what the first rule for its action says."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        rule = self._take(_action(handler.command, handler.path))
        if rule and rule.error:
            status, reason, message = rule.error
            document = {"kind": "Status", "status": "Failure", "code": status, "reason": reason, "message": message}
            answer(handler, status, {"Content-Type": "application/json"}, json.dumps(document).encode())
            return
        headers = {key: value for key, value in handler.headers.items() if key.lower() not in {*_HOP, "host"}}
        headers["Authorization"] = f"Bearer {self._token}"
        response = self._pool.request(handler.command, self._upstream + handler.path, body=body, headers=headers)
        if rule and rule.lost is not None:
            time.sleep(rule.lost)
            handler.close_connection = True
            handler.connection.close()
            return
        data = response.data
        if rule and rule.rewrite:
            data = rule.rewrite(data.decode()).encode()
        kept = {key: value for key, value in response.headers.items() if key.lower() not in _HOP}
        answer(handler, response.status, kept, data)

    def _take(self, action: str) -> Rule | None:
        with self._lock:
            self.actions.append(action)
            return take(self.rules, action)


def _action(method: str, path: str) -> str:
    match = _PATH.match(path)
    if match is None:
        return "get discovery"
    verb = "list" if method == "GET" and not match["name"] else _VERBS[method]
    return f"{verb} {match['plural']}" + (f"/{match['sub']}" if match["sub"] else "")
