"""An API server behind a proxy that can lose and refuse what passes, and that keeps count of verbs and resources."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Protocol

import urllib3

from tests.serving import HOP, Served, answer, hang_up, received

from .wire import Rule, take

_PATH = re.compile(
    r"/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+(?=/))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/?]+))?(?:/(?P<sub>[a-z]+))?"
)
_VERBS = {"GET": "get", "PATCH": "patch", "POST": "create", "DELETE": "delete"}


class Upstream(Protocol):
    """An API server behind the wire."""

    def ask(self, method: str, address: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Its answer: status, headers, body."""


class RealUpstream:
    """A real one, as one user."""

    def __init__(self, url: str, *, ca: Path, token: str) -> None:
        self._url = url
        self._token = token
        self._pool = urllib3.PoolManager(ca_certs=str(ca), maxsize=16, retries=False)

    def ask(self, method: str, address: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Signed in with the user's token."""
        sent = {key: value for key, value in headers.items() if key.lower() not in {*HOP, "host"}}
        sent["Authorization"] = f"Bearer {self._token}"
        response = self._pool.request(method, self._url + address, body=body, headers=sent)
        kept = {key: value for key, value in response.headers.items() if key.lower() not in HOP}
        return response.status, kept, response.data


class KubeWire(Served):
    """A context manager. `actions` are the requests that came, as `verb resource`, the way that RBAC names them."""

    def __init__(self, upstream: Upstream) -> None:
        self.rules: list[Rule] = []
        self.actions: list[str] = []
        self._upstream = upstream
        self._lock = threading.Lock()

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
        body = received(handler)
        rule = self._take(_action(handler.command, handler.path))
        if rule and rule.error:
            status, reason, message = rule.error
            document = {"kind": "Status", "status": "Failure", "code": status, "reason": reason, "message": message}
            answer(handler, status, {"Content-Type": "application/json"}, json.dumps(document).encode())
            return
        status, kept, data = self._upstream.ask(handler.command, handler.path, dict(handler.headers.items()), body)
        if rule and rule.lost is not None:
            time.sleep(rule.lost)
            hang_up(handler)
            return
        if rule and rule.rewrite:
            data = rule.rewrite(data.decode()).encode()
        answer(handler, status, kept, data)

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
