"""A moto server behind a proxy that can lose, refuse and rewrite what passes: faults at the wire, not in our code."""

import re
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import urllib3
from moto.server import ThreadedMotoServer

_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")
_HOP = {"transfer-encoding", "connection", "content-length", "server", "date"}


@dataclass(slots=True)
class Rule:
    """What becomes of the next `times` requests of an action.

    `error` (status, code, message) answers in the server's place. `rewrite` changes the server's answer. `lost` lets the
    server act, and then hangs up (0) or keeps silent for as many seconds. The first `after` requests pass untouched.
    """

    action: str
    times: int = 1
    after: int = 0
    error: tuple[int, str, str] | None = None
    rewrite: Callable[[str], str] | None = None
    lost: float | None = None


def take(rules: list[Rule], action: str) -> Rule | None:
    """The rule for this request of the action, used up by one."""
    for rule in rules:
        if rule.action != action or not rule.times:
            continue
        if rule.after:
            rule.after -= 1
            continue
        rule.times -= 1
        return rule
    return None


class Wire:
    """A context manager. `url` is the proxy; `actions` are the requests that came, as `service:Action`."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.frozen: dict[bytes, tuple[int, dict[str, str], bytes]] | None = None  # what was read once is read again
        self.actions: list[str] = []
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(maxsize=16)

    def __enter__(self) -> Self:
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._moto.start()
        self.moto_url = "http://{}:{}".format(*self._moto.get_host_and_port())
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                wire.serve(self)

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
        self._moto.stop()
        self._pool.clear()

    def reset(self) -> None:
        """Forget all groups, rules and requests."""
        self._pool.request("POST", f"{self.moto_url}/moto-api/reset")
        self.rules.clear()
        self.actions.clear()
        self.frozen = None

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass one request on, or do to it what the first rule for its action says."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        action = urllib.parse.parse_qs(body.decode()).get("Action", [""])[0]
        service = _SERVICE.search(handler.headers.get("Authorization", ""))
        rule = self._take(action, service["service"] if service else "?")
        if rule and rule.error:
            status, code, message = rule.error
            text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            answer(handler, status, {"Content-Type": "text/xml"}, text.encode())
            return
        if self.frozen is not None and body in self.frozen:
            answer(handler, *self.frozen[body])
            return
        headers = {key: value for key, value in handler.headers.items() if key.lower() not in _HOP}
        response = self._pool.request("POST", self.moto_url + handler.path, body=body, headers=headers, retries=False)
        data = response.data
        if rule and rule.lost is not None:
            time.sleep(rule.lost)
            handler.close_connection = True
            handler.connection.close()
            return
        if rule and rule.rewrite:
            data = rule.rewrite(data.decode()).encode()
        kept = {key: value for key, value in response.headers.items() if key.lower() not in _HOP}
        if self.frozen is not None and action.startswith("Describe"):
            self.frozen[body] = (response.status, kept, data)
        answer(handler, response.status, kept, data)

    def _take(self, action: str, service: str) -> Rule | None:
        with self._lock:
            self.actions.append(f"{service}:{action}")
            return take(self.rules, action)


def answer(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], data: bytes) -> None:
    """Send an answer."""
    handler.send_response(status)
    for key, value in headers.items():
        handler.send_header(key, value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
