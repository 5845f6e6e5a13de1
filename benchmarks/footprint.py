"""How much time and memory the engine takes, beside its bars: `python -m benchmarks.footprint [part ...]`.

Parts: `commands` (the command line), `tick` (one decision on a big cluster, the solver's own time left out), `memory`
(the stores of a bigger one), `rules` (with rules between pods, as far as the solver's problem), `cold` (that from the API's JSON on), `run` (`autoscale run` on the tests' control plane and a moto server; takes two minutes).
Each figure is the best of several. CPU seconds are printed beside wall seconds, as machines are shared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import footprint_world as worlds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from autoscale.model.problem import Problem, Solution

AGAIN = 5
PODS, KINDS = 10_000, 30
IDLE_S = 70.0  # longer than an idle engine's pause between two readings of the clouds


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, against the bar. `note` says what else is worth knowing."""

    what: str
    value: float
    unit: str
    bar: float
    note: str = ""

    def __str__(self) -> str:
        value, bar = f"{self.value:.3g} {self.unit}", f"{self.bar:g} {self.unit}"
        return f"| {self.what} | {value} | {bar} | {self.value / self.bar:.2f} | {self.note} |"


def commands() -> Iterator[Figure]:
    """The command line, each command a process of its own."""
    with tempfile.TemporaryDirectory(prefix="footprint-") as name:
        folder = Path(name)
        (folder / "deployments.yaml").write_text(worlds.deployments(PODS, KINDS))
        (folder / "hopeless.yaml").write_text(worlds.deployments(PODS, KINDS, hopeless=True))
        (folder / "pods.json").write_text(worlds.pod_list(PODS, KINDS))
        yield _command("`autoscale --help`", ["--help"], 0.3)
        for what, file in (
            ("Deployments", "deployments.yaml"),
            ("a JSON List of pods", "pods.json"),
            ("Deployments that nothing fits", "hopeless.yaml"),
        ):
            yield _command(
                f"`autoscale plan -f`, {PODS:,} pods in {KINDS} shapes, {what}", ["plan", "-f", str(folder / file)], 3.0
            )


def _command(what: str, words: list[str], bar_s: float) -> Figure:
    walls, cpus = [], []
    for _ in range(AGAIN):
        began, before = time.perf_counter(), _children_s()
        subprocess.run([sys.executable, "-m", "autoscale", *words], stdout=subprocess.DEVNULL, check=True)
        walls.append(time.perf_counter() - began)
        cpus.append(_children_s() - before)
    return Figure(what, min(walls), "s", bar_s, f"{min(cpus):.2f} s of CPU; median {statistics.median(walls):.2f} s")


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tick() -> Iterator[Figure]:
    """A decision from stores that are there already; the solver's answer is computed once and given each time."""
    for what, nodes, running, pending, kinds in (
        ("1,000 nodes, 10,000 running and 2,000 pending pods", 1000, 10_000, 2000, 30),
        ("the same with 10,000 pending pods in 300 shapes", 1000, 10_000, 10_000, 300),
        ("the same, idle", 1000, 10_000, 0, 1),
    ):
        stores = worlds.Stores(nodes, running, pending, kinds)
        yield Figure(f"a tick: {what}", *_decided(stores))


def _decided(stores: worlds.Stores) -> tuple[float, str, float, str]:
    from autoscale.decide import decide
    from autoscale.model.settings import DecideSettings
    from autoscale.solve import solve

    answers: dict[int, Solution] = {}

    def answer(problem: Problem) -> Solution:
        if problem not in known:
            known.append(problem)
            answers[len(known) - 1] = solve(problem, time_limit_s=0.5)
        return answers[known.index(problem)]

    known: list[Problem] = []
    snapshot = stores.snapshot()
    decide(snapshot, (), answer, DecideSettings())
    took, actions = [], 0
    for _ in range(AGAIN):
        began = time.process_time()
        actions = len(decide(stores.snapshot(), (), answer, DecideSettings()).actions)
        took.append(time.process_time() - began)
    return min(took), "s", 1.0, f"CPU; {actions:,} actions"


