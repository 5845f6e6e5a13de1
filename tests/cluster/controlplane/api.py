"""A small client of the API server: JSON in, JSON out, as one user. It knows no types, so it works for every kind."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

Json = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server refused a request; `status` is the HTTP status and the message is the server's own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """The API server as one user sees it. Safe to share between threads."""

    def __init__(self, url: str, *, ca: Path, token: str, field_manager: str = "tests") -> None:
        self._url = url
        self._field_manager = field_manager
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._pool = urllib3.PoolManager(ca_certs=str(ca), maxsize=16, retries=False)
        self._resources: dict[str, list[Json]] = {}  # by apiVersion, as discovery tells

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def get(self, path: str, **query: str) -> Json:
        """Read one object or list, for example `/api/v1/nodes`."""
        return self.request("GET", path, query=query)

    def items(self, path: str, **query: str) -> list[Json]:
        """Read the objects of a list."""
        found: list[Json] = self.get(path, **query)["items"]
        return found

    def find(self, path: str) -> Json | None:
        """Read one object, or None when there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create(self, path: str, body: Json) -> Json:
        """Create one object in the collection at `path`."""
        return self.request("POST", path, body=body)

    def patch(self, path: str, body: Any, *, content_type: str = MERGE) -> Json:
        """Patch one object or, with `/status` at the end of the path, its status."""
        return self.request("PATCH", path, body=body, content_type=content_type)

    def delete(self, path: str, *, grace_s: int | None = None) -> bool:
        """Delete one object; say False when there was none."""
        body: Json = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        try:
            self.request("DELETE", path, body=body)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def apply(self, manifest: Path | str | Json) -> list[Json]:
        """Create or update the objects of a manifest (a file, YAML text or one object) by server-side apply."""
        if isinstance(manifest, dict):
            documents = [manifest]
        else:
            text = manifest.read_text() if isinstance(manifest, Path) else manifest
            documents = [document for document in yaml.safe_load_all(text) if document]
        query = {"fieldManager": self._field_manager, "force": "true"}
        return [
            self.request("PATCH", self.path_of(document), query=query, body=document, content_type=APPLY)
            for document in documents
        ]

    def path_of(self, document: Json) -> str:
        """Give the path of the object that a manifest describes; asks the server which resource its kind is."""
        version, kind, metadata = document["apiVersion"], document["kind"], document["metadata"]
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        if version not in self._resources:
            self._resources[version] = self.get(root)["resources"]
        for resource in self._resources[version]:
            if resource["kind"] == kind and "/" not in resource["name"]:
                scope = f"/namespaces/{metadata.get('namespace', 'default')}" if resource["namespaced"] else ""
                return f"{root}{scope}/{resource['name']}/{metadata['name']}"
        del self._resources[version]  # a CustomResourceDefinition may add it later
        raise ApiError(404, f"the server has no kind {kind} in {version}")

    def watch(self, path: str, *, version: str, idle_s: float = 60.0) -> Iterator[Json]:
        """Give events after the resource version until the server ends the watch or is silent for `idle_s`."""
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        response = self._send("GET", path, query=query, read_s=idle_s, stream=True)
        try:
            rest = b""
            for chunk in response.stream(65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        finally:
            response.close()  # not released: an endless answer can't be read to its end
            response.release_conn()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Json:
        """Send one request and give the answer's object; raise ApiError when the server refuses."""
        answer = self._send(method, path, query=query, body=body, content_type=content_type)
        decoded: Json = json.loads(answer.data) if answer.headers.get("Content-Type") == "application/json" else {}
        return decoded

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        read_s: float = 120.0,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        response = self._pool.request(
            method,
            self._url + path + (f"?{urlencode(query)}" if query else ""),
            body=None if body is None else json.dumps(body).encode(),
            headers=self._headers | ({"Content-Type": content_type} if body is not None else {}),
            timeout=urllib3.Timeout(connect=5.0, read=read_s),
            preload_content=not stream,
        )
        if response.status >= 400:
            raise ApiError(response.status, _message(response.data))
        return response


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:500].decode(errors="replace")
