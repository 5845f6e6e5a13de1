"""`autoscale version`."""

from __future__ import annotations

import platform

import click

from autoscale import __version__


@click.command(epilog="\b\nExamples:\n  autoscale version")
def version() -> None:
    """Print the version."""
    click.echo(f"autoscale {__version__} (Python {platform.python_version()})")
