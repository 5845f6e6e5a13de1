"""`autoscale apply`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

from autoscale.cli.options import Named, cluster_options, config_option, overlay_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscale.cli.planfile import SavedPlan
    from autoscale.config import Settings
    from autoscale.model.plan import Receipt
    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Cluster, Provider

EPILOG = """\b
Examples:
  autoscale plan --out plan.json && autoscale apply plan.json
  autoscale apply plan.json --auto-approve      without asking, for scripts

\b
Exit status: 0 carried out, 1 you said no, or a part was refused by cluster or cloud (the rest is done),
2 the plan can't be read or no longer holds (nothing was changed).
"""


@click.command(epilog=EPILOG)
@click.argument("plan", type=Named(), metavar="PLAN")
@click.option("--auto-approve", is_flag=True, help="Don't ask.")
@config_option
@overlay_option
@cluster_options
@click.pass_context
def apply(
    ctx: click.Context,
    *,
    plan: str,
    auto_approve: bool,
    config: str | None,
    overlay: str | None,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Carry out a saved plan, if it still holds. Looks at cluster and cloud again first."""
    from autoscale import wiring
    from autoscale.act import act
    from autoscale.cli import planfile
    from autoscale.cli.plan import show
    from autoscale.errors import BadInput
    from autoscale.loop import changes

    saved = planfile.load(plan)
    if saved.offline:
        raise BadInput(f"this plan can't be carried out, {saved.offline}", where=plan)
    settings = wiring.settings(
        config or planfile.configuration(saved),
        kubeconfig=kubeconfig,
        context=context,
        overlay=overlay or planfile.overlay(saved),
    )
    _same_configuration(saved, settings, plan)
    if not changes(saved.plan):
        click.echo("Nothing to do.")
        return
    if not auto_approve and not sys.stdin.isatty():
        raise BadInput("there is no terminal to ask on, so --auto-approve is needed", where=plan)
    providers = wiring.providers(settings)
    with wiring.cluster(kubeconfig, context, watch=False, claims=settings.claims) as cluster:
        snapshot = check(plan, saved, cluster, providers)
        if not auto_approve:
            click.echo(show(saved, "table", out=plan))
            if not click.confirm("Carry it out?"):
                click.echo("Nothing was changed.")
                ctx.exit(1)
            snapshot = check(plan, saved, cluster, providers)
        receipts = act(saved.plan, snapshot, cluster, providers, wiring.clock())
    for line in report(receipts):
        click.echo(line)
    if any(receipt.outcome == "refused" for receipt in receipts):
        ctx.exit(1)


def check(path: str, saved: SavedPlan, cluster: Cluster, providers: Sequence[Provider]) -> Snapshot:
    """Look again. Raises StalePlan unless what the plan rests on is still so."""
    from autoscale.cli.holds import differences
    from autoscale.cli.world import live
    from autoscale.decide import fingerprint
    from autoscale.errors import StalePlan

    snapshot = live(cluster, providers, saved.cluster).snapshot
    if fingerprint(snapshot) == saved.plan.fingerprint:
        return snapshot
    found = differences(saved, snapshot)
    if found:
        more = f" (and {len(found) - 1} more changes)" if len(found) > 1 else ""
        raise StalePlan(
            f"{path}: the plan no longer holds, {found[0]}{more}; make a new one with `autoscale plan --out {path}`"
        )
    click.echo("Cluster or cloud has changed since the plan was made, but nothing that it rests on: it still holds.")
    return snapshot


def report(receipts: Sequence[Receipt]) -> Iterator[str]:
    """What became of the plan: a line for each resize, removal and refusal, the rest counted."""
    from autoscale.model.plan import ClaimPods, DeleteGroup, Disrupt, Evict, RemoveNode, Resize

    for receipt in receipts:
        action, text = receipt.action, f": {receipt.text}" if receipt.text else ""
        if isinstance(action, Resize):
            yield f"  {receipt.outcome:<8} {action.group}  {action.current_nodes} -> {action.target_nodes}{text}"
        elif isinstance(action, RemoveNode):
            yield f"  {receipt.outcome:<8} remove {action.node or action.instance} of {action.group}{text}"
        elif isinstance(action, DeleteGroup):
            yield f"  {receipt.outcome:<8} delete {action.group}{text}"
        elif isinstance(action, Disrupt):
            yield f"  {receipt.outcome:<8} close {action.node}{text}"
        elif isinstance(action, Evict):
            yield f"  {receipt.outcome:<8} evict {len(action.pods)} pods from {action.node}{text}"
        elif receipt.outcome == "refused":
            yield f"  {receipt.outcome:<8} {type(action).__name__}{text}"
    outcomes = Counter(receipt.outcome for receipt in receipts)
    claimed = sum(len(r.action.pods) for r in receipts if isinstance(r.action, ClaimPods) and r.outcome == "done")
    counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    yield f"{counts}; {claimed} pods wait for the nodes bought for them. `autoscale run` gives each node to its pods."


def _with(configuration: str, overlay: str) -> str:
    return f"{configuration or 'the defaults'}{f' with {overlay}' if overlay else ''}"


def _same_configuration(saved: SavedPlan, settings: Settings, path: str) -> None:
    from autoscale.errors import StalePlan

    if settings.digest != saved.config_digest:
        made = _with(saved.config_source, saved.overlay_source)
        now = _with(settings.source, settings.overlay.source)
        raise StalePlan(f"{path}: the plan was made with another configuration, expected {made} as it was, found {now}")
