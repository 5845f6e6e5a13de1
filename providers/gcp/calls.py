"""The REST calls we make, zonal and regional groups alike, with every wait bounded. Raises `faults.CLOUD_ERRORS`."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from google.cloud import compute_v1 as compute

from providers.gcp.billing import COMPUTE
from providers.gcp.faults import CLOUD_ERRORS, passing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from providers.gcp.settings import GcpSettings

PREFIX = "gcp:"
_PAGE = 500
_BILLING = "https://cloudbilling.googleapis.com"
_PAUSES_S = (0.2, 0.6)  # between the three tries of a read
_OPERATION_S = 30.0  # how long an operation is waited for; groups take in such a call within seconds
_ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")
_SCOPES = [
    "https://www.googleapis.com/auth/compute",
    "https://www.googleapis.com/auth/cloud-billing.readonly",  # prices
]
_MOST = 1000  # instances a call may name

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """A managed instance group: its zone or region, and its name."""

    place: str
    name: str

    @property
    def id(self) -> str:
        """`gcp:PLACE/NAME`."""
        return f"{PREFIX}{self.place}/{self.name}"

    @property
    def zonal(self) -> bool:
        """Whether the place is a zone."""
        return bool(_ZONE.fullmatch(self.place))

    @property
    def region(self) -> str:
        """The region of the place."""
        return self.place.rpartition("-")[0] if self.zonal else self.place


def ref_of(group: str) -> Ref | None:
    """From a group's id, None when it is no id of ours."""
    place, slash, name = group.removeprefix(PREFIX).partition("/")
    return Ref(place, name) if slash and group.startswith(PREFIX) and place and name else None


def last(url: str) -> str:
    """The name at the end of a resource's address."""
    return url.rpartition("/")[2]


