"""What the scheduler looks at in a pod's spec, as a PodShape shared by all pods that have the same."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from autoscale.errors import BadInput
from autoscale.model.names import SLOT
from autoscale.model.resources import Resources
from autoscale.model.rules import NO_RULES, NO_WISHES, HostPort, PodRules, PodTerm, Requirement, Spread, Wishes
from autoscale.model.units import quantity
from autoscale.model.workload import ClaimUse, NodeSelectorTerm, PodShape, Toleration
from autoscale.observe import wire
from autoscale.observe.pod_rules import host_ports, malformed, spreads_of, terms_of, wished_terms_of
from autoscale.observe.requests import NO_RESIZE, BadQuantity, Resize, pod_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")

NOTHING = (b"", b"null", b"{}", b"[]")

_TEXTS = msgspec.json.Decoder(wire.Texts)
_AFFINITY = msgspec.json.Decoder(wire.Affinity)
_TOLERATIONS = msgspec.json.Decoder(list[wire.Tolerate])
_SPREADS = msgspec.json.Decoder(list[wire.Spread])
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_TOLERATES = ("Equal", "Exists", "Lt", "Gt")
_DEFAULT_SCHEDULER = "default-scheduler"
_NO_NODES = wire.NodeAffinity()

# Everything in a spec that decides the shape, as hashable parts:
# containers (name, resources), init containers (name, resources, sidecar), pod-level resources, overhead, node selector,
# affinity, tolerations, spread constraints, resource claims, host ports, claims on volumes, scheduler, priority,
# whether it preempts, and what it has while it is resized.
_Parts = tuple[
    tuple[tuple[str, bytes], ...],
    tuple[tuple[str, bytes, bool], ...],
    bytes, bytes, bytes, bytes, bytes, bytes, bytes,
    tuple[tuple[int, str, str], ...],
    tuple[ClaimUse, ...],
    str,
    int,
    bool,
    Resize,
]  # fmt: skip

_shapes: dict[PodShape, PodShape] = {}
_SHAPES_KEPT = 65536


def shape_of(
    spec: wire.PodSpec, *, resize: Resize = NO_RESIZE, strict: bool = False
) -> tuple[PodShape, tuple[str, ...]]:
    """The shape of a pod, and the slots that it tolerates, which are not part of the shape.

    A quantity that can't be read is noted in `unmodelled`; with `strict` it raises BadQuantity.
    """
    containers = spec.containers or ()
    inits = spec.init_containers or ()
    parts: _Parts = (
        tuple([(c.name, bytes(c.resources)) for c in containers]),
        tuple([(c.name, bytes(c.resources), c.restart_policy == "Always") for c in inits]) if inits else (),
        bytes(spec.resources),
        bytes(spec.overhead),
        bytes(spec.node_selector),
        bytes(spec.affinity),
        bytes(spec.tolerations),
        bytes(spec.topology_spread_constraints),
        bytes(spec.resource_claims),
        host_ports(spec),
        tuple([use for volume in spec.volumes or () for use in _claims(volume)]),
        spec.scheduler_name or _DEFAULT_SCHEDULER,
        spec.priority or 0,
        spec.preemption_policy != "Never",
        resize,
    )
    found = _shape(parts)
    if strict and found[0].unmodelled:
        _requests(parts)  # raises where a bad quantity was noted
    return found


def unknown_word(shape: PodShape) -> BadInput | None:
    """An operator or effect in a shape's rules that Kubernetes does not have; the API server refuses such a pod."""
    for term in shape.node_affinity or ():
        for each in (*term.expressions, *term.fields):
            if each.operator not in OPERATORS:
                return _unknown(f"operator of {each.key} in spec.affinity", OPERATORS, each.operator)
    for toleration in shape.tolerations:
        for word, known, found in (
            ("operator", _TOLERATES, toleration.operator), ("effect", EFFECTS, toleration.effect or EFFECTS[0])
        ):  # fmt: skip
            if found not in known:
                return _unknown(f"{word} of {toleration.key} in spec.tolerations", known, found)
    return None


def _unknown(what: str, known: tuple[str, ...], found: str) -> BadInput:
    return BadInput(f"unknown {what}", expected="one of " + ", ".join(known), found=found or "nothing")


@lru_cache(maxsize=16384)
def _shape(parts: _Parts) -> tuple[PodShape, tuple[str, ...]]:
    selector, affinity, tolerations, spreads, claims, ports, volumes, scheduler, priority, preempts, _ = parts[4:]
    terms, together, apart, preferred, wished = _affinity(affinity)
    tolerated, slots = _tolerations(tolerations)
    rules = PodRules(together, apart, _spreads(spreads), tuple(HostPort(*each) for each in ports))
    unmodelled = list(malformed(rules))
    if claims not in NOTHING:
        unmodelled.append("resource claim")
    try:
        requests = _requests(parts)
    except BadQuantity as error:
        requests = Resources()
        unmodelled.append(str(error))
    shape = PodShape(
        requests=requests,
        node_selector=_selector(selector),
        node_affinity=terms,
        tolerations=tolerated,
        priority=priority,
        preempts=preempts,
        scheduler_name=scheduler,
        unmodelled=tuple(unmodelled),
        rules=rules or NO_RULES,
        preferred_nodes=preferred,
        wishes=_wishes(wished, spreads),
        claims=volumes,
    )
    if len(_shapes) >= _SHAPES_KEPT:
        _shapes.clear()
    return _shapes.setdefault(shape, shape), slots


