"""The story of `autoscale demo`, told while it happens."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from autoscale.cli import signals, words
from autoscale.cli.table import Paper, table
from autoscale.errors import AutoscaleError
from autoscale.model.plan import Resize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from autoscale.cli.demo_cast import Work
    from autoscale.cli.demo_summary import Summary
    from autoscale.cli.demo_world import DemoWorld
    from autoscale.cli.planfile import SavedPlan
    from autoscale.cli.view import PlanView
    from autoscale.loop import Turn

_PATIENCE_S = 90.0  # a wave takes a few seconds; a machine in distress gets more
_WIDTH = 100


def tell(*, keep: bool, seed: int) -> None:
    """All of it. Raises AutoscaleError when it does not end as planned."""
    live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    paper = paper_of_stdout()
    started_s = time.monotonic()
    click.echo("The real engine; API server and AWS live in this process, nothing else is used.")
    ended: list[signal.Signals] = []

    def go_on() -> None:
        if ended:
            raise KeyboardInterrupt

    with ExitStack() as stack:
        stack.enter_context(signals.heard(ended.append, then=signal.default_int_handler))
        with _starting(paper, live=live):
            from autoscale.cli.demo_summary import summarise
            from autoscale.cli.demo_world import opened

            world = stack.enter_context(opened(seed))
        story = _Story(world, paper, go_on, live=live)
        for chapter in (story.first_wave, story.carry_out, story.second_wave):
            go_on()
            chapter()
        summary = summarise(world)
        story.end(summary)
        took = f"Took {time.monotonic() - started_s:.0f} s: machines boot in 2 to 4 s here, real ones in minutes."
        click.echo(f"\n  {paper.dim(took)}")
        if keep:
            story.keep()
    _judge(summary)


def paper_of_stdout() -> Paper:
    """What the story is told on, with the process made ready to tell it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no block characters shows others
    logging.getLogger("autoscale").addHandler(logging.NullHandler())  # what goes wrong is told at the end, once
    return Paper.of_stdout() if sys.stdout.isatty() else Paper(width=_WIDTH)


@contextmanager
def _starting(paper: Paper, *, live: bool) -> Iterator[None]:
    """Say on a terminal that something is under way, and take it back, however it ends."""
    if live:
        click.echo(f"  {paper.dim('starting ...')}", nl=False)
    try:
        yield
    finally:
        if live:
            click.echo("\r\x1b[2K", nl=False)