class Calls:
    """One project. A read is tried three times and ends within `3 * read_timeout_s` and a second; a write is sent once."""

    def __init__(
        self, settings: GcpSettings, *, read_timeout_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._settings = settings
        self._timeout_s = read_timeout_s
        self._sleep = sleep
        self._lock = threading.Lock()
        self._made: dict[type, Any] = {}
        self._billing: Any = None

    @property
    def project(self) -> str:
        """The configuration's project, else that of the credentials; empty when neither names one."""
        return self._settings.project or self._credentials[1]

    # ---- reads

    def groups(self) -> tuple[list[compute.InstanceGroupManager], list[str]]:
        """All groups of the project, and the zones and regions that did not answer."""
        request = compute.AggregatedListInstanceGroupManagersRequest(project=self.project, max_results=_PAGE)
        client = self._client(compute.InstanceGroupManagersClient)
        found: list[compute.InstanceGroupManager] = []
        missing: list[str] = []
        for page in self._pages(client.aggregated_list, request):
            for scoped in page.items.values():
                found += scoped.instance_group_managers
            missing += page.unreachables
        return found, missing

    def group(self, ref: Ref) -> compute.InstanceGroupManager:
        """One group as it is now."""
        found: compute.InstanceGroupManager = self._read(
            lambda: self._managers(ref).get(**self._named(ref), **self._once)
        )
        return found

    def members(self, ref: Ref) -> list[compute.ManagedInstance]:
        """The group's instances, those that are still to be created included."""
        kind = (
            compute.ListManagedInstancesInstanceGroupManagersRequest
            if ref.zonal
            else compute.ListManagedInstancesRegionInstanceGroupManagersRequest
        )
        request = kind(**self._named(ref), max_results=_PAGE)
        pages = self._pages(self._managers(ref).list_managed_instances, request)
        return [each for page in pages for each in page.managed_instances]

    def instances(self) -> list[compute.Instance]:
        """All instances of the project."""
        request = compute.AggregatedListInstancesRequest(project=self.project, max_results=_PAGE)
        pages = self._pages(self._client(compute.InstancesClient).aggregated_list, request)
        return [each for page in pages for scoped in page.items.values() for each in scoped.instances]

    def reservations(self) -> list[compute.Reservation]:
        """All reservations of the project."""
        request = compute.AggregatedListReservationsRequest(project=self.project, max_results=_PAGE)
        pages = self._pages(self._client(compute.ReservationsClient).aggregated_list, request)
        return [each for page in pages for scoped in page.items.values() for each in scoped.reservations]

    def zones(self, region: str) -> list[str]:
        """The zones of a region, sorted."""
        client = self._client(compute.ZonesClient)
        pages = self._pages(client.list, compute.ListZonesRequest(project=self.project, max_results=_PAGE))
        return sorted(each.name for page in pages for each in page.items if last(each.region) == region)

    def machine_types(self, zone: str) -> list[compute.MachineType]:
        """What a zone has."""
        client = self._client(compute.MachineTypesClient)
        request = compute.ListMachineTypesRequest(project=self.project, zone=zone, max_results=_PAGE)
        return [each for page in self._pages(client.list, request) for each in page.items]

    def accelerator_types(self, zone: str) -> list[compute.AcceleratorType]:
        """What may be attached to machines in a zone."""
        client = self._client(compute.AcceleratorTypesClient)
        request = compute.ListAcceleratorTypesRequest(project=self.project, zone=zone, max_results=_PAGE)
        return [each for page in self._pages(client.list, request) for each in page.items]

    def skus(self, token: str) -> tuple[list[dict[str, Any]], str]:
        """A page of what Compute Engine charges for, and the token of the next; empty when it was the last."""
        from google.api_core.exceptions import from_http_response
        from google.auth.transport.requests import AuthorizedSession

        if self._billing is None:
            self._billing = AuthorizedSession(self._credentials[0])  # type: ignore[no-untyped-call]  # no types there
        address = self._settings.endpoint_url or _BILLING
        query = {"currencyCode": "USD", "pageSize": "5000", **({"pageToken": token} if token else {})}

        def ask() -> Any:
            answer = self._billing.get(f"{address}/v1/services/{COMPUTE}/skus", params=query, timeout=self._timeout_s)
            if answer.status_code != 200:
                error: Exception = from_http_response(answer)  # type: ignore[no-untyped-call]  # the package has no types there
                raise error
            return answer.json()

        found = self._read(ask)
        return found.get("skus", []), found.get("nextPageToken", "")

    def template(self, url: str) -> compute.InstanceTemplate:
        """An instance template by its address."""
        parts = url.split("/")
        if "regions" in parts:
            regional = self._client(compute.RegionInstanceTemplatesClient)
            region, name = parts[parts.index("regions") + 1], parts[-1]
            return self._read(
                lambda: regional.get(project=self.project, region=region, instance_template=name, **self._once)
            )
        client = self._client(compute.InstanceTemplatesClient)
        return self._read(lambda: client.get(project=self.project, instance_template=parts[-1], **self._once))

    def templates(self) -> list[compute.InstanceTemplate]:
        """All instance templates of the project."""
        request = compute.AggregatedListInstanceTemplatesRequest(project=self.project, max_results=_PAGE)
        pages = self._pages(self._client(compute.InstanceTemplatesClient).aggregated_list, request)
        return [each for page in pages for scoped in page.items.values() for each in scoped.instance_templates]

    def quotas(self, region: str) -> dict[str, tuple[float, float]]:
        """What the project may have in the region: metric -> limit and usage."""
        client = self._client(compute.RegionsClient)
        found = self._read(lambda: client.get(project=self.project, region=region, **self._once))
        return {each.metric: (each.limit, each.usage) for each in found.quotas}

    def running(self, ref: Ref) -> list[compute.Operation]:
        """Operations of the place that are not done."""
        kind = compute.ListZoneOperationsRequest if ref.zonal else compute.ListRegionOperationsRequest
        request = kind(**self._at(ref), filter='status != "DONE"', max_results=_PAGE)
        return [each for page in self._pages(self._operations(ref).list, request) for each in page.items]

    def resize_requests(self, ref: Ref) -> list[compute.InstanceGroupManagerResizeRequest]:
        """What a zonal group was asked for through Google's queue, done or not."""
        client = self._client(compute.InstanceGroupManagerResizeRequestsClient)
        request = compute.ListInstanceGroupManagerResizeRequestsRequest(**self._named(ref), max_results=_PAGE)
        return [each for page in self._pages(client.list, request) for each in page.items]

    # ---- writes

    def insert_resize_request(
        self, ref: Ref, name: str, size: int, run_for_s: int | None, request_id: str
    ) -> compute.Operation:
        """Have so many machines wait in the queue of a zonal group, to run so long."""
        resource = compute.InstanceGroupManagerResizeRequest(name=name, resize_by=size)
        if run_for_s is not None:
            resource.requested_run_duration = compute.Duration(seconds=run_for_s)
        request = compute.InsertInstanceGroupManagerResizeRequestRequest(
            **self._named(ref), instance_group_manager_resize_request_resource=resource, request_id=request_id
        )
        return self._client(compute.InstanceGroupManagerResizeRequestsClient).insert_unary(request, **self._once)

    def cancel_resize_request(self, ref: Ref, name: str, request_id: str) -> compute.Operation:
        """Take it out of the queue; refused once it is fulfilled."""
        request = compute.CancelInstanceGroupManagerResizeRequestRequest(
            **self._named(ref), resize_request=name, request_id=request_id
        )
        return self._client(compute.InstanceGroupManagerResizeRequestsClient).cancel_unary(request, **self._once)

    def create(self, ref: Ref, names: Sequence[str], request_id: str) -> compute.Operation:
        """Have the group create instances of these names, which raises its target by as many."""
        instances = [compute.PerInstanceConfig(name=name) for name in names]
        if ref.zonal:
            return self._client(compute.InstanceGroupManagersClient).create_instances_unary(
                compute.CreateInstancesInstanceGroupManagerRequest(
                    **self._named(ref),
                    request_id=request_id,
                    instance_group_managers_create_instances_request_resource=(
                        compute.InstanceGroupManagersCreateInstancesRequest(instances=instances)
                    ),
                ),
                **self._once,
            )
        return self._client(compute.RegionInstanceGroupManagersClient).create_instances_unary(
            compute.CreateInstancesRegionInstanceGroupManagerRequest(
                **self._named(ref),
                request_id=request_id,
                region_instance_group_managers_create_instances_request_resource=(
                    compute.RegionInstanceGroupManagersCreateInstancesRequest(instances=instances)
                ),
            ),
            **self._once,
        )

    def delete(self, ref: Ref, urls: Sequence[str], request_id: str) -> compute.Operation:
        """Have the group delete these instances and lower its target by as many; those that are gone are skipped."""
        if ref.zonal:
            return self._client(compute.InstanceGroupManagersClient).delete_instances_unary(
                compute.DeleteInstancesInstanceGroupManagerRequest(
                    **self._named(ref),
                    request_id=request_id,
                    instance_group_managers_delete_instances_request_resource=(
                        compute.InstanceGroupManagersDeleteInstancesRequest(
                            instances=urls, skip_instances_on_validation_error=True
                        )
                    ),
                ),
                **self._once,
            )
        return self._client(compute.RegionInstanceGroupManagersClient).delete_instances_unary(
            compute.DeleteInstancesRegionInstanceGroupManagerRequest(
                **self._named(ref),
                request_id=request_id,
                region_instance_group_managers_delete_instances_request_resource=(
                    compute.RegionInstanceGroupManagersDeleteInstancesRequest(
                        instances=urls, skip_instances_on_validation_error=True
                    )
                ),
            ),
            **self._once,
        )

    def resize(self, ref: Ref, size: int, request_id: str) -> compute.Operation:
        """Set the group's size."""
        kind = (
            compute.ResizeInstanceGroupManagerRequest if ref.zonal else compute.ResizeRegionInstanceGroupManagerRequest
        )
        request = kind(**self._named(ref), size=size, request_id=request_id)
        sent: compute.Operation = self._managers(ref).resize_unary(request, **self._once)
        return sent

    def insert_template(self, resource: compute.InstanceTemplate, request_id: str) -> compute.Operation:
        """Create an instance template."""
        request = compute.InsertInstanceTemplateRequest(
            project=self.project, instance_template_resource=resource, request_id=request_id
        )
        return self._client(compute.InstanceTemplatesClient).insert_unary(request, **self._once)

    def delete_template(self, name: str) -> None:
        """Delete an instance template; refused while a group uses it."""
        request = compute.DeleteInstanceTemplateRequest(project=self.project, instance_template=name)
        self._client(compute.InstanceTemplatesClient).delete_unary(request, **self._once)

    def insert_group(self, ref: Ref, resource: compute.InstanceGroupManager, request_id: str) -> compute.Operation:
        """Create a zonal group."""
        request = compute.InsertInstanceGroupManagerRequest(
            **self._at(ref), instance_group_manager_resource=resource, request_id=request_id
        )
        return self._client(compute.InstanceGroupManagersClient).insert_unary(request, **self._once)

    def delete_group(self, ref: Ref, request_id: str) -> compute.Operation:
        """Delete a zonal group with all that is in it."""
        request = compute.DeleteInstanceGroupManagerRequest(**self._named(ref), request_id=request_id)
        return self._client(compute.InstanceGroupManagersClient).delete_unary(request, **self._once)

    def finish_any(self, ref: Ref, operation: compute.Operation) -> compute.Operation:
        """As `finish`, also for an operation that belongs to no zone."""
        if operation.zone or operation.region:
            return self.finish(ref, operation)
        client = self._client(compute.GlobalOperationsClient)
        return self._waited(lambda left: client.wait(
            project=self.project, operation=operation.name, retry=None, timeout=left
        ), operation)  # fmt: skip

    def finish(self, ref: Ref, operation: compute.Operation) -> compute.Operation:
        """The operation when it is done, or as it is after `_OPERATION_S`."""
        named = {**self._at(ref), "operation": operation.name}
        return self._waited(lambda left: self._operations(ref).wait(**named, retry=None, timeout=left), operation)

    def _waited(self, wait: Callable[[float], compute.Operation], operation: compute.Operation) -> compute.Operation:
        until = time.monotonic() + _OPERATION_S
        while operation.status != compute.Operation.Status.DONE and (left := until - time.monotonic()) > 0:
            try:
                operation = wait(left)
            except CLOUD_ERRORS as error:
                if not passing(error):
                    raise
                self._sleep(min(0.5, max(0.0, until - time.monotonic())))
        return operation

    # ---- inside

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


def chunks(items: Sequence[T]) -> list[Sequence[T]]:
    """As many at a time as one call may name."""
    return [items[start : start + _MOST] for start in range(0, len(items), _MOST)]
