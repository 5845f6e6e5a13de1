"""The engine against the real scheduler: a fixed small number of verdicts."""

from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane, build

from . import among, parts, rivals
from .among import SceneJudge
from .compare import difference
from .daemons import CrewJudge
from .generate import cases
from .judge import Judge
from .nominees import NomineeJudge
from .plane import Plane
from .rivals import RivalJudge
from .run import Tally, run, run_others, run_rivals, run_scenes
from .scenario import read, read_scene, write, write_scene
from .scenes import scenes
from .unasked import UnaskedJudge
from .whole import play

VERDICTS = 150
RIVALS = 90
NOMINEES, UNASKED, CREWED = 40, 20, 50
ASIDE = (3,)
WHOLE = ((1, 0), (1, 1), (1, 5))


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
    """On which node the scheduler makes room, who has to go there, what nominated pods reserve, and whom it never looks at.

    A kept ruling reads back as it was.
    """
    tally = Tally()
    with Plane(build.binaries(), most=1000, prepare=rivals.priorities) as plane:
        judge = RivalJudge(plane)
        run_rivals(judge, tally, seed=1, count=RIVALS)
        ruling = next(judge.rulings([rivals.rivals(3, 0)]))
        run_others(tally, parts.of_nominees(NomineeJudge(plane), 1, at_once=8), NOMINEES)
        run_others(tally, parts.of_unasked(UnaskedJudge(plane), 1, at_once=4), UNASKED)
        path = rivals.write(ruling, version=plane.version, folder=tmp_path)
    assert not tally.by_kind
    assert tally.verdicts == RIVALS + NOMINEES + UNASKED
    assert tally.by_rule["preempts"][1] > RIVALS / 5
    assert min(tally.by_rule["pod beside a nominated one"][:2]) > 0
    assert min(tally.by_rule["whether a pod is looked at"][:2]) > 0
    assert rivals.read(path) == ruling


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_the_engine_knows_which_daemon_sets_a_node_has(tmp_path: Path) -> None:
    """On which nodes their controller puts pods, and what is left beside them; and a kept finding reads back as it was."""
    tally = Tally()
    with CrewJudge(build.binaries()) as judge:
        verdicts = list(parts.first(parts.of_daemons(judge, 1, at_once=5), CREWED))
        kept = parts.write(verdicts[0].record, version=judge.version, folder=tmp_path)
    for each in verdicts:
        tally.add_other(each)
    assert not tally.by_kind
    assert min(tally.by_rule["DaemonSet"][:2]) > 0
    assert min(tally.by_rule["pod beside DaemonSets"][:2]) > 0
    assert parts.read(kept) == verdicts[0].record


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_pods_bind_where_a_plan_put_them() -> None:
    """Three whole plans, nodes joining in any order with late devices: every pod on its node, and nothing bought again."""
    with ControlPlane(build.binaries(), controller_manager=False) as plane:
        found = [play(plane, seed, number) for seed, number in WHOLE]
    assert [(each.missed, each.strays, each.again, each.empty) for each in found] == [([], [], 0, 0)] * len(WHOLE)
    assert all(each.due for each in found)


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_pods_that_may_not_be_changed_bind_without_a_second_purchase() -> None:
    """A small plan whose nodes are opened in turn: every pod has a node, and nothing was bought again."""
    with ControlPlane(build.binaries(), controller_manager=False) as plane:
        found = [play(plane, 5, number, aside=True) for number in ASIDE]
    assert [(each.missed, each.again) for each in found] == [([], 0)] * len(ASIDE)
    assert all(each.due for each in found)
