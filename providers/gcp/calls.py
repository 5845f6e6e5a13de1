"""The REST calls we make: reads, and those that change something, which are sent once. Raises `faults.CLOUD_ERRORS`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from google.cloud import compute_v1 as compute

from providers.gcp.faults import CLOUD_ERRORS, passing
from providers.gcp.reads import Reads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from providers.gcp.refs import Ref

_OPERATION_S = 30.0  # how long an operation is waited for; groups take in such a call within seconds
_MOST = 1000  # instances a call may name

T = TypeVar("T")


class Calls(Reads):
    """All of them."""

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


def chunks(items: Sequence[T]) -> list[Sequence[T]]:
    """As many at a time as one call may name."""
    return [items[start : start + _MOST] for start in range(0, len(items), _MOST)]
