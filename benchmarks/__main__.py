"""Measures the engine against its peers and writes docs/benchmarks.md: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from autoscale import solve
from benchmarks import catalogue as cat
from benchmarks import karpenter_peer, measure, problems, reading, report
from benchmarks.measure import EngineError, Row, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.karpenter_peer import Karpenter
    from benchmarks.reading import Json

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
PEERS = ("karpenter", "cluster-autoscaler", "simple", "cli")
GROUPS = (
    "mixed",
    "variants",
    "real-1000",
    "wide",
    "huge",
    "million",
    "openb",
    "different",
    "spread",
    "existing",
    "files",
)
LIMITS_S: dict[str, tuple[float, ...]] = {
    "wide": (1, 5),
    "million": (3,),
    "openb": (2,),
    "different": (10,),
    "spread": (10,),
}  # else 1 s
VARIANT_PODS = 1000
EXISTING = (1000, 10_000, 2000)  # nodes, pods that run, pods that are pending
MODEL_SHAPES, MODEL_PODS = 500, 100_000  # beyond, our model of Cluster Autoscaler itself takes minutes


class Run:
    """One run of the benchmark: what was asked for, what was measured, what could not be."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.rows: list[Row] = []
        self.skipped: list[str] = []
        self.failed = False
        self._started = time.monotonic()
        self._karpenter: Karpenter | None = None
        self._yardsticks = {m: name for m, name in measure.YARDSTICKS.items() if hasattr(solve, m)}
        if "simple" in options.peers and len(self._yardsticks) < len(measure.YARDSTICKS):
            missing = [name for method, name in measure.YARDSTICKS.items() if method not in self._yardsticks]
            self.skip(f"{', '.join(missing)}: autoscale.solve does not have them")
        if "karpenter" in options.peers:
            try:
                self._karpenter = karpenter_peer.find(self.say, build=not options.quick)
            except karpenter_peer.UnavailableError as error:
                self.skip(f"Karpenter: {error}")

    @property
    def karpenter_version(self) -> str | None:
        """The versions of Karpenter and Go, None when it can't be run."""
        return self._karpenter.version if self._karpenter else None

    def say(self, text: str) -> None:
        """Show progress."""
        print(f"[{time.monotonic() - self._started:5.0f} s] {text}", file=sys.stderr, flush=True)

    def skip(self, text: str) -> None:
        """Note what is left out, and why."""
        self.skipped.append(text)
        self.say(f"skipped: {text}")

    def task(self, group: str, name: str, problem: Json, kind: str) -> Iterator[Task]:
        """Give the problem once for each time limit of its kind."""
        given = self.options.time_limit
        for limit in (given,) if given else LIMITS_S.get(kind, (1.0,)):
            yield measure.task(group, name, problem, self.folder, limit)

    def attempt(self, task: Task, engine: str, act: Callable[[], Row]) -> Row | None:
        """Measure one engine; what goes wrong is noted, and fails the run when it is ours."""
        self.say(f"{task.name}, {reading.pod_count(task.problem):,} pods: {engine}")
        try:
            row = act()
        except EngineError as error:
            self.failed = self.failed or engine.startswith(measure.OURS)
            self.skip(f"{engine} on {task.name}, {reading.pod_count(task.problem):,} pods: {error}")
            return None
        if engine.startswith(measure.OURS) and not row.complete:  # there is room to buy for every pod of these problems
            self.failed = True
        self.rows.append(row)
        return row

    def compare(self, tasks: Sequence[Task], *, rerun_karpenter: bool, layouts: Sequence[str] | None = None) -> None:
        """Run all engines that were asked for on one problem, ours once for each time limit."""
        task, peers = tasks[0], self.options.peers
        for i, limited in enumerate(tasks):
            row = self.attempt(limited, measure.OURS, partial(measure.ours, limited))
            if row and i:
                row.engine = f"{measure.OURS}, {limited.time_limit_s:g} s"
        if "cli" in peers:
            self.attempt(task, measure.CLI, lambda: measure.command_line(task))
        if self._karpenter and reading.pod_count(task.problem) <= self.options.karpenter_pods:
            for layout in layouts or tuple(karpenter_peer.LAYOUTS):
                self._run_karpenter(task, self._karpenter, layout, rerun=rerun_karpenter)
        small = len(task.problem["pods"]) <= MODEL_SHAPES and reading.pod_count(task.problem) <= MODEL_PODS
        if "cluster-autoscaler" in peers and small:
            self.attempt(task, measure.CLUSTER_AUTOSCALER, lambda: measure.autoscaler(task))
        if "simple" in peers:
            for method, name in self._yardsticks.items():
                self.attempt(task, name, partial(measure.yardstick, task, method))

        self._try_to_refute(task)

    def _try_to_refute(self, task: Task) -> None:
        """A plan that is right and costs less than a bound shows that the bound is wrong."""
        pods = reading.pod_count(task.problem)
        rows = [r for r in self.rows if (r.group, r.problem, r.pods) == (task.group, task.name, pods) and r.complete]
        for bound in [r.bound for r in rows if r.bound is not None]:
            for row in rows:
                if row.cost < bound * (1 - 1e-9):
                    self.failed = True
                    self.skip(
                        f"{task.name}, {pods:,} pods: {row.engine} costs {row.cost}, below the bound {bound}: it is wrong"
                    )

    def _run_karpenter(self, task: Task, program: Karpenter, layout: str, *, rerun: bool) -> None:
        """Under its own limit, and again under a longer one where that struck."""
        name = karpenter_peer.LAYOUTS[layout]
        own = karpenter_peer.OWN_LIMIT_S
        row = self.attempt(task, name, lambda: measure.karpenter(task, program, layout, own))
        if row and not row.complete and rerun and self.options.karpenter_limit > own:
            longer = self.options.karpenter_limit
            self.attempt(task, f"{name}, {longer:g} s", lambda: measure.karpenter(task, program, layout, longer))