@dataclass(slots=True)
class _Story:
    world: DemoWorld
    paper: Paper
    go_on: Callable[[], None]  # raises KeyboardInterrupt when the user wants an end; asked where nothing is half-done
    live: bool
    shown: str = ""  # id of the plan shown before anything was bought

    def first_wave(self) -> None:
        """Who waits, on which groups, and what `autoscale plan` makes of it."""
        from autoscale.cli import demo_cast as cast
        from autoscale.cli.plan import make
        from autoscale.cli.view import view
        from autoscale.cli.world import live

        self._title(1, "Pods that wait")
        self._wave(cast.FIRST)
        groups = cast.GROUPS
        spot = sum(1 for group in groups if group.spot)
        self._say(
            f"{len(groups)} auto scaling groups, none with a node: {len({g.instance_type for g in groups})} instance "
            f"types, {spot} groups spot, {len(groups) - spot} on-demand, two zones, prices of us-east-1."
        )
        self._title(2, "The plan, as `autoscale plan` shows it")
        saved = make(self.world.settings, live(self.world.kube, (self.world.provider,), self.world.settings.cluster))
        self.shown = saved.plan.id
        self._plan(view(saved))

    def carry_out(self) -> None:
        """The loop buys, machines boot, the scheduler binds."""
        self._title(3, "`autoscale run` carries it out")
        self.world.start()
        turn = self._purchase(after=0)
        same = "the same plan" if turn.plan.id == self.shown else f"plan {turn.plan.id}"
        groups = sum(1 for action in turn.plan.actions if isinstance(action, Resize))
        self._say(
            f"The loop decided on {same}: it wrote onto each pod which node it is meant for, then set {groups} targets "
            "through boto3. Each node that joins is held for its pods until the scheduler has bound them."
        )
        click.echo()
        self._follow()

    def second_wave(self) -> None:
        """More pods, while the loop runs."""
        from autoscale.cli import demo_cast as cast
        from autoscale.cli.view import view

        self._title(4, "A second wave, while the loop is running")
        before = len(self.world.diary.purchases)
        self.world.arrive(cast.SECOND)
        self._wave(cast.SECOND)
        turn = self._purchase(after=before)
        pods = sum(work.count for work in cast.SECOND)
        at_once = pods + sum(len(unmet.pods) for unmet in turn.plan.unmet) - turn.plan.pending_pods
        if at_once > 0:
            self._say(f"{at_once} of the {pods} found room on nodes that are there. For the others the loop plans:")
            click.echo()
        self._plan(replace(view(self._saved(turn)), pending=()))
        click.echo()
        self._follow()

    def end(self, summary: Summary) -> None:
        """The figures."""
        from autoscale.cli.demo_summary import lines

        self._title(5, "What it came to")
        for line in lines(summary, self.paper):
            click.echo(line)

    def keep(self) -> None:
        """Wait for Ctrl-C."""
        cluster = self.world.cluster
        try:
            click.echo(f"\nIt goes on until Ctrl-C. Look around: curl -s {cluster.url}/api/v1/nodes")
            click.echo(f"Kubeconfig: {cluster.kubeconfig_path}")
            while True:
                self.go_on()
                time.sleep(0.1)
        except KeyboardInterrupt:
            click.echo()

    def _title(self, number: int, text: str) -> None:
        click.echo()
        click.echo(self.paper.paint(f"{number}. {text}", "cyan", bold=True))
        click.echo()

    def _wave(self, wave: Sequence[Work]) -> None:
        for work in wave:
            gpus = words.counted(work.gpus, "GPU") if work.gpus else "CPU"
            name = f"{work.namespace}/{work.name}"
            click.echo(f"  {work.count:>2} x {name:<16}  {gpus:>7}   {work.about}")
        click.echo()

    def _say(self, text: str) -> None:
        click.echo(click.wrap_text(text, self.paper.width, "  ", "  "))

    def _plan(self, seen: PlanView) -> None:
        click.echo(table(seen, cluster=self.world.settings.cluster, paper=self.paper), nl=False)

    def _purchase(self, *, after: int) -> Turn:
        """The first turn that buys beyond so many."""
        until_s = time.monotonic() + _PATIENCE_S
        while len(self.world.diary.purchases) <= after:
            if time.monotonic() > until_s:
                raise self._late("the loop bought nothing")
            self.go_on()
            time.sleep(0.05)
        return self.world.diary.purchases[after]

    def _saved(self, turn: Turn) -> SavedPlan:
        """A plan of the loop's, to be shown as others are."""
        from autoscale.cli.facts import gather
        from autoscale.cli.planfile import SavedPlan

        settings = self.world.settings
        return SavedPlan(settings.cluster, "", "", settings.digest, turn.plan, gather(turn.plan, turn.snapshot))

    def _follow(self) -> None:
        from autoscale.cli.demo_progress import follow

        if not follow(self.world, self.paper, self.go_on, live=self.live, within_s=_PATIENCE_S):
            raise self._late("not all nodes and pods were there")

    def _late(self, what: str) -> AutoscaleError:
        errors = self.world.diary.errors
        why = f"; the last error was: {errors[-1]}" if errors else ""
        return AutoscaleError(f"{what} within {_PATIENCE_S:.0f} s{why}")


def _judge(summary: Summary) -> None:
    if summary.where_planned < summary.homed:
        astray = words.counted(summary.homed - summary.where_planned, "GPU pod")
        raise AutoscaleError(f"{astray} of {summary.homed} did not run on the node planned for them")
