"""`/metrics` for Prometheus and `/healthz` for the kubelet."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from autoscale.loop import Turn, Witness

STUCK_AFTER_S = 300  # ticks come every minute at the latest, and one that reads slow clouds takes another


class Pulse:
    """A witness that tells whether the loop turns, and passes on what it is told."""

    def __init__(self, other: Witness) -> None:
        self._other = other
        self._turned_s = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether a tick ended a moment ago; one that failed shows life, too."""
        return time.monotonic() - self._turned_s < STUCK_AFTER_S

    def turn(self, turn: Turn) -> None:
        """A tick came to its end."""
        self._turned_s = time.monotonic()
        self._other.turn(turn)

    def failed(self, error: Exception) -> None:
        """A tick did not; the next one tries again."""
        self._turned_s = time.monotonic()
        self._other.failed(error)


def serve(registry: CollectorRegistry, pulse: Pulse, port: int) -> ThreadingHTTPServer:
    """Answer on a thread of its own; port 0 takes any that is free. Raises OSError when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                self._answer(*((200, b"ok\n") if pulse.alive else (503, b"the loop is stuck\n")), "text/plain")
            else:
                self._answer(404, b"there are /metrics and /healthz\n", "text/plain")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Scrapes are not worth a line."""

    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
