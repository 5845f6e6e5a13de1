"""Verdicts on who is on nodes, and on whom the scheduler looks at: DaemonSets, nominated pods, pods that nobody asks about.

One that differs is kept as a file, as it is: these scenes are small.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from . import daemons, nominees, unasked

Record = daemons.Finding | nominees.Answer | unasked.Fate
_KINDS: dict[str, type[Record]] = {"daemons": daemons.Finding, "nominees": nominees.Answer, "unasked": unasked.Fate}


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict: how the engine differs (empty when it agrees), what it is about, and whether the pod goes there."""

    record: Record
    differs: str
    about: frozenset[str]
    binds: bool


def of_daemons(judge: daemons.CrewJudge, seed: int, *, at_once: int = 20) -> Iterator[Judged]:
    """Endlessly, of a seed."""
    for first in count(0, at_once):
        for found in judge.findings([daemons.crews(seed, first + i) for i in range(at_once)]):
            for differs, about, binds in daemons.verdicts(found):
                yield Judged(found, differs, frozenset(about), binds)


def of_nominees(judge: nominees.NomineeJudge, seed: int, *, at_once: int = 20) -> Iterator[Judged]:
    """Endlessly, of a seed."""
    for first in count(0, at_once):
        for answer in judge.answers([nominees.nominees(seed, first + i) for i in range(at_once)]):
            about = {"among nominated pods"} | ({"pod beside a nominated one"} if answer.beside else set())
            yield Judged(answer, nominees.difference(answer), frozenset(about), bool(answer.bound))


def of_unasked(judge: unasked.UnaskedJudge, seed: int, *, at_once: int = 10) -> Iterator[Judged]:
    """Endlessly, of a seed."""
    for first in count(0, at_once):
        for fate in judge.fates([pod for i in range(at_once) for pod in unasked.pods(seed, first + i)]):
            about = {"whether a pod is looked at", *(f"pod that is {word}" for word in fate.about)}
            yield Judged(fate, unasked.difference(fate), frozenset(about), fate.bound)


def first(verdicts: Iterable[Judged], wanted: int) -> Iterator[Judged]:
    """So many of them."""
    for _, each in zip(range(wanted), verdicts, strict=False):
        yield each


def difference(record: Record) -> str:
    """How the engine differs; empty when it agrees."""
    if isinstance(record, daemons.Finding):
        return daemons.difference(record)
    return nominees.difference(record) if isinstance(record, nominees.Answer) else unasked.difference(record)


def write(record: Record, *, version: str, folder: Path) -> Path:
    """Keep one."""
    found = difference(record) or "agrees"
    name = re.sub(r"[^a-z0-9]+", "_", f"{found} {record.id}".lower()).strip("_")
    kind = next(word for word, of in _KINDS.items() if isinstance(record, of))
    content = {each.name: getattr(record, each.name) for each in fields(record)}
    kept = json.loads(json.dumps({"found": found, "kubernetes": version, "part": kind, "record": content}))
    path = folder / f"{name[:90]}.yaml"
    path.write_text(yaml.safe_dump(kept, sort_keys=False, width=120))
    return path


def read(path: Path) -> Record | None:
    """One that was kept; None for a file of another kind."""
    said: dict[str, Any] = yaml.safe_load(path.read_text())
    if "part" not in said:
        return None
    content: dict[str, Any] = {}
    for name, value in said["record"].items():
        content[name] = tuple(value) if isinstance(value, list) else value
    return _KINDS[said["part"]](**content)
