"""The wire between the engine and the cloud: forwards everything, and does at chosen calls what a test asks for."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

import urllib3

_HOP = {"connection", "content-length", "host", "transfer-encoding", "keep-alive", "accept-encoding"}


@dataclass(slots=True)
class Call:
    """One call of the query API: its action and parameters, and how many of that action came before it."""

    action: str
    parameters: dict[str, str]
    number: int


Answer = tuple[int, bytes]


@dataclass(slots=True)
class Wire:
    """A context manager in front of a moto server.

    `before` sees each call first and may answer it itself (status, body), so that it never reaches the cloud; `after`
    sees it when the cloud has done it and before the caller gets the answer.
    """

    cloud_url: str
    before: Callable[[Call], Answer | None] = lambda _: None
    after: Callable[[Call], None] = lambda _: None
    calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None
    _pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=16, retries=False))

    def __enter__(self) -> Self:
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, answer = wire._handle(self.path, dict(self.headers), body)
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "text/xml")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    self.close_connection = True  # the caller was killed meanwhile: what these tests are about

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's own name
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self._pool.clear()

    @property
    def url(self) -> str:
        """Where the engine finds its cloud."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

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
        answer = self.before(call)
        if answer is not None:
            return answer
        forwarded = {key: value for key, value in headers.items() if key.lower() not in _HOP}
        reply = self._pool.request("POST", self.cloud_url + path, body=body, headers=forwarded)
        self.after(call)
        return reply.status, reply.data
