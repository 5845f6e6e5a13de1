"""Without a compiled kernel the package still solves: the answers verify and carry a bound that holds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import autoscale
from autoscale.model.problem import WITHOUT_KERNEL, Demand, Problem, Rule, Supply
from autoscale.solve import fallback, verify
from autoscale.solve.greedy import as_solution
from autoscale.solve.reduce import reduce
from tests.property.enumeration import optimum
from tests.property.strategies import problems

PACKAGE = Path(autoscale.__file__).parent
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from autoscale.model.problem import Demand, Problem, Supply
from autoscale.solve import native, solve, verify
assert native.__file__.startswith(sys.argv[1])
pods = Demand("pods", (1, 1), 9, frozenset({0, 1}), 10**9), Demand("cpu", (3, 0), 4, frozenset({0}), 10**9)
asked = Problem(("cpu", "gpu"), pods, (Supply("big", (96, 8), 9_000), Supply("small", (12, 1), 1_500)))
found = solve(asked, time_limit_s=5)
print(json.dumps([native.library() is None, verify(asked, found), found.objective_microusd_per_hour,
                  found.bound_microusd_per_hour, found.pending, found.method]))
"""


@pytest.mark.parametrize("kernel", ["absent", "broken"])
def test_a_machine_without_a_compiler_plans_too(kernel: str, tmp_path: Path) -> None:
    """A package without the compiled kernel, or with one that can't be loaded, answers with the cost and a bound."""
    for part in ("model", "solve"):
        shutil.copytree(
            PACKAGE / part, tmp_path / "autoscale" / part, ignore=shutil.ignore_patterns("*.so", "__pycache__")
        )
    for file in ("__init__.py", "errors.py"):
        shutil.copy(PACKAGE / file, tmp_path / "autoscale" / file)
    if kernel == "broken":
        for library in (PACKAGE / "solve").glob("_kernel*.so"):
            (tmp_path / "autoscale/solve" / library.name).write_bytes(b"\x7fELF of another machine")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    missing, faults, objective, bound, pending, method = json.loads(done.stdout)
    assert (missing, faults, objective, pending) == (True, [], 10_500, {})
    assert 10_000 <= bound <= 10_500
    assert WITHOUT_KERNEL in method


def answered(problem: Problem, seconds: float = 1.0) -> tuple[int, int]:
    """Objective and bound of the fallback, after `verify`."""
    reduced = reduce(problem)
    found = as_solution(problem, reduced, fallback.run(reduced, seconds, lambda: False))
    assert verify(problem, found) == []
    lost = sum(problem.demands[c].pending_penalty_microusd_per_hour * problem.demands[c].count for c in reduced.lost)
    return found.objective_microusd_per_hour, found.bound_microusd_per_hour + lost


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_the_bound_is_below_the_optimum_and_the_plan_above(problem: Problem) -> None:
    """Compared with everything tried: the fallback's bound never lies."""
    objective, bound = answered(problem)
    best = optimum(problem)
    assert best is not None
    assert 0 <= bound <= best <= objective


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(problems(ruled=True, low=0))
def test_rules_hold_without_the_kernel(problem: Problem) -> None:
    """With rules that only forbid, plans keep them and bounds stay below the optimum."""
    objective, bound = answered(problem)
    best = optimum(problem)
    assert best is not None
    assert 0 <= bound <= best <= objective


def test_no_time_still_gives_a_plan() -> None:
    """With no time at all there is a complete plan and a bound of 0."""
    demands = (Demand("a", (2,), 30, frozenset({0, 1}), 10**9), Demand("b", (3,), 31, frozenset({0, 1}), 10**9))
    asked = Problem(("gpu",), demands, (Supply("s", (7,), 5), Supply("t", (11,), 7)), (Rule("r", "t", 99, {0: 1}),))
    objective, bound = answered(asked, 0.0)
    assert bound == 0
    assert objective < 10**9
