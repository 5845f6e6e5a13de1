"""Moves on the page: what each saves, costs and endangers, and why it waits; in files, as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.cli.facts import gather
from autoscale.cli.markdown import markdown
from autoscale.cli.planfile import SavedPlan, load, write
from autoscale.cli.table import Paper, table
from autoscale.cli.view import view
from autoscale.model.plan import Plan, Relocation, Reoptimum
from autoscale.model.supply import Learnt
from tests.builders import resources, snapshot

if TYPE_CHECKING:
    from pathlib import Path

BEGINS = Relocation(
    ("b", "c"),
    9,
    ("1 new x g4", "room on d"),
    6_500_000,
    500_000,
    ("8 pods of prod/ReplicaSet/web restart", "1 pod of ml/Job/tune restarts, up to 20 min of work again"),
)
WAITS = Relocation(("a",), 1, ("room on d",), 1_000_000, 40_000, (), "a budget lets 1 node of g8 go at once")
FOUND = Reoptimum(3600, 30_000_000, 23_000_000, 22_900_000, (WAITS, BEGINS))


def saved(found: Reoptimum) -> SavedPlan:
    """A plan that does nothing else."""
    learnt = (Learnt("g8", "digest", (("zone", "z1"),), (), resources(gpus=8)),)
    plan = Plan("abc", 0, "", (), reoptimum=found, learnt=learnt)
    return SavedPlan("prod", "", "", "", plan, gather(plan, snapshot(), offline=False))


def test_the_page_has_moves_that_begin_before_those_that_wait() -> None:
    """Whole text."""
    page = table(view(saved(FOUND)), cluster="prod", paper=Paper(100))
    assert page.split("\n\n")[1:3] == [
        (
            "  moves\n"
            "  > b and c are emptied: 9 pods to 1 new x g4, room on d\n"
            "      saves $ 6.50/h, costs $ 0.50 once, back in 4 m\n"
            "      8 pods of prod/ReplicaSet/web restart; 1 pod of ml/Job/tune restarts, up to 20 min of work\n"
            "        again\n"
            "  ~ a is emptied: 1 pod to room on d\n"
            "      saves $ 1.00/h, costs $ 0.04 once, back in 2 m\n"
            "      waits: a budget lets 1 node of g8 go at once"
        ),
        (
            "  fleet  the nodes that may be emptied cost $ 30.00/h; $ 23.00/h with all moves and without empty\n"
            "         nodes, moving spread over 60 m; proven: no way below $ 22.90/h"
        ),
    ]


def test_a_fleet_that_is_as_cheap_as_it_gets_says_so() -> None:
    """And proves it."""
    nothing = Reoptimum(3600, 30_000_000, 30_000_000, 29_900_000)
    page = table(view(saved(nothing)), cluster="prod", paper=Paper(120))
    assert "no move pays back within 60 m" in page
    assert "proven: no way below $ 29.90/h" in page


def test_markdown_has_them_as_a_list() -> None:
    """One line a move."""
    page = markdown(view(saved(FOUND)), cluster="prod").splitlines()
    at = page.index("**Moves**")
    assert page[at + 3] == (
        "- a is emptied: 1 pod to room on d: saves $ 1.00/h, costs $ 0.04 once, back in 2 m; "
        "waits: a budget lets 1 node of g8 go at once"
    )


def test_a_saved_plan_keeps_them(tmp_path: Path) -> None:
    """What is read equals what was written."""
    path = str(tmp_path / "plan.json")
    write(saved(FOUND), path)
    assert load(path) == saved(FOUND)
