"""A catalogue as JSON, and back: strictly, so that a file written by hand or by another version is never half understood."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from autoscale.errors import BadInput
from autoscale.model.belief import believe
from autoscale.model.catalog import Catalog, Machine, Offer, Refusal
from autoscale.model.supply import CapacityType
from autoscale.model.units import MICRO
from autoscale.observe.strict import bad_json, bad_value, check_text, read_bytes, too_deep

if TYPE_CHECKING:
    from collections.abc import Mapping

API_VERSION = "gpu-autoscale.dev/v1alpha1"
KIND = "Catalog"

_Name = Annotated[str, Meta(min_length=1)]
_Count = Annotated[int, Meta(ge=0)]
_Some = Annotated[int, Meta(ge=1)]
_Moment = Annotated[int, Meta(ge=0, le=253_402_300_799)]  # the last one that a date can name


class _Machine(Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True, gc=False):
    name: _Name
    vcpus: _Some
    memory_mib: _Some
    architecture: _Name = "amd64"
    manufacturer: str = ""
    accelerator: str = ""
    accelerators: _Count = 0
    accelerator_memory_mib: _Count = 0
    gpu_fraction: str = ""
    efa_interfaces: _Count = 0
    eni_pods: _Count = 0


class _Quote(Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True, gc=False):
    type: _Name
    zone: _Name
    capacity_type: Literal["on-demand", "spot", "reserved", "flex-start"]
    usd_per_hour: Decimal
    at: _Moment = 0
    currency: str = "USD"


class _Refusal(Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True, gc=False):
    type: _Name
    zone: _Name
    capacity_type: Literal["on-demand", "spot", "reserved", "flex-start"]
    found: str
    reason: str
    kept_microusd_per_hour: _Count = 0


class _Score(Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    of: _Name
    zone: _Name
    score: Annotated[int, Meta(ge=1, le=10)]


class _Catalog(Struct, forbid_unknown_fields=True, rename="camel"):
    api_version: Literal["gpu-autoscale.dev/v1alpha1"]
    kind: Literal["Catalog"]
    provider: _Name
    region: _Name
    source: _Name
    at: _Moment
    machines: Annotated[list[_Machine], Meta(min_length=1)]
    offerings: Annotated[list[_Quote], Meta(min_length=1)]
    refused: list[_Refusal] = []
    zones: dict[str, str] = {}
    scores: list[_Score] = []


_KEYS: Mapping[str, tuple[str, ...]] = {
    name: tuple(msgspec.structs.fields(kind)[i].encode_name for i in range(len(msgspec.structs.fields(kind))))
    for name, kind in (
        ("", _Catalog), ("machines", _Machine), ("offerings", _Quote), ("refused", _Refusal), ("scores", _Score),
    )
}  # fmt: skip


def load(path: str) -> Catalog:
    """The catalogue in a file. Raises BadInput. Prices that can't be right are among its refusals, not its quotes."""
    return parse(read_bytes(path), path)


def parse(data: bytes, where: str) -> Catalog:
    """The catalogue in these bytes. Raises BadInput."""
    check_text(data, where)
    try:
        found = msgspec.json.decode(data, type=_Catalog)
    except msgspec.ValidationError as error:
        raise bad_value(error, where, _KEYS) from error
    except msgspec.DecodeError as error:
        raise bad_json(error, data, where) from error
    except RecursionError as error:
        raise too_deep(where) from error
    return _checked(found, where)


def write(catalog: Catalog) -> str:
    """The document, one line a machine or offering, sorted, so that two of them can be compared line by line."""
    head = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "provider": catalog.provider,
        "region": catalog.region,
        "source": catalog.source,
        "at": catalog.at_s,
        "zones": dict(sorted(catalog.zone_ids.items())),
    }
    lists: dict[str, list[Any]] = {
        "machines": [_machine(each) for each in sorted(catalog.machines, key=lambda m: m.name)],
        "offerings": [
            _Quote(q.instance_type, q.zone, q.capacity_type.value, Decimal(q.price_microusd_per_hour) / MICRO, q.at_s)
            for q in sorted(catalog.quotes, key=lambda q: q.key)
        ],
        "refused": [
            _Refusal(r.instance_type, r.zone, r.capacity_type.value, r.found, r.reason, r.kept_microusd_per_hour)
            for r in catalog.refusals
        ],
        "scores": [_Score(of, zone, score) for (of, zone), score in sorted(catalog.scores.items())],
    }
    encoder = msgspec.json.Encoder(decimal_format="number")
    lines = [f' "{key}": {encoder.encode(value).decode()}' for key, value in head.items()]
    for key, items in lists.items():
        rows = ",\n".join(f"  {encoder.encode(item).decode()}" for item in items)
        lines.append(f' "{key}": [\n{rows}\n ]' if rows else f' "{key}": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def day(at_s: int) -> str:
    """`2026-07-20`."""
    return dt.datetime.fromtimestamp(at_s, dt.UTC).date().isoformat()


def _machine(each: Machine) -> _Machine:
    return _Machine(**{name: getattr(each, name) for name in _Machine.__struct_fields__})


def _checked(found: _Catalog, where: str) -> Catalog:
    machines: dict[str, Machine] = {}
    for index, each in enumerate(found.machines):
        if each.name in machines:
            raise BadInput(f"machine {each.name} is listed twice", where=f"{where} machines[{index}]")
        machines[each.name] = Machine(**{name: getattr(each, name) for name in _Machine.__struct_fields__})
    offers: dict[str, Offer] = {}
    for index, quote in enumerate(found.offerings):
        at = f"{where} offerings[{index}]"
        capacity_type = CapacityType(quote.capacity_type)
        text = f"{quote.usd_per_hour:f}"
        offer = Offer(quote.type, quote.zone, capacity_type, text, quote.currency, quote.at or found.at)
        if offer.key in offers:
            raise BadInput(f"offering {offer.key} is listed twice", where=at)
        if quote.type not in machines:
            raise BadInput(f"unknown machine {quote.type!r}", where=at, expected="one that is listed under machines")
        offers[offer.key] = offer
    quotes, refusals = believe(offers.values())
    told = tuple(
        Refusal(r.type, r.zone, CapacityType(r.capacity_type), r.found, r.reason, r.kept_microusd_per_hour)
        for r in found.refused
    )
    return Catalog(
        provider=found.provider,
        region=found.region,
        source=found.source,
        at_s=found.at,
        machines=tuple(machines.values()),
        quotes=quotes,
        refusals=tuple(sorted((*told, *refusals), key=lambda each: each.key)),
        zone_ids=dict(found.zones),
        scores={(each.of, each.zone): each.score for each in found.scores},
    )
