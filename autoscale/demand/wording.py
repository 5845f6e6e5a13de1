"""Words for people: amounts, labels, taints and selector terms the way Kubernetes writes them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscale.model.rules import Requirement, Selector
    from autoscale.model.workload import NodeSelectorTerm, Taint

_BYTES = ("memory", "ephemeral-storage")
_BINARY = ((2**40, "Ti"), (2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki"))
_WORDS = {"In": "in", "NotIn": "not in", "Exists": "present", "DoesNotExist": "absent", "Gt": ">", "Lt": "<"}


def amount(resource: str, value: int) -> str:
    """An amount as Kubernetes writes it; bytes that make no round number are cut to two decimals, never raised."""
    if resource == "cpu":
        return f"{value // 1000}" if value % 1000 == 0 else f"{value}m"
    if resource in _BYTES or resource.startswith("hugepages-"):
        for (unit, suffix), (finer, finer_suffix) in pairwise((*_BINARY, (1, ""))):
            if value < unit:
                continue
            if value % unit == 0:
                return f"{value // unit}{suffix}"
            if value % finer == 0 and value < 100 * unit:
                return f"{value // finer}{finer_suffix}"
            return f"{value * 100 // unit / 100:.2f}".rstrip("0").rstrip(".") + suffix
    return str(value)


def labelled(value: str | None) -> str:
    """A label's value, or that it is absent."""
    if value is None:
        return "no such label"
    return value or "an empty one"


def taint_text(taint: Taint) -> str:
    """`key=value:Effect`, as kubectl takes it."""
    return f"{taint.key}{'=' if taint.value else ''}{taint.value}:{taint.effect}"


def wanted(terms: tuple[NodeSelectorTerm, ...]) -> str:
    """The terms of a node affinity in one line."""
    return " or ".join(_term(term) for term in terms) or "a node that matches no term at all"


def _term(term: NodeSelectorTerm) -> str:
    return " and ".join(_requirement(e) for e in (*term.expressions, *term.fields)) or "nothing (an empty term)"


def _requirement(requirement: Requirement) -> str:
    word = _WORDS.get(requirement.operator, requirement.operator)
    if requirement.operator in ("Exists", "DoesNotExist"):
        return f"{requirement.key} {word}"
    if requirement.operator in ("In", "NotIn") and len(requirement.values) == 1:
        return f"{requirement.key}{'=' if requirement.operator == 'In' else '!='}{requirement.values[0]}"
    values = ", ".join(requirement.values)
    return f"{requirement.key} {word} {f'({values})' if requirement.operator in ('In', 'NotIn') else values}"


def few(words: Iterable[str], shown: int = 3) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b, c and 4 more`."""
    all_words = list(words)
    if len(all_words) > shown + 1:
        all_words = [*all_words[:shown], f"{len(all_words) - shown} more"]
    return " and ".join(filter(None, [", ".join(all_words[:-1]), all_words[-1] if all_words else ""]))


def selected(selector: Selector | None) -> str:
    """A label selector in one line."""
    if selector is None:
        return "no label at all"
    return " and ".join(_requirement(each) for each in selector) or "any labels"
