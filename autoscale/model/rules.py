"""Rules between a pod and others: affinity, anti-affinity, spreading, ports of the host, volumes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression of a selector. `operator` is In, NotIn, Exists, DoesNotExist and, on nodes only, Gt or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


Selector = tuple[Requirement, ...]
"""All of these must hold; an empty one selects everything. Where there is none, `None` selects nothing."""


@dataclass(frozen=True, slots=True)
class PodTerm:
    """A required term of pod affinity or anti-affinity, as written.

    Pods of `namespaces` and of those that `namespace_selector` selects are meant; of the pod's own when both are empty.
    The pod's own values of `match_label_keys` must be shared, those of `mismatch_label_keys` must not.
    """

    topology_key: str
    selector: Selector | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: Selector | None = None
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """A topology spread constraint.

    `honor_affinity` and `honor_taints`: whether nodes that selector and affinity, or taints, keep the pod from count as
    domains.
    """

    topology_key: str
    max_skew: int
    selector: Selector | None = None
    min_domains: int = 1
    honor_affinity: bool = True
    honor_taints: bool = False
    match_label_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node. The address `0.0.0.0` is every address."""

    port: int
    protocol: str = "TCP"
    ip: str = "0.0.0.0"  # noqa: S104 - what Kubernetes means by no address; nothing is bound here

    def clashes(self, other: HostPort) -> bool:
        """Whether a node can't give both."""
        if self.port != other.port or self.protocol != other.protocol:
            return False
        return self.ip == other.ip or "0.0.0.0" in (self.ip, other.ip)  # noqa: S104 - as above


@dataclass(frozen=True, slots=True)
class PodRules:
    """All that a pod's spec says about other pods and about what only one pod of a node can have."""

    affinity: tuple[PodTerm, ...] = ()
    anti_affinity: tuple[PodTerm, ...] = ()
    spread: tuple[Spread, ...] = ()
    ports: tuple[HostPort, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.affinity or self.anti_affinity or self.spread or self.ports)

    @property
    def about_others(self) -> bool:
        """Whether where it may go depends on where others are."""
        return bool(self.affinity or self.anti_affinity or self.spread)

    @property
    def names(self) -> tuple[str, ...]:
        """What a person calls them."""
        found = ["required pod affinity"] if self.affinity else []
        found += ["required pod anti-affinity"] if self.anti_affinity else []
        found += [f"topology spread over {key}" for key in sorted({each.topology_key for each in self.spread})]
        return (*found, *(f"host port {port}" for port in sorted({each.port for each in self.ports})))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a pod would like of other pods, each term with its weight from 1 to 100; `spread` has `ScheduleAnyway`."""

    affinity: tuple[tuple[int, PodTerm], ...] = ()
    anti_affinity: tuple[tuple[int, PodTerm], ...] = ()
    spread: tuple[Spread, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.affinity or self.anti_affinity or self.spread)


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget: how many of its pods may go now, and the names of those that are known to be going."""

    namespace: str
    name: str
    selector: Selector | None = None
    allowed: int = 0
    going: frozenset[str] = frozenset()


NO_WISHES = Wishes()
NO_RULES = PodRules()
