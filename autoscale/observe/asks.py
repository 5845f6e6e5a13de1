"""What admission looks at in a pod's spec: each container's requests and limits, and what scopes of quotas go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from autoscale.model.admission import Ask, ContainerAsk
from autoscale.model.units import quantity
from autoscale.observe import wire
from autoscale.observe.requests import A_QUANTITY, BadQuantity, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_IN_THOUSANDTHS = ("cpu", "requests.cpu", "limits.cpu")


class _Container(Struct, rename="camel"):
    name: str = ""
    resources: wire.ResourceNeeds | None = None
    restart_policy: str | None = None


class _Spec(Struct, rename="camel"):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    resources: wire.ResourceNeeds | None = None
    overhead: wire.Quantities = None
    priority_class_name: str | None = None
    active_deadline_seconds: int | None = None
    affinity: wire.Affinity | None = None


_SPEC = msgspec.json.Decoder(_Spec)


def ask_of(raw: bytes | Raw, *, strict: bool) -> Ask:
    """Of the JSON of a spec. Raises msgspec.ValidationError when it is none, BadQuantity if strict."""
    spec = _SPEC.decode(raw)
    made = [_ask(each, f"container {each.name}", "", strict=strict) for each in spec.containers or ()]
    for each in spec.init_containers or ():
        start = "sidecar" if each.restart_policy == "Always" else "init"
        made.append(_ask(each, f"init container {each.name}", start, strict=strict))
    whole = None
    if spec.resources is not None:
        limits = amounts(spec.resources.limits, "pod resources, limits", strict=strict)
        whole = ContainerAsk("", amounts(spec.resources.requests, "pod resources, requests", strict=strict), limits)
    return Ask(
        tuple(made),
        whole,
        amounts(spec.overhead, "overhead", strict=strict),
        spec.priority_class_name or "",
        deadline=spec.active_deadline_seconds is not None,
        crosses=any(term.namespaces or term.namespace_selector is not None for term in _pod_terms(spec.affinity)),
    )


def amounts(quantities: Mapping[str, object] | None, where: str, *, strict: bool) -> dict[str, int]:
    """Amounts by name; what can't be read is left out, unless strict."""
    found = {}
    for name, value in (quantities or {}).items():
        try:
            found[name] = quantity(str(value), milli=name in _IN_THOUSANDTHS)
        except ValueError as error:
            if strict:
                raise BadQuantity(where, name, A_QUANTITY, told(value)) from error
    return found


def _ask(container: _Container, where: str, start: str, *, strict: bool) -> ContainerAsk:
    needs = container.resources or wire.ResourceNeeds()
    limits = amounts(needs.limits, f"{where}, limits", strict=strict)
    requests = amounts(needs.requests, f"{where}, requests", strict=strict)
    return ContainerAsk(container.name, limits | requests, limits, start)


def _pod_terms(affinity: wire.Affinity | None) -> Iterator[wire.PodTerm]:
    if affinity is None:
        return
    for kind in (affinity.pod_affinity, affinity.pod_anti_affinity):
        if kind is not None:
            yield from kind.required_during_scheduling_ignored_during_execution or ()
            for each in kind.preferred_during_scheduling_ignored_during_execution or ():
                if each.pod_affinity_term is not None:
                    yield each.pod_affinity_term
