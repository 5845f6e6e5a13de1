"""Problem files whose optimum is known: by hand, and by a solver of another kind that placed pods on nodes one by one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from autoscale.model.problem import Problem, Status
from autoscale.observe.problem_file import load_problem, parse_problem
from autoscale.solve import largest_node_first, native, one_node_per_pod, solve, verify
from autoscale.solve.reduce import reduce
from benchmarks import catalogue, problems

FOLDER = Path(__file__).parents[2] / "data/problems"
KNOWN = {
    "gpus-do-not-add-up": 28_500_000,  # 5 + 3, 5 + 3 and 5 + 2 on machines of 8, the last 2 on one of 4
    "quota-on-cpu": 13_200_000,  # 140 cores: 48 for each training, 8 + 9 x 4 for ten that serve, the web in between
    "mixed-12": 3_599_296,
}
pytestmark = pytest.mark.skipif(native.library() is None, reason="no compiled kernel")


def known(name: str) -> Problem:
    """The problem in a file of tests/data/problems."""
    return load_problem(str(FOLDER / f"{name}.json")).problem


@pytest.mark.parametrize(("name", "cost"), KNOWN.items())
def test_the_known_optimum_is_found_and_proven(name: str, cost: int) -> None:
    """Cost and bound are the known optimum, to the last micro-dollar."""
    found = solve(known(name), time_limit_s=5)
    assert verify(known(name), found) == []
    assert (found.cost_microusd_per_hour, found.bound_microusd_per_hour, found.pending) == (cost, cost, {})
    assert found.status is Status.OPTIMAL


@pytest.mark.parametrize(("name", "cost"), KNOWN.items())
def test_no_yardstick_is_cheaper(name: str, cost: int) -> None:
    """Plans by simple rules verify, and cost at least the optimum when they place everybody."""
    for yardstick in (largest_node_first, one_node_per_pod):
        found = yardstick(known(name))
        assert verify(known(name), found) == []
        assert found.objective_microusd_per_hour >= cost


@pytest.mark.parametrize(("kind", "pods", "seed"), [("mixed", 100, 0), ("mixed", 200, 1), ("real-1000", 40, 2)])
def test_generated_problems_are_solved_within_their_bound(kind: str, pods: int, seed: int) -> None:
    """Problems as they are measured, in small: everybody is placed, at most 1 % above the proven bound."""
    data = msgspec.json.encode(problems.make(catalogue.load(), kind, pods, seed))
    asked = parse_problem(data, kind).problem
    found = solve(asked, time_limit_s=2)
    assert verify(asked, found) == []
    assert found.pending == {}
    assert found.gap <= 0.01


def test_two_threads_answer_as_one_does() -> None:
    """Both workers take turns by work, not by the clock: a proven answer is the same, down to the tree's nodes."""
    asked = parse_problem(msgspec.json.encode(problems.make(catalogue.load(), "real-1000", 150, 12)), "real-1000")
    reduced = reduce(asked.problem)
    one, two = (native.run(reduced, 60.0, seed=0, cancel=native.Cancel(), workers=workers) for workers in (1, 2))
    same = [name for name in one.numbers if not name.endswith("seconds")]
    assert (one.nodes, one.pending, one.bound) == (two.nodes, two.pending, two.bound)
    assert {name: one.numbers[name] for name in same} == {name: two.numbers[name] for name in same}
    assert one.numbers["tree_nodes"] > 1
