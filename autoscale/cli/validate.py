"""`autoscale validate`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from autoscale.cli.options import Named
from autoscale.cli.words import counted, money

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autoscale.config import Settings
    from autoscale.errors import BadInput
    from autoscale.ports import Provider

EPILOG = """\b
Examples:
  autoscale validate autoscaler.yaml             also ask its clouds what they let us see
  autoscale validate --offline autoscaler.yaml   only the file, where there are no credentials
  autoscale validate deploy/base/autoscaler.yaml && kubectl apply -k deploy/base
"""


@click.command(epilog=EPILOG)
@click.option("--offline", is_flag=True, help="Check the file only, and ask no cloud.")
@click.argument("file", type=Named())
@click.pass_context
def validate(ctx: click.Context, *, offline: bool, file: str) -> None:
    """Check a configuration and say what it means, and ask its clouds. Lists every error and ends with status 2 if any."""
    from autoscale import wiring
    from autoscale.cli.streams import complain, plain
    from autoscale.config import BadConfig

    try:
        settings = wiring.settings(file)
        providers = wiring.providers(settings)
    except BadConfig as error:
        for problem in error.problems:
            complain(str(problem))
        ctx.exit(2)
    for line in explain(settings):
        click.echo(plain(line))
    if offline:
        return
    refused = [error for provider in providers for error in _asked(provider)]
    for each in refused:
        complain(str(each))
    if refused:
        ctx.exit(2)


def _asked(provider: Provider) -> Iterator[BadInput]:
    """Say what a cloud shows of its groups, and give what a person has to mend before it does."""
    from autoscale.cli.streams import plain
    from autoscale.errors import BadInput

    try:
        provider.check()
    except BadInput as error:
        yield error
        return
    view = provider.observe()
    found = [group for group in view.groups if group.made]
    pools = (
        f", {counted(len(view.groups) - len(found), 'group')} to be made when needed" if found != [*view.groups] else ""
    )
    click.echo(plain(f"  groups       {view.provider}: {counted(len(found), 'group')}{pools}"))
    notes = [fault.message for fault in view.faults]
    notes += [each.reason.text for each in view.skipped] + [note.text for note in view.notes]
    notes += [f"{group.name}: {note.text}" for group in found for note in group.notes]
    for note in notes:
        click.echo(plain(f"               {note}"))


def explain(settings: Settings) -> Iterator[str]:
    """What a configuration means, a line a section."""
    decide = settings.decide
    where = ", ".join(_clouds(settings)) if settings.providers else "every installed one with credentials"
    yield f"{settings.source or 'defaults'}: valid"
    yield f"  cluster      {settings.cluster}"
    yield f"  providers    {where}"
    yield f"  pods         {'those that ask for a device' if decide.gpu_pods_only else 'all'}"
    yield (
        f"  batch        decide after {settings.loop.quiet_s:g} s of quiet, after {settings.loop.batch_max_s:g} s at most"
    )
    yield f"  solver       at most {settings.solver_time_limit_s:g} s a search"
    if decide.node_cost_microusd_per_hour:
        yield f"  objective    a node costs $ {decide.node_cost_microusd_per_hour / 1e6:g}/h beside its price"
    yield (
        f"  reservation  a node must join within {_time(decide.provision_timeout_s)}, is held for its pods "
        f"{_time(decide.hold_timeout_s)} at most"
    )
    if settings.claims:
        yield f"  claims       in the ConfigMap {settings.claims}: pods are never changed, nodes opened in turn"
    idle = "never" if decide.idle_after_s is None else f"after {_time(decide.idle_after_s)}"
    yield f"  removal      nodes without work are removed {idle}{_longer(settings)}"
    if settings.overlay.source:
        size = len(settings.overlay.adjustments) + len(settings.overlay.commitments)
        yield f"  overlay      {settings.overlay.source}, {counted(size, 'rule')}"
    if settings.catalog.refresh_s is not None:
        yield f"  prices       refreshed when they are {_time(settings.catalog.refresh_s)} old"
    for policy in settings.policies:
        if not dataclasses.fields(policy):  # type: ignore[arg-type]  # all policies of a configuration are dataclasses
            continue  # one that holds always
        yield f"  policy       {policy.name}: {_options(policy)}"


def _clouds(settings: Settings) -> Iterator[str]:
    """The providers, with the pools that groups may be made of."""
    for name, given in (settings.providers or {}).items():
        pools = ", ".join(given.get("pools") or ())
        yield f"{name} (pools {pools})" if pools else name


def _longer(settings: Settings) -> str:
    return " or later, as the policy idle says" if any(policy.name == "idle" for policy in settings.policies) else ""


def _options(policy: Any, *, brief: bool = False) -> str:
    """What is set; `brief` leaves out what would be so anyway."""
    parts = []
    for each in dataclasses.fields(policy):
        value = getattr(policy, each.name)
        usual = value in (None, {}, (), False) or (brief and value == each.default)
        if "key" in each.metadata and not usual:
            parts.append(f"{each.metadata['key']} {_shown(each.metadata['reads'], value)}")
    return ", ".join(parts) or "its defaults"


def _shown(reads: Any, value: Any) -> str:
    if isinstance(reads, tuple) and reads[0] == "list of":
        return " ".join(f"({_options(each, brief=True)})" for each in value)
    if reads == "count or share":
        return f"{value.ppm / 10_000:g} %" if value.ppm else str(value.number)
    if isinstance(reads, tuple):
        return ", ".join(f"{pattern}: {_shown(reads[1], each)}" for pattern, each in value.items())
    if isinstance(reads, type):
        return f"({_options(value)})"
    if reads == "sum":
        return money(value)
    if reads == "money":
        return f"$ {value / 1e6:,g}/h"
    if reads == "share":
        return f"{value / 10_000:g} %"
    if reads in ("duration", "duration or never"):
        return "never" if value is None else _time(value)
    if reads == "amounts":
        return _amounts(value)
    return str(value) if not isinstance(value, tuple) else ", ".join(value)


def _time(seconds: int) -> str:
    """`90` as `1 m 30 s`."""
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def _amounts(value: Mapping[str, int]) -> str:
    from autoscale.demand.wording import amount

    return ", ".join(f"{amount(name, number)} {name}" for name, number in value.items())
