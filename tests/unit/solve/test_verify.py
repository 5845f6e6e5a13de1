"""`verify` must notice every way in which a solution can be wrong."""

from __future__ import annotations

import dataclasses

import pytest

from autoscale.model.problem import Demand, PackedNode, Problem, Rule, Solution, Status, Supply
from autoscale.solve import verify

PROBLEM = Problem(
    resources=("cpu", "gpu"),
    demands=(
        Demand("train", (4, 2), 3, frozenset({0}), 1_000),
        Demand("serve", (1, 1), 4, frozenset({0, 1}), 1_000, max_per_node=2),
    ),
    supplies=(Supply("big", (16, 8), 80, limit=2), Supply("small", (4, 2), 20)),
    rules=(Rule("few", "limits", 3, per_node={0: 1, 1: 1}), Rule("calm", "limits", 4, per_pod={(1, 1): 2})),
    node_cost_microusd_per_hour=5,
)
GOOD = Solution(
    status=Status.FEASIBLE,
    nodes=(PackedNode(0, ((0, 3), (1, 2)), 1), PackedNode(1, ((1, 2),), 1)),
    pending={},
    cost_microusd_per_hour=100,
    objective_microusd_per_hour=110,
    bound_microusd_per_hour=100,
)


def with_nodes(*nodes: PackedNode) -> Solution:
    """The good solution on other nodes, its money left as it was."""
    return dataclasses.replace(GOOD, nodes=nodes)


def test_a_good_solution_passes() -> None:
    """Nothing is said about a plan that keeps every promise."""
    assert verify(PROBLEM, GOOD) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (with_nodes(PackedNode(0, ((0, 4), (1, 1)), 1)), "17 of cpu used"),
        (with_nodes(PackedNode(0, ((0, 5),), 1)), "of gpu used"),
        (with_nodes(PackedNode(1, ((0, 1),), 1)), "does not admit"),
        (with_nodes(PackedNode(0, ((1, 3),), 1)), "2 are allowed on one node"),
        (with_nodes(PackedNode(7, ((1, 1),), 1)), "supply 7 does not exist"),
        (with_nodes(PackedNode(0, ((9, 1),), 1)), "class 9 does not exist"),
        (with_nodes(PackedNode(0, ((1, 1), (1, 1)), 1)), "listed twice"),
        (with_nodes(PackedNode(0, ((0, 3), (1, 2)), 0)), "counted 0 times"),
        (with_nodes(PackedNode(0, ((0, 0),), 1)), "holds 0 pods"),
        (with_nodes(GOOD.nodes[0]), "2 placed and 0 pending of 4 pods"),
        (with_nodes(*GOOD.nodes, GOOD.nodes[1]), "6 placed and 0 pending of 4 pods"),
        (dataclasses.replace(GOOD, pending={1: 1}), "4 placed and 1 pending of 4 pods"),
        (dataclasses.replace(GOOD, pending={5: 1}), "class 5 does not exist"),
        (with_nodes(PackedNode(0, ((0, 1), (1, 1)), 3), PackedNode(1, ((1, 1),), 1)), "big: 3 nodes, 2 can be had"),
        (with_nodes(PackedNode(0, ((0, 3),), 1), PackedNode(1, ((1, 1),), 4)), "rule few: 5, at most 3"),
        (with_nodes(PackedNode(0, ((0, 3),), 1), PackedNode(1, ((1, 2),), 2)), "rule calm: 8, at most 4"),
        (with_nodes(PackedNode(-1, ((1, 1),), 1)), "supply -1 does not exist"),
        (with_nodes(PackedNode(0, ((-1, 1),), 1)), "class -1 does not exist"),
        (with_nodes(*GOOD.nodes, PackedNode(0, ((0, 3), (1, 2)), -1)), "counted -1 times"),
        (with_nodes(PackedNode(0, ((0, 3), (1, -2)), 1)), "holds -2 pods of serve"),
        (dataclasses.replace(GOOD, pending={-1: 1}), "class -1 does not exist"),
        (
            dataclasses.replace(with_nodes(GOOD.nodes[0], PackedNode(1, ((1, 2),), 2)), pending={1: -2}),
            "serve: -2 pods pending",
        ),
        (with_nodes(), "0 placed and 0 pending of 3 pods"),
        (with_nodes(*GOOD.nodes, PackedNode(1, (), 2)), "rule few: 4, at most 3"),
        (dataclasses.replace(GOOD, cost_microusd_per_hour=99), "cost is 100"),
        (dataclasses.replace(GOOD, cost_microusd_per_hour=101), "cost is 100"),
        (dataclasses.replace(GOOD, objective_microusd_per_hour=100), "objective is 110"),
        (dataclasses.replace(GOOD, objective_microusd_per_hour=111), "objective is 110"),
        (dataclasses.replace(GOOD, bound_microusd_per_hour=111), "bound 111 is above"),
    ],
)
def test_every_planted_fault_is_found(wrong: Solution, says: str) -> None:
    """Each way to spoil the good solution is reported in words that name it."""
    assert any(says in fault for fault in verify(PROBLEM, wrong)), verify(PROBLEM, wrong)
