"""`autoscale catalog show|diff|refresh|validate`: what the clouds sell, at which prices, and whether to believe them."""

from __future__ import annotations

import click

from autoscale.cli.catalog_diff import diff
from autoscale.cli.catalog_refresh import refresh
from autoscale.cli.catalog_show import show
from autoscale.cli.catalog_validate import validate

EPILOG = """\b
Examples:
  autoscale catalog show --gpu h100                 what an H100 costs, where, and how it is bought
  autoscale catalog refresh --provider aws          ask the cloud, and keep what can be believed
  autoscale catalog diff                            what the cloud says now, against what is used
  autoscale catalog validate overlay.yaml           check a file before it is used
"""


@click.group(epilog=EPILOG)
def catalog() -> None:
    """What the clouds sell: types, offerings, prices; how old, from where, and which prices are not believed."""


for _command in (show, diff, refresh, validate):
    catalog.add_command(_command)
