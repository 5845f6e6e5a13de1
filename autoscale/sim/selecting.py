"""Field and label selectors of lists and watches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from autoscale.sim.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.sim.objects import Json

_EXPRESSION = re.compile(r"\s*([^=!,\s]+)\s*(==|=|!=)\s*([^,]*?)\s*")
_FIELDS = re.compile(r"metadata\.(name|namespace)|spec\.nodeName|status\.phase|involvedObject\.\w+|reason|type")


def selector(fields: str, labels: str, namespace: str) -> Callable[[Json], bool]:
    """Whether an object is meant. Refused with 400 for a selector that can't be read."""
    wanted = [_parse(part, _field) for part in fields.split(",") if part]
    wanted += [_parse(part, _label) for part in labels.split(",") if part]

    def selects(obj: Json) -> bool:
        if namespace and obj["metadata"].get("namespace") != namespace:
            return False
        return all((read(obj) == value) == equal for read, value, equal in wanted)

    return selects


def _parse(text: str, reader: Callable[[str], Callable[[Json], str]]) -> tuple[Callable[[Json], str], str, bool]:
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise Refused(400, f"unable to parse requirement: {text}")
    return reader(match[1]), match[3], match[2] != "!="


def _label(key: str) -> Callable[[Json], str]:
    return lambda obj: str((obj["metadata"].get("labels") or {}).get(key, ""))


def _field(path: str) -> Callable[[Json], str]:
    if not _FIELDS.fullmatch(path):
        raise Refused(400, f"field label not supported: {path}")
    parts = path.split(".")

    def read(obj: Json) -> str:
        value: Any = obj
        for part in parts:
            value = (value or {}).get(part)
        return value or ""

    return read


def selects_labels(wanted: Json | None, labels: Json) -> bool:
    """Whether a label selector as objects have it means these labels; only `matchLabels` is known."""
    return all(labels.get(key) == value for key, value in ((wanted or {}).get("matchLabels") or {}).items())
