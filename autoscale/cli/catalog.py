"""`autoscale catalog show|diff|refresh|validate`: what the clouds sell, at which prices, and whether to believe them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from autoscale.cli.options import Named, config_option, overlay_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.config import Settings
    from autoscale.model.catalog import Catalog

EPILOG = """\b
Examples:
  autoscale catalog show --gpu h100                 what an H100 costs, where, and how it is bought
  autoscale catalog refresh --provider aws          ask the cloud, and keep what can be believed
  autoscale catalog diff                            what the cloud says now, against what is used
  autoscale catalog validate overlay.yaml           check a file before it is used
"""

SHOW = """\b
Examples:
  autoscale catalog show
  autoscale catalog show --gpu a100 --zone us-east-1b
  autoscale catalog show --type 'g6*' --capacity-type spot
  autoscale catalog show --provider gcp -o json | jq '.items[].offerings[] | select(.usdPerGpuHour < 1)'
"""

DIFF = """\b
Examples:
  autoscale catalog diff                            what is used now, against the cloud
  autoscale catalog diff --shipped                  what is shipped, against what is used now
  autoscale catalog diff old.json new.json          two files, such as two of the cache

\b
Exit status: 0 told, 1 the cloud failed, 2 wrong input; with --detailed-exitcode 2 also when there are differences.
"""

REFRESH = """\b
Examples:
  autoscale catalog refresh
  autoscale catalog refresh --provider aws --region eu-west-1
  autoscale catalog refresh --accept-jumps          believe prices that changed by ten times or more

\b
The rights that it needs are in deploy/aws/catalog-policy.json and deploy/gcp/catalog-role.yaml.
Exit status: 0 all refreshed, 1 a cloud failed and its last good copy stays, 2 wrong input or no credentials.
"""

VALIDATE = """\b
Examples:
  autoscale catalog validate                        what is used now: which prices are not believed, and why
  autoscale catalog validate overlay.yaml
  autoscale catalog validate ~/.cache/gpu-autoscale/aws-us-east-1.json

