"""How a rule declares what can be set, and how it looks up what is set per group."""

from __future__ import annotations

from dataclasses import MISSING, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from autoscale.model.supply import NodeGroup

T = TypeVar("T")


def option(key: str, reads: Any, *, default: Any = MISSING, default_factory: Callable[[], Any] | Any = MISSING) -> Any:
    """A dataclass field that is set in the configuration as `key`.

    `reads` says how: a word such as `duration` or `share`, a dataclass of options, or `("by group", reads)`.
    """
    metadata = {"key": key, "reads": reads}
    if default_factory is not MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def matches(group: NodeGroup, pattern: str) -> bool:
    """Whether a pattern with `*` and `?` means this group, by its name or its id."""
    return fnmatchcase(group.name, pattern) or fnmatchcase(group.id, pattern)


def for_group(by_pattern: Mapping[str, T], group: NodeGroup, default: T) -> T:
    """What is set for a group: the first pattern that means it, else the default."""
    return next((value for pattern, value in by_pattern.items() if matches(group, pattern)), default)


def duration(seconds: int) -> str:
    """`90` as `1 m 30 s`."""
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
