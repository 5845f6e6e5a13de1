"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    F = TypeVar("F", bound=Callable[..., Any])


class Named(click.ParamType[str]):
    """A name that is not empty: an unset variable must not stand for the default."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse an empty one."""
        if not value:
            self.fail("it is empty", param, ctx)
        return str(value)


class Duration(click.ParamType[float]):
    """`500ms`, `1s`, `2m` as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it, or say what was expected."""
        from autoscale.model.units import A_DURATION, duration_ms

        if isinstance(value, float):
            return value
        try:
            milliseconds = duration_ms(value)
        except ValueError:
            self.fail(f"expected {A_DURATION}, found {value!r}", param, ctx)
        if not milliseconds:
            self.fail("expected a duration above 0", param, ctx)
        return milliseconds / 1000


def config_option(command: F) -> F:
    """`--config`."""
    text = "Configuration file. [default: $AUTOSCALE_CONFIG, else built-in defaults]"
    return click.option("--config", "config", type=Named(), metavar="FILE", help=text)(command)


def overlay_option(command: F) -> F:
    """`--overlay`."""
    text = "File with prices, discounts, interruption rates and shared GPUs of your own. [default: the configuration's]"
    return click.option("--overlay", type=Named(), metavar="FILE", help=text)(command)


def cluster_options(command: F) -> F:
    """`--kubeconfig` and `--context`."""
    text = "Context of the kubeconfig. [default: the current one]"
    context = click.option("--context", type=Named(), metavar="NAME", help=text)
    text = "Kubeconfig. [default: $KUBECONFIG, ~/.kube/config, else the pod's service account]"
    kubeconfig = click.option("--kubeconfig", type=Named(), metavar="FILE", help=text)
    return kubeconfig(context(command))


def time_limit_option(command: F) -> F:
    """`--time-limit`."""
    text = "How long to search at most. [default: the configuration's, else 1s]"
    return click.option("--time-limit", "time_limit_s", type=Duration(), metavar="DURATION", help=text)(command)


def source_options(command: F) -> F:
    """`--file` and `--groups`."""
    text = (
        "With -f: the cloud's node groups, or every type of the bundled catalogue. "
        "[default: the cloud's if providers are configured and there are credentials]"
    )
    groups = click.option("--groups", type=click.Choice(["auto", "cloud", "catalog"]), default="auto", help=text)
    text = "Manifests to plan for, instead of a cluster."
    files = click.option("--file", "-f", "files", type=Named(), multiple=True, metavar="FILE|DIR|-", help=text)
    return files(groups(command))
