"""What would be bought in place of each purchase."""

from autoscale.decide.explain_plan import alternatives
from autoscale.decide.what_if import Case, grown
from autoscale.model.explanation import Alternative
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Snapshot
from autoscale.model.supply import CapacityType, Offering
from autoscale.solve import solve
from tests.builders import USD, group, pods, shape, snapshot


def case(world: Snapshot) -> Case:
    """Without policies."""
    return Case(world, (), lambda problem: solve(problem, time_limit_s=5), DecideSettings())


def test_without_the_group_and_without_its_type() -> None:
    """One zone less is a little dearer, the whole type less a lot, and the last resort leaves pods pending."""
    here, there, other = group("a1", usd=8), group("a2", usd=9), group("b", usd=12)
    here, there = (
        type(g)(**{f: getattr(g, f) for f in g.__slots__} | {"offering": _of(g.offering)}) for g in (here, there)
    )
    world = snapshot(pods=pods("p", 2, shape(gpus=8)), groups=(here, there, other))
    found = case(world)
    assert list(alternatives(found, found.plan())) == [
        Alternative("a1", ("2 x a2",), 2 * USD),
        Alternative("a of any zone or capacity type", ("2 x b",), 8 * USD),
    ]
    alone = case(snapshot(pods=pods("p", 2, shape(gpus=8)), groups=(other,)))
    assert list(alternatives(alone, alone.plan())) == [Alternative("b", (), -24 * USD, 2)]


def _of(offering: Offering) -> Offering:
    return Offering("a", offering.zone, CapacityType.SPOT, offering.price_microusd_per_hour)


def test_what_is_there_stays() -> None:
    """Not to buy from a group leaves its nodes and those on their way; a plan that buys nothing has no alternative."""
    running = group("g8", usd=10, running=2, target_nodes=3)
    kept = case(snapshot(groups=(running,))).without_buying({"g8"}).snapshot.groups
    assert [(g.max_nodes, g.target_nodes, len(g.instances)) for g in kept] == [(3, 3, 2)]
    nothing = case(snapshot(groups=(running,)))
    assert (grown(nothing.plan()), list(alternatives(nothing, nothing.plan()))) == ({}, [])
