"""`make fuzz`: random fault schedules for each provider, and a tenth as many for the whole engine on it.

One that fails is shrunk, and kept for `make test` to play again.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoscale.testing import Schedule, drawn, failure, shrunk

from . import engine_schedules
from .clock import StageClock
from .stages import ENGINES, NAMES, START_S, opened

KEPT = Path(__file__).parent / "schedules"
_AT_ONCE = 50
Part = tuple[str, str, range]


def main() -> int:
    """Play them all; the last line says how many, and how many failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("-n", type=int, default=5000, help="schedules for each provider")
    parser.add_argument("--seed", type=int, default=1, help="where to begin")
    parser.add_argument("--provider", action="append", choices=NAMES, help="only this one; may be repeated")
    asked = parser.parse_args()
    names = asked.provider or NAMES
    parts = [*_parts("provider", names, asked.seed, asked.n)]
    parts += _parts("engine", [name for name in names if name in ENGINES], asked.seed, asked.n // 10)
    played = dict.fromkeys((part[:2] for part in parts), 0)
    failed = dict(played)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for (kind, name, seeds), found in zip(parts, pool.map(search, parts), strict=True):
            played[kind, name] += len(seeds)
            failed[kind, name] += len(found)
            for seed, schedule in found:
                path = KEPT / kind / f"{name}-{seed}.json"
                path.write_text(schedule.text(), "utf-8")
                sys.stdout.write(f"{name}, {schedule.about}\n  kept as {path.relative_to(Path.cwd())}\n")
    for kind, name in played:
        sys.stdout.write(f"{kind} {name}: {played[kind, name]} schedules, {failed[kind, name]} failures\n")
    sys.stdout.write(f"{sum(played.values())} schedules, {sum(failed.values())} failures\n")
    return 1 if any(failed.values()) else 0


def search(part: Part) -> list[tuple[int, Schedule]]:
    """Those of the seeds that fail, shrunk."""
    kind, name, seeds = part
    draw, fails = (drawn, failure) if kind == "provider" else (engine_schedules.drawn, engine_schedules.failure)
    with opened(name, clock=StageClock(START_S)) as stage:
        return list(_failing(stage, seeds, draw, fails))


def _failing(
    stage: Any, seeds: range, draw: Callable[..., Schedule], fails: Callable[[Any, Schedule], str]
) -> Iterator[tuple[int, Schedule]]:
    for seed in seeds:
        schedule = draw(seed, stock_outs=hasattr(stage, "starve"))
        if fails(stage, schedule):
            small = shrunk(schedule, lambda each: bool(fails(stage, each)))
            yield seed, replace(small, about=f"seed {seed}: {fails(stage, small)}")


def _parts(kind: str, names: list[str] | tuple[str, ...], seed: int, count: int) -> Iterator[Part]:
    for start in range(seed, seed + count, _AT_ONCE):
        for name in names:
            yield kind, name, range(start, min(start + _AT_ONCE, seed + count))


if __name__ == "__main__":
    sys.exit(main())
