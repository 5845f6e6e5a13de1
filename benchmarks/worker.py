"""Answers one problem with the engine inside this process and prints what it took, start-up left out.

The benchmark runs it as a process of its own, so that every measurement starts from the same state: modules imported,
kernels loaded by a problem of one pod, nothing of the problem read.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from autoscale import solve as engine
from autoscale.model.problem import Demand, Problem, Supply
from autoscale.observe.problem_answer import write_answer
from autoscale.observe.problem_file import parse_problem
from benchmarks import catalogue, check, problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.model.problem import Solution

METHODS = ("solve", "one_node_per_pod", "largest_node_first")


def _method(name: str, time_limit_s: float) -> Callable[[Problem], Solution]:
    if name == "solve":
        return lambda problem: engine.solve(problem, time_limit_s=time_limit_s)
    found: Callable[[Problem], Solution] = getattr(engine, name)
    return found


def _warm_up() -> None:
    """Load whatever is loaded on first use."""
    one = Demand("pod", (1,), 1, frozenset({0}), 10)
    engine.solve(Problem(("pods",), (one,), (Supply("node", (1,), 1),)), time_limit_s=1)


class _Stopwatch:
    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall_seconds": time.perf_counter() - self._wall, "cpu_seconds": time.process_time() - self._cpu}


def answer_file(path: Path, method: Callable[[Problem], Solution]) -> dict[str, Any]:
    """Answer a problem file. The clock runs from reading the JSON to having the solution."""
    watch = _Stopwatch()
    file = parse_problem(path.read_bytes(), path.name)
    solution = method(file.problem)
    taken = watch.read()
    return {**write_answer(file, solution, seconds=taken["wall_seconds"]), "method": solution.method, **taken}


def answer_existing(
    method: Callable[[Problem], Solution], *, nodes: int, running: int, pending: int, seed: int
) -> dict[str, Any]:
    """Answer pods that are pending beside nodes that have room left. The clock runs in the solver alone."""
    question = problems.existing(catalogue.load(), nodes=nodes, running=running, pending=pending, seed=seed)
    problem = with_nodes(question)
    watch = _Stopwatch()
    solution = method(problem)
    taken = watch.read()
    faults = check.faults_of_solution(problem, solution)
    micro = 1e6
    return {
        "pods": sum(demand.count for demand in problem.demands),
        "placed": sum(demand.count for demand in problem.demands) - sum(solution.pending.values()),
        "nodes": sum(n.count for n in solution.nodes if problem.supplies[n.supply].price_microusd_per_hour),
        "cost": solution.cost_microusd_per_hour / micro,
        "bound": solution.bound_microusd_per_hour / micro,
        "violations": faults,
        "method": solution.method,
        **taken,
    }


def with_nodes(question: problems.WithNodes) -> Problem:
    """The problem of the pending pods, with each node that is there as a supply of one that costs nothing."""
    file = parse_problem(msgspec.json.encode(question.problem), "existing")
    number = {(o.instance_type, o.zone, o.capacity_type): i for i, o in enumerate(file.offerings)}
    units = {"memory": 2**20}
    supplies = list(file.problem.supplies)
    twins: dict[int, list[int]] = {}  # offering -> the nodes that were bought as it
    for i, (offering, free) in enumerate(question.free):
        bought_as = number[offering["instance_type"], offering["zone"], offering["capacity_type"]]
        twins.setdefault(bought_as, []).append(len(supplies))
        room = tuple(free.get(name, 0) * units.get(name, 1) for name in file.problem.resources)
        supplies.append(Supply(f"node-{i:04d}", room, 0, limit=1))
    demands = []
    for demand in file.problem.demands:
        homes = [node for offering in demand.offerings for node in twins.get(offering, ())]
        roomy = [h for h in homes if all(n <= c for n, c in zip(demand.request, supplies[h].capacity, strict=True))]
        demands.append(
            Demand(
                demand.key,
                demand.request,
                demand.count,
                demand.offerings | frozenset(roomy),
                demand.pending_penalty_microusd_per_hour,
            )
        )
    return Problem(file.problem.resources, tuple(demands), tuple(supplies), file.problem.rules)


def main(arguments: list[str] | None = None) -> int:
    """Answer one problem and write the answer as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("problem", type=Path, nargs="?", help="problem file; none: nodes that exist already")
    parser.add_argument("--method", choices=METHODS, default="solve")
    parser.add_argument("--time-limit", type=float, default=1.0)
    parser.add_argument("--existing", type=int, nargs=3, metavar=("NODES", "RUNNING", "PENDING"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    method = _method(options.method, options.time_limit)
    _warm_up()
    if options.existing:
        nodes, running, pending = options.existing
        answer = answer_existing(method, nodes=nodes, running=running, pending=pending, seed=options.seed)
    else:
        answer = answer_file(options.problem, method)
    answer["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
