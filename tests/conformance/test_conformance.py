"""The engine against the real scheduler: a fixed small number of verdicts."""

from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane, build

from . import among, rivals
from .among import SceneJudge
from .compare import difference
from .generate import cases
from .judge import Judge
from .rivals import RivalJudge
from .run import Tally, run, run_rivals, run_scenes
from .scenario import read, read_scene, write, write_scene
from .scenes import scenes
from .whole import play

VERDICTS = 150
RIVALS = 90
WHOLE = ((1, 0), (1, 1), (1, 5), (5, 26))


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_the_engine_judges_as_the_real_scheduler(tmp_path: Path) -> None:
    """No verdict of the scheduler on 150 pods and nodes differs from ours, and a kept case reads back as it was."""
    with Judge(build.binaries()) as judge:
        tally = run(judge, seed=1, count=VERDICTS)
        kept = [
            read(write(verdict, version=judge.version, folder=tmp_path))
            for verdict in judge.verdicts(list(cases(7, 3)))
        ]
    assert not tally.by_kind
    assert tally.verdicts == VERDICTS
    assert VERDICTS / 5 < tally.binds < VERDICTS * 4 / 5
    assert not any(difference(verdict) for verdict in kept)


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_the_engine_judges_pods_among_others_as_the_real_scheduler(tmp_path: Path) -> None:
    """No verdict of the scheduler on pods with rules about others differs from ours, and a kept one reads back as it was."""
    tally = Tally()
    with SceneJudge(build.binaries()) as judge:
        run_scenes(judge, tally, seed=1, count=VERDICTS)
        answers = [answer for answer in judge.answers(list(scenes(7, 1))) if not answer.refused]
        kept = [read_scene(write_scene(answer, version=judge.version, folder=tmp_path)) for answer in answers]
    assert not tally.by_kind
    assert tally.verdicts == VERDICTS
    assert VERDICTS / 5 < tally.binds < VERDICTS * 4 / 5
    assert [bool(each.node) for each in kept if each] == [bool(answer.node) for answer in answers]
    assert not any(among.difference(each) for each in kept if each)


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_the_engine_knows_who_preempts_whom(tmp_path: Path) -> None:
    """On which node the scheduler makes room, and who has to go there; and a kept ruling reads back as it was."""
    tally = Tally()
    with RivalJudge(build.binaries()) as judge:
        run_rivals(judge, tally, seed=1, count=RIVALS)
        ruling = next(judge.rulings([rivals.rivals(3, 0)]))
        path = rivals.write(ruling, version=judge.version, folder=tmp_path)
    assert not tally.by_kind
    assert tally.verdicts == RIVALS
    assert tally.by_rule["preempts"][1] > RIVALS / 5
    assert rivals.read(path) == ruling


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_pods_bind_where_a_plan_put_them() -> None:
    """Four whole plans, nodes joining in any order with late devices: every pod on its node, and nothing bought again."""
    with ControlPlane(build.binaries(), controller_manager=False) as plane:
        found = [play(plane, seed, number) for seed, number in WHOLE]
    assert [(each.missed, each.strays, each.again, each.empty) for each in found] == [([], [], 0, 0)] * len(WHOLE)
    assert all(each.due for each in found)
