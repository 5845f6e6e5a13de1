"""`disruption`: who may begin to go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from autoscale.errors import BadInput
from autoscale.model.disruption import Going
from autoscale.model.plan import Action, Disrupt, Plan, RemoveNode
from autoscale.model.snapshot import Ledger, Snapshot
from autoscale.model.supply import Disruption as Closed
from autoscale.model.units import Part
from autoscale.model.workload import Code, Reason
from policies.disruption import Budget, Disruption
from policies.schedule import Window
from tests.builders import NOW, group, node, snapshot


def fleet(count: int = 10, *, closed: int = 0, code: str = "Expired", ledger: Ledger | None = None) -> Snapshot:
    """Nodes g8-0 to g8-N, the first few of which go already."""
    nodes = tuple(node(f"g8-{i}", disruption=Closed(code, NOW - 60) if i < closed else None) for i in range(count))
    return snapshot(nodes=nodes, groups=(group(running=count),), ledger=ledger)


def wanted(world: Snapshot, code: Code = Code.EXPIRED, **more: Any) -> list[Going]:
    """All nodes, for one reason."""
    return [Going(each.name, Reason(code, "old"), **more) for each in world.cluster.nodes]


def permitted(rule: Disruption, world: Snapshot, code: Code = Code.EXPIRED, **more: Any) -> list[str]:
    """Names of those that may go."""
    return [each.node for each in rule.permit(wanted(world, code, **more), world)[0]]


def test_by_default_a_tenth_of_a_group_goes_at_once() -> None:
    """Rounded up; those that go already count; what is held is said once, with what holds it."""
    assert permitted(Disruption(), fleet(10)) == ["g8-0"]
    assert permitted(Disruption(), fleet(11)) == ["g8-0", "g8-1"]
    assert permitted(Disruption(), fleet(10, closed=1)) == ["g8-0"]
    assert permitted(Disruption(), fleet(10, closed=3)) == ["g8-0", "g8-1", "g8-2"]
    _, notes = Disruption().permit(wanted(fleet(10)), fleet(10))
    text = (
        "g8-1 (Expired), g8-2 (Expired), g8-3 (Expired), g8-4 (Expired), g8-5 (Expired) and 4 more: "
        "a budget lets 1 nodes of g8 go at once, 1 do (`disruption.budgets`)"
    )
    assert notes == (Reason(Code.POLICY, text, "disruption"),)


@pytest.mark.parametrize("code", [Code.INTERRUPTED, Code.ENDING, Code.REBALANCE])
def test_what_the_cloud_takes_away_asks_nobody(code: Code) -> None:
    """Whatever the budgets, the windows and the dry run."""
    rule = Disruption(
        budgets=(Budget(nodes=Part(0)),), windows=(Window(schedule="0 0 1 1 *", duration_s=1),), dry_run=True
    )
    assert len(permitted(rule, fleet(10), code)) == 10
    assert permitted(rule, fleet(10)) == []


def test_budgets_by_reason_and_group() -> None:
    """The tightest of those that are about a node counts; one that is about others has no say."""
    drifted = Budget(nodes=Part(2), reasons=("Drifted",))
    others = Budget(nodes=Part(0), groups=("h100-*",))
    rule = Disruption(budgets=(Budget(nodes=Part(3)), drifted, others), per_hour=Part(99))
    assert len(permitted(rule, fleet(10), Code.DRIFTED)) == 2
    assert len(permitted(rule, fleet(10), Code.EXPIRED)) == 3
    assert len(permitted(replace(rule, budgets=(drifted, Budget(nodes=Part(0), groups=("g*",)))), fleet(10))) == 0


def at(hour: int, minute: int) -> int:
    """A Wednesday of November in UTC."""
    return int(datetime(2026, 11, 25, hour, minute, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("now_s", "is_open"),
    [(at(7, 59), False), (at(8, 0), True), (at(15, 59), True), (at(16, 0), False), (at(16, 0) + 3 * 86_400, False)],
)
def test_windows_are_open_by_cron_in_their_time_zone(now_s: int, *, is_open: bool) -> None:
    """09:00 in Berlin is 08:00 UTC in November; Saturday is none of its days."""
    window = Window(schedule="0 9 * * mon-fri", duration_s=8 * 3600, timezone="Europe/Berlin")
    world = replace(fleet(10), now_s=now_s)
    assert window.open(now_s) is is_open
    assert permitted(Disruption(windows=(window,)), world) == (["g8-0"] if is_open else [])


def test_a_budget_with_a_schedule_holds_only_then() -> None:
    """Nothing in working hours, the general one otherwise."""
    closed = Budget(nodes=Part(0), schedule="0 9 * * mon-fri", duration_s=8 * 3600, timezone="Europe/Berlin")
    rule = Disruption(budgets=(Budget(nodes=Part(2)), closed))
    assert len(permitted(rule, replace(fleet(10), now_s=at(12, 0)))) == 0
    assert len(permitted(rule, replace(fleet(10), now_s=at(20, 0)))) == 2


def test_no_more_than_a_share_of_all_nodes_in_an_hour_and_so_many_a_day() -> None:
    """What was removed when empty counts as well; what an engine before this one began, too."""
    free = Disruption(budgets=(), per_hour=Part(ppm=250_000))
    assert len(permitted(free, fleet(10))) == 3
    gone = Ledger(gone_at_s={"x": NOW - 3599, "y": NOW - 3599, "z": NOW - 3601})
    assert len(permitted(free, fleet(10, ledger=gone))) == 1
    assert permitted(free, fleet(10, closed=2)) == ["g8-0", "g8-1", "g8-2"]
    daily = replace(free, per_hour=Part(99), per_day=Part(4))
    assert len(permitted(daily, fleet(10, ledger=gone))) == 1


def test_a_hard_end_only_where_it_is_set() -> None:
    """From when the drain began; never by default, never later than the machine's own end, by group if need be."""
    world = fleet(1, closed=1)

    def end_s(rule: Disruption, **more: Any) -> int:
        return rule.permit(wanted(world, **more), world)[0][0].end_s

    assert end_s(Disruption()) == 0
    assert end_s(Disruption(grace_s=600)) == NOW + 540
    assert end_s(Disruption(grace_s=600), end_s=NOW + 100) == NOW + 100
    assert end_s(Disruption(grace_s=600, groups={"g8": None})) == 0


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: Budget(nodes=Part(1), reasons=("Old",)), "unknown reason of a budget, expected Drifted, Expired, "),
        (lambda: Budget(nodes=Part(1), schedule="0 9 * * *"), "a budget with half a schedule"),
        (lambda: Budget(nodes=Part(1), duration_s=60), "a budget with half a schedule"),
        (lambda: Window(schedule="0 9 * *", duration_s=60), "not a schedule, expected five fields of cron"),
        (lambda: Window(schedule="0 25 * * *", duration_s=60), "not a schedule, expected five fields of cron"),
        (lambda: Window(schedule="0 0 30 2 *", duration_s=60), "not a schedule, expected five fields of cron"),
        (lambda: Window(schedule="0 9 * * *", duration_s=60, timezone="Berlin"), "unknown time zone"),
        (lambda: Window(schedule="0 9 * * *", duration_s=0), "a window that is never open"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused(made: Any, text: str) -> None:
    """When the configuration is read, not when it would matter."""
    with pytest.raises(BadInput, match=text):
        made()


def emptied(world: Snapshot, *also: Action) -> Plan:
    """A plan that removes every node for want of work."""
    idle = Reason(Code.IDLE, "no work")
    return Plan("p", NOW, "f", (*also, *(RemoveNode("g8", n.name, n.name, idle) for n in world.cluster.nodes)))


def removed(rule: Disruption, world: Snapshot, *also: Action) -> list[str]:
    """Names of the nodes that such a plan still removes after the review."""
    after = rule.review(emptied(world, *also), world)
    return [each.node for each in after.actions if isinstance(each, RemoveNode)]


def test_empty_nodes_are_held_by_what_is_set_and_by_no_default() -> None:
    """A budget counts those that go already and those that begin to with the same plan."""
    assert len(removed(Disruption(), fleet(10))) == 10
    two = Disruption(budgets=(Budget(nodes=Part(2), reasons=("NodeIdle",)),))
    assert removed(two, fleet(10)) == ["g8-0", "g8-1"]
    assert removed(two, fleet(10), Disrupt("g8-9", Reason(Code.IDLE, "unused"))) == ["g8-0"]
    other = Disruption(budgets=(Budget(nodes=Part(2), reasons=("Drifted",)),))
    assert len(removed(other, fleet(10))) == 10
    assert removed(Disruption(per_hour=Part(3)), fleet(10)) == ["g8-0", "g8-1", "g8-2"]
    assert removed(Disruption(dry_run=True), fleet(10)) == []
    after = Disruption(per_day=Part(9)).review(emptied(fleet(10)), fleet(10))
    assert [note.text for note in after.notes] == [
        "g8-9 (NodeIdle): 9 nodes have gone in a day (`disruption.perDay`)",
    ]


def test_ceilings_count_what_engines_before_this_one_wrote_down() -> None:
    """Three nodes within the hour, eight within the day."""
    world = fleet(10)
    world = replace(world, cluster=replace(world.cluster, gone=((NOW - 90_000, 9), (NOW - 7200, 5), (NOW - 60, 3))))
    assert permitted(Disruption(per_hour=Part(3)), world) == []
    assert permitted(Disruption(per_hour=Part(4)), world) == ["g8-0"]
    assert permitted(Disruption(per_hour=Part(9), per_day=Part(8)), world) == []
    assert permitted(Disruption(per_hour=Part(9), per_day=Part(9)), world) == ["g8-0"]
