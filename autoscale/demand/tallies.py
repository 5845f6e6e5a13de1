"""Counts of pods by the value of a node's label, kept up to date while pods are placed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.demand.fit import matches, untolerated
from autoscale.demand.kinds import counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.demand.kinds import Constraint, Kind
    from autoscale.demand.sites import Site


class Tally:
    """How many pods that `counts` says yes to are in each domain, a domain being a value of the label `key`."""

    __slots__ = ("by_value", "counts", "key", "total")

    def __init__(self, key: str, counts: Callable[[Kind], bool]) -> None:
        self.key = key
        self.counts = counts
        self.by_value: dict[str, int] = {}
        self.total = 0

    def open(self, site: Site) -> None:
        """A node comes."""

    def close(self, site: Site) -> None:
        """A node without any pod that is counted goes."""

    def add(self, site: Site, count: int) -> None:
        """So many pods come to the node, or leave it when negative."""
        value = site.labels.get(self.key)
        if value is not None:
            self.by_value[value] = self.by_value.get(value, 0) + count
            self.total += count

    def at(self, site: Site) -> int:
        """How many there are in the node's domain."""
        return self.by_value.get(site.labels.get(self.key, ""), 0) if self.key in site.labels else 0


class SpreadTally(Tally):
    """Pods that one constraint of a kind counts, over the nodes that are domains to it.

    A node is one when it has the labels that all constraints of the pod are about and the constraint's inclusion
    policies let it count. `known` is what was found out of that; kinds that ask the same of nodes share it.
    """

    __slots__ = ("_domains", "_known", "_levels", "_of", "_shape", "constraint")

    def __init__(self, of: Kind, constraint: Constraint, known: dict[Site, bool]) -> None:
        super().__init__(constraint.key, self._counts)
        self.constraint = constraint
        self._of = of
        self._shape = replace(of.shape, node_affinity=of.shape.own_affinity)
        self._known = known
        self._domains: dict[str, int] = {}  # value -> nodes
        self._levels: dict[int, int] = {}  # pods -> domains that have as many

    def _counts(self, kind: Kind) -> bool:
        return not kind.deleting and counts(self.constraint, self._of.namespace, kind)

    def open(self, site: Site) -> None:
        """A node comes: perhaps a domain of its own."""
        if not self._counts_as_domain(site):
            return
        value = site.labels[self.key]
        if not self._domains.get(value):
            self.by_value[value] = 0
            self._level(0, 1)
        self._domains[value] = self._domains.get(value, 0) + 1

    def close(self, site: Site) -> None:
        """A node goes, and its domain with it when it was the last."""
        if not self._counts_as_domain(site):
            return
        value = site.labels[self.key]
        self._domains[value] -= 1
        if not self._domains[value]:
            self._level(self.by_value.pop(value), -1)
            del self._domains[value]

    def add(self, site: Site, count: int) -> None:
        """Pods come or leave."""
        if self._counts_as_domain(site):
            value = site.labels[self.key]
            self._level(self.by_value[value], -1)
            self.by_value[value] += count
            self._level(self.by_value[value], 1)

    @property
    def least(self) -> int:
        """The fewest in any domain; 0 when there are fewer domains than there should be."""
        if not self._levels or len(self._domains) < self.constraint.min_domains:
            return 0
        return min(self._levels)

    def _level(self, pods: int, domains: int) -> None:
        left = self._levels.get(pods, 0) + domains
        if left:
            self._levels[pods] = left
        else:
            del self._levels[pods]

    def _counts_as_domain(self, site: Site) -> bool:
        known = self._known.get(site)
        if known is None:
            known = self._known[site] = self._is_domain(site)
        return known

    def _is_domain(self, site: Site) -> bool:
        of = self._of
        if not all(each.key in site.labels for each in of.spread):
            return False
        if self.constraint.honor_affinity and not matches(self._shape, site.labels, node_name=site.name):
            return False
        return not (self.constraint.honor_taints and untolerated(of.shape.tolerations, site.taints))
