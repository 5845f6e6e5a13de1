"""`autoscale plan`."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

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
    from autoscale.cli.planfile import SavedPlan
    from autoscale.cli.world import World
    from autoscale.config import Settings
    from autoscale.decide.what_if import Case
    from autoscale.model.explanation import Weight
    from autoscale.model.plan import Plan

_WEIGHTS = 5

EPILOG = """\b
Examples:
  autoscale plan                                  the cluster of the current context
  autoscale plan --config autoscaler.yaml --out plan.json
  autoscale plan -f pods.yaml                     manifests, on the bundled catalogue
  autoscale plan -f k8s/ --groups cloud           manifests, on the groups found in the cloud
  kubectl get pods -A -o yaml | autoscale plan -f -
  autoscale plan -f pods.yaml -o markdown >> "$GITHUB_STEP_SUMMARY"

\b
Exit status: 0 a plan was made, 1 failed, 2 wrong input;
with --detailed-exitcode 0 nothing to do, 1 failed or wrong input is told on standard error, 2 there are changes.
"""


@click.command(epilog=EPILOG)
@source_options
@config_option
@overlay_option
@cluster_options
@click.option(
    "--output", "-o", type=click.Choice(["table", "json", "yaml", "markdown"]), default="table", help="How to print it."
)
@click.option("--out", type=Named(), metavar="FILE", help="Save the plan for `autoscale apply`.")
@click.option("--detailed-exitcode", is_flag=True, help="End with status 2 when there are changes.")
@time_limit_option
@click.pass_context
def plan(
    ctx: click.Context,
    *,
    files: tuple[str, ...],
    groups: str,
    config: str | None,
    overlay: str | None,
    kubeconfig: str | None,
    context: str | None,
    output: str,
    out: str | None,
    detailed_exitcode: bool,
    time_limit_s: float | None,
) -> None:
    """Show what would be bought now, what it costs with a proof, and who stays pending and why. Changes nothing."""
    from autoscale import wiring
    from autoscale.cli import world as worlds

    if out == "-":
        raise click.UsageError("--out is for a file, -o json prints the plan", ctx)
    settings = wiring.settings(config, kubeconfig=kubeconfig, context=context, overlay=overlay)
    source = worlds.Source(files, groups, kubeconfig, context)
    source.check(ctx)
    world = source.look(settings)
    saved = make(settings, world, time_limit_s=time_limit_s)
    if out is not None:
        from autoscale.cli.planfile import write

        write(saved, out)
    click.echo(show(saved, output, out=out), nl=False)
    from autoscale.loop import changes

    if detailed_exitcode and changes(saved.plan):
        ctx.exit(2)


def make(settings: Settings, world: World, *, time_limit_s: float | None = None) -> SavedPlan:
    """Decide, and gather what the decision rests on."""
    from autoscale import wiring
    from autoscale.cli.facts import gather
    from autoscale.cli.planfile import SavedPlan
    from autoscale.decide.what_if import Case

    solver = wiring.fleet_solver(settings, time_limit_s=time_limit_s)
    made = Case(world.snapshot, settings.policies, solver, settings.decide).plan()
    case = Case(world.snapshot, settings.policies, solver.answer, settings.decide)
    limit_s = settings.solver_time_limit_s if time_limit_s is None else time_limit_s
    return SavedPlan(
        cluster=settings.cluster,
        offline=world.offline,
        config_source=settings.source,
        config_digest=settings.digest,
        overlay_source=settings.overlay.source,
        plan=replace(made, made_at_s=wiring.clock().now_s()),
        facts=gather(made, world.snapshot, offline=bool(world.offline)),
        notes=world.notes,
        weights=weights(case, made, within_s=limit_s),
    )


def weights(case: Case, plan: Plan, *, within_s: float) -> tuple[Weight, ...]:
    """What binds and what it costs, the dearest few, as far as the time reaches: about as long again as the plan had."""
    from autoscale.decide.weigh import weigh

    until = time.monotonic() + within_s
    found: list[Weight] = []
    for weight in weigh(case, plan):
        found += [weight] if weight.matters else []
        if len(found) == _WEIGHTS or time.monotonic() > until:
            break
    return tuple(found)


def show(saved: SavedPlan, output: str, *, out: str | None = None) -> str:
    """The plan as text in one of the formats."""
    from autoscale.cli.planfile import document
    from autoscale.cli.streams import plain
    from autoscale.cli.view import view
    from autoscale.loop import changes

    if output == "json":
        return json.dumps(document(saved), indent=1) + "\n"
    if output == "yaml":
        import yaml

        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        return str(yaml.dump(document(saved), Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))
    name = "offline" if saved.offline else plain(saved.cluster)
    if output == "markdown":
        from autoscale.cli.markdown import markdown

        return markdown(view(saved), cluster=name)
    from autoscale.cli.table import Paper, table

    text = table(view(saved), cluster=name, paper=Paper.of_stdout())
    if changes(saved.plan):
        text += f"Nothing was changed. {_next(saved, out)}\n"
    return text


def _next(saved: SavedPlan, out: str | None) -> str:
    if saved.offline:
        return "This plan was made offline and is for reading only."
    if out is not None:
        return f"To carry it out: autoscale apply {out}"
    return "To carry it out: autoscale plan --out plan.json, then autoscale apply plan.json; or autoscale run"
