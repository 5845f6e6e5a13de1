"""The API server over HTTP: one request, one answer as bytes, and every failure as an error of ours.

Retries are for requests that may be sent twice (all of ours are idempotent): a connection that broke, a server that is
busy (429) or starting (5xx). What is left after that is `Unreachable`.
"""

from __future__ import annotations

import random
import re
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
import urllib3

from autoscale import __version__
from autoscale.errors import ClusterError, Conflict, Disallowed, NotFound, Unreachable
from autoscale.model.sentence import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Query = Mapping[str, str | int]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
_BUSY = (429, 500, 502, 503, 504)
_LONGEST_PAUSE_S = 5.0


class Gone(ClusterError):  # noqa: N818 - the HTTP status's own name
    """The version asked for is no longer kept (410): list again."""


class Cause(msgspec.Struct):
    """One of several causes of a refusal."""

    reason: str = ""
    message: str = ""


class Details(msgspec.Struct):
    """What a refusal says beside its message."""

    causes: list[Cause] | None = None


class Status(msgspec.Struct):
    """What the API server says when it refuses: a `Status` object."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: Details | None = None


_OBJECT_IN_FRONT = re.compile(r"^\w+\(host=.*?\): |^<.*?>: ")
_STATUS = msgspec.json.Decoder(Status)


def refusal(status: int, message: str) -> ClusterError:
    """The error that stands for an HTTP status."""
    kinds: dict[int, type[ClusterError]] = {404: NotFound, 409: Conflict, 410: Gone, 422: Conflict}
    if status in (401, 403):
        return Unreachable(f"the API server refused our credentials ({status}): {message}")
    if status in _BUSY:
        return Unreachable(f"the API server is not ready ({status}): {message}")
    return kinds.get(status, ClusterError)(message)


class Stream:
    """The lines of a watch as they come. `close` may be called from another thread and ends the iteration."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Whole lines without their ends. Raises Unreachable when the connection breaks."""
        rest = b""
        try:
            for chunk in self._response.stream(1 << 16, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line for line in lines if line)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"the watch broke off: {_brief(error)}") from error
        finally:
            self._response.close()

    def close(self) -> None:
        """End it. The reader, if it waits for a line, sees the end of the stream."""
        try:
            self._response.shutdown()
        except (OSError, ValueError, RuntimeError):  # over already
            return


class Http:
    """An API server, with the way to sign in to it. Safe to share between threads.

    `headers` is asked before each request, so that a token may be refreshed. `attempts` bounds how often a request is
    sent in all; pauses between them double from `pause_s`, with jitter.
    """

    def __init__(
        self,
        pool: urllib3.PoolManager,
        url: str,
        headers: Callable[[], Mapping[str, str]] = dict,
        *,
        attempts: int = 4,
        pause_s: float = 0.2,
    ) -> None:
        self.url = url.rstrip("/")
        self._shown = re.sub(r"//[^/@]*@", "//", self.url)  # a password in an address is nobody's affair
        self._pool = pool
        self._headers = headers
        self._signing = threading.Lock()
        self._attempts = attempts
        self._pause_s = pause_s

    def get(self, path: str, query: Query | None = None, *, attempts: int | None = None) -> bytes:
        """Read an object or list."""
        return self._call("GET", path, query=query, attempts=attempts)

    def patch(self, path: str, body: Any, *, content_type: str) -> bytes:
        """Change an object; the answer is the object after it."""
        return self._call("PATCH", path, body=msgspec.json.encode(body), content_type=content_type)

    def post(self, path: str, body: Any) -> bytes:
        """Create an object."""
        return self._call("POST", path, body=msgspec.json.encode(body), content_type="application/json")

    def delete(self, path: str, query: Query | None = None) -> bytes:
        """Delete an object, or with a collection's path all that the query selects."""
        return self._call("DELETE", path, query=query)

    def watch(self, path: str, query: Query, *, silence_s: float) -> Stream:
        """Open a watch that breaks off when nothing comes for `silence_s`. Not retried: the caller knows how to go on."""
        response = self._send("GET", path, query={"watch": "1", **query}, silence_s=silence_s, preload=False)
        if response.status == 200:
            return Stream(response)
        try:
            raise refusal(response.status, _message(response.read(), response))
        finally:
            response.close()

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._pool.clear()

    def _call(self, method: str, path: str, *, attempts: int | None = None, **kwargs: Any) -> bytes:
        left = attempts or self._attempts
        pause_s = self._pause_s
        while True:
            left -= 1
            try:
                response = self._send(method, path, **kwargs)
            except Unreachable:
                if not left:
                    raise
                asked_s = 0.0
            else:
                if response.status < 300:
                    return response.data
                if response.status == 429 and (budgets := _budgets(response.data)):
                    raise Disallowed(budgets)
                if response.status not in _BUSY or not left:
                    raise refusal(response.status, _message(response.data, response))
                asked_s = _retry_after_s(response)
            jitter = random.uniform(0.5, 1.5)  # noqa: S311 - nothing secret about a pause
            time.sleep(max(min(asked_s, _LONGEST_PAUSE_S), pause_s * jitter))
            pause_s *= 2

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes | None = None,
        content_type: str = "",
        silence_s: float = READ_TIMEOUT_S,
        preload: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        with self._signing:
            headers = {**self._headers(), "Accept": "application/json", "User-Agent": f"gpu-autoscale/{__version__}"}
        if content_type:
            headers["Content-Type"] = content_type
        address = f"{self.url}{path}"
        if query:
            address += "?" + urlencode(query)
        try:
            return self._pool.request(
                method,
                address,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=silence_s),
                preload_content=preload,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"no answer from the API server at {self._shown}: {_brief(error)}") from error


def _message(body: bytes, response: urllib3.BaseHTTPResponse) -> str:
    try:
        text = _STATUS.decode(body).message
    except msgspec.MsgspecError:
        text = one_line(body[:10_000].decode(errors="replace"))
    return text or response.reason or f"HTTP {response.status}"


def _budgets(body: bytes) -> str:
    """What PodDisruptionBudgets say against an eviction; empty when it is for another reason that the server says no."""
    try:
        said = _STATUS.decode(body)
    except msgspec.MsgspecError:
        return ""
    causes = (said.details and said.details.causes) or ()
    return "; ".join(cause.message or said.message for cause in causes if cause.reason == "DisruptionBudget")


def _retry_after_s(response: urllib3.BaseHTTPResponse) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _brief(error: BaseException) -> str:
    """The cause in the words of whoever knows it best, without urllib3's object in front."""
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        error = error.reason
    if isinstance(error, urllib3.exceptions.ProtocolError) and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    text = _OBJECT_IN_FRONT.sub("", str(error)) or type(error).__name__
    return text.removeprefix("Failed to establish a new connection: ")
