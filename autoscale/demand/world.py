"""A cluster that pods are placed in one by one: may this pod go on that node now, and if not, why.

The same answers as kube-scheduler's filters give: NodeUnschedulable apart (a caller's taint), TaintToleration,
NodeAffinity, NodePorts, NodeResourcesFit, PodTopologySpread, InterPodAffinity. Counts are kept up to date as pods come, so
that a question costs as much as the pod has rules, however many pods there are.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from autoscale.demand.fit import SOURCE, matches, untolerated, why_not
from autoscale.demand.kinds import Kind, Term, means, seeks, selects
from autoscale.demand.tallies import SpreadTally, Tally
from autoscale.demand.wording import selected
from autoscale.model.frozen import empty
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from autoscale.demand.sites import Site
    from autoscale.model.workload import Pod, PodShape

T = TypeVar("T", bound=Tally)
ZONES = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")


class World:
    """Nodes and the pods on them. `namespaces`: name -> labels."""

    def __init__(self, namespaces: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.namespaces: Mapping[str, Mapping[str, str]] = empty() if namespaces is None else namespaces
        self._kinds: dict[tuple[str, int, int, bool], Kind] = {}
        self._sites: dict[Site, None] = {}
        self._tallies: list[Tally] = []
        self._counted_in: dict[Kind, list[Tally]] = {}
        self._affinity: dict[Kind, tuple[Tally, ...]] = {}
        self._anti_affinity: dict[Kind, tuple[Tally, ...]] = {}
        self._spread: dict[Kind, tuple[SpreadTally, ...]] = {}
        self._where: dict[Kind, dict[Site, int]] = {}
        self._shared: dict[object, Tally] = {}  # by what they count, as many kinds have the same rules
        self._domains: dict[object, dict[Site, bool]] = {}
        self._owners: dict[Term, Tally] = {}  # terms of anti-affinity, and where their owners are
        self._kept_off_by: dict[Kind, tuple[Tally, ...]] = {}

    def kind(self, namespace: str, labels: Mapping[str, str], shape: PodShape, *, deleting: bool = False) -> Kind:
        """The kind of such pods; shapes and labels are told apart by identity, as decoding shares them."""
        key = (namespace, id(labels), id(shape), deleting)
        found = self._kinds.get(key)
        if found is None:
            found = self._kinds[key] = Kind(namespace, labels, shape, deleting=deleting)  # keeps the ids its own
        return found

    def kind_of(self, pod: Pod) -> Kind:
        """The kind of a pod."""
        return self.kind(pod.namespace, pod.labels, pod.shape, deleting=pod.deleting)

    def open(self, site: Site) -> None:
        """Add a node, with the pods that it already has."""
        self._sites[site] = None
        for tally in self._tallies:
            tally.open(site)
        for kind, count in site.pods.items():
            self._note(kind, site, count)

    def close(self, site: Site) -> None:
        """Take a node out again, with the pods that are left on it."""
        for kind, count in site.pods.items():
            self._note(kind, site, -count)
        del self._sites[site]
        for tally in self._tallies:
            tally.close(site)

    def put(self, kind: Kind, site: Site, count: int = 1) -> None:
        """Pods of a kind come to a node of the world, or leave it when `count` is negative; may they is not asked."""
        site.change(kind, count)
        self._note(kind, site, count)

    def takes(self, kind: Kind, site: Site) -> bool:
        """Whether one more pod of the kind may go there now."""
        shape = kind.shape
        return (
            next(site.lacking(shape), None) is None
            and not untolerated(shape.tolerations, site.taints)
            and matches(shape, site.labels, node_name=site.name)
            and self.obeys(kind, site)
        )

    def obeys(self, kind: Kind, site: Site) -> bool:
        """Whether the rules between pods let it."""
        return next(self.broken(kind, site), None) is None

    def lasting(self, kind: Kind, site: Site) -> bool:
        """Whether no rule that is broken for as long as nobody leaves keeps it off: ports and anti-affinity."""
        return next(self._ports(kind, site), None) is None and next(self._kept_apart(kind, site), None) is None

    def has_company(self, kind: Kind, site: Site) -> bool:
        """Whether the pods that its affinity asks for are in the node's domains."""
        return all(tally.at(site) > 0 for tally in self.company_of(kind))

    def has_company_somewhere(self, kind: Kind) -> bool:
        """Whether the pods that its affinity asks for are anywhere."""
        return any(tally.total for tally in self.company_of(kind))

    def company_of(self, kind: Kind) -> tuple[Tally, ...]:
        """The counts of the pods that its affinity asks for: one for each term, of those that all terms are about."""
        found = self._affinity.get(kind)
        if found is None:
            terms = kind.affinity

            def together(other: Kind) -> bool:
                return all(seeks(term, other, self.namespaces) for term in terms)

            found = self._affinity[kind] = tuple(
                self._count((terms, term.key), partial(Tally, term.key, together)) for term in terms
            )
        return found

    def spread_of(self, kind: Kind) -> tuple[SpreadTally, ...]:
        """The counts of its spread constraints, in their order."""
        found = self._spread.get(kind)
        if found is None:
            shape, keys = kind.shape, tuple(each.key for each in kind.spread)
            made: list[SpreadTally] = []
            for rule in kind.spread:
                asked = (shape.node_selector, shape.own_affinity) if rule.honor_affinity else None
                nodes = (keys, asked, shape.tolerations if rule.honor_taints else None)
                known = self._domains.setdefault(nodes, {})
                tally = self._count((rule, kind.namespace, nodes), partial(SpreadTally, kind, rule, known))
                made.append(tally)
            found = self._spread[kind] = tuple(made)
        return found

    def offer(self, kind: Kind, sites: Iterable[Site]) -> None:
        """Count the zones of nodes that could be bought as the kind's domains, though no node is there yet."""
        for tally in self.spread_of(kind):
            if tally.key in ZONES:
                for site in sites:
                    tally.open(site)

    def why_not(self, kind: Kind, site: Site) -> tuple[Reason, ...]:
        """Every reason why it may not; empty when it may."""
        reasons = why_not(
            kind.shape, labels=site.labels, taints=site.taints, room=site.room_for(kind.shape), node_name=site.name
        )
        return (*reasons, *self.broken(kind, site))

    def broken(self, kind: Kind, site: Site) -> Iterator[Reason]:
        """What the rules between pods hold against it now."""
        if kind.shape.rules:
            yield from self._ports(kind, site)
            yield from self._uneven(kind, site)
            yield from self._lonely(kind, site)
        yield from self._kept_apart(kind, site)

    def tallies(self, kind: Kind) -> Iterator[Tally]:
        """The counts that decide where the kind may go."""
        yield from self.company_of(kind)
        yield from self._anti_affinity_of(kind)
        yield from self.spread_of(kind)
        yield from self._keeping_off(kind)

    def _note(self, kind: Kind, site: Site, count: int) -> None:
        there = self._where.setdefault(kind, {})
        there[site] = there.get(site, 0) + count
        if not there[site]:
            del there[site]
        for term in kind.anti_affinity:
            self._owner(term).add(site, count)
        if self._tallies:
            for tally in self._tallies_of(kind):
                tally.add(site, count)

    def _ports(self, kind: Kind, site: Site) -> Iterator[Reason]:
        for port in site.clashing(kind.shape):
            text = f"wants the node's port {port.port}/{port.protocol}, another pod has it"
            yield Reason(Code.HOST_PORT, text, SOURCE)

    def _uneven(self, kind: Kind, site: Site) -> Iterator[Reason]:
        for tally in self.spread_of(kind):
            value = site.labels.get(tally.key)
            rule = tally.constraint
            if value is None:
                text = f"is spread over {tally.key}, the node has no such label"
                yield Reason(Code.SPREAD, text, SOURCE)
                continue
            there = tally.by_value.get(value, 0) + selects(rule.selector, kind.labels)
            if there - tally.least > rule.max_skew:
                text = f"would be one of {there} in {tally.key}={value}, another has {tally.least}"
                if tally.least == 0 and len(tally.by_value) < rule.min_domains:
                    text = f"is spread over at least {rule.min_domains} of {tally.key}, there are {len(tally.by_value)}"
                yield Reason(Code.SPREAD, f"{text} (maxSkew {rule.max_skew})", SOURCE)

    def _lonely(self, kind: Kind, site: Site) -> Iterator[Reason]:
        """Pod affinity. The first pod of a group that wants to be together may go anywhere that has the labels."""
        tallies = self.company_of(kind)
        missing = [t for term, t in zip(kind.affinity, tallies, strict=True) if term.key not in site.labels]
        for tally in missing:
            yield Reason(Code.POD_AFFINITY, f"wants company in one {tally.key}, the node has no such label", SOURCE)
        if missing or self.has_company(kind, site):
            return
        if not self.has_company_somewhere(kind) and all(seeks(term, kind, self.namespaces) for term in kind.affinity):
            return
        for term, tally in zip(kind.affinity, tallies, strict=True):
            if tally.at(site) <= 0:
                text = f"wants pods with {selected(term.selector)} in the same {term.key}, there are none"
                if term in kind.anti_affinity:
                    text = f"wants pods with {selected(term.selector)} in the same {term.key}, and keeps away from them"
                yield Reason(Code.POD_AFFINITY, text, SOURCE)

    def _kept_apart(self, kind: Kind, site: Site) -> Iterator[Reason]:
        for term, tally in zip(kind.anti_affinity, self._anti_affinity_of(kind), strict=True):
            if tally.at(site) > 0:
                text = f"keeps away from pods with {selected(term.selector)} in the same {term.key}, there are some"
                yield Reason(Code.POD_ANTI_AFFINITY, text, SOURCE)
        for tally in self._keeping_off(kind):
            if tally.at(site) > 0:
                text = f"a pod there keeps pods like it out of its {tally.key}"
                yield Reason(Code.POD_ANTI_AFFINITY, text, SOURCE)

    def _owner(self, term: Term) -> Tally:
        found = self._owners.get(term)
        if found is None:
            found = self._owners[term] = Tally(term.key, lambda _: False)
            self._kept_off_by.clear()
        return found

    def _keeping_off(self, kind: Kind) -> tuple[Tally, ...]:
        if not self._owners:
            return ()
        found = self._kept_off_by.get(kind)
        if found is None:
            found = self._kept_off_by[kind] = tuple(
                tally for term, tally in self._owners.items() if means(term, kind, self.namespaces)
            )
        return found

    def _anti_affinity_of(self, kind: Kind) -> tuple[Tally, ...]:
        found = self._anti_affinity.get(kind)
        if found is None:
            found = self._anti_affinity[kind] = tuple(
                self._count(term, partial(Tally, term.key, partial(seeks, term, namespaces=self.namespaces)))
                for term in kind.anti_affinity
            )
        return found

    def _count(self, what: object, make: Callable[[], T]) -> T:
        """Count who is there, and from now on whoever comes; once for all that count the same."""
        known = self._shared.get(what)
        if known is not None:
            return cast("T", known)  # equal keys are of one type
        tally = make()
        for site in self._sites:
            tally.open(site)
        for kind, there in self._where.items():
            if tally.counts(kind):
                for site, count in there.items():
                    tally.add(site, count)
        self._shared[what] = tally
        self._tallies.append(tally)
        self._counted_in.clear()
        return tally

    def _tallies_of(self, kind: Kind) -> list[Tally]:
        found = self._counted_in.get(kind)
        if found is None:
            found = self._counted_in[kind] = [tally for tally in self._tallies if tally.counts(kind)]
        return found
