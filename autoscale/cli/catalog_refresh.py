"""`autoscale catalog refresh`: the clouds are asked, and what can be believed is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autoscale.cli.catalog_read import raise_if_bad_input, read_fresh
from autoscale.cli.catalog_used import clouds_of, where_options

if TYPE_CHECKING:
    from autoscale.model.catalog import Catalog

REFRESH = """\b
Examples:
  autoscale catalog refresh
  autoscale catalog refresh --provider aws --region eu-west-1
  autoscale catalog refresh --accept-jumps          believe prices that changed by ten times or more

\b
The rights that it needs are in deploy/aws/catalog-policy.json and deploy/gcp/catalog-role.yaml.
Exit status: 0 all refreshed, 1 a cloud failed and its last good copy stays, 2 wrong input or no credentials.
"""


@click.command(epilog=REFRESH)
@where_options
@click.option("--accept-jumps", is_flag=True, help="Believe prices that changed by ten times or more.")
@click.pass_context
def refresh(
    ctx: click.Context, *, provider: str | None, region: str | None, accept_jumps: bool, config: str | None
) -> None:
    """Ask the clouds, keep what can be believed.

    Types, zones, on-demand and spot prices. A bad answer, or a part of one, changes nothing.
    """
    from autoscale import wiring
    from autoscale.cli.catalog_page import add_refusals, head
    from autoscale.cli.page import Page
    from autoscale.cli.streams import complain
    from autoscale.cli.table import Paper
    from autoscale.errors import ProviderError

    settings = wiring.offline_settings(config)
    store = wiring.store(settings)
    failed = False
    for name in clouds_of(settings, provider, ask=True):
        source = wiring.catalog_source(name, settings)
        place = region or source.region
        store.path(name, place)  # a region that is no name of one is said before anybody is asked
        before = store.latest(name, place)
        try:
            fresh = read_fresh(settings, name, place, jumps=accept_jumps)
        except ProviderError as error:
            raise_if_bad_input(error)
            complain(f"{error}; {_stays(before.catalog, name, place)}")
            failed = True
            continue
        path = store.keep(fresh)
        out = Page(Paper.of_stdout())
        out.title(*head(fresh, wiring.clock().now_s()))
        out.say(f"kept in {path}")
        add_refusals(out, fresh.refusals)
        click.echo(out.text(), nl=False)
    if failed:
        ctx.exit(1)


def _stays(known: Catalog | None, name: str, region: str) -> str:
    from autoscale import wiring
    from autoscale.cli.catalog_page import told

    if known is None:
        return f"there is no copy of {name} {region}, the shipped prices are used"
    return f"the last good copy stays, {told(known, wiring.clock().now_s())}"
