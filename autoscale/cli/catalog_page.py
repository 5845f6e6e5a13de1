"""Catalogues as pages for a terminal, and as documents."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from autoscale.catalog.document import API_VERSION, day
from autoscale.cli import words
from autoscale.cli.catalog_rows import gpu_name, rows
from autoscale.cli.page import Page
from autoscale.demand.wording import amount
from autoscale.model.catalog import SHIPPED
from autoscale.model.units import MICRO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from autoscale.catalog.compare import Change
    from autoscale.cli.catalog_rows import Row, Seen
    from autoscale.cli.table import Paper
    from autoscale.model.catalog import Catalog, Refusal
    from autoscale.model.overlay import Adjustment, Commitment, Interruption, Overlay

_REFUSALS = 8
_CHANGES = 40
_HEAD = ("TYPE", "GPU", "EACH", "VCPU", "MEMORY", "BOUGHT", "LISTED", "US$/H", "US$/GPU-H", "+RISK/H", "ZONES")
_LISTED, _RISK = 6, 9  # columns that only an overlay fills
_RIGHT = (2, 3, 4, _LISTED, 7, 8, _RISK)


def told(catalog: Catalog, now_s: int) -> str:
    """Where it comes from and how old it is."""
    age = words.seconds(catalog.age_s(now_s))
    if catalog.source == SHIPPED:
        return f"shipped with this version, of {day(catalog.at_s)}, {age} old"
    return f"from {catalog.source}, {age} old"


def head(catalog: Catalog, now_s: int) -> tuple[str, str, str]:
    """The title of a catalogue."""
    types, prices = len(catalog.machines), len(catalog.quotes)
    size = f"{words.counted(types, 'type')}, {words.counted(prices, 'price')}"
    return f"{catalog.provider} {catalog.region}", size, told(catalog, now_s)


def page(
    catalog: Catalog,
    offerings: Sequence[Seen],
    refusals: Sequence[Refusal],
    *,
    now_s: int,
    paper: Paper,
) -> str:
    """Offerings in columns, and the prices that are not believed."""
    out = Page(paper)
    out.title(*head(catalog, now_s))
    out.gap()
    found = rows(offerings)
    left_out = [] if any(row.price_microusd_per_hour != row.listed_microusd_per_hour for row in found) else [_LISTED]
    left_out += [] if any(row.interruption_microusd_per_hour for row in found) else [_RISK]
    cells = [_HEAD, *map(_cells, found)] if found else []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        shown = [
            text.rjust(width) if index in _RIGHT else text.ljust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
            if index not in left_out
        ]
        line = f"  {'  '.join(shown)}".rstrip()
        out.lines.append(paper.dim(line) if row is _HEAD else line)
    if not found:
        out.say("no offering is both known and asked for")
    add_refusals(out, refusals)
    return out.text()


def add_refusals(out: Page, refusals: Sequence[Refusal], most: int = _REFUSALS) -> None:
    """Prices that are not believed, those with one reason together."""
    if not refusals:
        return
    out.section(f"{words.counted(len(refusals), 'price')} not believed")
    merged = _merged(refusals)
    for name, kind, found, reason, kept, zones in merged[:most]:
        last = f"; the last good price, {words.each(kept).removesuffix(' each')}, stays" if kept else "; left out"
        out.item("!", "yellow", f"{name} {kind}, {', '.join(zones)}: {found}, {reason}{last}")
    if len(merged) > most:
        out.say(f"and {len(merged) - most} more (autoscale catalog validate has all)")


def _merged(refusals: Sequence[Refusal]) -> list[tuple[str, str, str, str, int, list[str]]]:
    out: dict[tuple[str, str, str, str, int], list[str]] = {}
    for each in refusals:
        # The reason names the zone that it was found in; what else is equal is one line.
        key = (
            each.instance_type,
            each.capacity_type.value,
            each.found,
            each.reason.replace(f" in {each.zone}", ""),
            each.kept_microusd_per_hour,
        )
        out.setdefault(key, []).append(each.zone)
    return [(*key, zones) for key, zones in out.items()]


def document(catalogs: Sequence[tuple[Catalog, Sequence[Seen]]], now_s: int) -> dict[str, Any]:
    """All of it, for -o json and yaml."""
    return {
        "apiVersion": API_VERSION,
        "kind": "CatalogList",
        "items": [_document(catalog, offerings, now_s) for catalog, offerings in catalogs],
    }


def overlay_page(overlay: Overlay, known: Sequence[tuple[Catalog, Sequence[Seen]]], paper: Paper) -> str:
    """What an overlay says, rule by rule, and how much of what is known each is about."""
    out = Page(paper)
    out.title(f"{overlay.source}: valid", words.counted(len(overlay.adjustments) + len(overlay.commitments), "rule"))
    where = " and ".join(f"{catalog.provider} {catalog.region}" for catalog, _ in known)
    for rule in overlay.adjustments:
        meant = sum(rule.name in seen.rules for _, offerings in known for seen in offerings)
        size = f"{words.counted(meant, 'offering')} of {where}"
        out.item("!" if not meant else "-", "yellow" if not meant else "green", f"{rule.name}: {says(rule)}", [size])
    for each in overlay.commitments:
        out.item("-", "green", f"{each.name}: {_paid(each)}")
    return out.text()


def _paid(each: Commitment) -> str:
    if each.nodes is not None:
        return f"{words.counted(each.nodes, 'node')} paid for already"
    rate = f", at {each.discount_ppm / 10_000:g} % off the list price" if each.discount_ppm else ""
    return f"$ {(each.spend_microusd_per_hour or 0) / MICRO:g}/h paid for already{rate}"


def says(rule: Adjustment) -> str:
    """`23 % off, $ 0.10/h a node more`."""
    parts = []
    if rule.price_microusd_per_hour is not None:
        parts.append(f"costs $ {rule.price_microusd_per_hour / MICRO:g}/h")
    if rule.discount_ppm is not None:
        parts.append(f"{rule.discount_ppm / 10_000:g} % off the list price")
    if rule.node_charge_microusd_per_hour is not None:
        parts.append(f"$ {rule.node_charge_microusd_per_hour / MICRO:g}/h more a node")
    if rule.interruption is not None:
        parts.append(_interruption(rule.interruption))
    if rule.replicas is not None:
        parts.append(f"each GPU is {rule.replicas} {rule.shared_as}")
    parts += [f"each GPU is {count} {name}" for name, count in rule.mig.items()]
    parts += [f"{amount(name, each)} {name} a node" for name, each in rule.resources.items()]
    return ", ".join(parts)


def _interruption(rule: Interruption) -> str:
    rates = [f"{rate / 10_000:g} % from score {score}" for score, rate in rule.by_score]
    if rule.hourly_rate_ppm is not None:
        rates.append(f"{rule.hourly_rate_ppm / 10_000:g} %{' without a score' if rates else ''}")
    cost = [f"$ {rule.cost_microusd / MICRO:g}"] if rule.cost_microusd else []
    cost += [f"{words.seconds(rule.lost_work_s)} of work"] if rule.lost_work_s else []
    return f"interrupted in an hour: {', '.join(rates)}; each costs {' and '.join(cost)}"


def changes(found: Sequence[Change], *, paper: Paper, titles: tuple[str, str]) -> str:
    """What is different, a line each."""
    out = Page(paper)
    out.title(f"- {titles[0]}")
    out.lines.append(f"+ {titles[1]}")
    out.gap()
    for each in found[:_CHANGES]:
        colour = {"+": "green", "-": "red", "~": "yellow"}[each.sign]
        out.item(each.sign, colour, each.text)
    if len(found) > _CHANGES:
        out.say(f"and {len(found) - _CHANGES:,} more (-o json has all)")
    count = {sign: sum(each.sign == sign for each in found) for sign in "+-~"}
    out.gap()
    out.say(f"{count['+']:,} new, {count['-']:,} gone, {count['~']:,} changed" if found else "no difference")
    return out.text()


def moment(at_s: int) -> str:
    """`2026-07-20T00:00:00Z`."""
    return dt.datetime.fromtimestamp(at_s, dt.UTC).isoformat().replace("+00:00", "Z")


def _cells(row: Row) -> tuple[str, ...]:
    machine = row.machine
    gpu = gpu_name(machine) or "-"
    if machine.gpu_fraction:
        gpu = f"{machine.gpu_fraction} x {gpu}"
    elif machine.accelerators:
        gpu = f"{machine.accelerators} x {gpu}"
    each = f"{machine.accelerator_memory_mib / 1024:.0f} GiB" if machine.accelerator_memory_mib else "-"
    return (
        machine.name,
        gpu,
        each,
        str(machine.vcpus),
        f"{machine.memory_mib / 1024:g} GiB",
        row.capacity_type,
        _usd(row.listed_microusd_per_hour),
        _usd(row.price_microusd_per_hour),
        _usd(row.per_gpu_microusd_per_hour) if row.per_gpu_microusd_per_hour else "-",
        _usd(row.interruption_microusd_per_hour) if row.interruption_microusd_per_hour else "-",
        _zones(row.zones),
    )


def _zones(zones: Sequence[str]) -> str:
    """`us-east-1a b c`: the first whole, of the others what differs."""
    first, *rest = zones
    stem = first[:-1]
    return " ".join([first, *(zone.removeprefix(stem) for zone in rest)])


def _usd(microusd: int) -> str:
    return f"{microusd / MICRO:,.4f}"


def _document(catalog: Catalog, offerings: Iterable[Seen], now_s: int) -> dict[str, Any]:
    return {
        "provider": catalog.provider,
        "region": catalog.region,
        "source": catalog.source,
        "at": moment(catalog.at_s),
        "ageSeconds": catalog.age_s(now_s),
        "offerings": list(_offerings(catalog, offerings)),
        "refused": [refused(each) for each in catalog.refusals],
    }


def refused(each: Refusal) -> dict[str, Any]:
    """A price that is not believed."""
    return {
        "type": each.instance_type,
        "zone": each.zone,
        "capacityType": each.capacity_type.value,
        "found": each.found,
        "reason": each.reason,
        "keptUsdPerHour": each.kept_microusd_per_hour / MICRO if each.kept_microusd_per_hour else None,
    }


def _offerings(catalog: Catalog, offerings: Iterable[Seen]) -> Iterator[dict[str, Any]]:
    for machine, quote, offering, rules in offerings:
        price = offering.price_microusd_per_hour
        score = catalog.scores.get((machine.accelerator, quote.zone))
        yield {
            "type": machine.name,
            "zone": quote.zone,
            "zoneId": catalog.zone_ids.get(quote.zone, quote.zone),
            "capacityType": quote.capacity_type.value,
            "usdPerHour": price / MICRO,
            "listedUsdPerHour": quote.price_microusd_per_hour / MICRO,
            "interruptionUsdPerHour": offering.interruption_microusd_per_hour / MICRO,
            "overlayRules": list(rules),
            "usdPerGpuHour": price / machine.accelerators / MICRO if machine.accelerators else None,
            "at": moment(quote.at_s),
            "vcpus": machine.vcpus,
            "memoryMib": machine.memory_mib,
            "architecture": machine.architecture,
            "accelerator": machine.accelerator or None,
            "accelerators": machine.accelerators,
            "acceleratorMemoryMib": machine.accelerator_memory_mib or None,
            "efaInterfaces": machine.efa_interfaces,
            "spotPlacementScore": score if quote.capacity_type == "spot" else None,
        }