def _claims(volume: wire.Volume) -> Iterator[ClaimUse]:
    if volume.persistent_volume_claim:
        yield ClaimUse(volume.persistent_volume_claim.claim_name)
    elif volume.ephemeral:
        template = volume.ephemeral.volume_claim_template
        size = size_asked(template.spec) if template else None
        yield ClaimUse(volume.name, ephemeral=True, storage_class=class_asked(template), size_bytes=size)


def class_asked(template: wire.ClaimTemplate | None) -> str | None:
    """The storage class that a claim's template asks for; None for the default."""
    return template.spec.storage_class_name if template and template.spec else None


def size_asked(spec: wire.ClaimSpec | None) -> int | None:
    """How large a volume a claim asks for, in bytes; None when it does not say, or not so that it can be read."""
    return size_of((spec.resources.requests or {}).get("storage") if spec and spec.resources else None)


def size_of(said: object) -> int | None:
    """A quantity in bytes; one that can't be read is not there."""
    try:
        return None if said is None else quantity(str(said))
    except ValueError:
        return None


def _requests(parts: _Parts) -> Resources:
    containers, inits, pod_level, overhead = parts[:4]
    return pod_requests(containers, inits, pod_level=pod_level, overhead=overhead, resize=parts[-1])


@lru_cache(maxsize=4096)
def _selector(raw: bytes) -> tuple[tuple[str, str], ...]:
    if raw in NOTHING:
        return ()
    return tuple(sorted((read(_TEXTS, raw, "spec.nodeSelector") or {}).items()))


class _Affinity(NamedTuple):
    """Required node affinity and required terms of pod affinity and anti-affinity; then what is only preferred."""

    terms: tuple[NodeSelectorTerm, ...] | None = None
    together: tuple[PodTerm, ...] = ()
    apart: tuple[PodTerm, ...] = ()
    preferred: tuple[tuple[int, NodeSelectorTerm], ...] = ()
    wishes: Wishes = NO_WISHES


@lru_cache(maxsize=4096)
def _affinity(raw: bytes) -> _Affinity:
    if raw in NOTHING:
        return _Affinity()
    affinity = read(_AFFINITY, raw, "spec.affinity")
    together, apart, nodes = affinity.pod_affinity, affinity.pod_anti_affinity, affinity.node_affinity or _NO_NODES
    required = nodes.required_during_scheduling_ignored_during_execution
    preferred = nodes.preferred_during_scheduling_ignored_during_execution
    return _Affinity(
        None if required is None else tuple(node_term(term) for term in required.node_selector_terms or ()),
        terms_of(together),
        terms_of(apart),
        tuple((each.weight, node_term(each.preference)) for each in preferred or () if each.preference),
        Wishes(wished_terms_of(together), wished_terms_of(apart)) or NO_WISHES,
    )


def node_term(term: wire.Term) -> NodeSelectorTerm:
    """A node selector term."""
    return NodeSelectorTerm(expressions(term.match_expressions), expressions(term.match_fields))


def _wishes(wished: Wishes, spreads: bytes) -> Wishes:
    """With the constraints that need not hold."""
    if spreads in NOTHING:
        return wished
    anyway = spreads_of(read(_SPREADS, spreads, "spec.topologySpreadConstraints"), "ScheduleAnyway")
    return replace(wished, spread=anyway) if anyway else wished


def expressions(written: list[wire.Expression] | None) -> tuple[Requirement, ...]:
    """The expressions of a node selector term."""
    return tuple(Requirement(e.key, e.operator, tuple(sorted(e.values or ()))) for e in written or ())


@lru_cache(maxsize=4096)
def _spreads(raw: bytes) -> tuple[Spread, ...]:
    """The constraints that must hold."""
    return () if raw in NOTHING else spreads_of(read(_SPREADS, raw, "spec.topologySpreadConstraints"))


@lru_cache(maxsize=4096)
def _tolerations(raw: bytes) -> tuple[tuple[Toleration, ...], tuple[str, ...]]:
    """The tolerations in one order, those for our slots apart: (tolerations, slots)."""
    if raw in NOTHING:
        return (), ()
    tolerated = {
        Toleration(t.key or "", t.operator or "Equal", t.value or "", t.effect or "")
        for t in read(_TOLERATIONS, raw, "spec.tolerations")
    }
    others = sorted((t for t in tolerated if t.key != SLOT), key=lambda t: (t.key, t.operator, t.value, t.effect))
    return tuple(others), tuple(sorted(t.value for t in tolerated if t.key == SLOT))


def read(decoder: msgspec.json.Decoder[_T], raw: bytes, part: str) -> _T:
    """A part of an object. An error names its place in the whole."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        text = str(error)
        here = f"`$.{part}"
        raise msgspec.ValidationError(text.replace("`$", here) if "`$" in text else f"{text} - at {here}`") from error
