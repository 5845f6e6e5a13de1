"""`autoscale demo`."""

from __future__ import annotations

import click

EPILOG = """\b
Examples:
  autoscale demo             the whole story, in well under a minute
  autoscale demo --keep      leave it running at the end, to look around

\b
Exit status: 0 everything ended as planned (with --keep also after Ctrl-C), 1 it did not, 130 interrupted.
"""


@click.command(epilog=EPILOG)
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides delays and the scheduler's ties."
)
def demo(*, keep: bool, seed: int) -> None:
    """Watch it work: pending GPU pods, a plan with its proof, nodes that join, and what it saved.

    Needs no credentials, no kubeconfig and no network: cluster and cloud live inside this process.
    """
    from autoscale.cli.demo_story import tell

    tell(keep=keep, seed=seed)
