"""What stood closest in the way: why a class fits no node group, said in few lines, with the change that would help.

Groups that fail for the same kinds of reasons share a line, so that a hundred instance types read as three.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from autoscale.demand.fit import SOURCE, affinity_matches, keys_read, reads_name, untolerated
from autoscale.demand.hints import Known, hints
from autoscale.demand.wording import amount, few, labelled, taint_text, wanted
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscale.model.resources import Resources
    from autoscale.model.workload import PodShape, Taint


class Candidate(NamedTuple):
    """A kind of node that could be had: what it would be labelled and tainted with, and the room it would have."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    room: Resources
    node_name: str = ""


class Miss(NamedTuple):
    """Candidates that fail for the same kinds of reasons, and what they have in common: `why` is without their names."""

    names: tuple[str, ...]
    code: Code
    why: str
    hint: str


class Facets(NamedTuple):
    """Everything that fails, by kind: node selector pairs, affinity, taints and names of resources."""

    selector: tuple[tuple[str, str], ...]
    affinity: bool
    taints: tuple[Taint, ...]
    resources: tuple[str, ...]

    @property
    def distance(self) -> tuple[int, int]:
        """How many things would have to change, and how hard the kind is: a toleration, a request, a choice of node."""
        many = len(self.selector) + self.affinity + len(self.taints) + len(self.resources)
        return many, 2 if self.selector or self.affinity else 1 if self.resources else 0


@dataclass(slots=True)
class Bucket:
    """Candidates that fail for the same kinds of reasons, and the best that they offer."""

    names: list[str] = field(default_factory=list)
    values: dict[str, set[str | None]] = field(default_factory=dict)
    least: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)


class Misses:
    """Candidates, asked why they take no shape. What they have in common is looked up once for all shapes.

    `noun` is what a candidate is called.
    """

    def __init__(self, candidates: Iterable[Candidate], *, noun: str = "node group") -> None:
        self._candidates = tuple(candidates)
        self._known = Known(self._candidates, noun)
        self._alike: dict[tuple[tuple[str, ...], bool], tuple[tuple[Candidate, ...], ...]] = {}

    def of(self, shape: PodShape, *, lines: int = 4) -> tuple[Reason, ...]:
        """Why no candidate takes the shape, nearest miss first; candidates that take it are left out.

        At most `lines` reasons, the last of which sums up the rest.
        """
        everything, noun = self._candidates, self._known.noun
        if not everything:
            return (Reason(Code.NO_GROUP, f"there is no {noun} at all", SOURCE),)
        ranked = self._ranked(shape)
        shown = ranked if len(ranked) <= lines else ranked[: lines - 1]
        reasons = [
            Reason(miss.code, f"{_who(miss.names, len(everything), noun)}: {miss.why}", SOURCE, miss.hint)
            for miss in (self._miss(shape, f, b) for f, b in shown)
        ]
        rest = sum(len(bucket.names) for _, bucket in ranked[len(shown) :])
        if rest:
            text = f"{rest} more {_plural(noun, rest)} {'fails' if rest == 1 else 'fail'} for other reasons"
            reasons.append(Reason(_code(ranked[len(shown)][0]), text, SOURCE))
        return tuple(reasons)

    def grouped(self, shape: PodShape) -> tuple[Miss, ...]:
        """The same in full and in parts, for whoever has more room: every candidate that does not take the shape."""
        return tuple(self._miss(shape, facets, bucket) for facets, bucket in self._ranked(shape))

    def _miss(self, shape: PodShape, facets: Facets, bucket: Bucket) -> Miss:
        text = _text(shape, facets, bucket)
        return Miss(tuple(bucket.names), _code(facets), text, hints(shape, facets, bucket, self._known))

    def _ranked(self, shape: PodShape) -> list[tuple[Facets, Bucket]]:
        buckets = self._buckets(shape)
        return sorted(buckets.items(), key=lambda item: (item[0].distance, -len(item[1].names), repr(item[0])))

    def _buckets(self, shape: PodShape) -> dict[Facets, Bucket]:
        keys = keys_read(shape)
        buckets: dict[Facets, Bucket] = {}
        for group in self._groups(keys, named=reads_name(shape)):
            one = group[0]
            facets = Facets(
                tuple((key, value) for key, value in shape.node_selector if one.labels.get(key) != value),
                not affinity_matches(shape.node_affinity, one.labels, node_name=one.node_name),
                untolerated(shape.tolerations, one.taints),
                tuple(sorted(shape.requests.lacking(one.room))),
            )
            if not facets.distance[0]:
                continue
            bucket = buckets.setdefault(facets, Bucket())
            bucket.names += [c.name for c in group]
            for key in keys:
                bucket.values.setdefault(key, set()).add(one.labels.get(key))
            for name in facets.resources:
                there = max(0, one.room[name])
                bucket.least[name] = min(there, bucket.least.get(name, there))
                bucket.most[name] = max(there, bucket.most.get(name, there))
        return buckets

    def _groups(self, keys: tuple[str, ...], *, named: bool) -> tuple[tuple[Candidate, ...], ...]:
        """Candidates that are one to whoever reads these labels (and the name)."""
        found = self._alike.get((keys, named))
        if found is None:
            alike: dict[object, list[Candidate]] = {}
            for one in self._candidates:
                values = tuple([one.labels.get(key) for key in keys])
                alike.setdefault((values, one.taints, one.room, one.node_name if named else ""), []).append(one)
            found = self._alike[keys, named] = tuple(tuple(group) for group in alike.values())
        return found


def nearest_misses(
    shape: PodShape, candidates: Iterable[Candidate], *, noun: str = "node group", lines: int = 4
) -> tuple[Reason, ...]:
    """Why no candidate takes this one shape (see `Misses`)."""
    return Misses(candidates, noun=noun).of(shape, lines=lines)


def _code(facets: Facets) -> Code:
    if facets.selector:
        return Code.NODE_SELECTOR
    if facets.affinity:
        return Code.NODE_AFFINITY
    return Code.TAINT if facets.taints else Code.INSUFFICIENT


def _text(shape: PodShape, facets: Facets, bucket: Bucket) -> str:
    parts = []
    for key, value in facets.selector:
        parts.append(f"wants {key}={value}, {_has(bucket.values[key])}")
    if facets.affinity:
        parts.append(f"wants {wanted(shape.node_affinity or ())}{_affinity_values(shape, bucket)}")
    if facets.taints:
        parts.append(f"does not tolerate {few(taint_text(t) for t in facets.taints)}")
    for name in facets.resources:
        least, most = bucket.least[name], bucket.most[name]
        there = f"{'' if least == most else 'at most '}{amount(name, most)}" if most else "none"
        parts.append(f"asks for {amount(name, shape.requests[name])} {name}, a node has {there}")
    return "; ".join(parts)


def _affinity_values(shape: PodShape, bucket: Bucket) -> str:
    """What the labels read by a single expression are; several would be too long to help."""
    keys = {e.key for term in shape.node_affinity or () for e in term.expressions}
    return f", {_has(bucket.values[keys.pop()])}" if len(keys) == 1 else ""


def _has(values: set[str | None]) -> str:
    there = sorted(value for value in values if value is not None)
    if not there:
        return "a node has no such label"
    return f"a node has {few([labelled(value) for value in there])}{' or no such label' if None in values else ''}"


def _who(names: Sequence[str], total: int, noun: str) -> str:
    if len(names) == 1:
        return f"{noun} {names[0]}"
    return f"{'all ' if len(names) == total else ''}{len(names)} {_plural(noun, len(names))}"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
