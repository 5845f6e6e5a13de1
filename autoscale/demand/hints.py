"""The smallest change that would let a class in, said to a person."""

from __future__ import annotations

import difflib
from functools import cached_property
from typing import TYPE_CHECKING

from autoscale.demand.wording import amount, few

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscale.demand.misses import Bucket, Candidate, Facets
    from autoscale.model.rules import Requirement
    from autoscale.model.workload import PodShape


class Known:
    """What all candidates together offer: label values by key, and the most of each resource."""

    def __init__(self, candidates: tuple[Candidate, ...], noun: str) -> None:
        self._candidates = candidates
        self.noun = noun

    @cached_property
    def values(self) -> dict[str, list[str]]:
        """Label key -> its values, sorted."""
        found: dict[str, set[str]] = {}
        for candidate in self._candidates:
            for key, value in candidate.labels.items():
                found.setdefault(key, set()).add(value)
        return {key: sorted(values) for key, values in sorted(found.items())}

    @cached_property
    def most(self) -> dict[str, int]:
        """Resource -> the most that one node has."""
        found: dict[str, int] = {}
        for candidate in self._candidates:
            for name, amount_there in candidate.room.amounts.items():
                found[name] = max(amount_there, found.get(name, 0))
        return found


def hints(shape: PodShape, facets: Facets, bucket: Bucket, known: Known) -> str:
    """What would let the shape onto the candidates of the bucket; empty when there is nothing short to say."""
    single = facets.distance[0] == 1
    out = []
    for key, value in facets.selector:
        out.append(_unknown_label(key, [value], known) or (_without(f"{key}={value}", bucket, known) if single else ""))
    if facets.affinity:
        said = [_expression(e, known) for term in shape.node_affinity or () for e in term.expressions]
        out.append(next(filter(None, said), "") or (_without("its node affinity", bucket, known) if single else ""))
    if facets.taints:
        out.append(f"add a toleration for {few(sorted({t.key for t in facets.taints}))}")
    out += [_resource(name, shape.requests[name], bucket, known) for name in facets.resources]
    return "; ".join(filter(None, out))


def _expression(expression: Requirement, known: Known) -> str:
    key = expression.key
    if expression.operator == "In":
        return _unknown_label(key, list(expression.values), known)
    if expression.operator not in ("Gt", "Lt", "Exists"):
        return ""
    if key not in known.values:
        return _unknown_label(key, [], known)
    numbers = [int(v) for v in known.values[key] if v.lstrip("+-").isdecimal()]
    bound = expression.values[0] if expression.values else ""
    if expression.operator == "Exists" or not numbers or not bound.lstrip("+-").isdecimal():
        return ""
    if expression.operator == "Gt" and max(numbers) <= int(bound):
        return f"no {known.noun} has {key} above {bound}; the highest is {max(numbers)}"
    if expression.operator == "Lt" and min(numbers) >= int(bound):
        return f"no {known.noun} has {key} below {bound}; the lowest is {min(numbers)}"
    return ""


def _unknown_label(key: str, values: list[str], known: Known) -> str:
    """For a label or values that no candidate has: so much, and the nearest that one has."""
    if key not in known.values:
        return f"no {known.noun} has the label {key}{_nearest(key, known.values)}"
    there = known.values[key]
    if not values or any(value in there for value in values):
        return ""
    return f"no {known.noun} has {key}={few(values)}{_nearest(values[0], there)}"


def _nearest(word: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"; the nearest is {close[0]}" if close else ""


def _without(rule: str, bucket: Bucket, known: Known) -> str:
    count = len(bucket.names)
    return f"without {rule} it would fit {count} {known.noun}{'' if count == 1 else 's'}"


def _resource(name: str, asked: int, bucket: Bucket, known: Known) -> str:
    best, most = bucket.most[name], known.most.get(name, 0)
    if most <= 0:
        return f"no node has any {name}{_nearest(name, known.most)}"
    if best <= 0:
        return ""
    why = "no node has more" if best == most else "no node of these has more"
    return f"ask for {amount(name, best)} {name} instead of {amount(name, asked)}: {why}"
