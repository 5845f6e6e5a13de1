"""One shared empty mapping, as a factory for dataclass fields (a mapping is no valid default before Python 3.12)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_EMPTY: Mapping[Any, Any] = MappingProxyType({})


def empty() -> Mapping[Any, Any]:
    """The empty, read-only mapping."""
    return _EMPTY
