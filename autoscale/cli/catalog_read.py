"""Asking a cloud for its catalogue, before a person who watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.config import Settings
    from autoscale.model.catalog import Catalog


def read_fresh(settings: Settings, name: str, region: str, *, jumps: bool = False) -> Catalog:
    """What the cloud says now, as far as it can be believed. Raises ProviderError, BadInput."""
    from autoscale import wiring
    from autoscale.cli.streams import complain

    with _progress(f"{name} {region}") as say:
        fresh, notes = wiring.read_catalog(name, settings, region, say, jumps=jumps)
    for note in notes:
        complain(f"{name}: {note}")
    return fresh


class _progress:  # noqa: N801 - used like a function
    """One line that is written over while it goes on, for a person who watches."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> Callable[[str], None]:
        import sys

        self._shown = sys.stderr.isatty()
        return self._say

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)

    def _say(self, text: str) -> None:
        if self._shown:
            click.echo(f"\r\x1b[Kautoscale: {self._what}, {text}", err=True, nl=False)


def raise_if_bad_input(error: Any) -> None:
    """No credentials, no region, no way there: a person's to mend, as everywhere."""
    from autoscale.errors import BadInput
    from autoscale.model.supply import FaultKind

    fault = error.fault
    if fault.kind in (FaultKind.DENIED, FaultKind.NOT_FOUND) or fault.code in ("NoRegion", "Unreachable"):
        raise BadInput(f"{fault.message}; nothing was changed", where=fault.group) from error
