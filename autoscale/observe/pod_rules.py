"""The rules between pods as they are written, as model types; and what in them can't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.rules import HostPort, PodTerm, Requirement, Selector, Spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.model.rules import PodRules
    from autoscale.observe import wire

_SELECTS = ("In", "NotIn", "Exists", "DoesNotExist")
_ANY = HostPort(0)


def host_ports(spec: wire.PodSpec) -> tuple[tuple[int, str, str], ...]:
    """The node's ports that a pod takes while it runs, as (port, protocol, address), each once.

    On the host's network every port is one, as the API server writes it. An init container's are not held, but for a
    sidecar's.
    """
    running = [*(spec.containers or ()), *(c for c in spec.init_containers or () if c.restart_policy == "Always")]
    found = {
        (port, p.protocol or _ANY.protocol, p.host_ip or _ANY.ip)
        for c in running
        for p in c.ports or ()
        if (port := p.host_port or (p.container_port if spec.host_network else None))
    }
    return tuple(sorted(found))


def terms_of(rule: wire.PodsAffinity | None) -> tuple[PodTerm, ...]:
    """The required terms."""
    written = rule.required_during_scheduling_ignored_during_execution if rule else None
    return tuple(_term(term) for term in written or ())


def wished_terms_of(rule: wire.PodsAffinity | None) -> tuple[tuple[int, PodTerm], ...]:
    """The preferred terms, each with its weight."""
    written = rule.preferred_during_scheduling_ignored_during_execution if rule else None
    return tuple((each.weight, _term(each.pod_affinity_term)) for each in written or () if each.pod_affinity_term)


def _term(term: wire.PodTerm) -> PodTerm:
    return PodTerm(
        term.topology_key,
        selector_of(term.label_selector),
        tuple(sorted(set(term.namespaces or ()))),
        selector_of(term.namespace_selector),
        tuple(sorted(set(term.match_label_keys or ()))),
        tuple(sorted(set(term.mismatch_label_keys or ()))),
    )


def spreads_of(written: list[wire.Spread], when: str = "DoNotSchedule") -> tuple[Spread, ...]:
    """The constraints that must hold, or those that had better (`ScheduleAnyway`), in their order."""
    return tuple(
        Spread(
            topology_key=each.topology_key,
            max_skew=each.max_skew,
            selector=selector_of(each.label_selector),
            min_domains=1 if each.min_domains is None else each.min_domains,
            honor_affinity=each.node_affinity_policy != "Ignore",
            honor_taints=each.node_taints_policy == "Honor",
            match_label_keys=tuple(sorted(set(each.match_label_keys or ()))),
        )
        for each in written
        if each.when_unsatisfiable == when
    )


def malformed(rules: PodRules) -> Iterator[str]:
    """What the API server refuses in the rules, and no scheduler could follow."""
    for what, terms in (("pod affinity", rules.affinity), ("pod anti-affinity", rules.anti_affinity)):
        for term in terms:
            if not term.topology_key:
                yield f"required {what} without a topologyKey"
            yield from _bad_selectors(what, term.selector, term.namespace_selector)
    for spread in rules.spread:
        if not spread.topology_key:
            yield "topology spread without a topologyKey"
        if spread.max_skew < 1 or spread.min_domains < 1:
            yield f"topology spread over {spread.topology_key} with a maxSkew or minDomains below 1"
        yield from _bad_selectors(f"topology spread over {spread.topology_key}", spread.selector)


def _bad_selectors(what: str, *selectors: Selector | None) -> Iterator[str]:
    for selector in selectors:
        for each in selector or ():
            if each.operator not in _SELECTS:
                yield f"{what}: unknown operator {each.operator or 'nothing'} of {each.key} in a label selector"
            elif (each.operator in ("In", "NotIn")) != bool(each.values):
                yield f"{what}: {each.operator} of {each.key} with {'' if each.values else 'no '}values in a selector"


def selector_of(written: wire.LabelSelector | None) -> Selector | None:
    """In one order, so that equal selectors are equal."""
    if written is None:
        return None
    found = {Requirement(key, "In", (value,)) for key, value in (written.match_labels or {}).items()}
    found |= {
        Requirement(e.key, e.operator, tuple(sorted(set(e.values or ())))) for e in written.match_expressions or ()
    }
    return tuple(sorted(found, key=lambda r: (r.key, r.operator, r.values)))
