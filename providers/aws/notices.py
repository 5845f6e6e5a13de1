"""Notices of instances, from when they are heard until their instance is gone. Shared by the listener and the looks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoscale.model.supply import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from autoscale.model.supply import Instance, NodeGroup, Notice
    from providers.aws.events import News

_STRANGER_S = 120  # how long an instance that no group of ours has may still turn out to be one of them


@dataclass(slots=True)
class _Heard:
    notice: Notice
    at_s: int
    seen: bool = False  # among the living of our groups


@dataclass(slots=True)
class _Message:
    handle: str
    about: set[str] = field(default_factory=set)


class Notices:
    """By instance, with the messages that said so.

    A message is `done` once all it is about are gone, or were never ours. Until then it comes again and again, so that an engine
    that is started anew hears what the last one knew.
    """

    def __init__(self, *, now_s: Callable[[], int]) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._heard: dict[str, _Heard] = {}
        self._messages: dict[str, _Message] = {}

    def hear(self, news: News, *, message: str, handle: str, gone: Callable[[str], bool]) -> bool:
        """Take down what a message says; whether any of it is new. `gone` tells of instances that we sent away ourselves."""
        with self._lock:
            fresh = news.look
            for instance, notice in news.notices.items():
                known = self._heard.get(instance)
                if gone(instance) or (known and _rank(known.notice) < _rank(notice)):
                    continue
                fresh = fresh or known is None or known.notice != notice
                self._heard[instance] = _Heard(
                    notice, known.at_s if known else self._now_s(), bool(known and known.seen)
                )
            for instance in news.taken_back:
                known = self._heard.get(instance)
                if known and known.notice.kind is NoticeKind.ENDING:
                    del self._heard[instance]
                    fresh = True
            self._messages[message] = _Message(handle, {each for each in news.notices if each in self._heard})
            return fresh

    def laid_over(self, groups: Iterable[NodeGroup], *, whole: bool) -> tuple[NodeGroup, ...]:
        """The groups with their instances' notices. `whole`: all groups are there, so that who is missing is gone."""
        found = tuple(groups)
        with self._lock:
            if not self._heard:
                return found
            alive = {each.id for group in found for each in group.staying}
            for instance, heard in list(self._heard.items()):
                heard.seen = heard.seen or instance in alive
                stranger = not heard.seen and self._now_s() - heard.at_s < _STRANGER_S
                if whole and instance not in alive and not stranger:
                    del self._heard[instance]
            told = {instance: heard.notice for instance, heard in self._heard.items()}
        return tuple(_told(group, told) if told else group for group in found)

    def done(self) -> list[tuple[str, str]]:
        """Messages that need not come again, as (id, handle)."""
        with self._lock:
            over = [key for key, message in self._messages.items() if not message.about & self._heard.keys()]
            return [(key, self._messages.pop(key).handle) for key in over]


def _told(group: NodeGroup, told: dict[str, Notice]) -> NodeGroup:
    if not any(each.id in told for each in group.instances):
        return group
    return replace(group, instances=tuple(_instance(each, told.get(each.id)) for each in group.instances))


def _instance(found: Instance, notice: Notice | None) -> Instance:
    """With the more pressing of what is known of it."""
    if notice is None or (found.notice and _rank(found.notice) <= _rank(notice)):
        return found
    return replace(found, notice=notice)


def _rank(notice: Notice) -> int:
    return list(NoticeKind).index(notice.kind)
