"""All that was observed, at one moment, and what the engine remembers. Immutable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty
from autoscale.model.storage import NO_STORAGE, Storage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.overlay import Commitment
    from autoscale.model.rules import DisruptionBudget
    from autoscale.model.supply import Fault, Learnt, Node, NodeGroup, Quota, SkippedGroup
    from autoscale.model.toll import Toll
    from autoscale.model.workload import DaemonSet, Pod, Reason


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster: finished pods are left out, DaemonSet and static pods are in. `namespaces`: name -> its labels. `gone`: nodes of the last day."""

    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    daemon_sets: tuple[DaemonSet, ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=empty, hash=False)
    storage: Storage = NO_STORAGE
    budgets: tuple[DisruptionBudget, ...] = ()
    frozen: str = ""
    gone: Toll = ()


@dataclass(frozen=True, slots=True)
class CloudView:
    """One provider's groups. `faults` are those of the provider as a whole; with any, its groups may be missing.

    `quotas` are what the cloud allows several groups together. `notes` are what a person should know of the cloud as a whole;
    they keep nothing from being planned. `commitments` are nodes that are paid for already, whichever group gets them.
    """

    provider: str
    groups: tuple[NodeGroup, ...] = ()
    skipped: tuple[SkippedGroup, ...] = ()
    faults: tuple[Fault, ...] = ()
    quotas: tuple[Quota, ...] = ()
    notes: tuple[Reason, ...] = ()
    commitments: tuple[Commitment, ...] = ()


@dataclass(frozen=True, slots=True)
class Backoff:
    """An offering or group not to buy from until `until_s`; `failures` in a row decide how long."""

    fault: Fault
    until_s: int
    failures: int = 1


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many nodes and DaemonSet pods the cluster had at a time."""

    at_s: int
    nodes: int
    daemons: int


@dataclass(frozen=True, slots=True)
class Blocked:
    """A pod that a PodDisruptionBudget kept from being evicted: what it said, since when, and when it was last tried."""

    text: str
    since_s: int
    tried_at_s: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The engine's only memory between ticks; rebuilt from cluster and cloud after a crash (worst case: asked again).

    `backoffs`: group id -> Backoff. `targets`: group id -> the target we last asked for, kept until the cloud shows it.
    `grown_at_s`, `shrunk_at_s`: group id -> when. `idle_since_s`: node name -> when it was first seen without work;
    `unused_since_s`: the same, pods that could as well be elsewhere not counted as work.
    `announced`: `uid/event/what about` -> when, so that an Event is not repeated. `ready_since_s`: node name -> when it was
    first seen with its devices; `starting_since_s`: instance id -> when it was first seen without a node;
    `empty_since_s`: id of a group made from a template -> when it was first seen with nothing in it. `blocked`: uid of a pod
    that could not be evicted -> by what. `learnt`: group id -> what its nodes turned out to have. `gone_at_s`: name of a node
    that was closed for good or removed in the last day -> when. `short_since_s`: node name -> since when it shows fewer
    devices than its group promises. `crowd`: how many nodes and DaemonSet pods there were when that was last believed.
    `looked_at`: wall clock and seconds that only grow, at the last look. `began_at_s`: when this engine first looked.
    `steady`: a digest of which pods run on which nodes, and since when that is so. `reoptimised_at_s`: when the whole fleet
    was last asked about.
    """

    backoffs: Mapping[str, Backoff] = field(default_factory=empty)
    targets: Mapping[str, int] = field(default_factory=empty)
    grown_at_s: Mapping[str, int] = field(default_factory=empty)
    shrunk_at_s: Mapping[str, int] = field(default_factory=empty)
    idle_since_s: Mapping[str, int] = field(default_factory=empty)
    unused_since_s: Mapping[str, int] = field(default_factory=empty)
    announced: Mapping[str, int] = field(default_factory=empty)
    ready_since_s: Mapping[str, int] = field(default_factory=empty)
    starting_since_s: Mapping[str, int] = field(default_factory=empty)
    empty_since_s: Mapping[str, int] = field(default_factory=empty)
    blocked: Mapping[str, Blocked] = field(default_factory=empty)
    learnt: Mapping[str, Learnt] = field(default_factory=empty)
    gone_at_s: Mapping[str, int] = field(default_factory=empty)
    short_since_s: Mapping[str, int] = field(default_factory=empty)
    crowd: Crowd | None = None
    looked_at: tuple[int, float] | None = None
    began_at_s: int | None = None
    steady: tuple[str, int] = ("", 0)
    reoptimised_at_s: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What `decide` sees. `now_s` is the only time it knows, in whole seconds since the epoch.

    `commitments` are what rules have to know of the settings: what is paid for already.
    """

    now_s: int
    cluster: ClusterView
    clouds: tuple[CloudView, ...]
    ledger: Ledger = field(default_factory=Ledger)
    commitments: tuple[Commitment, ...] = ()

    @property
    def groups(self) -> tuple[NodeGroup, ...]:
        """All groups of all clouds, sorted by id."""
        return tuple(sorted((g for c in self.clouds for g in c.groups), key=lambda g: g.id))
