"""A Kubernetes API server as a cloud: JSON in, JSON out, every wait bounded. For providers whose machines are objects there.

Finding the cluster and signing in to it is the `kubernetes` package's, which knows kubeconfigs, exec plugins and pods.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3

from autoscale.model.sentence import one_line
from autoscale.model.supply import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json = dict[str, Any]
MERGE = "application/merge-patch+json"
_PAGE = 500
_PAUSES_S = (0.2, 0.6)  # between the three tries of a read
_CONNECT_S = 3.0
_CONNECTIONS = 8
_DEFAULT = "~/.kube/config"

_KINDS = {
    401: (FaultKind.DENIED, "Unauthorized"),
    403: (FaultKind.DENIED, "Forbidden"),
    404: (FaultKind.NOT_FOUND, "NotFound"),
    409: (FaultKind.OTHER, "Conflict"),
    429: (FaultKind.THROTTLED, "TooManyRequests"),
}

# What infrastructure says in sentences, whoever passes them on: pattern -> kind, code. First match counts.
_SENTENCES = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, code)
    for pattern, kind, code in (
        (
            (
                r"insufficientinstancecapacity|resource_pool_exhausted|stockout|out of (capacity|stock|hosts)"
                r"|insufficient (capacity|resources)|(no|not enough) (available |free )?(hosts?|capacity|resources)"
                r"|allocationfailed|skunotavailable|no valid host"
            ),
            FaultKind.NO_CAPACITY,
            "InsufficientCapacity",
        ),
        (r"quota|limit ?exceeded|vcpulimit", FaultKind.QUOTA, "QuotaExceeded"),
        (r"rate exceeded|throttl|too many requests", FaultKind.THROTTLED, "TooManyRequests"),
        (r"unauthorized|not authorized|access ?denied|forbidden|permission", FaultKind.DENIED, "Forbidden"),
        (r"(image|template|ami|network|subnet|flavor).*(not found|does not exist)", FaultKind.BAD_TEMPLATE, "NotFound"),
    )
)


class KubeError(Exception):
    """A call that failed. `status` is 0 when no answer came; then, and above 500, it may have taken effect."""

    def __init__(self, status: int, message: str, *, writing: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.writing = writing
        self.message = message

    @property
    def ambiguous(self) -> bool:
        """Whether the call may have taken effect all the same."""
        return self.status == 0 or self.status >= 500

    @property
    def passing(self) -> bool:
        """Whether asking again may help."""
        return self.ambiguous or self.status == 429

    def fault(self, *, group: str = "", at_s: int, doing: str) -> Fault:
        """As data. `doing` is verb and resource, such as `patch machines`."""
        kind, code = _KINDS.get(self.status, (FaultKind.OTHER, "InternalFailure" if self.status else "Unreachable"))
        if 400 <= self.status < 500 and kind in (FaultKind.OTHER, FaultKind.DENIED):
            told = classify(self.message)  # an admission webhook says in a sentence why
            kind, code = told if told and told[0] != FaultKind.DENIED else (kind, code)
            if (kind, code) == (FaultKind.OTHER, "InternalFailure"):
                code = "Invalid"
        maybe = self.writing and self.ambiguous and kind == FaultKind.OTHER
        return Fault(group, kind, code, f"{doing}: {one_line(self.message)}", at_s, maybe_applied=maybe)


def classify(sentence: str) -> tuple[FaultKind, str] | None:
    """What kind of no a sentence is, with a code; None for one that says nothing we know."""
    return next(((kind, code) for pattern, kind, code in _SENTENCES if pattern.search(sentence)), None)


class KubernetesApi:
    """An API server. A read is tried three times, a write is sent once. Safe to share between threads.

    kubeconfig, context: empty means `$KUBECONFIG`, `~/.kube/config`, or the service account of the pod we run in.
    """

    def __init__(
        self, *, kubeconfig: str, context: str, read_timeout_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._read_timeout_s = read_timeout_s
        self._sleep = sleep
        self._signing = threading.Lock()

    def get(self, path: str, **query: str) -> Json:
        """Read one object or page."""
        for pause_s in _PAUSES_S:
            try:
                return self._send("GET", path, query=query)
            except KubeError as error:
                if not error.passing:
                    raise
                self._sleep(pause_s)
        return self._send("GET", path, query=query)

    def items(self, path: str, **query: str) -> list[Json]:
        """Read all objects of a list, page by page; begun anew when the list went stale in between."""
        found: list[Json] = []
        token = ""
        while True:
            more = {"continue": token} if token else {}
            try:
                page = self.get(path, limit=str(_PAGE), **query, **more)
            except KubeError as error:
                if error.status != 410 or not token:
                    raise
                found, token = [], ""
                continue
            found += page.get("items") or []
            token = page.get("metadata", {}).get("continue", "")
            if not token:
                return found

    def merge(self, path: str, body: Json) -> Json:
        """Change one object. A `metadata.resourceVersion` in it makes the change one of that version only."""
        return self._send("PATCH", path, body=body, content_type=MERGE)

    def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection."""
        return self._send("POST", path, body=body)

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._send("DELETE", path)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Json:
        pool, host, configuration = self._connection
        with self._signing:
            token = configuration.auth_settings().get("BearerToken") or {}
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "gpu-autoscale"}
        if token.get("value"):
            headers["Authorization"] = token["value"]
        try:
            response = pool.request(
                method,
                host.rstrip("/") + path + (f"?{urlencode(query)}" if query else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=self._read_timeout_s),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubeError(0, "no answer from the API server", writing=method != "GET") from error
        if response.status >= 300:
            raise KubeError(response.status, _message(response), writing=method != "GET")
        try:
            decoded: Json = json.loads(response.data)
        except ValueError as error:
            raise KubeError(502, "the answer can't be parsed", writing=method != "GET") from error
        return decoded

    @cached_property
    def _connection(self) -> tuple[urllib3.PoolManager, str, Any]:
        import kubernetes.client
        import kubernetes.config
        from kubernetes.client.rest import RESTClientObject

        config: Any = kubernetes.config  # its functions have no types
        configuration = kubernetes.client.Configuration()
        configuration.connection_pool_maxsize = _CONNECTIONS
        named = self._kubeconfig or os.environ.get("KUBECONFIG", "")
        try:
            if named or Path(_DEFAULT).expanduser().exists():
                config.load_kube_config(
                    config_file=named or None, context=self._context or None, client_configuration=configuration
                )
            else:
                config.load_incluster_config(client_configuration=configuration)
        except (kubernetes.config.ConfigException, OSError, ValueError, TypeError, KeyError) as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise KubeError(401, f"no cluster to sign in to ({text.rstrip('.')})") from error
        return RESTClientObject(configuration).pool_manager, configuration.host, configuration


def _message(response: urllib3.BaseHTTPResponse) -> str:
    try:
        text = str(json.loads(response.data)["message"])
    except (ValueError, KeyError, TypeError):
        text = response.reason or f"HTTP {response.status}"
    return " ".join(text.split()).rstrip(".")
