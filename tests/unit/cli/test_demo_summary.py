"""The end of the demo as it is read."""

from __future__ import annotations

from autoscale.cli.demo_summary import Bill, Summary, lines
from autoscale.cli.table import Paper
from autoscale.model.plan import Plan, PlannedNode, Unmet
from autoscale.model.workload import Code, Reason
from tests.builders import USD


def test_it_fits_a_terminal_of_eighty_columns() -> None:
    """Who paid what is a table that no terminal breaks."""
    why = Reason(
        Code.INSUFFICIENT, "13 node groups: asks for 16 nvidia.com/gpu, a node has at most 8; " * 2, hint="ask for 8"
    )
    summary = Summary(
        paid=Bill(33, 47_660_000),
        hindsight=Plan(
            id="p", made_at_s=0, fingerprint="f", actions=(), cost_microusd_per_hour=47 * USD, bound_microusd_per_hour=47 * USD,
            packing=(PlannedNode("g", "new", 32, (), ()),),
        ),
        one_each=Bill(45, 62_940_000),
        largest_first=Bill(1200, 202_350_000),
        homed=137,
        where_planned=137,
        roomed=1,
        bound=145,
        pods=146,
        unmet=(Unmet("research/moe-16", ("research/moe-16-0",), (why,)),),
        told=frozenset({"research/moe-16-0"}),
    )  # fmt: skip
    text = list(lines(summary, Paper(width=80)))
    assert max(map(len, text)) <= 80
    assert text[4:10] == [
        "                                          nodes   per hour    per month   ratio",
        "  autoscale, two waves as they came          33    $ 47.66     $ 34,792  x 1.00",
        "  autoscale, had all pods come at once       32    $ 47.00     $ 34,310  x 0.99",
        "  proven bound: all at once costs no less          $ 47.00     $ 34,310  x 0.99",
        "  one node per pod, the cheapest for each    45    $ 62.94     $ 45,946  x 1.32",
        "  largest node first, filled up            1200   $ 202.35    $ 147,716  x 4.25",
    ]
