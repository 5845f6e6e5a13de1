"""A disagreement made small: parts of the manifests are taken away for as long as it stays."""

import copy
from collections.abc import Iterator, Sequence
from typing import Protocol

from tests.cluster.controlplane import Json

from .compare import difference
from .generate import Case
from .judge import Verdict

_KEPT = frozenset({"apiVersion", "kind", "name", "image", "containers", "nodeName", "key", "operator", "effect"})
_ROUNDS, _BATCH = 150, 24


class Asked(Protocol):
    """Whoever gives verdicts."""

    def verdicts(self, cases: Sequence[Case]) -> list[Verdict]:
        """One for each case, in their order."""


def shrink(judge: Asked, found: Verdict) -> Verdict:
    """The smallest case that we get to with a difference of the same kind: no part of it can be taken away.

    Each round asks about some cases with one part less at once and goes on from the first that still differs; parts are
    tried from the largest to the smallest, round and round.
    """
    kind = kind_of(difference(found))
    at = missed = 0
    for _ in range(_ROUNDS):
        smaller = list(_smaller(found.case))
        if missed >= len(smaller):
            break
        batch = [smaller[(at + i) % len(smaller)] for i in range(min(_BATCH, len(smaller)))]
        asked = judge.verdicts(batch)
        differing = [kind_of(difference(verdict)) == kind for verdict in asked]
        if any(differing):
            first = differing.index(True)
            found, at, missed = asked[first], at + first, 0
        else:
            at, missed = at + len(batch), missed + len(batch)
    return found


def kind_of(difference: str) -> str:
    """The difference without what may go while shrinking: which of two resources are lacking."""
    return difference.partition(":")[0].partition(" (")[0]


def _smaller(case: Case) -> Iterator[Case]:
    """The case without one part, large parts first."""
    for index in range(len(case.running)):
        yield Case(case.id, case.node, case.running[:index] + case.running[index + 1 :], case.pod)
    parts = [("node", path) for path in paths(case.node)] + [("pod", path) for path in paths(case.pod)]
    parts += [(f"running {i}", path) for i, pod in enumerate(case.running) for path in paths(pod)]
    for which, path in sorted(parts, key=lambda part: len(part[1])):
        copied = copy.deepcopy(case)
        where = copied.node if which == "node" else copied.pod
        if which.startswith("running"):
            where = copied.running[int(which.split()[1])]
        drop(where, path)
        yield copied


def paths(document: Json) -> Iterator[tuple[str | int, ...]]:
    """Where something may be taken away: below labels, spec and status."""
    stack: list[tuple[tuple[str | int, ...], object]] = [
        (("spec",), document["spec"]),
        (("status",), document.get("status")),
    ]
    stack.append((("metadata", "labels"), document["metadata"].get("labels")))
    while stack:
        path, here = stack.pop()
        items: list[tuple[str | int, object]] = []
        if isinstance(here, dict):
            items = list(here.items())
        elif isinstance(here, list):
            items = list(enumerate(here))
        for key, value in items:
            if key not in _KEPT:
                yield (*path, key)
            stack.append(((*path, key), value))


def drop(document: Json, path: tuple[str | int, ...]) -> None:
    """Take away what is at the path."""
    here: object = document
    for key in path[:-1]:
        here = here[key]  # type: ignore[index]  # the path was read off the document
    del here[path[-1]]  # type: ignore[attr-defined]  # the same
