"""The numbers that `decide` is given beside the snapshot. Units are in the names; every default has its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscale.model.overlay import Commitment


@dataclass(frozen=True, slots=True, kw_only=True)
class Consolidation:
    """What moving pods to save money must earn, and when it is thought of.

    horizon_s: a move is made only when it has paid back by then. after_s: nothing may have changed for so long, and the
    whole fleet is asked about no more often. node_start_s: a new node is paid for so long before pods run on it.
    pod_start_s: a pod that is moved does nothing for so long, unless it is annotated how long. most_lost_s: no more work
    is counted as lost. pod_microusd: what moving any pod is worth avoiding, times its disruption score.
    """

    horizon_s: int = 3600
    after_s: int = 300
    node_start_s: int = 300
    pod_start_s: int = 120
    most_lost_s: int = 3600
    pod_microusd: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideSettings:
    """Knobs of the decision.

    node_cost_microusd_per_hour: what a node costs beside its price (agents, licences, daemons).
    provision_timeout_s: a slot whose node has not registered by then is given up (Cluster Autoscaler's 15 min).
    hold_timeout_s: a node's taint comes off after this even if not all its pods are bound.
    daemon_timeout_s: how long a joined node waits for its DaemonSet pods before it is held without them.
    target_memory_s: how long a target we asked for outweighs a lower one that the cloud still shows.
    idle_after_s: a node of ours without work for this long is removed; None never. Policies may lengthen it per group.
    backoff_first_s, backoff_max_s: how long an offering that failed is left alone, doubling.
    scheduler_names: pods of these schedulers are planned for; others only take room.
    expendable_below: pods of a lower priority get no node bought (Cluster Autoscaler's -10); whoever ranks higher has their
    room, by preemption.
    preemption_timeout_s: a pod that the scheduler has refused for longer is planned for even if it could preempt others (the
    scheduler tries again after 5 min at the latest).
    preferences_max_extra_ppm: what pods' wishes may add to the cost of what is bought, in parts per million; 0: ties only.
    changes_pods: whether pods may be written to. If not, no toleration lets them in: a node is closed until it is its turn to
    be opened to all (`decide/turns.py`).
    gpu_pods_only: leave pods that ask for no device (an extended resource) to others.
    evict_again_s: a pod that a PodDisruptionBudget kept is tried again after this.
    detach_timeout_s: how long an empty node waits for its volumes to be detached before it is removed.
    ending_lead_s: so long before a reservation ends its nodes are drained, and no more are bought, if its group says nothing else.
    drain_warn_s: a drain that takes longer says on the pods it waits for what holds it up.
    consolidation: how nodes are emptied to save money; None: never.
    commitments: what is paid for whether it is used or not; nodes within it are bought first.
    announce_again_s: the same Event about the same pod is not repeated within this.
    """

    cluster: str = "cluster"
    node_cost_microusd_per_hour: int = 0
    provision_timeout_s: int = 900
    hold_timeout_s: int = 120
    daemon_timeout_s: int = 60
    target_memory_s: int = 60
    idle_after_s: int | None = 300
    backoff_first_s: int = 180
    backoff_max_s: int = 1800
    announce_again_s: int = 300
    scheduler_names: frozenset[str] = frozenset({"default-scheduler"})
    expendable_below: int = -10
    preemption_timeout_s: int = 360
    evict_again_s: int = 10
    detach_timeout_s: int = 120
    drain_warn_s: int = 300
    ending_lead_s: int = 1800
    preferences_max_extra_ppm: int = 0
    changes_pods: bool = True
    gpu_pods_only: bool = False
    consolidation: Consolidation | None = None
    commitments: tuple[Commitment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """Rhythm of the loop.

    quiet_s, batch_max_s: a burst of changes is decided on once it has been quiet this long, at the latest after that.
    joining_s: how often to look while nodes are on their way. coalesce_s: how long to let changes add up then, before a
    look: a node that joins must be held for its pods before its devices come.
    drain_s: how often to look while a node is being drained and nothing else is on its way.
    cloud_read_s: an idle engine reads the clouds this often; a decision that does anything always rests on a fresh read.
    """

    quiet_s: float = 1.0
    batch_max_s: float = 10.0
    joining_s: float = 3.0
    coalesce_s: float = 0.2
    drain_s: float = 10.0
    cloud_read_s: float = 60.0
