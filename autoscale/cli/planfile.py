"""Plans as files: a versioned document, written whole or not at all, and read with every key checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscale import __version__
from autoscale.cli.codec import decode, encode
from autoscale.cli.facts import ClassFact, Facts, GroupFact, PodFact, digest
from autoscale.config.settings import API_VERSION
from autoscale.errors import BadInput
from autoscale.files import write_whole
from autoscale.model.explanation import Weight
from autoscale.model.plan import Plan

if TYPE_CHECKING:
    from autoscale.model.workload import Reason

KIND = "Plan"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan with what it rests on.

    `offline` says why it can't be carried out, empty when it can. `notes` are on what was observed; `weights` say what the
    limits that bind cost.
    """

    cluster: str
    offline: str
    config_source: str
    config_digest: str
    plan: Plan
    facts: Facts
    notes: tuple[Reason, ...] = ()
    weights: tuple[Weight, ...] = ()
    overlay_source: str = ""


def configuration(saved: SavedPlan) -> str | None:
    """The configuration file that the plan was made with, if it is still there."""
    return _there(saved.config_source)


def overlay(saved: SavedPlan) -> str | None:
    """The overlay file that the plan was made with, if it is still there."""
    return _there(saved.overlay_source)


def _there(path: str) -> str | None:
    return path if path and Path(path).is_file() else None


_WORDS = {each.__name__: each for each in (Plan, Facts, GroupFact, PodFact, ClassFact, Weight)}


def document(saved: SavedPlan) -> dict[str, Any]:
    """The plan as plain values: what `--out` writes and `-o json` prints."""
    body: dict[str, Any] = encode(saved)
    head = {"apiVersion": API_VERSION, "kind": KIND, "madeBy": __version__, "digest": digest(body)}
    return head | body


def write(saved: SavedPlan, path: str) -> None:
    """Write it, whole or not at all. Raises BadInput when it can't."""
    write_whole(json.dumps(document(saved), indent=1) + "\n", path)


def load(path: str) -> SavedPlan:
    """Read a plan. Raises BadInput: no such file, not JSON, cut off, another version, another kind, unknown keys."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("not a plan", where=path, expected="JSON", found="bytes that are no text") from error
    except OSError as error:
        raise BadInput(f"can't be read, {str(error.strerror).lower()}", where=path) from error
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        what = "the plan is cut off" if cut and text.strip() else "not a plan"
        found = _instead(error) if text.strip() else "an empty file"
        raise BadInput(what, where=f"{path}:{error.lineno}", expected="JSON", found=found) from error
    except RecursionError as error:
        raise BadInput("not a plan", where=path, expected="JSON", found="too many levels") from error
    return _read(values, path)


def _instead(error: json.JSONDecodeError) -> str:
    """What is there, in the parser's words: `no value at column 1`, `unterminated string starting at column 8`."""
    message = f"{error.msg[:1].lower()}{error.msg[1:]}".removesuffix(" at")
    return f"{message.replace('expecting ', 'no ', 1)} at column {error.colno}"


def _read(values: Any, path: str) -> SavedPlan:
    if not isinstance(values, dict):
        raise BadInput("not a plan", where=path, expected="a mapping")
    if values.get("kind") != KIND:
        raise BadInput("not a plan", where=path, expected=f"kind: {KIND}", found=_shown(values.get("kind")))
    if values.get("apiVersion") != API_VERSION:
        found = _shown(values.get("apiVersion"))
        raise BadInput("a plan of another version", where=path, expected=API_VERSION, found=found)
    if values.get("madeBy") != __version__:
        found = _shown(values.get("madeBy"))
        raise BadInput("a plan of another version", where=path, expected=f"one made by {__version__}", found=found)
    body = {key: value for key, value in values.items() if key not in ("apiVersion", "kind", "madeBy", "digest")}
    saved = decode(SavedPlan, body, where=path, extra=_WORDS)
    if values.get("digest") != digest(encode(saved)):
        raise BadInput("the plan was edited after it was made", where=path, expected="it as `autoscale plan` wrote it")
    return saved


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)[:60]
