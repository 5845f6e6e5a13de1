"""Whether a pod's shape may run on a node, decided as the scheduler decides it, and why not.

Node selector, required node affinity, taints and requests. Wishes (preferred affinity, PreferNoSchedule) are no rules.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from autoscale.demand.wording import amount, labelled, taint_text, wanted
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.resources import Resources
    from autoscale.model.rules import Requirement
    from autoscale.model.workload import NodeSelectorTerm, PodShape, Taint, Toleration

SOURCE = "demand"
_INTEGER = re.compile(r"[0-9]{1,63}")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_NAME_FIELD = "metadata.name"


def admits(shape: PodShape, labels: Mapping[str, str], taints: tuple[Taint, ...], *, node_name: str = "") -> bool:
    """Whether labels and taints let the shape in; room is another question."""
    return matches(shape, labels, node_name=node_name) and not untolerated(shape.tolerations, taints)


def why_not(
    shape: PodShape,
    *,
    labels: Mapping[str, str],
    taints: tuple[Taint, ...],
    room: Resources,
    node_name: str = "",
) -> tuple[Reason, ...]:
    """Every reason why the shape can't run on a node with this much room; empty when it can.

    In the order of the scheduler's own filters' weight for a person: selector, affinity, taints, resources.
    """
    reasons = [
        Reason(Code.NODE_SELECTOR, f"wants {key}={value}, the node has {labelled(labels.get(key))}", SOURCE)
        for key, value in shape.node_selector
        if labels.get(key) != value
    ]
    if not affinity_matches(shape.node_affinity, labels, node_name=node_name):
        reasons.append(Reason(Code.NODE_AFFINITY, f"wants {wanted(shape.node_affinity or ())}", SOURCE))
    reasons += [
        Reason(Code.TAINT, f"does not tolerate the taint {taint_text(taint)}", SOURCE)
        for taint in untolerated(shape.tolerations, taints)
    ]
    reasons += [
        Reason(
            Code.INSUFFICIENT,
            f"asks for {amount(name, asked)} {name}, a node has {amount(name, max(0, there))}",
            SOURCE,
        )
        for name, (asked, there) in sorted(shape.requests.lacking(room).items())
    ]
    return tuple(reasons)


def matches(shape: PodShape, labels: Mapping[str, str], *, node_name: str = "") -> bool:
    """Whether node selector and required node affinity hold."""
    for key, value in shape.node_selector:
        if labels.get(key) != value:
            return False
    return affinity_matches(shape.node_affinity, labels, node_name=node_name)


def affinity_matches(
    terms: tuple[NodeSelectorTerm, ...] | None, labels: Mapping[str, str], *, node_name: str = ""
) -> bool:
    """Whether one of the terms holds. None asks for nothing; no term, or an empty one, matches nothing."""
    return terms is None or any(term_matches(term, labels, node_name=node_name) for term in terms)


def term_matches(term: NodeSelectorTerm, labels: Mapping[str, str], *, node_name: str = "") -> bool:
    """Whether one term holds; an empty one does not."""
    if not term.expressions and not term.fields:
        return False
    return all(holds(e, labels.get(e.key)) for e in term.expressions) and all(
        _holds_for_name(e, node_name) for e in term.fields
    )


def keys_read(shape: PodShape) -> tuple[str, ...]:
    """The label keys that decide `matches`, sorted; nodes with equal values of these are all alike to the shape."""
    terms = shape.node_affinity or ()
    return tuple(sorted({k for k, _ in shape.node_selector} | {e.key for t in terms for e in t.expressions}))


def reads_name(shape: PodShape) -> bool:
    """Whether the node's name decides `matches` too."""
    return any(term.fields for term in shape.node_affinity or ())


@lru_cache(maxsize=16384)
def untolerated(tolerations: tuple[Toleration, ...], taints: tuple[Taint, ...]) -> tuple[Taint, ...]:
    """The taints that keep the pod out, in the node's order."""
    return tuple(
        taint
        for taint in taints
        if taint.effect in ("NoSchedule", "NoExecute") and not any(tolerates(t, taint) for t in tolerations)
    )


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """As Kubernetes: an empty effect or key stands for any; an operator other than Equal and Exists tolerates nothing."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return toleration.operator in ("", "Equal") and toleration.value == taint.value


def _holds_for_name(requirement: Requirement, node_name: str) -> bool:
    """A node's name can be In or NotIn exactly one other; longer than a label's value, it is compared as it is."""
    if requirement.key != _NAME_FIELD or len(requirement.values) != 1:
        return False
    match requirement.operator:
        case "In":
            return node_name == requirement.values[0]
        case "NotIn":
            return node_name != requirement.values[0]
    return False


def holds(requirement: Requirement, value: str | None) -> bool:
    """Whether an expression holds for a label's value, None when the node lacks the label.

    An expression that Kubernetes would refuse holds nowhere: no values for In, no integer for Gt, a value that no label
    can have. Older clusters let such pods in, and their schedulers place them nowhere.
    """
    if not _possible(requirement.values):
        return False
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return bool(requirement.values) and value not in requirement.values
        case "Exists":
            return value is not None and not requirement.values
        case "DoesNotExist":
            return value is None and not requirement.values
        case "Gt" | "Lt":
            if value is None or len(requirement.values) != 1:
                return False
            mine, bound = _integer(value), _integer(requirement.values[0])
            if mine is None or bound is None:
                return False
            return mine > bound if requirement.operator == "Gt" else mine < bound
    return False


@lru_cache(maxsize=16384)
def _possible(values: tuple[str, ...]) -> bool:
    """Whether labels can have these values."""
    return all(_LABEL_VALUE.fullmatch(value) for value in values)


def _integer(text: str) -> int | None:
    """As Go's ParseInt reads a label's value, which has no sign: no spaces, no underscores, 64 bits."""
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if number < 2**63 else None