def memory() -> Iterator[Figure]:
    """Resident at most while the stores of a cluster are filled and one decision is made, in a process of its own."""
    code = (
        "from benchmarks import footprint_world as worlds\n"
        "from autoscale.decide import decide\n"
        "from autoscale.model.settings import DecideSettings\n"
        "stores = worlds.Stores(5000, 50_000, 0)\n"
        "plan = decide(stores.snapshot(), (), None, DecideSettings())\n"
        "print(worlds.peak_mb())\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    yield Figure(
        "5,000 nodes and 50,000 pods", float(said.stdout), "MB", 700.0, "at most, without the watches' threads"
    )


def rules() -> Iterator[Figure]:
    """From a snapshot to the solver's problem, with rules between pods, in this process."""
    from autoscale.decide.build import build
    from autoscale.decide.decision import ours_of
    from autoscale.decide.fleet import survey
    from autoscale.decide.lifecycle import stand
    from autoscale.model.settings import DecideSettings

    settings = DecideSettings()
    stores = worlds.Stores(5000, 50_000, 10_000, rules=True)
    took = []
    for _ in range(AGAIN):
        snapshot = stores.snapshot()
        began = time.process_time()
        fleet = survey(snapshot, settings)
        standing = stand(fleet)
        build(fleet, standing, ours_of(standing, settings))
        took.append(time.process_time() - began)
    size = "5,000 nodes, 50,000 running and 10,000 pending pods with rules between them"
    note = f"CPU; the first {took[0]:.2f} s"
    yield Figure(f"snapshot to problem: {size}", min(took), "s", 1.0, note)


def cold() -> Iterator[Figure]:
    """The same from the API server's JSON on, in a process of its own: cold, and after a watch has told of some changes."""
    with tempfile.TemporaryDirectory(prefix="footprint-") as name:
        path = Path(name) / "pages"
        worlds.write_pages(path)
        found = [_cold_run(path) for _ in range(AGAIN)]
    nodes, running, pending = worlds.SIZE
    size = f"{nodes:,} nodes, {running:,} running and {pending:,} pending pods with rules between them"
    cold_s, changed_s, peak_mb = (min(each[key] for each in found) for key in ("cold_s", "changed_s", "peak_mb"))
    yield Figure(f"the API's JSON to the solver's problem, cold: {size}", cold_s, "s", 3.0, "CPU")
    yield Figure("the same after 200 pods changed", changed_s, "s", 1.0, "CPU")
    yield Figure("the same, resident at most", peak_mb, "MB", 700.0, "in a process of its own")


def _cold_run(path: Path) -> dict[str, float]:
    words = [sys.executable, "-m", "benchmarks.footprint_cold", str(path)]
    found: dict[str, float] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return found


def run() -> Iterator[Figure]:
    """`autoscale run` as users have it: from its start to its first plan, and while nothing happens."""
    from benchmarks.footprint_run import Idle, big_cluster, starts

    nodes, pods, groups = 150, 1000, 60
    with big_cluster(nodes, pods, groups) as (plane, moto):
        idle: Idle | None = None
        began = []
        for wall_s, cpu_s, found in starts(plane, moto.url, times=AGAIN, idle_s=IDLE_S):
            began.append((wall_s, cpu_s))
            idle = found or idle
    size = f"{nodes} nodes, {pods:,} pods, {groups} groups"
    note = f"{min(cpu for _, cpu in began):.2f} s of CPU"
    yield Figure(f"`autoscale run`, start to first plan; {size}", min(wall for wall, _ in began), "s", 3.0, note)
    if idle is not None:
        yield Figure("idle, share of a core", idle.cpu_percent, "%", 5.0, f"over {IDLE_S:g} s, {idle.ticks} ticks")
        yield Figure("idle, resident", idle.resident_mb, "MB", 300.0)


PARTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "commands": commands,
    "tick": tick,
    "memory": memory,
    "rules": rules,
    "cold": cold,
    "run": run,
}


def main() -> None:
    """Print the figures as a Markdown table, each as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help="default: all", default=list(PARTS), type=_part)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}\n")
    print("| what | measured | bar | ratio | |\n|---|---|---|---|---|")
    for part in chosen.parts:
        for figure in PARTS[part]():
            print(figure, flush=True)


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(PARTS)}, found {name}")
    return name


if __name__ == "__main__":
    main()
