"""From what a cloud said to a catalogue worth keeping, or why the last good one stays. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from autoscale.model.belief import believe
from autoscale.model.catalog import Catalog
from autoscale.model.supply import CapacityType

if TYPE_CHECKING:
    from autoscale.model.catalog import Reading

_LEAST_SHARE = 0.5  # of the machines and prices known before; with fewer, the answer is a part of one


class Judged(NamedTuple):
    """A catalogue to keep, or none and the reason why the last good one stays."""

    catalog: Catalog | None
    problem: str = ""


def judge(reading: Reading, *, provider: str, known: Catalog | None, jumps: bool = False) -> Judged:
    """Believe what can be believed. `known` is the last good catalogue of the same region."""
    if known is not None and known.region != reading.region:
        known = None
    quotes, refusals = believe(reading.offers, known.quotes if known else (), jumps=jumps)
    catalog = Catalog(
        provider=provider,
        region=reading.region,
        source=reading.source,
        at_s=reading.at_s,
        machines=reading.machines,
        quotes=quotes,
        refusals=refusals,
        zone_ids=reading.zone_ids,
        scores=reading.scores,
    )
    problem = _too_little(catalog, known)
    return Judged(None, problem) if problem else Judged(catalog)


def _too_little(catalog: Catalog, known: Catalog | None) -> str:
    """Why it can't be all there is, empty when it can."""
    if not catalog.machines:
        return "no machine came back"
    if not catalog.quotes:
        return "no price that can be right came back"
    if known is None:
        return ""
    before, after = len(known.machines), len(catalog.machines)
    if after < before * _LEAST_SHARE:
        return f"only {after} machines came back, there were {before}"
    for capacity_type in CapacityType:
        was, now = (sum(q.capacity_type == capacity_type for q in c.quotes) for c in (known, catalog))
        if now < was * _LEAST_SHARE:
            return f"only {now} {capacity_type} prices came back, there were {was}"
    return ""
