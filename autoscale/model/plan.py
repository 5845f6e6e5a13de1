"""What is to be done, why, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscale.model.problem import Binding
    from autoscale.model.supply import Fault, Learnt
    from autoscale.model.workload import Reason


@dataclass(frozen=True, slots=True)
class ClaimPods:
    """Write onto the pods (uid, namespace/name) that slot `slot` of `group` is meant for them. Before any resize.

    `moving` are pods that run on a node that goes: the slot is meant for those that will take their place.
    """

    slot: str
    group: str
    pods: tuple[tuple[str, str], ...]
    moving: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Unclaim:
    """Take the claim off pods whose node is not coming or was lost."""

    slot: str
    pods: tuple[tuple[str, str], ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Resize:
    """Set a group's target, absolute. `slots` are the slots it is for."""

    group: str
    current_nodes: int
    target_nodes: int
    slots: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a node that has joined an open slot (an annotation on the node)."""

    node: str
    slot: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Taint the node for its slot, and let the slot's pods tolerate it. `tainted`: the taint is there already."""

    node: str
    slot: str
    pods: tuple[tuple[str, str], ...]
    tainted: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """Take the slot's taint off the node: its pods are bound, gone, or took too long."""

    node: str
    slot: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class RemoveNode:
    """Cordon the node, then remove its instance and lower the group's target in one call.

    `node` is empty for an instance that never became a node. `forced`: even if pods are still on it.
    """

    group: str
    node: str
    instance: str
    reason: Reason
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Disrupt:
    """Close the node for good: our taint, and why and since when as annotations. What follows is its drain."""

    node: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Restore:
    """Give a node back that goes no more: our taint and annotations come off."""

    node: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Evict:
    """Ask the Eviction API for these pods (uid, namespace/name) of a node that goes; their budgets may say no."""

    node: str
    pods: tuple[tuple[str, str], ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    """Delete a group that was made from a template and has been empty for long."""

    group: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Announce:
    """An Event. `event` is `TriggeredScaleUp`, `NotTriggerScaleUp`, `DisruptionBlocked` or `PredictionCorrected`.

    `pod` is `namespace/name`; a name alone is a node's, and then `uid` is its name, too, as the kubelet has it.
    `about` is what makes it another one: the codes of its reasons, or the group that grows. The text may change with every
    look; that alone is no news.
    """

    uid: str
    pod: str
    event: str
    text: str
    about: str = ""


Action = (
    ClaimPods
    | Unclaim
    | Resize
    | Assign
    | Hold
    | Release
    | RemoveNode
    | Disrupt
    | Restore
    | Evict
    | DeleteGroup
    | Announce
)


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """`count` nodes of `group`, each holding the same number of pods of each class.

    `home` is `new`, `joining` or `existing`. `pods` are (class key, how many, resources text); `gpus_used` of `gpus`.
    """

    group: str
    home: str
    count: int
    pods: tuple[tuple[str, int], ...]
    used: tuple[tuple[str, int, int], ...]  # resource, used, allocatable


@dataclass(frozen=True, slots=True)
class Unmet:
    """Pods of one class that stay pending, with reasons grouped over node groups, nearest miss first."""

    class_key: str
    pods: tuple[str, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Relocation:
    """Nodes that are emptied together to save money, and where their pods go.

    `saves` is what is paid less from then on, `costs` what moving costs once: starting nodes and pods, work lost, and what
    disruption is worth avoiding. `homes` are in words. `endangers` says what is stopped for it. `held` is why it does not
    begin now, empty when it does.
    """

    nodes: tuple[str, ...]
    pods: int
    homes: tuple[str, ...]
    saves_microusd_per_hour: int
    costs_microusd: int
    endangers: tuple[str, ...] = ()
    held: str = ""


@dataclass(frozen=True, slots=True)
class Reoptimum:
    """What a look at the whole fleet found: its cost as it is, with all relocations, and what no fleet could go below.

    All in micro-US$ per hour over the horizon: what is paid once is divided by it.
    """

    horizon_s: int
    before_microusd_per_hour: int
    after_microusd_per_hour: int
    bound_microusd_per_hour: int
    relocations: tuple[Relocation, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What `run` would do now, in order, and the proof that comes with it.

    `id` is a hash of what the plan does and rests on. `fingerprint` covers the facts it rests on: pods waiting, nodes,
    groups and their targets, prices. Money is micro-US$ per hour; cost and bound are of what is newly bought.
    What the ledger is to remember of the moment: `idle`, `unused` (nobody needs them, whoever is on them) and `ready` are names of nodes, `starting` ids of instances that
    are no node yet, `short` names of nodes with fewer devices than promised, `empty` ids of groups made from a template that
    hold nothing, `faults` what keeps groups from delivering, said for the first time, `learnt` what nodes of groups turned
    out to have. `reoptimum` is there when the whole fleet was asked about; `steady` is a digest of who runs where.
    """

    id: str
    made_at_s: int
    fingerprint: str
    actions: tuple[Action, ...]
    packing: tuple[PlannedNode, ...] = ()
    unmet: tuple[Unmet, ...] = ()
    notes: tuple[Reason, ...] = ()
    bindings: tuple[Binding, ...] = ()
    cost_microusd_per_hour: int = 0
    bound_microusd_per_hour: int = 0
    fleet_before_microusd_per_hour: int = 0
    pending_pods: int = 0
    pending_classes: int = 0
    oldest_pending_s: int = 0
    method: str = ""
    idle: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    starting: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    learnt: tuple[Learnt, ...] = ()
    reoptimum: Reoptimum | None = None
    steady: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an action: `done`, `refused` by the other side (see `fault` or `text`), or `skipped` as moot.

    `blocked` are the pods (uid, by what) that a budget kept from being evicted.
    """

    action: Action
    outcome: str
    text: str = ""
    fault: Fault | None = None
    blocked: tuple[tuple[str, str], ...] = ()
