"""Runs one engine on one problem file, checks its answer, and gives a row of figures."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import cluster_autoscaler, karpenter_peer, reading
from benchmarks.check import Verdict, check

if TYPE_CHECKING:
    from benchmarks.karpenter_peer import Karpenter
    from benchmarks.reading import Json

OURS, CLI, CLUSTER_AUTOSCALER = "autoscale", "autoscale solve, with start-up", "Cluster Autoscaler's algorithm"
YARDSTICKS = {"largest_node_first": "Largest node first", "one_node_per_pod": "One node per pod"}


class EngineError(Exception):
    """An engine did not answer, or answered wrongly; the message says how."""


@dataclass(slots=True, kw_only=True)
class Row:
    """What one engine did with one problem. Costs are US$ per hour; `bound` is proven by our answer."""

    group: str
    problem: str
    pods: int
    engine: str
    nodes: int = 0
    cost: float = 0.0
    placed: int = 0
    wall_s: float | None = None
    cpu_s: float | None = None
    bound: float | None = None
    peak_mib: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every pod was placed; only then does the cost compare."""
        return self.placed == self.pods

    def plain(self) -> dict[str, Any]:
        """The row as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Task:
    """One problem, in memory and as the file that all engines read."""

    group: str
    name: str
    problem: Json
    path: Path
    time_limit_s: float

    def row(self, engine: str, verdict: Verdict) -> Row:
        """Start a row from what the check says. Raises EngineError for a wrong answer."""
        if not verdict.valid:
            raise EngineError(f"{verdict.violation_count} faults: {'; '.join(verdict.violations[:3])}")
        row = Row(group=self.group, problem=self.name, pods=verdict.pods, engine=engine)
        row.nodes, row.cost, row.placed = verdict.nodes, verdict.cost, verdict.placed
        if not row.complete:
            row.notes.append(placed_of(row))
        return row


def placed_of(row: Row) -> str:
    """How far an incomplete answer got."""
    return f"{row.placed:,} of {row.pods:,} pods placed"


def ours(task: Task) -> Row:
    """Our engine, in a process that has it loaded; the clock runs from reading the file to the plan."""
    answer = worker([str(task.path), "--time-limit", f"{task.time_limit_s:g}"])
    row = task.row(OURS, check(task.problem, answer))
    row.bound, row.peak_mib = answer["bound"], answer["peak_mib"]
    row.wall_s, row.cpu_s = answer["wall_seconds"], answer["cpu_seconds"]
    if abs(answer["cost"] - row.cost) > 1e-6 * max(1.0, row.cost) or row.bound > row.cost * (1 + 1e-9):
        raise EngineError(f"it says {answer['cost']} and bound {row.bound}, the nodes cost {row.cost}")
    if row.complete:
        row.notes.append(proven(row.cost, row.bound))
    return row


def proven(cost: float, bound: float) -> str:
    """What the engine's bound says about its plan."""
    gap = 1 - bound / cost if cost else 0.0
    return "optimal" if gap <= 1e-4 else f"gap {gap:.3%}"


def command_line(task: Task) -> Row:
    """`autoscale solve` as a user runs it, start-up, reading and writing included."""
    program = Path(sys.executable).with_name("autoscale")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "answer.json"
        command = [
            str(program),
            "solve",
            str(task.path),
            "--output",
            str(output),
            "--time-limit",
            f"{task.time_limit_s:g}s",
        ]
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
        if not output.exists():
            raise EngineError(f"status {done.returncode}: {done.stderr.strip()[-300:]}")
        row = task.row(CLI, check(task.problem, json.loads(output.read_bytes())))
    row.wall_s = wall
    row.cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return row


def yardstick(task: Task, method: str) -> Row:
    """A simple rule of ours, for scale."""
    answer = worker([str(task.path), "--method", method])
    row = task.row(YARDSTICKS[method], check(task.problem, answer))
    row.wall_s, row.cpu_s = answer["wall_seconds"], answer["cpu_seconds"]
    return row


def karpenter(task: Task, program: Karpenter, layout: str, limit_s: float) -> Row:
    """Karpenter's scheduler; the clock runs in its Solve alone."""
    engine = karpenter_peer.LAYOUTS[layout]
    try:
        answer = program.solve(task.path, layout, limit_s)
    except karpenter_peer.UnavailableError as error:
        raise EngineError(str(error)) from error
    row = task.row(engine, check(task.problem, answer))
    row.wall_s, row.cpu_s = answer["wall_seconds"], answer["cpu_seconds"]
    if answer["timed_out"]:
        row.notes.insert(0, f"stopped after {limit_s:g} s")
    return row


def autoscaler(task: Task) -> Row:
    """Cluster Autoscaler's algorithm. Its times are not those of the program, so none are given."""
    answer = cluster_autoscaler.solve(task.problem)
    row = task.row(CLUSTER_AUTOSCALER, check(task.problem, {"nodes": answer.nodes}))
    row.notes.append(f"{answer.loops} loop{'s' * (answer.loops != 1)}")
    return row


def existing(nodes: int, running: int, pending: int, seed: int, time_limit_s: float) -> Row:
    """Our engine on pods that are pending beside nodes with room."""
    counts = [str(n) for n in (nodes, running, pending)]
    answer = worker(["--existing", *counts, "--seed", str(seed), "--time-limit", f"{time_limit_s:g}"])
    if answer["violations"]:
        raise EngineError("; ".join(answer["violations"][:3]))
    row = Row(
        group="existing",
        problem=f"{nodes:,} nodes, {running:,} running",
        pods=answer["pods"],
        engine=OURS,
        nodes=answer["nodes"],
        cost=answer["cost"],
        placed=answer["placed"],
        wall_s=answer["wall_seconds"],
        cpu_s=answer["cpu_seconds"],
        bound=answer["bound"],
        peak_mib=answer["peak_mib"],
    )
    row.notes.append(proven(answer["cost"], answer["bound"]) if row.complete else placed_of(row))
    return row


def worker(arguments: list[str]) -> Json:
    """Run the worker and give its answer."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.worker", *arguments], capture_output=True, check=False)
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise EngineError(f"the engine failed: {last}")
    answer: Json = json.loads(done.stdout)
    return answer


def task(group: str, name: str, problem: Json, folder: Path, time_limit_s: float) -> Task:
    """Write the problem where all engines can read it."""
    path = folder / f"{group}-{name}-{reading.pod_count(problem)}.json".replace("/", "-").replace(" ", "-")
    path.write_text(json.dumps(problem))
    return Task(group, name, problem, path, time_limit_s)
