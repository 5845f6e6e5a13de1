"""Progress of `autoscale demo`: one line that lives on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.cli.demo_world import DemoWorld, Standing
    from autoscale.cli.table import Paper

_LOOK_S = 0.15
_SPARSE_S = 1.5
_BAR = 20


class Line:
    """Where progress is shown. Ends with a whole line, however it ends."""

    def __init__(self, paper: Paper, *, live: bool) -> None:
        self._paper = paper
        self._live = live
        self._started_s = time.monotonic()
        self._said = ""
        self._said_s = 0.0

    def show(self, standing: Standing, *, last: bool = False) -> None:
        """Say how far it is."""
        now_s = time.monotonic()
        text = _text(standing)
        if self._live:
            line = f"  {text}  {now_s - self._started_s:4.1f} s"
            if len(line) + _BAR + 3 < self._paper.width:
                line = f"  {self._paper.paint(_bar(standing), 'green')}{line}"
            else:
                line = line[: self._paper.width - 1]
            click.echo(f"\r\x1b[2K{line}", nl=last)
        elif text != self._said and (last or now_s - self._said_s >= _SPARSE_S):
            click.echo(f"  {now_s - self._started_s:4.1f} s  {text}")
            self._said, self._said_s = text, now_s


def follow(world: DemoWorld, paper: Paper, go_on: Callable[[], None], *, live: bool, within_s: float) -> bool:
    """Show progress until all is as planned, at most so long; whether it is."""
    line = Line(paper, live=live)
    until_s = time.monotonic() + within_s
    standing = world.standing()
    try:
        while not standing.done and time.monotonic() < until_s:
            line.show(standing)
            go_on()
            time.sleep(_LOOK_S)
            standing = world.standing()
    finally:
        line.show(standing, last=True)
    return standing.done


def _text(standing: Standing) -> str:
    return "   ".join(
        f"{what} {is_}/{wanted}".ljust(len(what) + 2 * len(str(wanted)) + 2)
        for what, is_, wanted in (
            ("nodes joined", standing.nodes, standing.nodes_wanted),
            ("GPUs ready", standing.gpus, standing.gpus_wanted),
            ("pods bound", standing.bound, standing.bound_wanted),
        )
    ).rstrip()


def _bar(standing: Standing) -> str:
    done = standing.nodes + standing.gpus + standing.bound
    wanted = max(1, standing.nodes_wanted + standing.gpus_wanted + standing.bound_wanted)
    full = min(_BAR, done * _BAR // wanted)
    return "█" * full + "░" * (_BAR - full)
