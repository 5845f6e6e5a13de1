"""From a policy's own fields to a checked policy.

A policy is a frozen dataclass. Each field that a person may set carries metadata: `key`, its name in the file, and
`reads`, how its value is written. `reads` is one of the words below, another such dataclass, `("by group", reads)` for
a mapping from patterns of group names, `("list of", dataclass)`, or absent for a field that is not set from the file.
"""

from __future__ import annotations

import dataclasses
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, create_model

from autoscale.config import schema, values

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS: Mapping[str, Any] = {
    "count": schema.Count,
    "duration": schema.DurationS,
    "duration or never": schema.DurationOrNeverS,
    "money": schema.Money,
    "sum": Annotated[int, schema.reads(values.money_microusd)],
    "share": schema.Share,
    "count or share": schema.CountOrShare,
    "flag": schema.Flag,
    "word": schema.Word,
    "words": list[schema.Word],
    "labels": dict[schema.Word, schema.Word],
    "amounts": Annotated[dict[str, int], schema.reads(values.amounts)],
}


def model_of(options: type) -> type[schema.Section]:
    """The pydantic model of a dataclass whose fields say how they are read."""
    fields: dict[str, Any] = {}
    for each in dataclasses.fields(options):
        if "reads" in each.metadata:
            # A field left out keeps the dataclass's own default, so the model needs none that fits the type.
            default = ... if _required(each) else None
            fields[each.name] = (_type(each.metadata["reads"]), Field(default, alias=each.metadata["key"]))
    return create_model(options.__name__, __base__=schema.Section, **fields)


def build(options: type, checked: schema.Section) -> Any:
    """The dataclass from its checked model. Raises what its `__post_init__` raises."""
    given: dict[str, Any] = {}
    for each in dataclasses.fields(options):
        if each.name in checked.model_fields_set:
            given[each.name] = _value(each.metadata["reads"], getattr(checked, each.name))
    return options(**given)


def _type(reads: Any) -> Any:
    if isinstance(reads, str):
        return _WORDS[reads]
    if isinstance(reads, tuple) and reads[0] == "list of":
        return GenericAlias(list, (_type(reads[1]),))
    if isinstance(reads, tuple):
        return GenericAlias(dict, (schema.Word, _type(reads[1])))
    return model_of(reads)


def _value(reads: Any, value: Any) -> Any:
    if isinstance(reads, str):
        return tuple(value) if reads == "words" else value
    if isinstance(reads, tuple) and reads[0] == "list of":
        return tuple(_value(reads[1], each) for each in value)
    if isinstance(reads, tuple):
        return {pattern: _value(reads[1], each) for pattern, each in value.items()}
    return build(reads, value)


def _required(each: dataclasses.Field[Any]) -> bool:
    return each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
