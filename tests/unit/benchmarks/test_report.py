"""Plots and tables from rows of figures."""

import xml.etree.ElementTree as ET
from typing import Any

from benchmarks.measure import OURS, Row
from benchmarks.report import document, plots, table


def row(engine: str, pods: int, cost: float, **more: Any) -> Row:
    """A row in which every pod is placed."""
    return Row(
        group="mixed", problem="mixed", pods=pods, engine=engine, nodes=1, cost=cost, placed=pods, wall_s=0.5, **more
    )


ROWS = [
    row(engine, pods, cost * pods, **more)
    for pods in (100, 1000)
    for engine, cost, more in ((OURS, 1.0, {"bound": 1.0 * pods}), ("Karpenter, one pool", 1.3, {}))
]


def test_table_compares_with_ours_and_the_bound() -> None:
    """One line an engine, then the bound."""
    lines = table(ROWS, "problem").splitlines()
    assert lines[3] == "| mixed | 100 | Karpenter, one pool | 1 | 130.00 | +30.00% | +30.00% | 0.500 |  |  |"
    assert lines[4] == "| mixed | 100 | *proven bound* | | 100.00 | | | | | |"


def test_incomplete_answers_are_not_compared() -> None:
    """A plan for half of the pods is not cheaper."""
    half = row("Karpenter, one pool", 100, 10)
    half.placed = 50
    assert "| n/a | n/a |" in table([ROWS[0], half], "problem")


def test_plots_are_well_formed_and_follow_the_colour_scheme() -> None:
    """Both plots parse as XML and have a dark palette."""
    drawn = plots(ROWS)
    assert sorted(drawn) == ["benchmarks-cost.svg", "benchmarks-time.svg"]
    for text in drawn.values():
        assert ET.fromstring(text).tag.endswith("svg")
        assert "prefers-color-scheme: dark" in text


def test_one_size_is_no_plot() -> None:
    """A line needs two points."""
    assert plots(ROWS[:2]) == {}


def test_document_holds_every_row_and_says_what_was_left_out() -> None:
    """From rows to the whole page."""
    text = document(ROWS, command="make bench", about="a machine", versions_line="1.0", skipped=["no Go"])
    assert text.count("| Karpenter, one pool |") == len(ROWS) // 2 + 1
    assert "| Karpenter, one pool | 100 to 1,000 | 30.00% | 0.500 | pods^0.0 |" in text
    assert "- no Go" in text
