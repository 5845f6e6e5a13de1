"""Which catalogues are used now, and what all commands about them have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from autoscale.cli.options import Named, config_option

if TYPE_CHECKING:
    from autoscale.config import Settings
    from autoscale.model.catalog import Catalog


def where_options(command: Any) -> Any:
    """`--region`, `--provider` and `--config`."""
    text = "A region. [default: the configuration's or the environment's, else the bundled one]"
    region = click.option("--region", type=Named(), metavar="NAME", help=text)
    text = "A cloud: aws, gcp. [default: the configuration's]"
    return config_option(click.option("--provider", type=Named(), metavar="NAME", help=text)(region(command)))


def output_option(command: Any) -> Any:
    """`--output`."""
    kinds = click.Choice(["table", "json", "yaml"])
    return click.option("--output", "-o", type=kinds, default="table", help="How to print it.")(command)


def used_catalogs(settings: Settings, provider: str | None, region: str | None) -> tuple[list[Catalog], list[str]]:
    """The catalogues that the engine would use now, and what is wrong with files of the cache."""
    from autoscale import wiring

    store = wiring.store(settings)
    used: list[Catalog] = []
    problems: list[str] = []
    for name in clouds_of(settings, provider, ask=False):
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


def clouds_of(settings: Settings, provider: str | None, *, ask: bool) -> list[str]:
    """The clouds that are meant: the one asked for, else the configuration's, or all where no cloud is asked."""
    from autoscale import wiring

    return [provider] if provider else wiring.catalog_names(settings, every=not ask)


def complain_all(problems: list[str]) -> None:
    """Each on a line of stderr."""
    from autoscale.cli.streams import complain

    for problem in problems:
        complain(problem)


def printed(document: Any, output: str) -> str:
    """As JSON or YAML."""
    if output == "json":
        return json.dumps(document, indent=1) + "\n"
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))
