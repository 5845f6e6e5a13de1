"""Kinds of pods: what rules between pods see of a pod, with its own terms filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from autoscale.demand.fit import holds
from autoscale.model.rules import Requirement, Selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.rules import PodTerm, Spread
    from autoscale.model.workload import PodShape

_NAME_LABEL = "kubernetes.io/metadata.name"  # the API server writes it onto every namespace


class Term(NamedTuple):
    """A term of one pod: its namespaces named, the keys that it shares with others turned into requirements."""

    key: str
    selector: Selector | None
    namespaces: frozenset[str]
    namespace_selector: Selector | None


class Constraint(NamedTuple):
    """A spread constraint of one pod, its selector completed."""

    key: str
    max_skew: int
    min_domains: int
    selector: Selector | None
    honor_affinity: bool
    honor_taints: bool


class Kind:
    """Pods that no rule tells apart. Compared by identity: a world makes each kind once."""

    __slots__ = ("affinity", "anti_affinity", "deleting", "labels", "namespace", "shape", "spread")

    def __init__(self, namespace: str, labels: Mapping[str, str], shape: PodShape, *, deleting: bool = False) -> None:
        self.namespace = namespace
        self.labels = labels
        self.shape = shape
        self.deleting = deleting
        rules = shape.rules
        self.affinity = tuple(term_of(each, namespace, labels) for each in rules.affinity)
        self.anti_affinity = tuple(term_of(each, namespace, labels) for each in rules.anti_affinity)
        self.spread = tuple(constraint_of(each, labels) for each in rules.spread)


def term_of(term: PodTerm, namespace: str, labels: Mapping[str, str]) -> Term:
    """The term as it stands for a pod with these labels."""
    names = frozenset(term.namespaces)
    if not names and term.namespace_selector is None:
        names = frozenset((namespace,))
    selector = _shared(term.selector, term.match_label_keys, "In", labels)
    return Term(
        term.topology_key,
        _shared(selector, term.mismatch_label_keys, "NotIn", labels),
        names,
        term.namespace_selector,
    )


def constraint_of(spread: Spread, labels: Mapping[str, str]) -> Constraint:
    """The constraint as it stands for a pod with these labels."""
    selector = _shared(spread.selector, spread.match_label_keys, "In", labels)
    return Constraint(
        spread.topology_key, spread.max_skew, spread.min_domains, selector, spread.honor_affinity, spread.honor_taints
    )


def _shared(
    selector: Selector | None, keys: tuple[str, ...], operator: str, labels: Mapping[str, str]
) -> Selector | None:
    """With the pod's own values of these keys; a key that the pod lacks says nothing."""
    if selector is None:
        return None
    more = tuple(Requirement(key, operator, (labels[key],)) for key in keys if key in labels)
    return selector + tuple(each for each in more if each not in selector)


def selects(selector: Selector | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector holds."""
    return selector is not None and all(holds(each, labels.get(each.key)) for each in selector)


def means(term: Term, kind: Kind, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a term of a pod that is there is about such pods. `namespaces`: name -> labels, at least their name."""
    if kind.namespace not in term.namespaces:
        if term.namespace_selector is None:
            return False
        if not selects(term.namespace_selector, namespaces.get(kind.namespace) or {_NAME_LABEL: kind.namespace}):
            return False
    return selects(term.selector, kind.labels)


def counts(constraint: Constraint, namespace: str, kind: Kind) -> bool:
    """Whether a constraint of a pod in the namespace counts such pods.

    A selector that selects everything counts nothing, as in the scheduler.
    """
    return kind.namespace == namespace and bool(constraint.selector) and selects(constraint.selector, kind.labels)


def seeks(term: Term, kind: Kind, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a term of a pod that is to be placed is about such pods.

    As above, but that a namespace selector which holds where there is no label at all (NotIn, DoesNotExist) holds for
    every namespace: the scheduler asks it about the names that it selects and then, once more, about no labels
    (interpodaffinity in Kubernetes 1.36).
    """
    if term.namespace_selector is not None and selects(term.namespace_selector, {}):
        return selects(term.selector, kind.labels)
    return means(term, kind, namespaces)


def regards(kind: Kind, other: Kind, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether it matters to the kind's affinity or spread where pods of the other are."""
    return any(seeks(term, other, namespaces) for term in kind.affinity) or any(
        counts(rule, kind.namespace, other) for rule in kind.spread
    )
