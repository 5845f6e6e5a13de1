"""`autoscale demo`."""

from __future__ import annotations

import click

from autoscale.cli.options import cluster_options

EPILOG = """\b
Examples:
  autoscale demo             the whole story, in well under a minute
  autoscale demo --keep      leave it running at the end, to look around
  autoscale demo --cluster   on the kubeconfig's cluster, with simulated nodes; asks before it writes

\b
Exit status: 0 everything ended as planned (with --keep also after Ctrl-C), 1 it did not, 2 the cluster can't be used,
130 interrupted.
"""


@click.command(epilog=EPILOG)
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides delays and the scheduler's ties."
)
@click.option("--cluster", is_flag=True, help="Play on a cluster of your own, and take everything away again.")
@click.option("--yes", is_flag=True, help="With --cluster: don't ask before anything is written.")
@cluster_options
@click.pass_context
def demo(
    ctx: click.Context, *, keep: bool, seed: int, cluster: bool, yes: bool, kubeconfig: str | None, context: str | None
) -> None:
    """Watch it work: pending GPU pods, a plan with its proof, nodes that join, and what it saved.

    Needs no credentials, no kubeconfig and no network: cluster and cloud live inside this process. With --cluster it
    plays on a real cluster, whose own scheduler binds the pods to simulated nodes; nothing is bought there either.
    """
    if cluster and (keep or seed):
        raise click.UsageError("--keep and --seed are for the embedded cluster and mean nothing with --cluster", ctx)
    if not cluster and (yes or kubeconfig or context):
        raise click.UsageError("--yes, --kubeconfig and --context mean nothing without --cluster", ctx)
    if cluster:
        from autoscale.cli import demo_cluster

        demo_cluster.tell(kubeconfig=kubeconfig, context=context, yes=yes)
    else:
        from autoscale.cli.demo_story import tell

        tell(keep=keep, seed=seed)
