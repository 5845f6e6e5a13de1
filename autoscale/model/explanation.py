"""Explanations: why a pod runs, waits or stays, why a node is there, what a plan rests on. Data for a page or JSON.

Money is micro-US$ per hour. Every text is a sentence for a person; every `code` is one of `docs/reasons.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.workload import Code, Reason


class Fate(StrEnum):
    """What becomes of a pod."""

    RUNS = "runs"
    FITS = "fits"
    COMING = "coming"
    BOUGHT = "bought"
    STAYS = "stays"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why some node groups (or nodes) do not take a pod: one rule or set of rules, and by how much they fail.

    `of_types` are the instance types of `names`, without repetition.
    """

    code: Code
    text: str
    hint: str
    names: tuple[str, ...]
    of_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remedy:
    """A set of changes with which the pod would run: planned again with them, so it is known and not guessed.

    `group` and `instance_type` are where it would go, empty when on nodes that are there. `cost` is what the plan costs
    more than without the pod. `pods` is how many pods of the changed kind do the work of one. `displaced` others, which a plan
    without the pod finds a place for, stay pending then.
    """

    changes: tuple[str, ...]
    group: str
    instance_type: str
    cost_microusd_per_hour: int
    pods: int = 1
    displaced: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pod runs or would run. `price` is of the whole node, `share` of it what the pod takes, at its dearest."""

    node: str
    group: str
    instance_type: str
    zone: str
    capacity_type: str
    price_microusd_per_hour: int
    share: float
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodStory:
    """Everything about one pod. `alike` is how many pods are in the same position.

    `because` says why it runs, waits or is not looked at; `held` what keeps groups that would take it from growing;
    `excluded` and `on_nodes` why groups and nodes that are there do not take it; `admission` why the API server would not
    let it in (only of pods that nobody has created yet). `displaced` others stay pending for it.
    """

    pod: str
    alike: int
    requests: Mapping[str, int]
    fate: Fate
    because: tuple[Reason, ...]
    place: Place | None = None
    cost_microusd_per_hour: int | None = None
    held: tuple[Reason, ...] = ()
    takers: tuple[str, ...] = ()
    excluded: tuple[Exclusion, ...] = ()
    on_nodes: tuple[Exclusion, ...] = ()
    admission: tuple[Reason, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    displaced: int = 0


@dataclass(frozen=True, slots=True)
class OwnerStory:
    """A Deployment, ReplicaSet, StatefulSet or Job: of `wanted` pods `made` are there, and why the others are not.

    `once_made` is what would become of the missing pods if they were let in.
    """

    owner: str
    wanted: int
    made: int
    because: tuple[Reason, ...]
    once_made: PodStory | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """Pods of one owner on a node: how many, and what they ask for together."""

    name: str
    pods: int
    requests: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Move:
    """A node's pods planned anew as if it were not there: what would be bought for them, and what that costs.

    `saves` is the node's price less that; `stuck` are pods that would stay pending, with the first reason why. `once` is what
    moving costs once, over `horizon_s` within which it would have to pay back; `protected` says why a pod of it is not moved. Without
    the policy `consolidation` these are 0 and empty.
    """

    homes: tuple[str, ...]
    cost_microusd_per_hour: int
    saves_microusd_per_hour: int
    stuck: tuple[str, ...] = ()
    why_stuck: str = ""
    once_microusd: int = 0
    horizon_s: int = 0
    protected: str = ""


@dataclass(frozen=True, slots=True)
class NodeStory:
    """Everything about one node. `kept` says whether it stays, `because` why; `origin` says why it exists.

    `drained`: it is on its way out, and `because` says what it waits for.
    """

    node: str
    place: Place
    origin: tuple[Reason, ...]
    tenants: tuple[Tenant, ...]
    daemons: tuple[str, ...]
    used: tuple[tuple[str, int, int], ...]
    kept: bool
    because: tuple[Reason, ...]
    move: Move | None = None
    drained: bool = False


@dataclass(frozen=True, slots=True)
class Alternative:
    """The next best without something that the plan buys. `more` is what it costs more; `pending` stay then, too."""

    without: str
    instead: tuple[str, ...]
    more_microusd_per_hour: int
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Weight:
    """What a limit costs: planned again without it, and with one more.

    `costs` and `saves` are by how much the plan gets cheaper without the limit, or with one more of it; `runs` and
    `more_run` how many pods no longer stay pending then, in which case the plan may well be dearer.
    """

    key: str
    source: str
    text: str
    one_more: str
    saves_microusd_per_hour: int
    more_run: int
    costs_microusd_per_hour: int
    runs: int

    @property
    def matters(self) -> bool:
        """Whether it costs or delays anything."""
        return bool(self.costs_microusd_per_hour or self.saves_microusd_per_hour or self.runs or self.more_run)


@dataclass(frozen=True, slots=True)
class PlanStory:
    """What binds in a plan, and what was next best to each purchase.

    `moved` says how the world differs from the one that the plan was made in; then both are of a plan made now.
    """

    plan: str
    cost_microusd_per_hour: int
    bound_microusd_per_hour: int
    weights: tuple[Weight, ...]
    alternatives: tuple[Alternative, ...] = ()
    moved: tuple[str, ...] = ()
