"""What is different between two catalogues. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from autoscale.model.units import MICRO

if TYPE_CHECKING:
    from autoscale.model.catalog import Catalog


class Change(NamedTuple):
    """`sign`: + new, - gone, ~ changed. `key` is a machine's name or an offering's key; prices in micro-US$, 0: none."""

    sign: str
    key: str
    text: str
    before_microusd_per_hour: int = 0
    after_microusd_per_hour: int = 0


def compare(before: Catalog, after: Catalog) -> list[Change]:
    """Machines first, then offerings: the largest changes of price first, then what is new and what is gone."""
    old = {each.name: each for each in before.machines}
    new = {each.name: each for each in after.machines}
    out = [Change("+", name, f"type {name}") for name in sorted(new.keys() - old.keys())]
    out += [Change("-", name, f"type {name}") for name in sorted(old.keys() - new.keys())]
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            fields = [
                f"{field} {getattr(old[name], field)} -> {getattr(new[name], field)}"
                for field in old[name].__dataclass_fields__
                if getattr(old[name], field) != getattr(new[name], field)
            ]
            out.append(Change("~", name, f"type {name}: {', '.join(fields)}"))
    return out + _prices(before, after)


def _prices(before: Catalog, after: Catalog) -> list[Change]:
    old = {each.key: each.price_microusd_per_hour for each in before.quotes}
    new = {each.key: each.price_microusd_per_hour for each in after.quotes}
    changed = [
        Change(
            "~",
            key,
            f"{key}: {_usd(old[key])} -> {_usd(new[key])} ({_percent(old[key], new[key])})",
            old[key],
            new[key],
        )
        for key in old.keys() & new.keys()
        if old[key] != new[key]
    ]
    changed.sort(key=lambda c: (-abs(c.after_microusd_per_hour / c.before_microusd_per_hour - 1), c.key))
    added = [Change("+", key, f"{key}: {_usd(new[key])}", 0, new[key]) for key in sorted(new.keys() - old.keys())]
    gone = [Change("-", key, f"{key}: {_usd(old[key])}", old[key]) for key in sorted(old.keys() - new.keys())]
    return changed + added + gone


def _usd(microusd: int) -> str:
    return f"$ {microusd / MICRO:,.4f}"


def _percent(before: int, after: int) -> str:
    return f"{(after / before - 1) * 100:+.1f} %"
