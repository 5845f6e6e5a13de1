"""Turns rows of figures into docs/benchmarks.md and its plots."""

from __future__ import annotations

import math
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.karpenter_peer import LAYOUTS
from benchmarks.measure import CLI, CLUSTER_AUTOSCALER, OURS, YARDSTICKS, Row
from benchmarks.svg import Line, line_plot

if TYPE_CHECKING:
    from collections.abc import Sequence

PLOTTED = (OURS, *LAYOUTS.values(), CLUSTER_AUTOSCALER, *YARDSTICKS.values())
HEAD = "| {first} | pods | engine | nodes | US$/h | over ours | over bound | wall s | CPU s | |\n|---|--:|---|--:|--:|--:|--:|--:|--:|---|"


def table(rows: Sequence[Row], first: str) -> str:
    """A Markdown table: for each problem, all engines and then the proven bound."""
    lines = [HEAD.format(first=first)]
    for problem in dict.fromkeys((row.problem, row.pods) for row in rows):
        mine = [row for row in rows if (row.problem, row.pods) == problem]
        best = next((row for row in mine if row.engine == OURS), None)
        bound = max((row.bound for row in mine if row.bound is not None), default=None)
        cost = best.cost if best and best.complete else None
        lines += [_line(row, cost, bound) for row in mine]
        if bound is not None:
            lines.append(f"| {problem[0]} | {problem[1]:,} | *proven bound* | | {bound:,.2f} | | | | | |")
    return "\n".join(lines)


