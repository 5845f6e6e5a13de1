"""Which prices are believed. Pure: what a source says, the last good prices, and out come quotes and refusals."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from autoscale.model.catalog import Quote, Refusal
from autoscale.model.supply import CapacityType
from autoscale.model.units import MICRO, usd_per_hour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.model.catalog import Offer

_DEAREST = 2000  # US$ an hour: several times the dearest machine that any of the clouds lists
_NINES = re.compile(r"9{3,}(?:\.9*0*)?")  # what price lists write where they have no price
_JUMP = 10
_SAME = Decimal("0.5")  # two prices that differ by less than this share of the larger one agree


def believe(
    offers: Iterable[Offer], known: Iterable[Quote] = (), *, jumps: bool = False
) -> tuple[tuple[Quote, ...], tuple[Refusal, ...]]:
    """The prices that can be right, and why the others can't; both sorted by offering.

    A refused price leaves the last good one (`known`) in its place, with its own time, or the offering without a price. Of an
    on-demand price below its own spot price and that spot price one is wrong; only if the last good on-demand price agrees
    with the new one it is the spot price alone. With `jumps`, a change by ten times or more is believed.
    """
    last = {quote.key: quote for quote in known}
    said = {offer.key: offer for offer in offers}
    good: dict[str, int] = {}
    bad: dict[str, str] = {}
    for key, offer in said.items():
        price = _price(offer)
        reason = price if isinstance(price, str) else "" if jumps else _jump(price, last.get(key))
        if reason or isinstance(price, str):
            bad[key] = reason
        else:
            good[key] = price
    for key, reason in _crossed(said, good, last):
        bad[key] = reason
        good.pop(key, None)
    quotes = [_quote(said[key], price) for key, price in good.items()]
    quotes += [last[key] for key in bad if key in last]
    refusals = [_refusal(said[key], reason, last.get(key)) for key, reason in bad.items()]
    return tuple(sorted(quotes, key=lambda each: each.key)), tuple(sorted(refusals, key=lambda each: each.key))


def _price(offer: Offer) -> int | str:
    """Micro-US$, or why it can't be a price at all."""
    if offer.doubt:
        return offer.doubt
    if offer.currency != "USD":
        return f"in {offer.currency or 'no currency'}, not in US$"
    try:
        amount = Decimal(offer.amount)
    except InvalidOperation:
        return "not a number"
    if not amount.is_finite():
        return "not a number"
    if amount <= 0 or not usd_per_hour(amount):
        return "0 or less"
    if amount > _DEAREST or _NINES.fullmatch(offer.amount):
        return "a placeholder, not a price"
    return usd_per_hour(amount)


def _jump(price: int, last: Quote | None) -> str:
    if last is None:
        return ""
    before = last.price_microusd_per_hour
    if max(price, before) < _JUMP * min(price, before):
        return ""
    times = f"{max(price, before) / min(price, before):.0f} times"
    return f"{times} {'above' if price > before else 'below'} the last good price of {before / MICRO:g}"


def _crossed(
    said: Mapping[str, Offer], good: Mapping[str, int], last: Mapping[str, Quote]
) -> Iterable[tuple[str, str]]:
    """Spot prices above on-demand of the same machine in the same zone."""
    found = []
    for key, spot in good.items():
        offer = said[key]
        if offer.capacity_type != CapacityType.SPOT:
            continue
        other = f"{offer.instance_type}/{offer.zone}/{CapacityType.ON_DEMAND}"
        on_demand = good.get(other)
        if on_demand is None or spot <= on_demand:
            continue
        found.append((key, f"spot above on-demand {on_demand / MICRO:g}"))
        if not _agrees(on_demand, last.get(other)):
            found.append((other, f"on-demand below spot {spot / MICRO:g}"))
    return found


def _agrees(price: int, last: Quote | None) -> bool:
    return last is not None and abs(price - last.price_microusd_per_hour) < _SAME * max(
        price, last.price_microusd_per_hour
    )


def _quote(offer: Offer, price: int) -> Quote:
    return Quote(offer.instance_type, offer.zone, offer.capacity_type, price, offer.at_s)


def _refusal(offer: Offer, reason: str, last: Quote | None) -> Refusal:
    kept = last.price_microusd_per_hour if last else 0
    found = f"{offer.amount} {offer.currency}".strip()
    return Refusal(offer.instance_type, offer.zone, offer.capacity_type, found, reason, kept)
