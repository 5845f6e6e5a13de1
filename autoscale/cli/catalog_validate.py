"""`autoscale catalog validate`: whether a catalogue or an overlay can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autoscale.cli.catalog_used import complain_all, used_catalogs, where_options
from autoscale.cli.options import Named

if TYPE_CHECKING:
    from autoscale.model.catalog import Catalog

VALIDATE = """\b
Examples:
  autoscale catalog validate                        what is used now: which prices are not believed, and why
  autoscale catalog validate overlay.yaml
  autoscale catalog validate ~/.cache/gpu-autoscale/aws-us-east-1.json

\b
Exit status: 0 it can be used, 2 it can't.
"""


@click.command(epilog=VALIDATE)
@click.argument("file", type=Named(), required=False)
@where_options
@click.pass_context
def validate(
    ctx: click.Context, *, file: str | None, provider: str | None, region: str | None, config: str | None
) -> None:
    """Check a file, or what is used now.

    Of a catalogue, every price that is not believed is listed with its reason.
    """
    from autoscale import wiring
    from autoscale.catalog.document import load
    from autoscale.cli.catalog_page import add_refusals, head
    from autoscale.cli.page import Page
    from autoscale.cli.table import Paper

    now_s = wiring.clock().now_s()
    used: list[Catalog] = []
    problems: list[str] = []
    if file is not None and _is_overlay(file):
        _overlay(ctx, file, config)
        return
    if file is not None:
        used.append(load(file))
    else:
        used, problems = used_catalogs(wiring.offline_settings(config), provider, region)
    for each in used:
        out = Page(Paper.of_stdout())
        out.title(*head(each, now_s))
        if not each.refusals:
            out.say("every price is believed")
        add_refusals(out, each.refusals, most=len(each.refusals))
        click.echo(out.text(), nl=False)
    complain_all(problems)


def _is_overlay(file: str) -> bool:
    """Whether a file is meant to be an overlay: YAML, where catalogues are JSON."""
    from autoscale.observe.strict import read_bytes

    start = read_bytes(file)[:400].lstrip()
    return not start.startswith(b"{") or b"Overlay" in start


def _overlay(ctx: click.Context, file: str, config: str | None) -> None:
    """Say what an overlay means, or every error in it."""
    from autoscale import wiring
    from autoscale.cli.catalog_page import overlay_page
    from autoscale.cli.catalog_rows import Wanted, chosen, see
    from autoscale.cli.streams import complain
    from autoscale.cli.table import Paper
    from autoscale.config import BadConfig

    settings = wiring.offline_settings(config)
    try:
        settings = wiring.with_overlay(settings, file)
    except BadConfig as error:
        for problem in error.problems:
            complain(str(problem))
        ctx.exit(2)
    used, _ = used_catalogs(settings, None, None)
    known = [(each, see(each, pairs, settings.overlay)) for each, pairs in chosen(used, Wanted())]
    click.echo(overlay_page(settings.overlay, known, Paper.of_stdout()), nl=False)
