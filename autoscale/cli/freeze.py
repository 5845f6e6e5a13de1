"""`autoscale freeze` and `autoscale unfreeze`."""

from __future__ import annotations

import click

from autoscale.cli.options import Named, cluster_options

EPILOG = """\b
Examples:
  autoscale freeze "release of 14:00"      no node is drained or removed; nodes are still bought
  autoscale unfreeze

Written onto the namespace kube-system, so it holds for every engine of the cluster and over restarts.
Nodes whose machine the cloud takes away are drained all the same.
"""


@click.command(epilog=EPILOG)
@click.argument("why", type=Named(), metavar="WHY")
@cluster_options
def freeze(*, why: str, kubeconfig: str | None, context: str | None) -> None:
    """Keep the engine from draining or removing nodes."""
    from autoscale import wiring

    with wiring.cluster(kubeconfig, context, watch=False) as cluster:
        cluster.freeze(why)
    click.echo(f"Frozen: {why}. `autoscale unfreeze` ends it.")


@click.command(epilog=EPILOG)
@cluster_options
def unfreeze(*, kubeconfig: str | None, context: str | None) -> None:
    """Let the engine drain and remove nodes again."""
    from autoscale import wiring

    with wiring.cluster(kubeconfig, context, watch=False) as cluster:
        cluster.freeze(None)
    click.echo("Not frozen.")
