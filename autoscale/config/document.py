"""YAML to plain values, with the line of every key, so that errors can say where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from autoscale.config.yaml_tree import compose
from autoscale.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file as read: its values, and the line on which each key or item stands."""

    name: str
    values: Mapping[str, Any]
    lines: Mapping[Loc, int] = field(default_factory=dict)

    def where(self, loc: Loc) -> str:
        """`file:line: key.path[2]`, with the line of the nearest key that is there."""
        line = self.line(loc)
        place = f"{self.name}:{line}" if line else self.name
        dotted = _dotted(loc)
        return f"{place}: {dotted}" if dotted else place

    def line(self, loc: Loc) -> int:
        """The line of a key, or of the nearest key above it that is there; 0 for the file as a whole."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 0)


def read(text: str, *, name: str, what: str = "a configuration") -> Document:
    """Parse one YAML document that is a mapping. Raises BadInput with file and line."""
    loader = yaml.SafeLoader(text)
    try:
        node = compose(loader.get_single_node)
        lines: dict[Loc, int] = {}
        _remember(node, (), lines, name)
        values = loader.construct_document(node) if node is not None else {}
    except yaml.YAMLError as error:
        raise BadInput(*_yaml_problem(error, name)) from error
    finally:
        loader.dispose()
    if not isinstance(values, dict):
        raise BadInput(f"not {what}", where=name, expected="a mapping of keys", found=_kind(values))
    return Document(name, values, lines)


def _remember(node: yaml.Node | None, loc: Loc, lines: dict[Loc, int], name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            at = (*loc, str(key.value))
            if at in lines:
                line = key.start_mark.line + 1
                raise BadInput(f"{_dotted(at)} is given twice, first on line {lines[at]}", where=f"{name}:{line}")
            lines[at] = key.start_mark.line + 1
            _remember(value, at, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*loc, index)] = item.start_mark.line + 1
            _remember(item, (*loc, index), lines, name)


def _yaml_problem(error: yaml.YAMLError, name: str) -> tuple[str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    place = f"{name}:{mark.line + 1}" if mark is not None else name
    return (f"{place}: not YAML, {problem}",)


def _dotted(loc: Loc) -> str:
    out = ""
    for part in loc:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    return {list: "a list", str: "a string", int: "a number", float: "a number"}.get(type(value), "something else")
