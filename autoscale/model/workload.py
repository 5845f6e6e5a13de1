"""What asks for room: pods, and the classes of pods that the scheduler can't tell apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty
from autoscale.model.resources import Resources
from autoscale.model.rules import NO_RULES, NO_WISHES, PodRules, Requirement, Wishes

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class NodeSelectorTerm:
    """Expressions on labels, and on fields (`metadata.name`), all of which must hold. An empty term matches nothing."""

    expressions: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class Taint:
    """A node's taint. `effect` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, slots=True)
class Toleration:
    """A pod's toleration. Empty `key` with Exists tolerates all; empty `effect` means every effect."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class ClaimUse:
    """A claim that a pod mounts.

    An `ephemeral` one is the pod's own, named after pod and volume; `made` says that a controller makes it with the pod.
    For both, `storage_class` is the class asked for, None for the default, and `size_bytes` how large, None when not said.
    """

    name: str
    ephemeral: bool = False
    made: bool = False
    storage_class: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PodShape:
    """What the scheduler looks at in a pod, shared by all pods of one template.

    `node_affinity` is an OR of terms, None when there is none. `preempts` is False with `preemptionPolicy: Never`. `rules` are those between it and other pods. `unmodelled`
    names the rules in the pod's spec that the planner does not know, or can't read; such a pod is reported, never
    silently planned. `preferred_nodes` (with weights) and `wishes` never keep it from a node. `claims` are worked into the rest before planning; `blocked` is then why no node would help, and
    `shared_volumes` (resource, volume) are among what it asks for and count once for all pods of a node.
    """

    requests: Resources
    node_selector: tuple[tuple[str, str], ...] = ()
    node_affinity: tuple[NodeSelectorTerm, ...] | None = None
    tolerations: tuple[Toleration, ...] = ()
    priority: int = 0
    preempts: bool = field(default=True, repr=False)
    scheduler_name: str = "default-scheduler"
    unmodelled: tuple[str, ...] = ()
    rules: PodRules = field(default=NO_RULES, repr=False)
    preferred_nodes: tuple[tuple[int, NodeSelectorTerm], ...] = field(default=(), repr=False)
    wishes: Wishes = field(default=NO_WISHES, repr=False)
    claims: tuple[ClaimUse, ...] = field(default=(), repr=False)
    blocked: str = field(default="", repr=False)
    shared_volumes: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    affinity_without_volumes: tuple[tuple[NodeSelectorTerm, ...] | None, ...] = field(default=(), repr=False)

    @property
    def plannable(self) -> bool:
        """Whether all its rules are known, and some node could help."""
        return not (self.unmodelled or self.blocked)

    @property
    def own_affinity(self) -> tuple[NodeSelectorTerm, ...] | None:
        """The node affinity without that of volumes, by which domains are counted."""
        return self.affinity_without_volumes[0] if self.affinity_without_volumes else self.node_affinity


@dataclass(frozen=True, slots=True)
class Claim:
    """What a pod's annotations say of the node bought for it (see ARCHITECTURE.md, reservation)."""

    slot: str
    group: str
    claimed_at_s: int


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as observed. `node_name` is empty until it is bound; `owner` is `Kind/name` of its controller or empty.

    `started_at_s` is when the kubelet took it, `refused_at_s` since when the scheduler has found no node for it; 0: never.
    A pod that is being deleted has until `deletion_at_s`; `finalizers` may keep it longer. `local_volumes` end with it.
    `next_claim` is that of whoever will take its place, written before it is evicted. `moving` marks, within a decision, a pod
    of a node that goes: it stands for that successor.
    """

    uid: str
    namespace: str
    name: str
    shape: PodShape
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)
    annotations: Mapping[str, str] = field(default_factory=empty, hash=False)
    owner: str = ""
    node_name: str = ""
    phase: str = "Pending"
    created_at_s: int = 0
    started_at_s: int = 0
    refused_at_s: int = 0
    deleting: bool = False
    gated: bool = False
    mirror: bool = False
    nominated_node: str = ""
    tolerated_slots: tuple[str, ...] = ()
    claim: Claim | None = None
    deletion_at_s: int = 0
    finalizers: tuple[str, ...] = ()
    local_volumes: tuple[str, ...] = ()
    next_claim: Claim | None = None
    moving: bool = False

    @property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def daemon(self) -> bool:
        """Whether a DaemonSet made it."""
        return self.owner.startswith("DaemonSet/")

    @property
    def finished(self) -> bool:
        """Whether it holds no resources any more."""
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class DaemonSet:
    """A DaemonSet: one pod of `shape`, with `labels`, on each node that it fits."""

    namespace: str
    name: str
    shape: PodShape
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)


@dataclass(frozen=True, slots=True)
class DemandClass:
    """Pods that the scheduler can't tell apart. `pods` are sorted by (created, namespace, name, uid)."""

    key: str
    namespace: str
    labels: Mapping[str, str]
    shape: PodShape
    pods: tuple[Pod, ...]

    @property
    def count(self) -> int:
        """Number of pods."""
        return len(self.pods)


class Code(StrEnum):
    """Stable codes of reasons; `docs/reasons.md` lists them."""

    INSUFFICIENT = "InsufficientResource"
    NODE_SELECTOR = "NodeSelectorMismatch"
    NODE_AFFINITY = "NodeAffinityMismatch"
    TAINT = "UntoleratedTaint"
    POD_AFFINITY = "PodAffinityMismatch"
    POD_ANTI_AFFINITY = "PodAntiAffinity"
    SPREAD = "TopologySpread"
    HOST_PORT = "HostPortTaken"
    VOLUME = "VolumeNotReady"
    UNMODELLED = "UnmodelledRule"
    NO_GROUP = "NoNodeGroup"
    LIMIT = "LimitReached"
    POLICY = "PolicyHolds"
    BACKOFF = "OfferingInBackOff"
    STARTING = "NodeStarting"
    FITS_EXISTING = "FitsExistingNode"
    PREEMPTS = "PreemptsOthers"
    PREDICTION = "PredictionCorrected"
    COST = "CheapestFleet"
    IDLE = "NodeIdle"
    FAULT = "CloudFault"
    TIMEOUT = "NodeNeverCame"
    ORPHAN = "Orphaned"
    QUOTA = "ResourceQuotaExceeded"
    LIMIT_RANGE = "LimitRangeViolated"
    REFUSED = "AdmissionRefused"
    NOT_MADE = "PodNotCreated"
    GATED = "SchedulingGated"
    NOT_OURS = "NotPlanned"
    BUSY = "NodeBusy"
    PROTECTED = "NodeProtected"
    MINIMUM = "GroupAtMinimum"
    INTERRUPTED = "Interrupted"
    REBALANCE = "RebalanceRecommended"
    ENDING = "ReservationEnds"
    UNHEALTHY = "Unhealthy"
    DRIFTED = "Drifted"
    EXPIRED = "Expired"
    DRAIN_BLOCKED = "DrainBlocked"
    UNDERUTILIZED = "Underutilized"
    UNWANTED = "DisruptionOver"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why. `text` is a sentence with numbers for a person; `source` names the rule or module that says it."""

    code: Code
    text: str
    source: str = "autoscale"
    hint: str = ""


__all__ = [
    "Claim", "Code", "DaemonSet", "DemandClass", "NodeSelectorTerm", "Pod", "PodShape", "Reason",
    "Requirement", "Resources", "Taint", "Toleration",
]  # fmt: skip
