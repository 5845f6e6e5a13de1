"""Changes to a pod's shape, one rule at a time, that would let it onto some candidate; not yet tried.

Where two sets of edits touch the same rules, the one that changes least comes first. Rules that this module does not
know by name can still be taken away, so that a rule added to `PodShape` later has a remedy from its first day.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from autoscale.demand.fit import affinity_matches, holds, untolerated
from autoscale.demand.hints import Known
from autoscale.demand.wording import amount, few, taint_text, wanted
from autoscale.model.resources import Resources
from autoscale.model.workload import NodeSelectorTerm, PodShape, Toleration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from autoscale.demand.misses import Candidate
    from autoscale.model.workload import Requirement, Taint

_NAMED = frozenset(
    {
        "requests",
        "node_selector",
        "node_affinity",
        "tolerations",
        "priority",
        "preempts",
        "preferred_nodes",
        "wishes",
        "scheduler_name",
        "unmodelled",
        "blocked",
        "affinity_without_volumes",
    }
)  # what a candidate is compared with below, and what decides no fit
_CALLED = {
    "affinity": "required pod affinity",
    "anti_affinity": "required pod anti-affinity",
    "spread": "topology spread constraints",
    "ports": "host ports",
    "claims": "volume claims",
}
_EASY, _SLIP, _HARD = 0, 1, 3  # a toleration; a smaller request or a word misspelt; another kind of node
_NEAR = 0.6
_PER_KIND = 2


@dataclass(frozen=True, slots=True)
class Edit:
    """One change. `rule` is what it touches; `kept` how much of a request is left.

    `pieces` such pods do the work of one, which `together` says.
    """

    rule: tuple[str, str]
    text: str
    hardness: int
    apply: Callable[[PodShape], PodShape] = field(compare=False, repr=False)
    kept: float = 1.0
    pieces: int = 1
    together: str = ""


def repairs(shape: PodShape, candidates: Sequence[Candidate]) -> list[tuple[Edit, ...]]:
    """Sets of edits that would each let the shape onto some candidate, smallest and easiest first.

    Of equally good ones the first candidate's comes first, so give the cheapest first.
    """
    known = Known(tuple(candidates), "node group")
    by_rules: dict[frozenset[tuple[str, str]], dict[tuple[Edit, ...], None]] = {}
    for edits in _sets(shape, candidates, known):
        by_rules.setdefault(frozenset(e.rule for e in edits), {})[edits] = None
    best = [edits for same in by_rules.values() for edits in sorted(same, key=_effort)[:_PER_KIND]]
    return sorted(best, key=_effort)


def _effort(edits: tuple[Edit, ...]) -> tuple[int, int, float]:
    return len(edits), sum(e.hardness for e in edits), -sum(e.kept for e in edits)


def _sets(shape: PodShape, candidates: Sequence[Candidate], known: Known) -> Iterator[tuple[Edit, ...]]:
    others = tuple(_others(shape))
    for one in candidates:
        edits = _repair(shape, one, known)
        if edits is None:
            continue
        if edits:
            yield edits
        yield from ((*edits, other) for other in others)


def _repair(shape: PodShape, one: Candidate, known: Known) -> tuple[Edit, ...] | None:
    """What would have to change for this candidate; None when it lacks something for good."""
    edits = [_selector(k, v, one.labels, known) for k, v in shape.node_selector if one.labels.get(k) != v]
    if not affinity_matches(shape.node_affinity, one.labels, node_name=one.node_name):
        edits.append(_affinity(shape.node_affinity or (), one.labels, known))
    edits += [_tolerate(taint) for taint in untolerated(shape.tolerations, one.taints)]
    for name, (asked, there) in sorted(shape.requests.lacking(one.room).items()):
        edit = _less(name, asked, there, known) if there > 0 else _renamed(name, asked, one.room)
        if edit is None:
            return None
        edits.append(edit)
    return tuple(edits)


def _selector(key: str, value: str, labels: Mapping[str, str], known: Known) -> Edit:
    have = labels.get(key)

    def change(shape: PodShape) -> PodShape:
        kept = [(k, have if k == key and have is not None else v) for k, v in shape.node_selector]
        return replace(shape, node_selector=tuple(pair for pair in kept if pair != (key, value)))

    if have is None:
        return Edit(("selector", key), f"take {key}={value} off the node selector", _HARD, change)
    if value in known.values.get(key, ()):
        return Edit(("selector", key), f"select {key}={have} instead of {value}", _HARD, change)
    near = difflib.get_close_matches(value, known.values[key], n=1, cutoff=_NEAR) == [have]
    text = f"select {key}={have}: {value} does not exist{', this does' if near else ''}"
    return Edit(("selector", key), text, _SLIP if near else _HARD, change)


def _affinity(terms: Sequence[NodeSelectorTerm], labels: Mapping[str, str], known: Known) -> Edit:
    """The term that fails in fewest expressions, these widened to what the node has, or taken away; else no affinity."""
    failing = [(t, [e for e in t.expressions if not holds(e, labels.get(e.key))]) for t in terms if not t.fields]
    mendable = [(term, bad) for term, bad in failing if bad and _mended(term, bad, labels).expressions]
    if not mendable:
        text = f"take the node affinity away, which wants {wanted(tuple(terms))}"
        return Edit(("affinity", ""), text, _HARD, lambda shape: replace(shape, node_affinity=None))
    term, bad = min(mendable, key=lambda pair: len(pair[1]))
    mended = _mended(term, bad, labels)
    return Edit(
        ("affinity", ""),
        _affinity_text(bad, labels, known),
        sum(_SLIP if _misspelt(e, labels, known) else _HARD for e in bad),
        lambda shape: replace(shape, node_affinity=tuple(mended if t == term else t for t in terms)),
    )


def _mended(term: NodeSelectorTerm, bad: Sequence[Requirement], labels: Mapping[str, str]) -> NodeSelectorTerm:
    kept = [e if e not in bad else _wider(e, labels) for e in term.expressions]
    return NodeSelectorTerm(tuple(e for e in kept if e is not None))


def _wider(expression: Requirement, labels: Mapping[str, str]) -> Requirement | None:
    """Let the node's value in as well; None when no value would do."""
    have = labels.get(expression.key)
    if expression.operator != "In" or have is None:
        return None
    wider = replace(expression, values=tuple(sorted({*expression.values, have})))
    return wider if holds(wider, have) else None