def _line(row: Row, ours: float | None, bound: float | None) -> str:
    def over(base: float | None) -> str:
        return f"{row.cost / base - 1:+.2%}" if base and row.complete else "n/a"

    return (
        f"| {row.problem} | {row.pods:,} | {row.engine} | {row.nodes:,} | {row.cost:,.2f} "
        f"| {'' if row.engine.startswith(OURS) else over(ours)} | {over(bound)} "
        f"| {_seconds(row.wall_s)} | {_seconds(row.cpu_s)} | {', '.join(row.notes)} |"
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value < 1 else f"{value:.1f}"


def summary(rows: Sequence[Row]) -> str:
    """Each engine in a line: how far above the bound its plans are, and how its time grows with the pods."""
    bounds = {r.pods: r.bound for r in rows if r.engine == OURS and r.bound}
    lines = ["| engine | pods | over bound | wall s | time grows as |", "|---|--:|--:|--:|---|"]
    for engine in PLOTTED:
        done = _whole(rows, engine)
        if not done:
            continue
        over = [r.cost / bounds[r.pods] - 1 for r in done if r.pods in bounds]
        times = [r.wall_s for r in done if r.wall_s is not None]
        lines.append(
            f"| {engine} | {_span([r.pods for r in done], ',')} | {_span([min(over), max(over)], '.2%') if over else ''} "
            f"| {' to '.join(dict.fromkeys(_seconds(t) for t in (times[0], times[-1]))) if times else ''} | {_exponent(done)} |"
        )
    return "\n".join(lines)


def _span(values: Sequence[float], form: str) -> str:
    return " to ".join(dict.fromkeys(format(value, form) for value in (values[0], values[-1])))


def _exponent(done: Sequence[Row]) -> str:
    """The power of the number of pods that the time follows over the last factor of ten; ours ends at its time limit."""
    last = done[-1]
    first = next(r for r in done if r.pods * 10 >= last.pods)
    if last.engine.startswith(OURS):
        return "hardly: it ends at its time limit at the latest"
    if not (first.wall_s and last.wall_s) or first is last:
        return ""
    return f"pods^{math.log(last.wall_s / first.wall_s) / math.log(last.pods / first.pods):.1f}"


def _whole(rows: Sequence[Row], engine: str) -> list[Row]:
    """The rows of an engine that placed every pod, under whatever limit, by pods."""
    mine = [r for r in rows if r.engine == engine or r.engine.startswith(f"{engine}, ")]
    return sorted((r for r in mine if r.complete), key=lambda r: r.pods)


def plots(rows: Sequence[Row]) -> dict[str, str]:
    """SVG files by name: time and cost against pods. Nothing when there are fewer than two sizes."""
    bounds = {r.pods: r.bound for r in rows if r.engine == OURS and r.bound}
    if len(bounds) < 2:
        return {}
    times, costs = [], []
    for engine in PLOTTED:
        done = _whole(rows, engine)
        timed = [(r.pods, max(r.wall_s, 1e-3)) for r in done if r.wall_s is not None]
        if timed and engine not in YARDSTICKS.values():
            times.append(Line(engine, timed))
        priced = [(r.pods, 100 * (r.cost / bound - 1)) for r in done if (bound := bounds.get(r.pods))]
        if priced:
            costs.append(Line(engine, priced))
    return {
        "benchmarks-time.svg": line_plot("Time to a plan of all pods", "pods", "wall seconds", times, log_y=True),
        "benchmarks-cost.svg": line_plot(
            "Cost of the plan above the proven bound", "pods", "% above the bound", costs, log_y=False, y_top=100
        ),
    }


def machine() -> str:
    """The machine in a line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next(
            (line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")),
            model,
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    cores = os.cpu_count() or 1
    state = f"load average before the run {load:.1f}"
    if load > cores / 2:
        state += (
            ": **busy with other work**, so wall seconds are too long and what stops at a time limit had less of it"
        )
    return f"{model}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}; {state}"


def versions(karpenter: str | None) -> str:
    """What was measured, in a line."""

    def of(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "unknown"

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    ours = f"gpu-autoscale {of('gpu-autoscale')}" + (f" ({commit})" if commit else "")
    peer = f"Karpenter {karpenter}" if karpenter else "Karpenter not run"
    return f"{ours}, Python {platform.python_version()}, OR-Tools {of('ortools')}; {peer}"


def document(rows: Sequence[Row], *, command: str, about: str, versions_line: str, skipped: Sequence[str]) -> str:
    """The whole of docs/benchmarks.md."""
    main = [r for r in rows if r.group == "mixed"]
    parts = [
        "# Benchmarks",
        f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}; edits are overwritten.",
        f"- Machine: {about}\n- Versions: {versions_line}",
        READING,
    ]
    if main:
        parts += ["## Growing: 30 shapes on about 330 offerings", MIXED]
        if len({r.pods for r in main}) > 1:
            parts += [
                "![Time against pods](benchmarks-time.svg)\n\n![Cost against pods](benchmarks-cost.svg)",
                summary(main),
            ]
        parts.append(table(main, "problem"))
    for group, title, text, first in SECTIONS:
        if mine := [r for r in rows if r.group == group]:
            parts += [f"## {title}", text, table(mine, first)]
    if skipped:
        parts += ["## Not run", "\n".join(f"- {line}" for line in skipped)]
    return "\n\n".join(parts) + "\n"


READING = f"""All engines get the same file in the same run, one after another, and every answer is checked and priced by
`benchmarks/check.py`, which shares no code with the engine. `make bench` measures anew, `--seed 1` on problems of the same
kinds that nobody has tuned on, `--help` lists the rest.

- **{OURS}**: from reading the JSON to the plan, in a process that has the program loaded. It stops when the plan is proven
  optimal (within 0.01 %), or at its time limit with the best plan so far; the gap is what its own bound proves.
- **{CLI}**: the command as typed, from start to exit, the answer written.
- **Karpenter**: its real scheduler as a library (`benchmarks/karpenter/`), pending pods and an empty cluster. *One pool* has
  all types, *split* is the documented set-up of a tainted GPU pool beside a CPU pool. Each NodeClaim is priced as the
  cheapest offering that it may become. The time is that of `Solve` alone. Its provisioner stops `Solve` after 60 s and buys
  what is placed by then; where that happened, a second row shows the same without the limit.
- **{CLUSTER_AUTOSCALER}** (`benchmarks/cluster_autoscaler.py`): first-fit decreasing by cpu and memory for each group, the
  least-waste expander, one group a loop. It is not the program, and is favoured: nodes are usable at once, ties go to the
  cheapest, and the program's waits do not count. So no times are shown.
- **{YARDSTICKS["largest_node_first"]}**, **{YARDSTICKS["one_node_per_pod"]}**: two simple rules, for scale.
- **Proven bound**: no plan that places all pods can cost less. *over bound* is how much more a plan costs than that.

Karpenter may later consolidate what it bought, by deleting nodes or replacing several by one; it never splits a node."""

MIXED = """Twenty-four shapes of GPU pods and six without, at on-demand prices and made-up spot prices (35 to 65 % of on-demand)."""

SECTIONS = (
    ("variants", "The same pods, other markets", "1,000 of the pods above. The charge per node is in the prices that all engines see.", "variant"),
    ("real-1000", "Real prices", "40 to 60 shapes drawn at random, about 1,000 offerings: real on-demand and spot prices of us-east-1 by zone.", "problem"),
    ("large", "Many shapes, many pods", "The same market. *openb* is the GPU pods of a production trace (Alibaba, 2023) as whole GPUs, on NVIDIA types at on-demand prices.", "problem"),
    ("files", "Problem files given", "Files of the folder given by `--problems`.", "file"),
    ("existing", "Nodes that are there already", "Nodes about half full of running pods; pods fill them first, and only new nodes cost.", "problem"),
)  # fmt: skip
