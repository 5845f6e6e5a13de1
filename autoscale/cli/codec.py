"""Frozen dataclasses to plain values and back, checked on the way back: unknown, missing and misplaced keys are errors.

Keys are camel case. A union of dataclasses is told apart by `kind`, the class's own name.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, Union

from autoscale.config.problems import nearest
from autoscale.errors import BadInput
from autoscale.model import plan, problem, supply, workload
from autoscale.model.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

# The model imports some of its words for type checking only; reading annotations at run time needs them all.
_WORDS = {name: thing for module in (workload, supply, problem, plan) for name, thing in vars(module).items()}
_WORDS["Mapping"] = Mapping
_ACTIONS: tuple[type, ...] = typing.get_args(plan.Action)
_PLAIN = {str: "a string", int: "a whole number", bool: "true or false"}


def encode(value: Any) -> Any:
    """Plain mappings, lists, strings and numbers."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Resources):
        return dict(sorted(value.amounts.items()))
    if isinstance(value, Mapping):
        return {str(key): encode(each) for key, each in sorted(value.items())}
    if isinstance(value, frozenset | set):
        return sorted(encode(each) for each in value)
    if dataclasses.is_dataclass(value):
        out = {"kind": type(value).__name__} if isinstance(value, _ACTIONS) else {}
        return out | {camel(f.name): encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return [encode(each) for each in value]


def decode(kind: type[T], value: Any, *, where: str, extra: Mapping[str, Any] | None = None) -> T:
    """The dataclass that was encoded. Raises BadInput that names the key, what was expected and what was found.

    `extra` has what the dataclass's annotations name beyond the model's own words.
    """
    read: T = _read(kind, value, where, {**_WORDS, **(extra or {})})
    return read


def camel(name: str) -> str:
    """`per_pod` as `perPod`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _read(kind: Any, value: Any, where: str, words: Mapping[str, Any]) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(inner, value, where, words)
    if origin is tuple:
        return _tuple(inner, value, where, words)
    if origin is Mapping:
        _expect(isinstance(value, dict), "a mapping", value, where)
        return {key: _read(inner[1], each, f"{where}.{key}", words) for key, each in value.items()}
    if kind is Resources:
        _expect(isinstance(value, dict), "a mapping", value, where)
        return Resources({key: _read(int, each, f"{where}.{key}", words) for key, each in value.items()})
    if kind in _PLAIN:
        _expect(isinstance(value, kind) and (kind is bool) == isinstance(value, bool), _PLAIN[kind], value, where)
        return value
    if isinstance(kind, type) and issubclass(kind, Enum):
        known = [each.value for each in kind]
        _expect(value in known, nearest(str(value), known), value, where)
        return kind(value)
    return _dataclass(kind, value, where, words)


def _dataclass(kind: Any, value: Any, where: str, words: Mapping[str, Any]) -> Any:
    _expect(isinstance(value, dict), "a mapping", value, where)
    hints = typing.get_type_hints(kind, localns=dict(words))
    fields = {camel(field.name): field for field in dataclasses.fields(kind)}
    for key in value:
        if key not in fields and not (key == "kind" and kind in _ACTIONS):
            raise BadInput(f"unknown key {key!r}", where=where, expected=nearest(str(key), fields))
    for key, field in fields.items():
        if key not in value and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise BadInput(f"{key} is missing", where=where)
    given = {fields[key].name: each for key, each in value.items() if key in fields}
    return kind(**{name: _read(hints[name], each, f"{where}.{camel(name)}", words) for name, each in given.items()})


def _union(inner: Iterable[Any], value: Any, where: str, words: Mapping[str, Any]) -> Any:
    kinds = [each for each in inner if each is not type(None)]
    if value is None:
        _expect(len(kinds) != len(tuple(inner)), "a value", value, where)
        return None
    if len(kinds) == 1:
        return _read(kinds[0], value, where, words)
    named = {each.__name__: each for each in kinds}
    found = value.get("kind") if isinstance(value, dict) else None
    _expect(isinstance(found, str) and found in named, nearest(str(found), named), found, f"{where}.kind")
    return _dataclass(named[str(found)], value, where, words)


def _tuple(inner: tuple[Any, ...], value: Any, where: str, words: Mapping[str, Any]) -> Any:
    _expect(isinstance(value, list), "a list", value, where)
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_read(inner[0], each, f"{where}[{i}]", words) for i, each in enumerate(value))
    _expect(len(value) == len(inner), f"a list of {len(inner)}", value, where)
    return tuple(
        _read(kind, each, f"{where}[{i}]", words) for i, (kind, each) in enumerate(zip(inner, value, strict=True))
    )


def _expect(holds: object, expected: str, found: Any, where: str) -> None:
    if not holds:
        text = repr(found)
        raise BadInput(
            "wrong value", where=where, expected=expected, found=text if len(text) <= 40 else text[:37] + "..."
        )
