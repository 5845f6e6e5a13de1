"""Objects that decide whether pods come to be, as model types: workloads, quotas, limit ranges, Events."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the decoder reads the annotations
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from autoscale.model.admission import Admission, Ask, Condition, LimitItem, Quota, Refusal, Workload
from autoscale.model.rules import Requirement
from autoscale.model.units import quantity
from autoscale.observe import decode, wire
from autoscale.observe.asks import amounts, ask_of
from autoscale.observe.requests import A_QUANTITY, BadQuantity, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autoscale.model.workload import Pod

FAILED_CREATE = "FailedCreate"


class _Condition(Struct):
    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None


class _Template(Struct):
    spec: Raw = Raw(b"{}")
    metadata: wire.Meta | None = None


class _Pod(Struct):
    metadata: wire.Meta
    spec: Raw = Raw(b"{}")


class _Spec(Struct, rename="camel"):
    template: _Template | None = None
    replicas: int | None = None
    parallelism: int | None = None
    completions: int | None = None
    suspend: bool | None = None


class _Status(Struct, rename="camel"):
    replicas: int | None = None
    active: int | None = None
    succeeded: int | None = None
    conditions: list[_Condition] | None = None


class _Workload(Struct):
    metadata: wire.Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status | None = None


class _Scope(Struct, rename="camel"):
    scope_name: str = ""
    operator: str = "Exists"
    values: list[str] | None = None


class _ScopeSelector(Struct, rename="camel"):
    match_expressions: list[_Scope] | None = None


class _QuotaSpec(Struct, rename="camel"):
    hard: wire.Quantities = None
    scopes: list[str] | None = None
    scope_selector: _ScopeSelector | None = None


class _QuotaStatus(Struct):
    used: wire.Quantities = None


class _Quota(Struct):
    metadata: wire.Meta
    spec: _QuotaSpec | None = None
    status: _QuotaStatus | None = None


class _LimitItem(Struct, rename="camel"):
    type: str = "Container"
    max: wire.Quantities = None
    min: wire.Quantities = None
    default: wire.Quantities = None
    default_request: wire.Quantities = None
    max_limit_request_ratio: wire.Quantities = None


class _LimitSpec(Struct):
    limits: list[_LimitItem] | None = None


class _LimitRange(Struct):
    metadata: wire.Meta
    spec: _LimitSpec | None = None


class _About(Struct):
    kind: str = ""
    namespace: str = ""
    name: str = ""


class _Event(Struct, rename="camel"):
    metadata: wire.Meta = msgspec.field(default_factory=wire.Meta)
    involved_object: _About = msgspec.field(default_factory=_About)
    reason: str | None = None
    message: str | None = None
    count: int | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None


_DECODE: dict[str, msgspec.json.Decoder[Any]] = {
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "Job"), msgspec.json.Decoder(_Workload)),
    "ResourceQuota": msgspec.json.Decoder(_Quota),
    "LimitRange": msgspec.json.Decoder(_LimitRange),
    "Event": msgspec.json.Decoder(_Event),
    "Pod": msgspec.json.Decoder(_Pod),
}
_POD_SPEC = msgspec.json.Decoder(wire.PodSpec)
KINDS = frozenset(_DECODE)


class Collector:
    """Takes objects one by one; those of other kinds pass. Of pods, those of one namespace are looked at."""

    def __init__(self, *, namespace: str = "", strict: bool = False) -> None:
        self._strict = strict
        self._namespace = namespace
        self._asks: dict[str, Ask] = {}
        self._workloads: list[Workload] = []
        self._quotas: list[Quota] = []
        self._limits: list[LimitItem] = []
        self._refusals: dict[tuple[str, str, str], Refusal] = {}

    def add(self, kind: str, raw: bytes | Raw) -> None:
        """One object. Raises msgspec.ValidationError when it is none, BadQuantity if strict."""
        if kind not in _DECODE or (kind == "Pod" and not self._namespace):
            return
        obj = _DECODE[kind].decode(raw)
        if isinstance(obj, _Pod):
            if (namespace := obj.metadata.namespace or "default") == self._namespace:
                self._asks[f"{namespace}/{obj.metadata.name}"] = ask_of(obj.spec, strict=self._strict)
        elif isinstance(obj, _Workload):
            self._workloads.append(_workload(kind, obj, strict=self._strict))
        elif isinstance(obj, _Quota):
            self._quotas.append(self._quota(obj))
        elif isinstance(obj, _LimitRange):
            self._limits += self._limit_items(obj)
        elif obj.reason == FAILED_CREATE:
            self._event(obj)

    def view(self, unread: tuple[str, ...] = ()) -> Admission:
        """All that was taken, in a fixed order."""
        return Admission(
            workloads=tuple(sorted(self._workloads, key=lambda w: w.ref)),
            quotas=tuple(sorted(self._quotas, key=lambda q: (q.namespace, q.name))),
            limits=tuple(self._limits),
            refusals=tuple(self._refusals[key] for key in sorted(self._refusals)),
            unread=unread,
            asks=self._asks,
        )

    @property
    def asks_wanted(self) -> bool:
        """Whether a quota counts some pods only, so that it matters which."""
        return any(quota.scopes for quota in self._quotas)

    def _quota(self, obj: _Quota) -> Quota:
        spec = obj.spec or _QuotaSpec()
        used = obj.status.used if obj.status else None
        return Quota(
            obj.metadata.namespace or "default",
            obj.metadata.name,
            self._amounts(spec.hard, "spec.hard"),
            self._amounts(used, "status.used"),
            counted=used is not None,
            scopes=tuple(_scopes(spec)),
        )

    def _limit_items(self, obj: _LimitRange) -> list[LimitItem]:
        meta = obj.metadata
        return [
            LimitItem(
                meta.namespace or "default",
                meta.name,
                item.type,
                self._amounts(item.max, f"spec.limits[{index}].max"),
                self._amounts(item.min, f"spec.limits[{index}].min"),
                self._amounts(item.default, f"spec.limits[{index}].default"),
                self._amounts(item.default_request, f"spec.limits[{index}].defaultRequest"),
                self._ratios(item.max_limit_request_ratio, f"spec.limits[{index}].maxLimitRequestRatio"),
            )
            for index, item in enumerate((obj.spec or _LimitSpec()).limits or ())
        ]

    def _event(self, obj: _Event) -> None:
        """The newest Event about an object is what counts."""
        about, at = obj.involved_object, obj.last_timestamp or obj.event_time or obj.metadata.creation_timestamp
        namespace = about.namespace or obj.metadata.namespace or "default"
        key = about.kind, namespace, about.name
        at_s = int(at.timestamp()) if at else 0
        known = self._refusals.get(key)
        if known is None or known.at_s <= at_s:
            self._refusals[key] = Refusal(*key, obj.message or "", at_s, obj.count or 1)

    def _amounts(self, quantities: Mapping[str, Any] | None, where: str) -> dict[str, int]:
        return amounts(quantities, where, strict=self._strict)

    def _ratios(self, quantities: Mapping[str, Any] | None, where: str) -> dict[str, int]:
        """In thousandths, whatever they are of."""
        found = {}
        for name, value in (quantities or {}).items():
            try:
                found[name] = quantity(str(value), milli=True)
            except ValueError as error:
                if self._strict:
                    raise BadQuantity(where, name, A_QUANTITY, told(value)) from error
        return found


def _scopes(spec: _QuotaSpec) -> Iterator[Requirement]:
    """A scope that is only named has to exist."""
    yield from (Requirement(name, "Exists") for name in spec.scopes or ())
    for each in (spec.scope_selector or _ScopeSelector()).match_expressions or ():
        yield Requirement(each.scope_name, each.operator, tuple(each.values or ()))


def _workload(kind: str, obj: _Workload, *, strict: bool) -> Workload:
    meta, spec, status = obj.metadata, obj.spec, obj.status or _Status()
    owner = next((f"{o.kind}/{o.name}" for o in meta.owner_references or () if o.controller), "")
    made = status.active if kind == "Job" else status.replicas
    conditions = tuple(Condition(c.type, c.status, c.reason or "", c.message or "") for c in status.conditions or ())
    ask = ask_of(spec.template.spec, strict=strict) if spec.template is not None else None
    return Workload(
        kind, meta.namespace or "default", meta.name, owner, _wanted(kind, spec, status), made or 0, conditions,
        _template(kind, meta, spec, strict=strict), ask, bool(spec.suspend),
    )  # fmt: skip


def _wanted(kind: str, spec: _Spec, status: _Status) -> int:
    """How many pods there should be now."""
    if kind != "Job":
        return 1 if spec.replicas is None else spec.replicas
    if spec.suspend:
        return 0
    parallel = 1 if spec.parallelism is None else spec.parallelism
    left = parallel if spec.completions is None else spec.completions - (status.succeeded or 0)
    return max(0, min(parallel, left))


def _template(kind: str, meta: wire.Meta, spec: _Spec, *, strict: bool) -> Pod | None:
    """A pod as the controller would make it."""
    if spec.template is None:
        return None
    made = spec.template.metadata or wire.Meta()
    made.namespace, made.name = meta.namespace or "default", f"{meta.name}-new"
    made.owner_references = [wire.Owner(kind, meta.name, controller=True)]
    made.uid = f"{kind}/{made.namespace}/{made.name}"
    try:
        return decode.pod_from_struct(wire.PodObject(made, _POD_SPEC.decode(spec.template.spec)), strict=strict)
    except msgspec.MsgspecError:
        if strict:
            raise
        return None
