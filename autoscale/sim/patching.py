"""The three patch formats of the API server: JSON merge patch, JSON patch, and strategic merge as far as it is used."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from autoscale.sim.refusals import Refused

if TYPE_CHECKING:
    from autoscale.sim.objects import Json

_MERGE_KEYS = {
    "conditions": "type",
    "containers": "name",
    "initContainers": "name",
    "taints": "key",
    "addresses": "type",
}


def patched(obj: Json, patch: Any, content_type: str) -> Json:
    """A new object with the patch applied. Refused when the patch is not of its type or does not apply."""
    match content_type.partition(";")[0].strip():
        case "application/merge-patch+json":
            return _mapping(_merge(obj, patch, strategic=False))
        case "application/strategic-merge-patch+json":
            return _mapping(_merge(obj, patch, strategic=True))
        case "application/json-patch+json":
            return _json_patch(obj, patch)
    raise Refused(415, f"the body of the request was in an unknown format: {content_type}")


def _mapping(value: Any) -> Json:
    if not isinstance(value, dict):
        raise Refused(400, "the patch is not an object")
    return value


def _merge(target: Any, patch: Any, *, strategic: bool) -> Any:
    """RFC 7396; with `strategic`, lists whose items have a key are merged by it."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        elif strategic and name in _MERGE_KEYS and isinstance(value, list):
            out[name] = _merge_list(out.get(name) or [], value, _MERGE_KEYS[name])
        else:
            out[name] = _merge(out.get(name), value, strategic=strategic)
    return out


def _merge_list(there: list[Any], patch: list[Any], key: str) -> list[Any]:
    out = list(there)
    for item in patch:
        at = next((i for i, other in enumerate(out) if other.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del out[at]
        elif at is None:
            out.append(item)
        else:
            out[at] = _merge(out[at], item, strategic=True)
    return out


def _json_patch(obj: Json, operations: Any) -> Json:
    """RFC 6902: add, remove, replace and test."""
    if not isinstance(operations, list):
        raise Refused(400, "a JSON patch is a list of operations")
    out = copy.deepcopy(obj)
    for operation in operations:
        _apply(out, operation)
    return out


def _apply(root: Json, operation: Any) -> None:
    try:
        op, path, value = operation["op"], str(operation["path"]), operation.get("value")
    except (TypeError, KeyError):
        raise Refused(400, "an operation of a JSON patch has op and path") from None
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    try:
        holder: Any = root
        for part in parents:
            holder = holder[int(part)] if isinstance(holder, list) else holder[part]
        _change(holder, last, op, value)
    except (KeyError, IndexError, ValueError, TypeError):
        raise Refused(422, f"the server rejected our request due to an error in our request: {op} {path}") from None


def _change(holder: Any, last: str, op: str, value: Any) -> None:
    if isinstance(holder, list):
        if op == "add":
            holder.insert(len(holder) if last == "-" else int(last), value)
            return
        at: Any = int(last)
    else:
        at = last
    if op == "test":
        there = holder[at] if isinstance(holder, list) else holder.get(at)
        if there != value:
            raise ValueError
    elif op == "remove":
        del holder[at]
    elif op in ("add", "replace"):
        if op == "replace":
            holder[at]  # a KeyError when it is missing
        holder[at] = value
    else:
        raise Refused(400, f"unknown operation {op}")