\b
Exit status: 0 it can be used, 2 it can't.
"""


@click.group(epilog=EPILOG)
def catalog() -> None:
    """What the clouds sell: types, offerings, prices; how old, from where, and which prices are not believed."""


def _where(command: Any) -> Any:
    text = "A region. [default: the configuration's or the environment's, else the bundled one]"
    region = click.option("--region", type=Named(), metavar="NAME", help=text)
    text = "A cloud: aws, gcp. [default: the configuration's]"
    return config_option(click.option("--provider", type=Named(), metavar="NAME", help=text)(region(command)))


def _output(command: Any) -> Any:
    kinds = click.Choice(["table", "json", "yaml"])
    return click.option("--output", "-o", type=kinds, default="table", help="How to print it.")(command)


@catalog.command(epilog=SHOW)
@_where
@click.option(
    "--zone", "zones", type=Named(), multiple=True, metavar="NAME", help="A zone; may be given several times."
)
@click.option("--gpu", type=Named(), metavar="MODEL", help="Part of a GPU's name such as h100, or a pattern.")
@click.option("--type", "type_", type=Named(), metavar="PATTERN", help="Instance or machine types such as 'g6*'.")
@click.option("--capacity-type", type=click.Choice(["on-demand", "spot", "reserved"]), help="How it is bought.")
@overlay_option
@_output
def show(
    *,
    provider: str | None,
    region: str | None,
    zones: tuple[str, ...],
    gpu: str | None,
    type_: str | None,
    capacity_type: str | None,
    output: str,
    config: str | None,
    overlay: str | None,
) -> None:
    """Show types and prices, cheapest GPU first."""
    from autoscale import wiring
    from autoscale.cli.catalog_page import document, page
    from autoscale.cli.catalog_rows import Wanted, chosen, refusals, see
    from autoscale.cli.table import Paper

    settings = wiring.offline_settings(config, overlay=overlay)
    used, problems = _used(settings, provider, region)
    wanted = Wanted(zones, gpu or "", type_ or "", capacity_type or "")
    found = [(each, see(each, pairs, settings.overlay)) for each, pairs in chosen(used, wanted)]
    now_s = wiring.clock().now_s()
    if output == "table":
        shown = [(each, pairs) for each, pairs in found if pairs or refusals(each, wanted)] or found[:1]
        paper = Paper.of_stdout()
        pages = [page(each, pairs, refusals(each, wanted), now_s=now_s, paper=paper) for each, pairs in shown]
        click.echo("\n".join(pages), nl=False)
    else:
        click.echo(_text(document(found, now_s), output), nl=False)
    _complain(problems)


@catalog.command(epilog=DIFF)
@click.argument("files", nargs=-1, type=Named(), metavar="[OLD NEW]")
@_where
@click.option("--shipped", is_flag=True, help="Compare what is shipped with what is used now; asks no cloud.")
@click.option("--detailed-exitcode", is_flag=True, help="End with status 2 when there are differences.")
@_output
@click.pass_context
def diff(
    ctx: click.Context,
    *,
    files: tuple[str, ...],
    provider: str | None,
    region: str | None,
    shipped: bool,
    detailed_exitcode: bool,
    output: str,
    config: str | None,
) -> None:
    """Compare what is used now with the cloud.

    With --shipped, what is shipped with what is used now; with two files, these.
    """
    from autoscale import wiring
    from autoscale.catalog.compare import compare
    from autoscale.catalog.document import load
    from autoscale.cli.catalog_page import changes, told
    from autoscale.cli.table import Paper

    if len(files) not in (0, 2):
        raise click.UsageError("give two files, or none", ctx)
    if files and (provider or region or shipped):
        raise click.UsageError("--provider, --region and --shipped mean nothing for two files", ctx)
    now_s = wiring.clock().now_s()
    pairs: list[tuple[Catalog, Catalog]] = []
    titles: list[tuple[str, str]] = []
    if files:
        pairs.append((load(files[0]), load(files[1])))
        titles.append((files[0], files[1]))
    else:
        settings = wiring.offline_settings(config)
        for name in _providers(settings, provider, ask=not shipped):
            before, after = _sides(settings, name, region, shipped=shipped)
            pairs.append((before, after))
            titles.append(
                (f"{name} {before.region}, {told(before, now_s)}", f"{name} {after.region}, {told(after, now_s)}")
            )
    found = [compare(before, after) for before, after in pairs]
    if output == "table":
        pages = [
            changes(each, paper=Paper.of_stdout(), titles=title) for each, title in zip(found, titles, strict=True)
        ]
        click.echo("\n".join(pages), nl=False)
    else:
        every = [{"sign": c.sign, "key": c.key, "text": c.text} for each in found for c in each]
        click.echo(_text({"kind": "CatalogDiff", "items": every}, output), nl=False)
    if detailed_exitcode and any(found):
        ctx.exit(2)


@catalog.command(epilog=REFRESH)
@_where
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
    for name in _providers(settings, provider, ask=True):
        source = wiring.catalog_source(name, settings)
        place = region or source.region
        store.path(name, place)  # a region that is no name of one is said before anybody is asked
        before = store.latest(name, place)
        try:
            fresh = _read(settings, name, place, jumps=accept_jumps)
        except ProviderError as error:
            _raise_if_bad_input(error)
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


@catalog.command(epilog=VALIDATE)
@click.argument("file", type=Named(), required=False)
@_where
@click.pass_context
def validate(
    ctx: click.Context, *, file: str | None, provider: str | None, region: str | None, config: str | None
) -> None:
    """Check a file, or what is used now.

    Of a catalogue, every price that is not believed is listed with its reason.
    """
    from autoscale import wiring
    from autoscale.catalog.document import load
    from autoscale.cli.catalog_page import add_refusals, head
    from autoscale.cli.page import Page
    from autoscale.cli.table import Paper

    now_s = wiring.clock().now_s()
    used: list[Catalog] = []
    problems: list[str] = []
    if file is not None and _is_overlay(file):
        _overlay(ctx, file, config)
        return
    if file is not None:
        used.append(load(file))
    else:
        used, problems = _used(wiring.offline_settings(config), provider, region)
    for each in used:
        out = Page(Paper.of_stdout())
        out.title(*head(each, now_s))
        if not each.refusals:
            out.say("every price is believed")
        add_refusals(out, each.refusals, most=len(each.refusals))
        click.echo(out.text(), nl=False)
    _complain(problems)


# ---- what the commands share


def _is_overlay(file: str) -> bool:
    """Whether a file is meant to be an overlay: YAML, where catalogues are JSON."""
    from autoscale.observe.strict import read_bytes

    start = read_bytes(file)[:400].lstrip()
    return not start.startswith(b"{") or b"Overlay" in start


def _overlay(ctx: click.Context, file: str, config: str | None) -> None:
    """Say what an overlay means, or every error in it."""
    from autoscale import wiring
    from autoscale.cli.catalog_page import overlay_page
    from autoscale.cli.catalog_rows import Wanted, chosen, see
    from autoscale.cli.streams import complain
    from autoscale.cli.table import Paper
    from autoscale.config import BadConfig

    settings = wiring.offline_settings(config)
    try:
        settings = wiring.with_overlay(settings, file)
    except BadConfig as error:
        for problem in error.problems:
            complain(str(problem))
        ctx.exit(2)
    used, _ = _used(settings, None, None)
    known = [(each, see(each, pairs, settings.overlay)) for each, pairs in chosen(used, Wanted())]
    click.echo(overlay_page(settings.overlay, known, Paper.of_stdout()), nl=False)


def _used(settings: Settings, provider: str | None, region: str | None) -> tuple[list[Catalog], list[str]]:
    """The catalogues that the engine would use now, and what is wrong with files of the cache."""
    from autoscale import wiring

    store = wiring.store(settings)
    used: list[Catalog] = []
    problems: list[str] = []
    for name in _providers(settings, provider, ask=False):
        source = wiring.catalog_source(name, settings)
        place = region or source.region
        cached = store.latest(name, place)
        if cached.problem:
            problems.append(f"{cached.problem}; the shipped prices are used -> autoscale catalog refresh")
        found = cached.catalog or source.shipped()
        if found.region != place:
            problems.append(_foreign(name, place, found.region))
        used.append(found)
    if region and all(each.region != region for each in used):
        from autoscale.errors import BadInput

        known = ", ".join(sorted({f"{each.provider} {each.region}" for each in used} | store.kept()))
        raise BadInput(
            f"there are no prices of {region}, run autoscale catalog refresh", where="--region", expected=known
        )
    return [each for each in used if not region or each.region == region], [] if region else problems


def _foreign(name: str, place: str, there: str) -> str:
    return f"{name}: there are no prices of {place}, those of {there} stand in -> autoscale catalog refresh"


def _providers(settings: Settings, provider: str | None, *, ask: bool) -> list[str]:
    from autoscale import wiring

    return [provider] if provider else wiring.catalog_names(settings, every=not ask)


def _sides(settings: Settings, name: str, region: str | None, *, shipped: bool) -> tuple[Catalog, Catalog]:
    from autoscale import wiring
    from autoscale.errors import ProviderError

    source = wiring.catalog_source(name, settings)
    place = region or source.region
    store = wiring.store(settings)
    store.path(name, place)
    used = store.latest(name, place).catalog or source.shipped()
    if shipped:
        return source.shipped(), used
    try:
        return used, _read(settings, name, place)
    except ProviderError as error:
        _raise_if_bad_input(error)
        raise


def _read(settings: Settings, name: str, region: str, *, jumps: bool = False) -> Catalog:
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


def _raise_if_bad_input(error: Any) -> None:
    """No credentials, no region, no way there: a person's to mend, as everywhere."""
    from autoscale.errors import BadInput
    from autoscale.model.supply import FaultKind

    fault = error.fault
    if fault.kind in (FaultKind.DENIED, FaultKind.NOT_FOUND) or fault.code in ("NoRegion", "Unreachable"):
        raise BadInput(f"{fault.message}; nothing was changed", where=fault.group) from error


def _stays(known: Catalog | None, name: str, region: str) -> str:
    from autoscale import wiring
    from autoscale.cli.catalog_page import told

    if known is None:
        return f"there is no copy of {name} {region}, the shipped prices are used"
    return f"the last good copy stays, {told(known, wiring.clock().now_s())}"


def _complain(problems: list[str]) -> None:
    from autoscale.cli.streams import complain

    for problem in problems:
        complain(problem)


def _text(document: Any, output: str) -> str:
    if output == "json":
        return json.dumps(document, indent=1) + "\n"
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))
