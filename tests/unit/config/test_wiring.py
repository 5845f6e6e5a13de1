"""What wiring does when the solver lets it down."""

from pathlib import Path

import pytest

from autoscale import wiring
from autoscale.cli.validate import explain
from autoscale.config import Settings
from autoscale.model.problem import Demand, Problem, Solution, Status, Supply

ROOT = Path(__file__).parents[3]
PROBLEM = Problem(("gpu",), (Demand("a", (1,), 3, frozenset({0}), 100),), (Supply("s", (2,), 10),))
WRONG = Solution(Status.OPTIMAL, (), {}, 0, 0, 0)


def test_an_answer_is_verified() -> None:
    """The real solver's answer passes: three pods on two nodes."""
    assert wiring.solver(Settings())(PROBLEM).cost_microusd_per_hour == 20


@pytest.mark.parametrize("broken", ["crashes", "lies"])
def test_a_broken_search_buys_nothing(broken: str) -> None:
    """It is asked twice; then all pods stay pending and the method says why, or it is an error when that is wanted."""
    seeds = []

    def search(_: Problem, seed: int) -> Solution:
        seeds.append(seed)
        if broken == "crashes":
            raise ZeroDivisionError("division\nby zero")
        return WRONG

    found = wiring.careful(search)(PROBLEM)
    assert (found.nodes, found.pending, found.objective_microusd_per_hour, seeds) == ((), {0: 3}, 300, [0, 1])
    assert found.method.startswith("nothing was planned: the solver")
    with pytest.raises(wiring.SolverError):
        wiring.careful(search, strict=True)(PROBLEM)


def test_the_example_of_pools_is_valid() -> None:
    """As it stands in the documents."""
    settings = wiring.settings(str(ROOT / "examples/pools.yaml"))
    assert [provider.name for provider in wiring.providers(settings)] == ["aws"]
    assert "  providers    aws (pools serving, training)" in list(explain(settings))
