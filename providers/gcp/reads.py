"""What we ask Compute Engine and Cloud Billing, zonal and regional groups alike. Raises `faults.CLOUD_ERRORS`."""

from __future__ import annotations

from typing import Any

from google.cloud import compute_v1 as compute

from providers.gcp.billing import COMPUTE
from providers.gcp.connection import PAGE, Connection
from providers.gcp.refs import Ref, last

_BILLING = "https://cloudbilling.googleapis.com"


class Reads(Connection):
    """Nothing here changes anything."""

    _billing: Any = None

    def groups(self) -> tuple[list[compute.InstanceGroupManager], list[str]]:
        """All groups of the project, and the zones and regions that did not answer."""
        request = compute.AggregatedListInstanceGroupManagersRequest(project=self.project, max_results=PAGE)
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
        request = kind(**self._named(ref), max_results=PAGE)
        pages = self._pages(self._managers(ref).list_managed_instances, request)
        return [each for page in pages for each in page.managed_instances]

    def instances(self) -> list[compute.Instance]:
        """All instances of the project."""
        request = compute.AggregatedListInstancesRequest(project=self.project, max_results=PAGE)
        pages = self._pages(self._client(compute.InstancesClient).aggregated_list, request)
        return [each for page in pages for scoped in page.items.values() for each in scoped.instances]

    def reservations(self) -> list[compute.Reservation]:
        """All reservations of the project."""
        request = compute.AggregatedListReservationsRequest(project=self.project, max_results=PAGE)
        pages = self._pages(self._client(compute.ReservationsClient).aggregated_list, request)
        return [each for page in pages for scoped in page.items.values() for each in scoped.reservations]

    def zones(self, region: str) -> list[str]:
        """The zones of a region, sorted."""
        client = self._client(compute.ZonesClient)
        pages = self._pages(client.list, compute.ListZonesRequest(project=self.project, max_results=PAGE))
        return sorted(each.name for page in pages for each in page.items if last(each.region) == region)

    def machine_types(self, zone: str) -> list[compute.MachineType]:
        """What a zone has."""
        client = self._client(compute.MachineTypesClient)
        request = compute.ListMachineTypesRequest(project=self.project, zone=zone, max_results=PAGE)
        return [each for page in self._pages(client.list, request) for each in page.items]

    def accelerator_types(self, zone: str) -> list[compute.AcceleratorType]:
        """What may be attached to machines in a zone."""
        client = self._client(compute.AcceleratorTypesClient)
        request = compute.ListAcceleratorTypesRequest(project=self.project, zone=zone, max_results=PAGE)
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
        request = compute.AggregatedListInstanceTemplatesRequest(project=self.project, max_results=PAGE)
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
        request = kind(**self._at(ref), filter='status != "DONE"', max_results=PAGE)
        return [each for page in self._pages(self._operations(ref).list, request) for each in page.items]

    def resize_requests(self, ref: Ref) -> list[compute.InstanceGroupManagerResizeRequest]:
        """What a zonal group was asked for through Google's queue, done or not."""
        client = self._client(compute.InstanceGroupManagerResizeRequestsClient)
        request = compute.ListInstanceGroupManagerResizeRequestsRequest(**self._named(ref), max_results=PAGE)
        return [each for page in self._pages(client.list, request) for each in page.items]
