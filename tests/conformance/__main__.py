"""`make conformance N=5000 SEED=1`: how often the engine and the real scheduler disagree, last line: cases, disagreements.

Ends with 1 when they do. Each kind of disagreement is made small and kept in `tests/conformance/found/`.
"""

import argparse
import sys

from tests.cluster.controlplane import build

from .compare import difference
from .judge import Judge
from .run import Tally, run
from .scenario import write
from .shrink import shrink


def main() -> int:
    """Run, print, shrink."""
    arguments = argparse.ArgumentParser(prog="conformance", description=__doc__)
    arguments.add_argument("-n", type=int, default=5000, help="how many verdicts")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--no-shrink", action="store_true", help="count only")
    given = arguments.parse_args()
    with Judge(build.binaries()) as judge:
        tally = run(judge, seed=given.seed, count=given.n, say=_say)
        _tell(tally)
        if not given.no_shrink:
            _keep(judge, tally)
    _say(tally.last_line)
    return 1 if tally.differing else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _tell(tally: Tally) -> None:
    _say(tally.table())
    share = 100 * tally.binds / max(1, tally.verdicts)
    pace = 1000 * tally.seconds / max(1, tally.verdicts)
    _say(f"{share:.0f} % bind; the API server refused {tally.refused} more; {pace:.0f} s for 1,000 verdicts")
    for kind, times in tally.by_kind.most_common():
        _say(f"disagreement, {times} times: {kind}")


def _keep(judge: Judge, tally: Tally) -> None:
    """One file for each kind of disagreement."""
    seen: set[str] = set()
    for verdict in tally.differing:
        kind = difference(verdict)
        if kind not in seen and len(seen) < 8:
            seen.add(kind)
            _say(f"kept {write(shrink(judge, verdict), version=judge.version)}")


if __name__ == "__main__":
    sys.exit(main())
