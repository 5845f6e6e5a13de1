"""`autoscale solve`: the decision core alone, on a problem file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from autoscale.cli.options import Named, config_option, time_limit_option
from autoscale.cli.streams import progress

if TYPE_CHECKING:
    from autoscale.observe.problem_file import ProblemFile
    from autoscale.ports import Solver

EPILOG = """\b
Examples:
  autoscale solve problem.json                           the answer to standard output
  autoscale solve problem.json --output answer.json
  autoscale solve - --time-limit 500ms < problem.json
  autoscale solve problem.json --as-manifests | autoscale plan -f -
"""


@click.command(epilog=EPILOG)
@click.argument("problem", type=Named())
@click.option(
    "--output", "-o", type=Named(), metavar="FILE", help="Where to write the answer. [default: standard output]"
)
@click.option("--as-manifests", is_flag=True, help="Print the problem's pods as Pod manifests instead of solving it.")
@time_limit_option
@config_option
def solve(
    *, problem: str, output: str | None, as_manifests: bool, time_limit_s: float | None, config: str | None
) -> None:
    """Answer a problem file (`-` for standard input): the cheapest nodes for its pods, with a proven bound."""
    from autoscale import wiring
    from autoscale.observe.problem_file import load_problem

    started = time.monotonic()
    settings = wiring.settings(config)
    progress(f"reading {problem}")
    file = load_problem(problem)
    if as_manifests:
        from autoscale.observe.problem_answer import manifests_yaml

        _write("".join(manifests_yaml(file)), output)
        return
    pods = sum(demand.count for demand in file.problem.demands)
    limit_s = settings.solver_time_limit_s if time_limit_s is None else time_limit_s
    progress(f"searching for {limit_s:g} s at most: {pods:,} pods, {len(file.problem.supplies):,} offerings")
    _write(_answer(file, wiring.solver(settings, time_limit_s=limit_s, strict=True), started), output)


def _answer(file: ProblemFile, solver: Solver, started: float) -> str:
    import msgspec

    from autoscale.observe.problem_answer import write_answer

    solution = solver(file.problem)
    answer = write_answer(file, solution, seconds=round(time.monotonic() - started, 3))
    progress(
        f"{len(answer['nodes']):,} nodes, $ {answer['cost']:,.3f}/h, proven: nothing under $ {answer['bound']:,.3f}/h, "
        f"gap {answer['gap'] * 100:.2f} %, {len(answer['pending']):,} pods pending"
    )
    return msgspec.json.encode(answer).decode() + "\n"


def _write(text: str, output: str | None) -> None:
    if output in (None, "-"):
        click.echo(text, nl=False)
        return
    from autoscale.files import write_whole

    write_whole(text, output)
