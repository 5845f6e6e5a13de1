"""`make conformance N=5000 SEED=1`: how often the engine and the real scheduler disagree, last line: cases, disagreements, plans, share.

Ends with 1 when they do. Each kind of disagreement is made small and kept in `tests/conformance/found/`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.controlplane import ControlPlane, build

from . import among, parts, rivals
from .among import SceneJudge
from .compare import difference
from .daemons import CrewJudge
from .judge import Judge
from .nominees import NomineeJudge
from .plane import Plane
from .rivals import RivalJudge
from .run import Tally, run, run_others, run_rivals, run_scenes
from .scenario import FOUND, write, write_scene
from .shrink import kind_of, shrink
from .shrink_scene import shrink_scene
from .unasked import UnaskedJudge
from .whole import Outcome, play

_MOST = 1500  # pods that ask of one control plane


def main() -> int:
    """Run, print, shrink."""
    arguments = argparse.ArgumentParser(prog="conformance", description=__doc__)
    arguments.add_argument(
        "-n",
        type=int,
        default=5000,
        help="how many verdicts: 10 % on pods that may preempt others, 8 % on DaemonSets, 7 % among nominated pods, 3 % on whom the scheduler looks at; half of the rest on a pod and a node, half on pods among others",
    )
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--plans", type=int, default=0, help="how many whole plans to carry out after that")
    arguments.add_argument(
        "--pods-unchanged", action="store_true", help="plans in a cluster whose pods may not be changed"
    )
    arguments.add_argument("--no-shrink", action="store_true", help="count only")
    given = arguments.parse_args()
    binaries = build.binaries()
    ranked, seed = given.n // 10, given.seed
    crewed, nominated, unasked_for = given.n * 8 // 100, given.n * 7 // 100, given.n * 3 // 100
    among_others = (given.n - ranked - crewed - nominated - unasked_for) // 2
    with Judge(binaries) as judge, SceneJudge(binaries) as scene_judge:
        alone = given.n - ranked - crewed - nominated - unasked_for - among_others
        tally = run(judge, seed=seed, count=alone, say=_say)
        run_scenes(scene_judge, tally, seed=seed, count=among_others, say=_say)
        with Plane(binaries, most=_MOST, prepare=rivals.priorities) as plane:
            run_rivals(RivalJudge(plane), tally, seed=seed, count=ranked, say=_say)
            run_others(tally, parts.of_nominees(NomineeJudge(plane), seed), nominated, say=_say)
            run_others(tally, parts.of_unasked(UnaskedJudge(plane), seed), unasked_for, say=_say)
            version = plane.version
        with CrewJudge(binaries) as crew_judge:
            run_others(tally, parts.of_daemons(crew_judge, seed), crewed, say=_say)
        _tell(tally)
        for judged in {each.differs: each for each in tally.differing_others}.values():
            _say(f"kept {parts.write(judged.record, version=version, folder=FOUND)}")
        for kind in {rivals.difference(each): each for each in tally.differing_rivals}.values():
            _say(f"kept {rivals.write(kind, version=version, folder=FOUND)}")
        if not given.no_shrink:
            _keep(judge, tally)
            _keep_scenes(scene_judge, tally)
    plans = _whole_plans(binaries, given.seed, given.plans, aside=given.pods_unchanged) if given.plans else ()
    _say(tally.last_line + (f", {_share(plans)}" if plans else ""))
    return 1 if tally.disagreements else 0


def _whole_plans(binaries: Path, seed: int, count: int, *, aside: bool) -> list[Outcome]:
    """Carry plans out, a line each, and the story of every pod that is not where it was planned."""
    found: list[Outcome] = []
    with ControlPlane(binaries, controller_manager=False) as plane:
        for number in range(count):
            one = play(plane, seed, number, aside=aside)
            found.append(one)
            _say(
                f"plan {one.seed}: {one.nodes} nodes, {one.absent} never came; {one.kept} of {one.due} pods as planned"
                f"{f', {one.bound} without a second purchase' if aside else ''}"
                f"{f', {one.again} nodes bought again' if one.again else ''}{f', {one.empty} empty' if one.empty else ''}"
            )
            for line in (*one.missed, *one.strays, *one.stories):
                _say(f"  {line}")
    return found


def _share(plans: Sequence[Outcome]) -> str:
    """The sums of all plans, as the last line says them."""
    due, bound = sum(p.due for p in plans), sum(p.bound for p in plans)
    complete = sum(not (p.missed or p.strays or p.again) for p in plans)
    kept = sum(p.kept for p in plans)
    return (
        f"plans {len(plans)} ({complete} complete), bound as planned {100 * kept / max(1, due):.2f} % ({kept} of {due} pods), "
        f"without a second purchase {100 * bound / max(1, due):.2f} % ({bound}), "
        f"bought again {sum(p.again for p in plans)}, bound before their node came {sum(len(p.strays) for p in plans)}, "
        f"empty nodes {sum(p.empty for p in plans)}"
    )


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


def _keep_scenes(judge: SceneJudge, tally: Tally) -> None:
    """The same for pods among others."""
    seen: set[str] = set()
    for answer in tally.differing_scenes:
        kind = kind_of(among.difference(answer))
        if kind not in seen and len(seen) < 8:
            seen.add(kind)
            _say(f"kept {write_scene(shrink_scene(judge, answer), version=judge.version)}")


if __name__ == "__main__":
    sys.exit(main())
