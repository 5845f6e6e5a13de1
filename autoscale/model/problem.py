"""What the solver is asked, and what it answers: pure integers, no Kubernetes.

    minimise   sum_q (p_o(q) + k) x_q + sum_c M_c u_c
    subject to sum_q a_cq x_q + u_c >= d_c       every pod is placed or counted as pending
               sum_{q of o} x_q <= U_o            supply
               every Rule                         linear policies
               x_q, u_c whole

c: demand classes, o: offerings, q: patterns (how many pods of each class one node holds).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Demand:
    """`count` equal pods. `request` is in the order of `Problem.resources`; `offerings` are those that admit the class.

    `pending_penalty_microusd_per_hour` is what it costs to leave one pod pending (M_c); it must be dear enough that
    buying is always preferred. `max_per_node` bounds how many of them one node may hold.
    """

    key: str
    request: tuple[int, ...]
    count: int
    offerings: frozenset[int]
    pending_penalty_microusd_per_hour: int
    max_per_node: int | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """One thing that can be had, `limit` times (None: without end). Room on nodes that are there costs nothing."""

    key: str
    capacity: tuple[int, ...]
    price_microusd_per_hour: int
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A linear policy: sum over the nodes chosen of (per_node[o] + sum_c per_pod[c, o] a_cq) <= limit.

    Weights absent are 0. `source` is the policy's name, `text` says it to a person. One of `limit` stands for `unit` pieces
    of `of`: `nodes`, `money` (micro-US$ per hour) or a resource; empty for what nobody counts, such as a share.
    """

    key: str
    source: str
    limit: int
    per_node: Mapping[int, int] = field(default_factory=empty, hash=False)
    per_pod: Mapping[tuple[int, int], int] = field(default_factory=empty, hash=False)
    text: str = ""
    unit: int = 1
    of: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A whole question. `node_cost_microusd_per_hour` (k) is added to each node whose price is not 0."""

    resources: tuple[str, ...]
    demands: tuple[Demand, ...]
    supplies: tuple[Supply, ...]
    rules: tuple[Rule, ...] = ()
    node_cost_microusd_per_hour: int = 0

    def price_of(self, supply: int) -> int:
        """What one node of the supply adds to the objective."""
        price = self.supplies[supply].price_microusd_per_hour
        return price + self.node_cost_microusd_per_hour if price else 0


@dataclass(frozen=True, slots=True)
class PackedNode:
    """`count` nodes of supply `supply`, each holding `pods[i] = (class, how many)`, sorted by class."""

    supply: int
    pods: tuple[tuple[int, int], ...]
    count: int


class Status(StrEnum):
    """How the search ended."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"


@dataclass(frozen=True, slots=True)
class Binding:
    """A rule or supply limit with a price: one more would lower the objective by that much.

    Penalties for pods that stay pending are part of it, so it ranks what binds; money is counted in `decide.weigh`.
    """

    key: str
    source: str
    value_microusd_per_hour: int


WITHOUT_KERNEL = "no compiled kernel"
"""Part of the method of an answer that was found without the compiled kernels: it verifies, and may be dearer."""


@dataclass(frozen=True, slots=True)
class Solution:
    """An answer, always complete: what is not placed is in `pending` (class -> pods).

    `cost` is the price of the nodes, `objective` adds cost per node and penalties, `bound` is a proven lower bound on
    the objective of any answer, all in micro-US$ per hour.
    """

    status: Status
    nodes: tuple[PackedNode, ...]
    pending: Mapping[int, int]
    cost_microusd_per_hour: int
    objective_microusd_per_hour: int
    bound_microusd_per_hour: int
    bindings: tuple[Binding, ...] = ()
    method: str = ""

    @property
    def gap(self) -> float:
        """(objective - bound) / objective, 0 when nothing is bought."""
        if self.objective_microusd_per_hour <= 0:
            return 0.0
        return max(0.0, 1 - self.bound_microusd_per_hour / self.objective_microusd_per_hour)
