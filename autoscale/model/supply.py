"""What can be had: instance types, offerings, node groups, instances, nodes, and what went wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.resources import Resources
    from autoscale.model.workload import Reason, Taint


class CapacityType(StrEnum):
    """How a machine is paid for."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    RESERVED = "reserved"
    FLEX_START = "flex-start"  # waits in the cloud's queue until it can be had, and ends after an agreed time


@dataclass(frozen=True, slots=True)
class InstanceType:
    """A machine. `allocatable` is what pods may use (kubelet and system share already off), devices included.

    `labels` are those that the instance type alone decides (well-known labels, GPU operator's, Karpenter's).
    `devices` names the extended resources it promises, such as `nvidia.com/gpu`.
    """

    name: str
    capacity: Resources
    allocatable: Resources
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offering:
    """An instance type in a zone, paid in one way. `zone` is empty when the group may land in several.

    `listed_microusd_per_hour` is what the cloud asks where that is not the price, else 0.
    `interruption_microusd_per_hour` is what interruptions are expected to cost: no invoice has it, but decisions count it.
    """

    instance_type: str
    zone: str
    capacity_type: CapacityType
    price_microusd_per_hour: int
    interruption_microusd_per_hour: int = 0
    listed_microusd_per_hour: int = 0

    @property
    def weighed_microusd_per_hour(self) -> int:
        """What decisions compare: the price, and what interruptions are expected to cost."""
        return self.price_microusd_per_hour + self.interruption_microusd_per_hour

    @property
    def key(self) -> str:
        """`type/zone/capacity-type`: what stock-outs and limits are remembered by."""
        return f"{self.instance_type}/{self.zone or '*'}/{self.capacity_type}"


class FaultKind(StrEnum):
    """What kind of no a cloud said."""

    NO_CAPACITY = "no-capacity"
    QUOTA = "quota"
    THROTTLED = "throttled"
    NOT_FOUND = "not-found"
    DENIED = "denied"
    BAD_TEMPLATE = "bad-template"
    UNKNOWN_TYPE = "unknown-type"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Fault:
    """A cloud's no, as data. `group` is a group's id, or empty when the whole provider is meant.

    `maybe_applied`: nobody knows whether the call took effect all the same (no answer, or the cloud's own failure).
    """

    group: str
    kind: FaultKind
    code: str
    message: str
    at_s: int
    offering: str = ""
    maybe_applied: bool = False


class InstanceState(StrEnum):
    """Where an instance is in its life. Anything on its way out is TERMINATING."""

    PENDING = "pending"
    RUNNING = "running"
    TERMINATING = "terminating"


class NoticeKind(StrEnum):
    """What a cloud has said of a machine's end."""

    INTERRUPTED = "interrupted"  # it is taken away within minutes
    REBALANCE = "rebalance"  # it may be taken away soon
    ENDING = "ending"  # what it was reserved for runs out, or it is to be maintained


@dataclass(frozen=True, slots=True)
class Notice:
    """A cloud's word that a machine ends. `ends_at_s` is when; 0 when that was not said."""

    kind: NoticeKind
    text: str
    ends_at_s: int = 0


@dataclass(frozen=True, slots=True)
class Instance:
    """One machine of a group, as the cloud says. `provider_id` equals the Node's `spec.providerID`.

    `outdated` says in what it is not as its group would make it today.
    """

    id: str
    provider_id: str
    state: InstanceState
    zone: str = ""
    instance_type: str = ""
    protected: bool = False
    notice: Notice | None = None
    outdated: str = ""


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """One cloud instance group: one offering, a target size.

    `allocatable`, `labels` and `taints` are what a node of it will have once it is up (scale from zero included),
    before DaemonSets. `devices` are the extended resources that must be allocatable before a node counts as ready.
    `catalogued` marks a group that exists only in the bundled catalogue (offline plans): it can't be resized.
    `notes` are what a person should know of how the provider modelled it, such as a price that is a guess,
    without the group's name.
    `template` names what the provider makes the group from on first use; empty for a group that a person made. One that is
    not `made` yet is there to plan on, with a target of 0. `delete_after_s` is how long a group of a template may be empty
    before it is deleted, None for ever. `ends_at_s` is when its machines are taken away: the end of a reservation;
    `ending_lead_s` how long before that nothing is bought any more and its nodes are drained, None as the settings say.
    `provision_s` is how long its nodes may take to join where that is longer than usual: the cloud's queue is in it.
    """

    id: str
    provider: str
    name: str
    offering: Offering
    allocatable: Resources
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)
    taints: tuple[Taint, ...] = ()
    devices: tuple[str, ...] = ()
    min_nodes: int = 0
    max_nodes: int = 1000
    target_nodes: int = 0
    instances: tuple[Instance, ...] = ()
    faults: tuple[Fault, ...] = ()
    catalogued: bool = False
    notes: tuple[Reason, ...] = ()
    template: str = ""
    made: bool = True
    delete_after_s: int | None = None
    ends_at_s: int | None = None
    ending_lead_s: int | None = None
    provision_s: int | None = None

    @property
    def staying(self) -> tuple[Instance, ...]:
        """The instances that are not on their way out."""
        return tuple(each for each in self.instances if each.state is not InstanceState.TERMINATING)


@dataclass(frozen=True, slots=True)
class Quota:
    """A ceiling of the cloud over several groups together: a service quota, the machines of a reservation.

    A node of group `g` takes `per_node[g]` of `unit`. `used_elsewhere` is what is known to be taken by others than these
    groups. `name` says to a person what is counted.
    """

    id: str
    name: str
    unit: str
    limit: int
    per_node: Mapping[str, int] = field(default_factory=empty, hash=False)
    used_elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the nodes of a group have turned out to have. `predicted` is a digest of what the provider had said."""

    group: str
    predicted: str
    labels: tuple[tuple[str, str], ...]
    taints: tuple[Taint, ...]
    allocatable: Resources


@dataclass(frozen=True, slots=True)
class NodeReservation:
    """What a node's annotations say: the slot it was given and how far the reservation has come."""

    slot: str
    phase: str  # assigned | held | released
    since_s: int


@dataclass(frozen=True, slots=True)
class Condition:
    """A node's condition, and since when it is so."""

    type: str
    status: str
    since_s: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Disruption:
    """What our taint and annotations say of a node that goes: why (a reason's code), and since when."""

    code: str
    since_s: int


@dataclass(frozen=True, slots=True)
class Node:
    """A node as observed. `allocatable` is what the kubelet reports now, so devices may still be missing.

    `volumes` are those that are attached to it.
    """

    name: str
    provider_id: str
    allocatable: Resources
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)
    annotations: Mapping[str, str] = field(default_factory=empty, hash=False)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    ready: bool = True
    deleting: bool = False
    created_at_s: int = 0
    reservation: NodeReservation | None = None
    conditions: tuple[Condition, ...] = ()
    disruption: Disruption | None = None
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedGroup:
    """A group that the provider found and could not model, and why."""

    id: str
    reason: Reason
