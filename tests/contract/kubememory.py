"""As much of an API server as our providers and their stages use, in memory: for thousands of schedules in minutes.

What an API server really does is tested on a real one; this one has no definitions, no rights and no pages.
"""

import copy
import json
import threading
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.cluster.controlplane import Api, ApiError, Json

_SUBRESOURCES = ("scale", "status")


class KubeMemory:
    """Objects by path. Safe to share between threads."""

    def __init__(self) -> None:
        self._objects: dict[str, Json] = {}
        self._versions = count(1)
        self._lock = threading.RLock()

    def ask(self, method: str, address: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Answer a request as it comes over a wire."""
        url = urlsplit(address)
        try:
            found = self.do(method, url.path, dict(parse_qsl(url.query)), json.loads(body) if body else None)
        except ApiError as error:
            status = {"kind": "Status", "code": error.status, "message": str(error).partition(": ")[2]}
            return error.status, {"Content-Type": "application/json"}, json.dumps(status).encode()
        return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def do(self, method: str, path: str, query: dict[str, str], body: Any = None) -> Json:
        """Do one request. Raises ApiError."""
        with self._lock:
            if method == "GET" and path.count("/") == 2:
                return {"preferredVersion": {"version": "v1beta1"}}
            sub = path.rpartition("/")[2]
            key = path.removesuffix(f"/{sub}") if sub in _SUBRESOURCES else path
            if method == "POST":
                return self._create(path, body)
            if key not in self._objects:
                return self._collection(method, path, query)
            if method == "DELETE":
                return self._objects.pop(key)
            if method == "PATCH":
                self._patch(key, body)
            return copy.deepcopy(self._objects[key])

    def _create(self, collection: str, body: Json) -> Json:
        key = f"{collection}/{body['metadata']['name']}"
        if key in self._objects:
            raise ApiError(409, f"{key} already exists")
        _, spaced, rest = collection.partition("/namespaces/")
        metadata = {**body["metadata"], "uid": key, "resourceVersion": str(next(self._versions))}
        if spaced:
            metadata["namespace"] = rest.partition("/")[0]
        self._objects[key] = {**copy.deepcopy(body), "metadata": metadata}
        return copy.deepcopy(self._objects[key])

    def _patch(self, key: str, body: Json) -> None:
        was = self._objects[key]
        version = body.get("metadata", {}).get("resourceVersion")
        if version not in (None, was["metadata"]["resourceVersion"]):
            raise ApiError(409, "the object has been modified")
        now = _merged(was, body)
        now["metadata"]["resourceVersion"] = str(next(self._versions))
        self._objects[key] = now

    def _collection(self, method: str, path: str, query: dict[str, str]) -> Json:
        if method not in ("GET", "DELETE") or "." in path.rpartition("/")[2] or self._looks_like_one(path):
            raise ApiError(404, f"{path} not found")
        wanted = [key for key in self._objects if _within(key, path) and _selected(self._objects[key], query)]
        items = [copy.deepcopy(self._objects[key]) for key in sorted(wanted)]
        if method == "DELETE":
            for key in wanted:
                del self._objects[key]
        return {"metadata": {}, "items": items}

    def _looks_like_one(self, path: str) -> bool:
        """Whether it is the path of an object rather than of a collection: one more part than its collection has."""
        _, spaced, rest = path.partition("/namespaces/")
        parts = (
            rest.split("/")[1:] if spaced else path.removeprefix("/").split("/")[2 if path.startswith("/api/") else 3 :]
        )
        return len(parts) > 1


class MemoryApi(Api):
    """The stage's own way to those objects."""

    def __init__(self, memory: KubeMemory) -> None:
        self._memory = memory

    def request(self, method: str, path: str, *, query: Any = None, body: Any = None, content_type: str = "") -> Json:
        """Without a wire."""
        return self._memory.do(method, path, dict(query or {}), body)


def _merged(was: Any, patch: Any) -> Any:
    """A JSON merge patch."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    out = dict(was) if isinstance(was, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merged(out.get(key), value)
    return out


def _within(key: str, collection: str) -> bool:
    """Whether the object is of the collection; one without a namespace has those of all of them."""
    its = key.rpartition("/")[0]
    if its == collection:
        return True
    head, spaced, rest = its.partition("/namespaces/")
    return bool(spaced) and f"{head}/{rest.partition('/')[2]}" == collection


def _selected(found: Json, query: dict[str, str]) -> bool:
    key, equals, value = query.get("labelSelector", "").partition("=")
    labels = found["metadata"].get("labels") or {}
    return not key or (labels.get(key) == value if equals else key in labels)
