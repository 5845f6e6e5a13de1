"""Explanations as text for a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.cli import words
from autoscale.demand.wording import amount, few
from autoscale.model.explanation import Fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscale.cli.page import Page
    from autoscale.model.explanation import (
        Alternative,
        Exclusion,
        Move,
        NodeStory,
        OwnerStory,
        Place,
        PlanStory,
        PodStory,
        Remedy,
    )
    from autoscale.model.workload import Reason

_TENANTS = 6
_LINES = 4  # exclusions shown; the rest is summed up
_FATES = {
    Fate.RUNS: "runs",
    Fate.FITS: "will run",
    Fate.COMING: "will run",
    Fate.BOUGHT: "will run",
    Fate.IGNORED: "is not planned for",
}


def pod_page(page: Page, story: PodStory, *, name: str = "") -> None:
    """One pod."""
    alike = f"and {words.counted(story.alike - 1, 'more')} like it".replace(" mores ", " more ")
    page.title(name or f"pod {story.pod}", _asks(story.requests), alike if story.alike > 1 else "")
    page.gap()
    page.say(_fate(story))
    page.facts(_pod_facts(story))
    _reasons(page, "the API server would not let all of them in", story.admission)
    if story.fate is Fate.STAYS:
        _reasons(page, f"what is in the way, though nodes of {few(story.takers)} would take it", story.held)
        _excluded(page, "node group", "which rule excludes it from which node groups", story.excluded)
        _excluded(page, "node", "and from the nodes that are there", story.on_nodes)
        _remedies(page, story.remedies)


def owner_page(page: Page, story: OwnerStory) -> None:
    """What makes pods."""
    missing = story.wanted - story.made
    namespace, kind, name = story.owner.split("/", 2)
    made = f"{story.made} of {words.counted(story.wanted, 'pod')} made"
    page.title(f"{kind} {namespace}/{name}", made)
    if story.because:
        head = f"{words.counted(missing, 'pod')} not created, so nothing is pending and nothing is bought"
        _reasons(page, head if missing > 0 else "no pods", story.because)
    if story.once_made is not None:
        pod_page(page, story.once_made, name="once they are created")


def node_page(page: Page, story: NodeStory) -> None:
    """One node."""
    price = story.place.price_microusd_per_hour
    page.title(f"node {story.node}", where(replace(story.place, node="")), words.per_hour(price) if price else "")
    page.gap()
    for reason in story.origin:
        page.say(reason.text)
    page.facts(_node_facts(story))
    stays = "is being drained" if story.drained else "stays"
    page.section(stays if story.kept else "goes with the next plan")
    for reason in story.because:
        page.item("=" if story.kept else "-", "cyan" if story.kept else "red", reason.text)
    if story.move is not None:
        _moved(page, story.move, price)


def plan_page(page: Page, story: PlanStory) -> None:
    """One plan."""
    page.title(f"plan {story.plan}", words.costs(story.cost_microusd_per_hour, story.bound_microusd_per_hour))
    if story.moved:
        page.section("what follows is of a plan made now")
        for text in story.moved:
            page.item("!", "yellow", text)
    weights = [text for each in story.weights if (text := words.weight(each))]
    page.section("what binds" if weights else "nothing binds: no limit costs anything")
    for text in weights:
        page.item("=", "cyan", text)
    if story.alternatives:
        page.section("what was next, each planned through")
    for each in story.alternatives:
        page.item("-", "red", f"without {each.without}: {_instead(each)}")


def _instead(each: Alternative) -> str:
    """What would be bought in its place, and by how much that is dearer."""
    more = each.more_microusd_per_hour
    difference = f"under {words.per_hour(words.CENT)}" if abs(more) < words.CENT else words.per_hour(abs(more))
    price = "the same price" if not more else f"{difference} {'more' if more > 0 else 'less'}"
    pending = f", {words.counted(each.pending, 'more pod')} pending" if each.pending else ""
    return f"{few(each.instead, 4) or 'nothing in its place'}, {price}{pending}"


def _node_facts(story: NodeStory) -> Iterable[tuple[str, str]]:
    used = [
        f"{amount(name, asked)} of {amount(name, there)} {name} ({words.percent(asked, there)})"
        for name, asked, there in sorted(story.used, key=lambda use: (not words.is_device(use[0]), use[0]))
        if name != "pods"
    ]
    yield "used", ", ".join(used)
    for number, tenant in enumerate(story.tenants[:_TENANTS]):
        yield ("" if number else "who"), f"{tenant.name}: {words.counted(tenant.pods, 'pod')}, {_asks(tenant.requests)}"
    more = story.tenants[_TENANTS:]
    if more:
        yield "", f"and {sum(tenant.pods for tenant in more)} pods of {words.counted(len(more), 'other owner')}"
    yield "daemons", few(story.daemons, 4)


def _moved(page: Page, move: Move, price: int) -> None:
    """What its pods would cost elsewhere."""
    homes = few(move.homes) or "nowhere"
    more, saves = words.per_hour(max(0, move.cost_microusd_per_hour)), move.saves_microusd_per_hour
    if move.stuck:
        page.section(f"no other home: without it {words.counted(len(move.stuck), 'pod')} of it would stay pending")
        page.item("!", "yellow", move.why_stuck or "no reason is known")
    elif saves > 0:
        page.section("a cheaper home, planned through as if its pods waited and it were not there")
        page.item("+", "green", f"{homes}: {more} in place of {words.per_hour(price)}, {words.per_hour(saves)} less")
        if move.protected:
            page.item("!", "yellow", f"not moved: {move.protected}")
        elif move.horizon_s:
            page.item("=", "cyan", _pays_back(move))
    else:
        page.section("no cheaper home, planned through as if its pods waited and it were not there")
        page.item("=", "cyan", f"{homes}: {more} in place of {words.per_hour(price)}")


def _pays_back(move: Move) -> str:
    """What moving costs once, and whether that comes back in time."""
    back_s = -(-move.once_microusd * 3600 // move.saves_microusd_per_hour)
    once = f"moving its pods costs {words.money(move.once_microusd)} once and is back in {words.seconds(back_s)}"
    if back_s < move.horizon_s:
        return f"{once}, within the horizon of {words.seconds(move.horizon_s)}: see `autoscale plan` for what moves together"
    return f"{once}, later than the horizon of {words.seconds(move.horizon_s)}: it stays"


def _asks(requests: Mapping[str, int]) -> str:
    """Everything asked for, devices first."""
    names = sorted(requests, key=lambda name: (not words.is_device(name), name))
    return ", ".join(f"{amount(name, requests[name])} {name}" for name in names if name != "pods")


def _fate(story: PodStory) -> str:
    if story.fate is not Fate.STAYS:
        return _FATES[story.fate] + "".join(f": {reason.text}" for reason in story.because)
    if story.because:
        return "stays pending: " + "; ".join(reason.text for reason in story.because)
    if story.held:
        return "stays pending"
    return "stays pending: no node group takes it" if story.excluded else "stays pending: there is no node group at all"


def _pod_facts(story: PodStory) -> Iterable[tuple[str, str]]:
    place = story.place
    if place is not None:
        yield "where", where(place)
        if place.others:
            yield "beside", few(place.others, 4)
    price = place.price_microusd_per_hour if place is not None else 0
    if story.fate is Fate.RUNS and price and place is not None:
        share = f"{place.share * 100:.0f} % of a node at {words.per_hour(price)}"
        yield "cost", f"{words.per_hour(story.cost_microusd_per_hour or 0)}, {share}"
    elif story.cost_microusd_per_hour is not None:
        alone = f"the node is {words.per_hour(price)}" if price else ""
        more = f"{words.per_hour(story.cost_microusd_per_hour)} more than without it{_displaced(story.displaced)}"
        yield "cost", f"{more}; {alone}" if alone else more
    elif price:
        yield "cost", f"the node is {words.per_hour(price)}"


def where(place: Place) -> str:
    """A place in one line."""
    parts = [f"node {place.node}" if place.node else "", f"group {place.group}" if place.group else "of no group"]
    kind = [place.instance_type, place.capacity_type, place.zone]
    return ", ".join(filter(None, [*parts, *(each for each in kind if each and each not in place.group.split("/"))]))


def _reasons(page: Page, head: str, reasons: Sequence[Reason]) -> None:
    if not reasons:
        return
    page.section(head)
    for reason in reasons:
        page.item("!", "yellow", reason.text, [f"-> {reason.hint}"] if reason.hint else [])


def _excluded(page: Page, noun: str, head: str, excluded: Sequence[Exclusion]) -> None:
    if not excluded:
        return
    page.section(head)
    shown = excluded if len(excluded) <= _LINES else excluded[: _LINES - 1]
    for each in shown:
        page.item("-", "red", f"{_who(each, noun)}: {each.text}", _which(each, noun))
    rest = excluded[len(shown) :]
    if rest:
        count = sum(len(each.names) for each in rest)
        page.item("-", "red", f"{words.counted(count, f'more {noun}')} for other reasons (-o json has all)")


def _who(each: Exclusion, noun: str) -> str:
    """One by its name, many by their number and that of what they are made of."""
    count, types = len(each.names), each.of_types
    if count == 1:
        return f"{noun} {each.names[0]}"
    who = words.counted(count, noun)
    if not types:
        return who
    kind = "instance type" if noun == "node group" else "node group"
    return f"{who} of {kind} {types[0]}" if len(types) == 1 else f"{who} of {words.counted(len(types), kind)}"


def _which(each: Exclusion, noun: str) -> list[str]:
    """Some of the names; of groups the instance types, unless each is one."""
    if len(each.names) == 1:
        return []
    names = each.of_types if noun == "node group" and 1 < len(each.of_types) < len(each.names) else each.names
    return [few(names, 4)]


def _remedies(page: Page, remedies: Sequence[Remedy]) -> None:
    if not remedies:
        page.section("no change to the pod or to one limit was found that would let it run")
        return
    page.section("what would let it run, each planned through")
    for each in remedies:
        page.item("+", "green", "; and ".join(each.changes), [_outcome(each)])


def _outcome(remedy: Remedy) -> str:
    pods = f"{remedy.pods} pods, " if remedy.pods > 1 else ""
    home = f"on group {remedy.group}" if remedy.group else "on a node that is there"
    if remedy.instance_type not in remedy.group:
        home += f" ({remedy.instance_type})"
    return f"{pods}{home}, {words.per_hour(remedy.cost_microusd_per_hour)} more{_displaced(remedy.displaced)}"


def _displaced(count: int) -> str:
    """Who stays pending for it, when that is what it costs."""
    return f", and {words.counted(count, 'other pod')} would stay pending" if count else ""
