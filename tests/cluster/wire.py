"""The wire between the engine and the cloud: forwards everything, and does at chosen calls what a test asks for."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from urllib.parse import parse_qs

import urllib3

from tests.serving import Served, answer, received

_HOP = {"connection", "content-length", "host", "transfer-encoding", "keep-alive", "accept-encoding"}


@dataclass(slots=True)
class Call:
    """One call of the query API: its action and parameters, and how many of that action came before it."""

    action: str
    parameters: dict[str, str]
    number: int


Answer = tuple[int, bytes]


@dataclass
class Wire(Served):
    """A context manager in front of a moto server.

    `before` sees each call first and may answer it itself (status, body), so that it never reaches the cloud; `after`
    sees it when the cloud has done it and before the caller gets the answer.
    """

    cloud_url: str
    before: Callable[[Call], Answer | None] = lambda _: None
    after: Callable[[Call], None] = lambda _: None
    calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=16, retries=False))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        super().__exit__(kind, error, _)
        self._pool.clear()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass one call on, as far as `before` lets it."""
        status, data = self._handle(handler.path, dict(handler.headers), received(handler))
        try:
            answer(handler, status, {"Content-Type": "text/xml"}, data)
        except OSError:
            handler.close_connection = True  # the caller was killed meanwhile: what these tests are about

    def made(self, action: str) -> list[Call]:
        """Give the calls of one action, in order."""
        with self._lock:
            return [call for call in self.calls if call.action == action]

    def _handle(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        parameters = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        action = parameters.get("Action", "")
        with self._lock:
            call = Call(action, parameters, sum(c.action == action for c in self.calls))
            self.calls.append(call)
        said = self.before(call)
        if said is not None:
            return said
        forwarded = {key: value for key, value in headers.items() if key.lower() not in _HOP}
        reply = self._pool.request("POST", self.cloud_url + path, body=body, headers=forwarded)
        self.after(call)
        return reply.status, reply.data
