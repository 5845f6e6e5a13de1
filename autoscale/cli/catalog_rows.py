"""A catalogue's offerings as rows, chosen by what a person asks for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from autoscale.errors import BadInput
from autoscale.model.overlay import REGION
from autoscale.model.resources import Resources
from autoscale.model.supply import NodeGroup, Offering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from autoscale.model.catalog import Catalog, Machine, Quote, Refusal
    from autoscale.model.overlay import Overlay

_MOST_NAMED = 12


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters; empty means everything. `zones` are exact, `gpu` and `type` patterns without regard to case."""

    zones: tuple[str, ...] = ()
    gpu: str = ""
    type: str = ""
    capacity_type: str = ""


class Seen(NamedTuple):
    """An offering as decisions see it: `quote` is what the cloud asks, `offering` what the overlay makes of it, by `rules`."""

    machine: Machine
    quote: Quote
    offering: Offering
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """An offering, or several zones that sell it at one price."""

    machine: Machine
    capacity_type: str
    price_microusd_per_hour: int
    zones: tuple[str, ...]
    listed_microusd_per_hour: int
    interruption_microusd_per_hour: int

    @property
    def per_gpu_microusd_per_hour(self) -> int:
        """A GPU's share of the price, 0 without GPUs."""
        return self.price_microusd_per_hour // self.machine.accelerators if self.machine.accelerators else 0


def gpu_name(machine: Machine) -> str:
    """`H100`, `l4`: the accelerator without its maker."""
    return machine.accelerator.removeprefix("nvidia-").removeprefix("tesla-")


def see(catalog: Catalog, pairs: Iterable[tuple[Machine, Quote]], overlay: Overlay) -> list[Seen]:
    """The offerings through the overlay."""
    out = []
    for machine, quote in pairs:
        offering = Offering(machine.name, quote.zone, quote.capacity_type, quote.price_microusd_per_hour)
        group = NodeGroup(
            id=offering.key,
            provider=catalog.provider,
            name=offering.key,
            offering=offering,
            allocatable=Resources(),
            labels={REGION: catalog.region},
        )
        score = catalog.scores.get((machine.accelerator, quote.zone)) if quote.capacity_type == "spot" else None
        rules = tuple(rule.name for rule in overlay.matching(group))
        out.append(Seen(machine, quote, overlay.laid_over(group, score).offering, rules))
    return out


def chosen(catalogs: Sequence[Catalog], wanted: Wanted) -> list[tuple[Catalog, list[tuple[Machine, Quote]]]]:
    """The offerings that pass. Raises BadInput for a filter that nothing at all passes, with what there is."""
    out: list[tuple[Catalog, list[tuple[Machine, Quote]]]] = []
    for catalog in catalogs:
        machines = {each.name: each for each in catalog.machines}
        out.append((catalog, [(machines[q.instance_type], q) for q in catalog.quotes]))
    everything = [pair for _, pairs in out for pair in pairs]
    for zone in wanted.zones:
        _some(everything, partial(_in, zone), "zone", zone, {quote.zone for _, quote in everything})
    tests: list[Callable[[tuple[Machine, Quote]], bool]] = []
    if wanted.zones:
        tests.append(lambda pair: pair[1].zone in wanted.zones)
    if wanted.gpu:
        known = {gpu_name(m) for m, _ in everything if m.accelerator}
        tests.append(lambda pair: _like(gpu_name(pair[0]), wanted.gpu))
        _some(everything, tests[-1], "gpu", wanted.gpu, known)
    if wanted.type:
        tests.append(lambda pair: _like(pair[0].name, wanted.type, whole=True))
        _some(everything, tests[-1], "type", wanted.type, {m.name for m, _ in everything})
    if wanted.capacity_type:
        tests.append(lambda pair: pair[1].capacity_type == wanted.capacity_type)
    return [(catalog, [pair for pair in pairs if all(test(pair) for test in tests)]) for catalog, pairs in out]


def refusals(catalog: Catalog, wanted: Wanted) -> list[Refusal]:
    """Those of the prices not believed that are asked about."""
    machines = {each.name: each for each in catalog.machines}
    return [
        each
        for each in catalog.refusals
        if (not wanted.zones or each.zone in wanted.zones)
        and (not wanted.capacity_type or each.capacity_type == wanted.capacity_type)
        and (not wanted.type or _like(each.instance_type, wanted.type, whole=True))
        and (not wanted.gpu or ((m := machines.get(each.instance_type)) and _like(gpu_name(m), wanted.gpu)))
    ]


def rows(offerings: Iterable[Seen]) -> list[Row]:
    """Zones of one price as one row; cheapest GPU first, then machines without GPUs."""
    merged: dict[tuple[Machine, str, int, int, int], list[str]] = {}
    for machine, quote, offering, _ in offerings:
        key = (
            machine,
            quote.capacity_type.value,
            offering.price_microusd_per_hour,
            quote.price_microusd_per_hour,
            offering.interruption_microusd_per_hour,
        )
        merged.setdefault(key, []).append(quote.zone)
    found = [
        Row(machine, kind, price, tuple(sorted(zones)), listed, risk)
        for (machine, kind, price, listed, risk), zones in merged.items()
    ]
    return sorted(
        found,
        key=lambda row: (
            not row.machine.accelerators,
            gpu_name(row.machine).lower(),
            row.per_gpu_microusd_per_hour or row.price_microusd_per_hour,
            row.machine.name,
            row.zones,
        ),
    )


def _in(zone: str, pair: tuple[Machine, Quote]) -> bool:
    return pair[1].zone == zone


def _like(text: str, pattern: str, *, whole: bool = False) -> bool:
    """As in a shell; without `whole`, a pattern without `*` and `?` may be any part."""
    text, pattern = text.lower(), pattern.lower()
    if any(letter in pattern for letter in "*?[") or whole:
        return fnmatchcase(text, pattern)
    return pattern in text


def _some(
    pairs: Iterable[tuple[Machine, Quote]],
    test: Callable[[tuple[Machine, Quote]], bool],
    what: str,
    asked: str,
    known: set[str],
) -> None:
    if any(test(pair) for pair in pairs):
        return
    names = sorted(known, key=str.lower)
    by_lower = {name.lower(): name for name in names}
    close = [by_lower[name] for name in difflib.get_close_matches(asked.lower(), by_lower, n=3, cutoff=0.5)]
    shown = close or (names if len(names) <= _MOST_NAMED else [*names[:_MOST_NAMED], "..."])
    raise BadInput(f"no {what} like {asked!r}", where=f"--{what}", expected=", ".join(shown))
