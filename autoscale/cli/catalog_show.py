"""`autoscale catalog show`: types and prices, cheapest GPU first."""

from __future__ import annotations

import click

from autoscale.cli.catalog_used import complain_all, output_option, printed, used_catalogs, where_options
from autoscale.cli.options import Named, overlay_option

SHOW = """\b
Examples:
  autoscale catalog show
  autoscale catalog show --gpu a100 --zone us-east-1b
  autoscale catalog show --type 'g6*' --capacity-type spot
  autoscale catalog show --provider gcp -o json | jq '.items[].offerings[] | select(.usdPerGpuHour < 1)'
"""


@click.command(epilog=SHOW)
@where_options
@click.option(
    "--zone", "zones", type=Named(), multiple=True, metavar="NAME", help="A zone; may be given several times."
)
@click.option("--gpu", type=Named(), metavar="MODEL", help="Part of a GPU's name such as h100, or a pattern.")
@click.option("--type", "type_", type=Named(), metavar="PATTERN", help="Instance or machine types such as 'g6*'.")
@click.option("--capacity-type", type=click.Choice(["on-demand", "spot", "reserved"]), help="How it is bought.")
@overlay_option
@output_option
def show(
    *,
    provider: str | None,
    region: str | None,
    zones: tuple[str, ...],
    gpu: str | None,
    type_: str | None,
    capacity_type: str | None,
    output: str,
    config: str | None,
    overlay: str | None,
) -> None:
    """Show types and prices, cheapest GPU first."""
    from autoscale import wiring
    from autoscale.cli.catalog_page import document, page
    from autoscale.cli.catalog_rows import Wanted, chosen, refusals, see
    from autoscale.cli.table import Paper

    settings = wiring.offline_settings(config, overlay=overlay)
    used, problems = used_catalogs(settings, provider, region)
    wanted = Wanted(zones, gpu or "", type_ or "", capacity_type or "")
    found = [(each, see(each, pairs, settings.overlay)) for each, pairs in chosen(used, wanted)]
    now_s = wiring.clock().now_s()
    if output == "table":
        shown = [(each, pairs) for each, pairs in found if pairs or refusals(each, wanted)] or found[:1]
        paper = Paper.of_stdout()
        pages = [page(each, pairs, refusals(each, wanted), now_s=now_s, paper=paper) for each, pairs in shown]
        click.echo("\n".join(pages), nl=False)
    else:
        click.echo(printed(document(found, now_s), output), nl=False)
    complain_all(problems)
