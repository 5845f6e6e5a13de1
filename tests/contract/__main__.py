"""`make fuzz`: thousands of random fault schedules for each provider. One that fails is shrunk, and kept for `make test`."""

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from autoscale.testing import Stage, drawn, failure, shrunk
from autoscale.testing.schedules import Schedule

from .stages import NAMES, opened

KEPT = Path(__file__).parent / "schedules"
_AT_ONCE = 100


def main() -> int:
    """Play them all; the last line says how many, and how many failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("-n", type=int, default=5000, help="schedules for each provider")
    parser.add_argument("--seed", type=int, default=1, help="where to begin")
    parser.add_argument("--provider", action="append", choices=NAMES, help="only this one; may be repeated")
    asked = parser.parse_args()
    names = asked.provider or NAMES
    parts = [(name, range(start, min(start + _AT_ONCE, asked.seed + asked.n)))
             for start in range(asked.seed, asked.seed + asked.n, _AT_ONCE) for name in names]  # fmt: skip
    failed = dict.fromkeys(names, 0)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for (name, _), found in zip(parts, pool.map(search, *zip(*parts, strict=True)), strict=True):
            for schedule in found:
                failed[name] += 1
                path = KEPT / f"{name}-{schedule.about.split(':')[0].replace(' ', '-')}.json"
                path.write_text(schedule.text(), "utf-8")
                sys.stdout.write(f"{name}, {schedule.about}\n  kept as {path.relative_to(Path.cwd())}\n")
    for name in names:
        sys.stdout.write(f"{name}: {asked.n} schedules, {failed[name]} failures\n")
    sys.stdout.write(f"{asked.n * len(names)} schedules, {sum(failed.values())} failures\n")
    return 1 if any(failed.values()) else 0


def search(name: str, seeds: range) -> list[Schedule]:
    """Those of the seeds that fail, shrunk."""
    with opened(name) as stage:
        return list(_failing(stage, seeds))


def _failing(stage: Stage, seeds: range) -> Iterator[Schedule]:
    for seed in seeds:
        schedule = drawn(seed, stock_outs=hasattr(stage, "starve"))
        if failure(stage, schedule):
            small = shrunk(schedule, lambda each: bool(failure(stage, each)))
            yield replace(small, about=f"seed {seed}: {failure(stage, small)}")


if __name__ == "__main__":
    sys.exit(main())