def _misspelt(expression: Requirement, labels: Mapping[str, str], known: Known) -> bool:
    """Whether it wants one value that nobody has, and the node has the nearest there is."""
    there = known.values.get(expression.key, [])
    if expression.operator != "In" or len(expression.values) != 1 or expression.values[0] in there:
        return False
    return difflib.get_close_matches(expression.values[0], there, n=1, cutoff=_NEAR) == [labels.get(expression.key)]


def _affinity_text(bad: Sequence[Requirement], labels: Mapping[str, str], known: Known) -> str:
    widened = [e for e in bad if _wider(e, labels) is not None]
    dropped = [e for e in bad if _wider(e, labels) is None]
    parts = []
    if widened:
        unknown = [v for e in widened for v in e.values if v not in known.values.get(e.key, ())]
        said = few(f"{e.key}={labels[e.key]}" for e in widened)
        parts.append(f"let the node affinity take {said}" + (f": {few(unknown)} does not exist" if unknown else ""))
    if dropped:
        parts.append(f"take {few(wanted((NodeSelectorTerm((e,)),)) for e in dropped)} off the node affinity")
    return "; ".join(parts)


def _tolerate(taint: Taint) -> Edit:
    tolerates = Toleration(taint.key, "Equal", taint.value, taint.effect)
    return Edit(
        ("taint", taint_text(taint)),
        f"add the toleration {taint_text(taint)}",
        _EASY,
        lambda shape: replace(shape, tolerations=(*shape.tolerations, tolerates)),
    )


def _less(name: str, asked: int, there: int, known: Known) -> Edit:
    why = "no node has more" if there >= known.most.get(name, 0) else "no node of that kind has more"
    device = "/" in name
    pieces = -(-asked // there) if device else 1
    if pieces > 1 and asked % pieces == 0:
        there = asked // pieces
    text = f"ask for {amount(name, there)} {name} instead of {amount(name, asked)}: {why}"
    together = f"use {pieces} pods of {there}" if pieces > 1 else ""

    def change(shape: PodShape) -> PodShape:
        return replace(shape, requests=Resources({**shape.requests.amounts, name: there}))

    return Edit(("request", name), text, _SLIP, change, there / asked, pieces, together)


def _renamed(name: str, asked: int, room: Resources) -> Edit | None:
    """A resource that no node has, spelt like one that this candidate has enough of."""
    close = difflib.get_close_matches(name, [r for r in room if "/" in r], n=1, cutoff=_NEAR)
    if "/" not in name or not close or room[close[0]] < asked:
        return None

    def change(shape: PodShape) -> PodShape:
        amounts = {n: a for n, a in shape.requests.amounts.items() if n != name}
        return replace(shape, requests=Resources({**amounts, close[0]: amounts.get(close[0], 0) + asked}))

    same_vendor = name.partition("/")[0] == close[0].partition("/")[0]
    text = f"ask for {close[0]} instead of {name}, which these nodes lack"
    return Edit(("request", name), text, _SLIP if same_vendor else _HARD, change)


def _others(shape: PodShape) -> Iterator[Edit]:
    """Rules that are compared elsewhere, each taken away; of those between pods one kind at a time."""
    if shape.unmodelled:
        text = f"without {few(shape.unmodelled)}, which is not planned yet"
        yield Edit(("unmodelled", ""), text, _HARD, lambda s: replace(s, unmodelled=()))
    for each in dataclasses.fields(shape):
        value = getattr(shape, each.name)
        if each.name in _NAMED or value == _default(each):
            continue
        if not dataclasses.is_dataclass(value):
            yield _taken_away((each.name,), _default(each))
            continue
        for part in dataclasses.fields(value):
            if getattr(value, part.name) != _default(part):
                yield _taken_away((each.name, part.name), _default(part))


def _default(field_: dataclasses.Field[Any]) -> Any:
    return None if field_.default is dataclasses.MISSING else field_.default


def _taken_away(path: tuple[str, ...], default: Any) -> Edit:
    name = _CALLED.get(path[-1], path[-1].replace("_", " "))

    def change(shape: PodShape) -> PodShape:
        if len(path) == 1:
            return replace(shape, **{path[0]: default})
        inner: Any = getattr(shape, path[0])
        return replace(shape, **{path[0]: replace(inner, **{path[1]: default})})

    return Edit(("rule", ".".join(path)), f"without its {name}", _HARD, change)


__all__ = ["Edit", "repairs"]
