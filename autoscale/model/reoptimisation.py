"""The whole fleet asked about again: which nodes to empty, and what to buy instead. Pure integers, as `problem`.

A node that is there is kept with all its pods, or emptied and not paid for any more. The pods of emptied nodes become
demand that the room left on kept nodes, and nodes to buy, must cover:

    minimise   sum_j (keep_j (k_j - z_j) + empty_j z_j) + what `emptied(z)` costs
    subject to 0 <= z_j <= k_j whole, every Cap, and every pod placed

j: residents, k_j equal nodes each, z_j of them emptied. Money is micro-US$ per hour: what is paid once, such as moving a
pod, is divided by the horizon within which it has to pay back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.model.problem import Problem, Solution


@dataclass(frozen=True, slots=True)
class Resident:
    """`count` equal nodes, each holding `pods[i] = (class, how many)`.

    `supply` is the room that they have left beside their pods, which costs nothing and has a limit of `count`; None when
    it is of no use to anybody.
    """

    key: str
    supply: int | None
    pods: tuple[tuple[int, int], ...]
    count: int
    keep_microusd_per_hour: int
    empty_microusd_per_hour: int


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` nodes of these residents are emptied."""

    residents: tuple[int, ...]
    most: int


@dataclass(frozen=True, slots=True)
class Reoptimisation:
    """The question. In `problem` nobody waits: every `count` is 0. Its rules hold for what is bought and moved."""

    problem: Problem
    residents: tuple[Resident, ...]
    caps: tuple[Cap, ...] = ()

    def emptied(self, nodes: Sequence[int]) -> Problem:
        """What is left to decide when so many nodes of each resident are emptied."""
        counts = [demand.count for demand in self.problem.demands]
        limits = [supply.limit for supply in self.problem.supplies]
        for resident, emptied in zip(self.residents, nodes, strict=True):
            for cls, pods in resident.pods:
                counts[cls] += pods * emptied
            if resident.supply is not None:
                limits[resident.supply] = resident.count - emptied
        demands = zip(self.problem.demands, counts, strict=True)
        supplies = zip(self.problem.supplies, limits, strict=True)
        return replace(
            self.problem,
            demands=tuple(replace(demand, count=count) for demand, count in demands),
            supplies=tuple(replace(supply, limit=limit) for supply, limit in supplies),
        )

    def decided(self, nodes: Sequence[int]) -> int:
        """What keeping and emptying costs, without what is bought."""
        return sum(
            resident.keep_microusd_per_hour * (resident.count - emptied) + resident.empty_microusd_per_hour * emptied
            for resident, emptied in zip(self.residents, nodes, strict=True)
        )

    @property
    def staying(self) -> tuple[int, ...]:
        """Nothing is emptied."""
        return (0,) * len(self.residents)


@dataclass(frozen=True, slots=True)
class Reoptimised:
    """An answer: how many nodes of each resident are emptied, and where their pods go (`Reoptimisation.emptied`).

    `bound` is a lower bound on the cost of any answer. `values` prove it: what a pod of each class is worth, in
    whole micro-US$/h (see `autoscale.solve.reverify`).
    """

    emptied: tuple[int, ...]
    solution: Solution
    cost_microusd_per_hour: int
    bound_microusd_per_hour: int
    values: tuple[int, ...] = ()
    method: str = ""

    @property
    def gap(self) -> float:
        """(cost - bound) / cost, 0 when nothing costs anything."""
        if self.cost_microusd_per_hour <= 0:
            return 0.0
        return max(0.0, 1 - self.bound_microusd_per_hour / self.cost_microusd_per_hour)
