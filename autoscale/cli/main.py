"""The `autoscale` command: which subcommands there are, and what becomes of errors."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from autoscale.cli import streams
from autoscale.errors import AutoscaleError, BadInput, StalePlan, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130

COMMANDS = {
    "plan": ("autoscale.cli.plan:plan", "Show what would be bought, what it costs, and who stays pending."),
    "apply": ("autoscale.cli.apply:apply", "Carry out a saved plan, if it still holds."),
    "run": ("autoscale.cli.run:run", "Observe, decide and act until stopped."),
    "explain": ("autoscale.cli.explain:explain", "Explain a pod, a node or a plan: reasons, costs, what would help."),
    "freeze": ("autoscale.cli.freeze:freeze", "Keep the engine from draining or removing nodes."),
    "unfreeze": ("autoscale.cli.freeze:unfreeze", "Let it drain and remove nodes again."),
    "catalog": ("autoscale.cli.catalog:catalog", "Show, compare, refresh and check types and prices."),
    "solve": ("autoscale.cli.solve:solve", "Answer a problem file: the decision core alone."),
    "validate": ("autoscale.cli.validate:validate", "Check a configuration and say what it means."),
    "demo": ("autoscale.cli.demo:demo", "Watch it work: an embedded cluster and cloud, nothing to set up."),
    "version": ("autoscale.cli.version:version", "Print the version."),
    "completion": ("autoscale.cli.completion:completion", "Print the completion script of a shell."),
}

EPILOG = """\b
Examples:
  autoscale plan                            what would be bought now
  autoscale plan -f pods.yaml               the same for manifests, without a cluster
  autoscale plan --out plan.json            save it, then: autoscale apply plan.json
  autoscale run --config autoscaler.yaml    the control loop

Exit status: 0 done, 1 failed, 2 wrong input (nothing was changed), 130 interrupted.
"""


class Lazy(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            close = difflib.get_close_matches(cmd_name, COMMANDS, n=1)
            meant = f", did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"no such command {cmd_name!r}{meant}", ctx)
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """The list, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=Lazy, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--debug", is_flag=True, help="Show a traceback with an error (accepted anywhere).")
def cli(*, debug: bool) -> None:
    """Buy the cheapest fleet of GPU nodes for the pods that wait, with a proof, and show it before it is bought."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status. Never shows a traceback unless asked for one."""
    streams.prepare()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or bool(os.environ.get("AUTOSCALE_DEBUG"))
    try:
        status = _invoke([word for word in words if word != "--debug"], debug=debug)
        sys.stdout.flush()
    except BrokenPipeError:
        streams.silence(sys.stdout)  # whoever read us has stopped reading; leave quietly
        return 0
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return BAD_INPUT
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "autoscale"
        return _say(f"{_usage(error)}; see `{command} --help`", BAD_INPUT)
    except click.ClickException as error:
        return _say(_clause(error.format_message()), BAD_INPUT)
    except Exception as error:  # the one place where nothing may pass
        if debug:
            raise
        return _say(*_told(error))
    return status if isinstance(status, int) else 0


def _invoke(words: list[str], *, debug: bool) -> Any:
    if "_AUTOSCALE_COMPLETE" in os.environ:  # the shell asks what could come next
        cli.main(words, prog_name="autoscale")
    try:
        with cli.make_context("autoscale", words, obj=debug) as context:
            return cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code


def _told(error: Exception) -> tuple[str, int]:
    """An error as one sentence, and its exit status."""
    if isinstance(error, BadInput | StalePlan | Unreachable):
        return str(error), BAD_INPUT
    if isinstance(error, AutoscaleError):
        return str(error), FAILED
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror[:1].lower() + error.strerror[1:]
        if error.filename is None and error.errno in streams.FULL:
            streams.silence(sys.stdout)
            return f"standard output can't be written, {reason}", FAILED
        return f"{error.filename}: {reason}" if error.filename else reason, FAILED
    text = " ".join(str(error).split())
    return f"internal error, {type(error).__name__}: {text} (--debug shows where)", FAILED


def _usage(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        meant = f", did you mean {error.possibilities[0]!r}?" if error.possibilities else ""
        return f"no such option {error.option_name!r}{meant}"
    return _clause(error.format_message())


def _clause(text: str) -> str:
    """Click's sentence as the middle of ours."""
    text = " ".join(text.split()).rstrip(".").replace(". ", ", ")
    return text[:1].lower() + text[1:]


def _say(text: str, status: int) -> int:
    streams.complain(text)
    return status
