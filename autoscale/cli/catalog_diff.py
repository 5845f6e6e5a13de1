"""`autoscale catalog diff`: what is different between two catalogues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autoscale.cli.catalog_read import raise_if_bad_input, read_fresh
from autoscale.cli.catalog_used import clouds_of, output_option, printed, where_options
from autoscale.cli.options import Named

if TYPE_CHECKING:
    from autoscale.config import Settings
    from autoscale.model.catalog import Catalog

DIFF = """\b
Examples:
  autoscale catalog diff                            what is used now, against the cloud
  autoscale catalog diff --shipped                  what is shipped, against what is used now
  autoscale catalog diff old.json new.json          two files, such as two of the cache

\b
Exit status: 0 told, 1 the cloud failed, 2 wrong input; with --detailed-exitcode 2 also when there are differences.
"""


@click.command(epilog=DIFF)
@click.argument("files", nargs=-1, type=Named(), metavar="[OLD NEW]")
@where_options
@click.option("--shipped", is_flag=True, help="Compare what is shipped with what is used now; asks no cloud.")
@click.option("--detailed-exitcode", is_flag=True, help="End with status 2 when there are differences.")
@output_option
@click.pass_context
def diff(
    ctx: click.Context,
    *,
    files: tuple[str, ...],
    provider: str | None,
    region: str | None,
    shipped: bool,
    detailed_exitcode: bool,
    output: str,
    config: str | None,
) -> None:
    """Compare what is used now with the cloud.

    With --shipped, what is shipped with what is used now; with two files, these.
    """
    from autoscale import wiring
    from autoscale.catalog.compare import compare
    from autoscale.catalog.document import load
    from autoscale.cli.catalog_page import changes, told
    from autoscale.cli.table import Paper

    if len(files) not in (0, 2):
        raise click.UsageError("give two files, or none", ctx)
    if files and (provider or region or shipped):
        raise click.UsageError("--provider, --region and --shipped mean nothing for two files", ctx)
    now_s = wiring.clock().now_s()
    pairs: list[tuple[Catalog, Catalog]] = []
    titles: list[tuple[str, str]] = []
    if files:
        pairs.append((load(files[0]), load(files[1])))
        titles.append((files[0], files[1]))
    else:
        settings = wiring.offline_settings(config)
        for name in clouds_of(settings, provider, ask=not shipped):
            before, after = _sides(settings, name, region, shipped=shipped)
            pairs.append((before, after))
            titles.append(
                (f"{name} {before.region}, {told(before, now_s)}", f"{name} {after.region}, {told(after, now_s)}")
            )
    found = [compare(before, after) for before, after in pairs]
    if output == "table":
        pages = [
            changes(each, paper=Paper.of_stdout(), titles=title) for each, title in zip(found, titles, strict=True)
        ]
        click.echo("\n".join(pages), nl=False)
    else:
        every = [{"sign": c.sign, "key": c.key, "text": c.text} for each in found for c in each]
        click.echo(printed({"kind": "CatalogDiff", "items": every}, output), nl=False)
    if detailed_exitcode and any(found):
        ctx.exit(2)


def _sides(settings: Settings, name: str, region: str | None, *, shipped: bool) -> tuple[Catalog, Catalog]:
    from autoscale import wiring
    from autoscale.errors import ProviderError

    source = wiring.catalog_source(name, settings)
    place = region or source.region
    store = wiring.store(settings)
    store.path(name, place)
    used = store.latest(name, place).catalog or source.shipped()
    if shipped:
        return source.shipped(), used
    try:
        return used, read_fresh(settings, name, place)
    except ProviderError as error:
        raise_if_bad_input(error)
        raise
