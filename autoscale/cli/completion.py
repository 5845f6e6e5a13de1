"""`autoscale completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

EPILOG = """\b
Examples:
  autoscale completion bash > ~/.local/share/bash-completion/completions/autoscale
  autoscale completion zsh > ~/.zfunc/_autoscale
  autoscale completion fish > ~/.config/fish/completions/autoscale.fish
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}", ctx)
    script = kind(ctx.find_root().command, {}, "autoscale", "_AUTOSCALE_COMPLETE")
    click.echo(script.source_template % script.source_vars())
