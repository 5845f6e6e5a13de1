"""How long one read of 1,000 groups takes, and how many calls, on the local stand-ins for each cloud's servers.

`python -m benchmarks.clouds` prints a table; the servers run in the same process, and their share of the time is in it,
but not in the processor time that the reading thread itself took.
"""

from __future__ import annotations

import argparse
import time

from tests.contract.stages import NAMES, opened

CLOUDS = ("aws", "gcp", "clusterapi", "kwok")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clouds", description=__doc__)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=1, help="nodes of each group")
    parser.add_argument("--provider", action="append", choices=NAMES)
    asked = parser.parse_args()
    head = "| provider | groups | nodes | first read, s | next read, s | of it own, s | calls, first | calls, next |"
    print(f"{head}\n|{'---|' * 8}")
    for name in asked.provider or CLOUDS:
        with opened(name) as stage:
            for n in range(asked.groups):
                stage.create(f"gpu-{n:04}", nodes=asked.nodes)
            stage.calls()
            provider = stage.provider
            times, calls = [], []
            for _ in range(2):
                started, own = time.perf_counter(), time.thread_time()
                view = provider.observe()
                times.append(f"{time.perf_counter() - started:.2f}")
                own = time.thread_time() - own
                calls.append(str(stage.calls()))
                assert (len(view.groups), view.faults, view.skipped) == (asked.groups, (), ())
            nodes = sum(len(group.instances) for group in view.groups)
            print(f"| {' | '.join([name, str(asked.groups), str(nodes), *times, f'{own:.2f}', *calls])} |")


if __name__ == "__main__":
    main()