def run_group(run: Run, group: str) -> None:
    """Measure one group of problems."""
    options, catalogue = run.options, cat.load()
    if group == "files":
        for path in sorted(options.problems.glob("*.json")) if options.problems else ():
            if re.fullmatch(r"gpu-mixed-\d+", path.stem) is None:  # those are in the main series
                problem = json.loads(path.read_bytes())
                run.compare([*run.task(group, path.stem, problem, group)], rerun_karpenter=False)
    elif group == "variants":
        for name, text in problems.VARIANTS.items():
            base = problems.make(catalogue, "mixed", VARIANT_PODS, options.seed)
            changed = problems.variant(catalogue, base, name)
            run.compare([*run.task(group, text, changed, group)], rerun_karpenter=False)
    elif group == "openb":
        try:
            problem = problems.openb(catalogue, options.data)
        except problems.DataMissingError as error:
            run.skip(f"openb: {error} (give the folder that holds openb/ by --data)")
            return
        run.compare([*run.task("large", group, problem, group)], rerun_karpenter=False, layouts=["one"])
    elif group == "existing":
        run.say(f"{EXISTING[0]:,} nodes there, {EXISTING[1]:,} pods running, {EXISTING[2]:,} pending")
        try:
            run.rows.append(measure.existing(*EXISTING, options.seed, options.time_limit or 1.0))
        except EngineError as error:
            run.failed = True
            run.skip(str(error))
    else:
        kind = problems.KINDS[group]
        for pods in options.sizes or (kind.quick if options.quick else kind.sizes):
            problem = shared_file(options.problems, group, pods) or problems.make(catalogue, group, pods, options.seed)
            compared = group in ("mixed", "real-1000")
            run.compare(
                [*run.task(group if compared else "large", group, problem, group)],
                rerun_karpenter=compared,
                layouts=None if compared else ["one"],
            )


def shared_file(folder: Path | None, group: str, pods: int) -> Json | None:
    """The file of the common series that stands for this problem, if the folder given has it."""
    path = folder / f"gpu-mixed-{pods}.json" if folder and group == "mixed" else None
    if path is None or not path.is_file():
        return None
    problem: Json = json.loads(path.read_bytes())
    return problem


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="two sizes, no variants, Karpenter only if built: two minutes"
    )
    parser.add_argument("--kinds", nargs="+", choices=GROUPS, metavar="KIND", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="PODS", help="instead of each kind's own")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, metavar="PEER", default=PEERS, help=f"of {', '.join(PEERS)}"
    )
    parser.add_argument("--seed", type=int, default=0, help="other problems of the same kinds")
    parser.add_argument("--time-limit", type=float, metavar="S", help="ours, instead of each kind's own (1 to 10 s)")
    parser.add_argument(
        "--karpenter-limit", type=float, default=1800, metavar="S", help="when its own minute is not enough"
    )
    parser.add_argument(
        "--karpenter-pods", type=int, default=10_000, metavar="PODS", help="leave it out beyond (default: 10000)"
    )
    parser.add_argument(
        "--problems", type=Path, metavar="DIR", help="problem files; gpu-mixed-N.json replaces mixed of N pods"
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="holds openb/*.csv (default: data)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="default: docs/benchmarks.md when everything is run"
    )
    options = parser.parse_args(arguments)
    partial = (
        options.quick
        or options.kinds
        or options.sizes
        or options.time_limit
        or options.peers != PEERS
        or options.karpenter_pods < 10_000
    )
    if options.output is None and not partial and not options.seed:
        options.output = DOCUMENT
    if options.problems and not options.problems.is_dir():
        parser.error(f"--problems {options.problems}: expected a folder")
    options.kinds = options.kinds or (("mixed", "real-1000", "existing") if options.quick else GROUPS)
    return options


def _command(arguments: Sequence[str]) -> str:
    """The command to repeat this run with; where somebody keeps files does not matter to others."""
    shown = list(arguments)
    for option, word in (("--data", "DIR"), ("--problems", "DIR"), ("--output", "FILE")):
        if option in shown[:-1]:
            shown[shown.index(option) + 1] = word
    return shlex.join(["python", "-m", "benchmarks", *shown])


def main() -> int:
    """Run the benchmark. The status is 1 when our engine failed or answered wrongly."""
    options = parse(sys.argv[1:])
    about = report.machine()
    with tempfile.TemporaryDirectory(prefix="autoscale-benchmark-") as folder:
        run = Run(options, Path(folder))
        for group in options.kinds:
            run_group(run, group)
    document = report.document(
        run.rows,
        command=_command(sys.argv[1:]),
        about=about,
        versions_line=report.versions(run.karpenter_version),
        skipped=run.skipped,
    )
    print(document)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(document)
        for name, text in report.plots([r for r in run.rows if r.group == "mixed"]).items():
            options.output.with_name(name).write_text(text)
        run.say(f"wrote {options.output}")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
