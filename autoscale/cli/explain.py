"""`autoscale explain`: why a pod runs or waits, why a node is there, what a plan rests on."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autoscale.cli.options import (
    Named,
    cluster_options,
    config_option,
    overlay_option,
    source_options,
    time_limit_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from autoscale.cli.page import Page
    from autoscale.cli.world import World
    from autoscale.config import Settings
    from autoscale.decide.what_if import Case

    F = TypeVar("F", bound=Callable[..., Any])

EPILOG = """\b
Examples:
  autoscale explain pod ml/train-0           why it waits, and what would let it run
  autoscale explain pod ml/deploy/web        why its pods are not created
  autoscale explain pod ml/big -f pods.yaml  the same for manifests, without a cluster
  autoscale explain plan plan.json           what binds, and what was next best
  autoscale explain node ip-10-0-1-7         why it is there, and what its pods would cost elsewhere

\b
Exit status: 0 explained, 1 failed, 2 wrong input or no such thing.
"""


class Near(click.Group):
    """A group that names the nearest command for one that it does not have."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or an error that helps."""
        found = super().get_command(ctx, cmd_name)
        if found is None:
            close = difflib.get_close_matches(cmd_name, self.commands, n=1)
            meant = f", did you mean {close[0]!r}?" if close else f", there are {', '.join(self.commands)}"
            raise click.UsageError(f"there is nothing to explain about {cmd_name!r}{meant}", ctx)
        return found


@click.group(cls=Near, epilog=EPILOG)
def explain() -> None:
    """Explain a pod, a node or a plan: reasons, costs, and changes that help, each planned through. Changes nothing."""


def _shared(command: F) -> F:
    """The options that all three take."""
    output = click.option(
        "--output", "-o", type=click.Choice(["table", "json", "yaml"]), default="table", help="How to print it."
    )
    return source_options(config_option(overlay_option(cluster_options(output(time_limit_option(command))))))


POD_EPILOG = """\b
NAME is a pod's, a Deployment's, ReplicaSet's, StatefulSet's or Job's, or what pods' names begin with; with a kind:
  autoscale explain pod ml/train-0
  autoscale explain pod ml/job/train
  autoscale explain pod ml/web -o json
  kubectl get pods,nodes -A -o yaml | autoscale explain pod ml/train-0 -f -
"""


@explain.command(epilog=POD_EPILOG, short_help="Why it runs, waits or is not created; what would help.")
@click.argument("name", metavar="NAMESPACE/[KIND/]NAME")
@_shared
@click.pass_context
def pod(ctx: click.Context, /, *, name: str, output: str, **where: Any) -> None:
    """Why a pod runs, waits or does not come to be, and what would help."""
    from autoscale.cli.explain_pods import about, pages
    from autoscale.cli.target import parse

    target = parse(name)
    case, _, world = _case(ctx, where, namespace=target.namespace)
    found = about(case, world, target)
    _print(output, "PodExplanation", found, lambda page: pages(page, found))


NODE_EPILOG = """\b
Examples:
  autoscale explain node ip-10-0-1-7.ec2.internal
  autoscale explain node ip-10-0-1-7.ec2.internal -o json
"""


@explain.command(epilog=NODE_EPILOG, short_help="Why it exists and stays, who is on it; a cheaper home.")
@click.argument("name", metavar="NAME")
@_shared
@click.pass_context
def node(ctx: click.Context, /, *, name: str, output: str, **where: Any) -> None:
    """Why a node exists, who is on it, why it stays or goes, and what a cheaper home would be."""
    from autoscale.cli.explain_page import node_page
    from autoscale.cli.target import find_node
    from autoscale.decide.explain_node import explain_node

    case, _, world = _case(ctx, where)
    story = explain_node(case, find_node(name, world.snapshot.cluster.nodes))
    _print(output, "NodeExplanation", story, lambda page: node_page(page, story))


PLAN_EPILOG = """\b
Examples:
  autoscale plan --out plan.json && autoscale explain plan plan.json
  autoscale explain plan plan.json -f pods.yaml      a plan that was made from manifests
"""


@explain.command(epilog=PLAN_EPILOG, short_help="What binds and what it costs; what was next best.")
@click.argument("file", metavar="PLAN", type=Named())
@_shared
@click.pass_context
def plan(ctx: click.Context, /, *, file: str, output: str, **where: Any) -> None:
    """What binds in a saved plan and what it costs, and what would be bought in place of each purchase."""
    from autoscale.cli.explain_page import plan_page
    from autoscale.cli.explain_plans import about_plan
    from autoscale.cli.planfile import configuration, load, overlay
    from autoscale.cli.streams import progress
    from autoscale.errors import BadInput

    saved = load(file)
    if saved.offline and not where["files"]:
        raise BadInput("the plan was made from manifests, which are needed again", where=file, expected="-f FILE")
    case, settings, _ = _case(
        ctx, {**where, "config": where["config"] or configuration(saved), "overlay": where["overlay"] or overlay(saved)}
    )
    story = about_plan(case, settings, saved, progress)
    _print(output, "PlanExplanation", story, lambda page: plan_page(page, story))


def _case(ctx: click.Context, where: Mapping[str, Any], *, namespace: str = "") -> tuple[Case, Settings, World]:
    """The arguments of the decision, as the command line names them."""
    from autoscale import wiring
    from autoscale.cli.world import Source
    from autoscale.decide.what_if import Case

    source = Source(where["files"], where["groups"], where["kubeconfig"], where["context"])
    source.check(ctx)
    settings = wiring.settings(
        where["config"], kubeconfig=where["kubeconfig"], context=where["context"], overlay=where["overlay"]
    )
    world = source.look(settings, namespace=namespace)
    solver = wiring.solver(settings, time_limit_s=where["time_limit_s"])
    return (
        Case(world.snapshot, settings.policies, solver, settings.decide),
        settings,
        world,
    )


def _print(output: str, kind: str, found: Any, write: Callable[[Page], None]) -> None:
    """A page, or the document."""
    from autoscale.cli.codec import encode
    from autoscale.cli.page import Page
    from autoscale.cli.table import Paper
    from autoscale.config.settings import API_VERSION

    if output == "table":
        page = Page(Paper.of_stdout())
        write(page)
        click.echo(page.text(), nl=False)
        return
    document = {"apiVersion": API_VERSION, "kind": kind} | encode(found)
    if output == "json":
        click.echo(json.dumps(document, indent=1))
        return
    import yaml

    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120), nl=False)
