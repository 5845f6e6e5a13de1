"""Notices: kept until their machine is gone, and their messages as long."""

from __future__ import annotations

from autoscale.model.supply import InstanceState, Notice, NoticeKind
from providers.aws.events import News
from providers.aws.notices import Notices
from tests.builders import group, instance
from tests.scenarios.world import Time

SPOT = Notice(NoticeKind.INTERRUPTED, "spot", 1_000)
MOVE = Notice(NoticeKind.REBALANCE, "move")
ENDS = Notice(NoticeKind.ENDING, "maintenance", 9_000)


class Ear:
    """Notices with a clock, and messages numbered as they come."""

    def __init__(self) -> None:
        self.time = Time()
        self.notices = Notices(now_s=self.time.now_s)
        self.gone: set[str] = set()

    def hear(self, message: str, news: News) -> bool:
        """One message."""
        return self.notices.hear(news, message=message, handle=f"h-{message}", gone=self.gone.__contains__)

    def told(self, *names: str, whole: bool = True, **more: InstanceState) -> dict[str, Notice | None]:
        """What is known of the machines that are there."""
        there = tuple(instance(name, more.get(name, InstanceState.RUNNING)) for name in names)
        (found,) = self.notices.laid_over([group(instances=there)], whole=whole)
        return {each.id: each.notice for each in found.instances}


def test_a_notice_is_new_once() -> None:
    """The same again, in another message or the same one, rings nobody."""
    ear = Ear()
    assert ear.hear("1", News({"a": SPOT}))
    assert not ear.hear("2", News({"a": SPOT}))
    assert not ear.hear("1", News({"a": SPOT}))
    assert ear.told("a", "b") == {"a": SPOT, "b": None}


def test_the_more_pressing_counts_whatever_comes_first() -> None:
    """An interruption is not forgotten over a recommendation."""
    ear = Ear()
    assert ear.hear("1", News({"a": MOVE}))
    assert ear.hear("2", News({"a": SPOT}))
    assert not ear.hear("3", News({"a": MOVE}))
    assert ear.told("a") == {"a": SPOT}


def test_what_the_group_says_of_its_machines_gives_way_to_what_presses_more() -> None:
    """And only to that."""
    ear = Ear()
    ear.hear("1", News({"a": SPOT, "b": ENDS}))
    there = (instance("a", notice=ENDS), instance("b", notice=SPOT))
    (found,) = ear.notices.laid_over([group(instances=there)], whole=True)
    assert [each.notice for each in found.instances] == [SPOT, SPOT]


def test_a_message_is_done_when_all_that_it_is_about_are_gone() -> None:
    """Not before: an engine that is started anew hears it again. One that is on its way out is gone."""
    ear = Ear()
    ear.hear("1", News({"a": ENDS, "b": ENDS}))
    ear.told("a", "b")
    assert ear.notices.done() == []
    ear.told("a", "b", b=InstanceState.TERMINATING)
    assert ear.notices.done() == []
    ear.told()
    assert ear.notices.done() == [("1", "h-1")]
    assert ear.told("a") == {"a": None}


def test_a_view_without_some_groups_says_nothing_of_who_is_gone() -> None:
    """A failed read is no reason to forget."""
    ear = Ear()
    ear.hear("1", News({"a": SPOT}))
    ear.told("a")
    ear.told(whole=False)
    assert (ear.notices.done(), ear.told("a")) == ([], {"a": SPOT})


def test_a_machine_that_is_not_shown_yet_is_waited_for_two_minutes() -> None:
    """Amazon's lists lag behind; whoever is not there by then is none of ours."""
    ear = Ear()
    ear.hear("1", News({"new": SPOT, "foreign": SPOT}))
    ear.told()
    ear.time.sleep(119)
    assert (ear.notices.done(), ear.told("new")) == ([], {"new": SPOT})
    ear.time.sleep(1)
    assert ear.told("new") == {"new": SPOT}
    ear.told()
    assert ear.notices.done() == [("1", "h-1")]


def test_what_we_sent_away_ourselves_is_no_news() -> None:
    """Amazon tells of every machine that stops."""
    ear = Ear()
    ear.gone.add("a")
    assert not ear.hear("1", News({"a": SPOT}))
    assert ear.notices.done() == [("1", "h-1")]


def test_maintenance_that_is_called_off_is_forgotten_and_nothing_else() -> None:
    """It is news, too: the node goes no more."""
    ear = Ear()
    ear.hear("1", News({"a": ENDS, "b": SPOT}))
    assert ear.hear("2", News(taken_back=("a", "b", "c")))
    assert ear.told("a", "b") == {"a": None, "b": SPOT}
    assert ear.notices.done() == [("2", "h-2")]
