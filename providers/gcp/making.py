"""Making a pool's group and taking it away: the calls, each of which may be sent again without harm."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from autoscale.errors import ProviderError
from autoscale.model.supply import Fault, FaultKind
from providers.gcp.faults import CLOUD_ERRORS, fault_of, told
from providers.gcp.refs import Ref, last

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud import compute_v1 as compute

    from providers.gcp.calls import Calls
    from providers.gcp.pools import Offer

_NAMESPACE = uuid.UUID("c7f4f1a6-6f0b-4b9e-8a53-0f5c9a9b7d21")  # any; it makes our tokens ours
_THERE = ("alreadyExists", "ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS")


class Maker:
    """Every method raises ProviderError, and nothing else."""

    def __init__(self, calls: Calls, *, now_s: Callable[[], int]) -> None:
        self._calls = calls
        self._now_s = now_s

    def make(self, offer: Offer, request_id: str) -> None:
        """The instance template, then the group at zero. What is there already is left as it is."""
        ref = Ref(offer.zone, offer.name)
        try:
            resource = offer.template_resource(self._calls.template(self.base(offer)))
        except CLOUD_ERRORS as error:
            raise ProviderError(self._fault(error, ref, "compute.instanceTemplates.get")) from error
        self._do(
            ref,
            "compute.instanceTemplates.create",
            lambda: self._calls.insert_template(resource, _token("template", resource.name, request_id)),
        )
        address = f"projects/{self._calls.project}/global/instanceTemplates/{resource.name}"
        self._do(
            ref,
            "compute.instanceGroupManagers.create",
            lambda: self._calls.insert_group(
                ref, offer.group_resource(address), _token("group", offer.name, request_id)
            ),
        )

    def delete(self, ref: Ref, template: str, request_id: str) -> None:
        """The group, then its instance template; one that is left over does no harm, so that failing there is no fault."""
        self._do(
            ref,
            "compute.instanceGroupManagers.delete",
            lambda: self._calls.delete_group(ref, _token("delete", ref.name, request_id)),
        )
        if last(template).startswith(f"{ref.name}-"):
            try:
                self._calls.delete_template(last(template))
            except CLOUD_ERRORS:
                return

    def base(self, offer: Offer) -> str:
        """Address of the instance template that the offer's pool starts from."""
        name = offer.of.instance_template
        return name if "/" in name else f"projects/{self._calls.project}/global/instanceTemplates/{name}"

    def _do(self, ref: Ref, doing: str, write: Callable[[], compute.Operation]) -> None:
        """Sent once and waited for. There already, or gone already, is as good as done."""
        fine = FaultKind.NOT_FOUND if doing.endswith(".delete") else None
        try:
            operation = self._calls.finish_any(ref, write())
        except CLOUD_ERRORS as error:
            fault = self._fault(error, ref, doing)
            if fault.code in _THERE or fault.kind == fine:
                return
            raise ProviderError(fault) from error
        for each in operation.error.errors:
            code, kind = told(each.code, each.message)
            if code not in _THERE and kind != fine:
                text = " ".join((each.message or code).split()).rstrip(".")
                raise ProviderError(Fault(ref.id, kind, code, f"{doing}: {text}", self._now_s()))

    def _fault(self, error: Exception, ref: Ref, doing: str) -> Fault:
        return fault_of(error, group=ref.id, at_s=self._now_s(), doing=doing)


def _token(kind: str, name: str, request_id: str) -> str:
    """Google's `requestId`: the same for the same order, another once the group is made anew."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}\n{name}\n{request_id}"))
