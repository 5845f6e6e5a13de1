"""A Google project's clients, each made once, with every wait bounded. Raises `faults.CLOUD_ERRORS`."""

from __future__ import annotations

import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from google.cloud import compute_v1 as compute

from providers.gcp.faults import CLOUD_ERRORS, passing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from providers.gcp.refs import Ref
    from providers.gcp.settings import GcpSettings

PAGE = 500  # entries of a list that come with one call
_PAUSES_S = (0.2, 0.6)  # between the three tries of a read
_SCOPES = [
    "https://www.googleapis.com/auth/compute",
    "https://www.googleapis.com/auth/cloud-billing.readonly",  # prices
]

T = TypeVar("T")


class Connection:
    """One project. A read is tried three times and ends within `3 * read_timeout_s` and a second; a write is sent once."""

    def __init__(
        self, settings: GcpSettings, *, read_timeout_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._settings = settings
        self._timeout_s = read_timeout_s
        self._sleep = sleep
        self._lock = threading.Lock()
        self._made: dict[type, Any] = {}

    @property
    def project(self) -> str:
        """The configuration's project, else that of the credentials; empty when neither names one."""
        return self._settings.project or self._credentials[1]

    @property
    def _once(self) -> dict[str, Any]:
        """The library's own retries have no bound that we could live with."""
        return {"retry": None, "timeout": self._timeout_s}

    def _read(self, call: Callable[[], T]) -> T:
        for pause_s in _PAUSES_S:
            try:
                return call()
            except CLOUD_ERRORS as error:
                if not passing(error):
                    raise
                self._sleep(pause_s)
        return call()

    def _pages(self, method: Callable[..., Any], request: Any) -> Iterable[Any]:
        """Every page; each is tried three times."""
        while True:
            pager = self._read(lambda: method(request, **self._once))
            page = next(pager.pages)  # the one that has been read
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _at(self, ref: Ref) -> dict[str, str]:
        return {"project": self.project, "zone" if ref.zonal else "region": ref.place}

    def _named(self, ref: Ref) -> dict[str, str]:
        return {**self._at(ref), "instance_group_manager": ref.name}

    def _managers(self, ref: Ref) -> Any:
        return self._client(
            compute.InstanceGroupManagersClient if ref.zonal else compute.RegionInstanceGroupManagersClient
        )

    def _operations(self, ref: Ref) -> Any:
        return self._client(compute.ZoneOperationsClient if ref.zonal else compute.RegionOperationsClient)

    @cached_property
    def _credentials(self) -> tuple[Any, str]:
        """Credentials and their project. A plain http address, of a test, is never shown any."""
        import google.auth
        from google.auth.credentials import AnonymousCredentials

        if self._settings.endpoint_url.startswith("http://"):
            return AnonymousCredentials(), ""  # type: ignore[no-untyped-call]  # the package has no types there
        credentials, project = google.auth.default(scopes=_SCOPES)
        return credentials, project or ""

    def _client(self, kind: type[T]) -> T:
        with self._lock:
            if kind not in self._made:
                options = {"api_endpoint": self._settings.endpoint_url} if self._settings.endpoint_url else {}
                make: Any = kind
                self._made[kind] = make(credentials=self._credentials[0], client_options=options, transport="rest")
            found: T = self._made[kind]
            return found
