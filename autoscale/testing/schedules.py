"""Fault schedules: needs, faults and people in any order, drawn from a seed, played on a stage, shrunk when they fail.

A schedule is data: it says all there is to say, so one that failed once can be kept as a file and played again.
"""

from __future__ import annotations

import json
import random
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, cast

from autoscale.errors import ProviderError
from autoscale.testing.stage import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscale.testing.stage import Stage, StockOutStage

_STEPS = 14
_MOST = 8  # nodes that anybody ever needs
_SETTLING = 5  # ticks, a minute apart, within which all is well once nothing fails any more
_VERBS = ("observe", "resize", "remove")
_PLAYS = count()


@dataclass(frozen=True, slots=True)
class Step:
    """Something happens, or the engine does its work. What `number` counts depends on `do`:

    - `need`: nodes needed from now on; `tick`: the engine looks and acts, `number` decides which nodes go when some must;
    - `refuse`: requests of `verb` are refused with `fault`, but for the first `number`; `lose`: their answers are lost;
    - `mend`: faults end; `freeze`, `thaw`: reads show old news, and what is;
    - `person`: somebody sets the target so many higher or lower, though not behind old news, where nobody could tell;
    - `starve`: no more machines but `number`; `feed`: machines again, though not behind old news either: a wish that is taken
      back and a machine that came this moment can't be told apart then.
    """

    do: str
    number: int = 0
    verb: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The need in the beginning, and what happens then. `about` is for people."""

    need: int
    steps: tuple[Step, ...]
    about: str = ""

    def text(self) -> str:
        """To be kept as a file."""
        steps = [{key: value for key, value in asdict(step).items() if value} for step in self.steps]
        return json.dumps({"about": self.about, "need": self.need, "steps": steps}, indent=1) + "\n"

    @classmethod
    def of(cls, text: str) -> Schedule:
        """From a file's text."""
        found = json.loads(text)
        return cls(found["need"], tuple(Step(**each) for each in found["steps"]), found["about"])


def drawn(seed: int, *, stock_outs: bool) -> Schedule:
    """The schedule of a seed. With `stock_outs` machines run out, too."""
    lot = random.Random(seed)  # noqa: S311 - a test's draw
    events = ["need", "tick", "tick", "tick", "refuse", "lose", "news", "person"] + ["stock"] * stock_outs
    need = lot.randrange(4)
    steps: list[Step] = []
    frozen = starved = False
    for _ in range(_STEPS):
        match lot.choice(events):
            case "need":
                steps.append(Step("need", lot.randrange(_MOST)))
            case "tick":
                steps.append(Step("tick", lot.randrange(1000)))
                if lot.random() < 0.5:
                    steps.append(Step("mend"))
            case "refuse":
                steps.append(Step("refuse", lot.randrange(2), lot.choice(_VERBS), lot.choice(sorted(FAULTS))))
            case "lose":
                steps.append(Step("lose", 0, lot.choice(_VERBS[1:])))
            case "news":
                frozen = not frozen
                steps.append(Step("freeze" if frozen else "thaw"))
            case "person":
                steps.append(Step("person", lot.choice((1, 1, -1))))
            case "stock":
                starved = not starved
                steps.append(Step("starve", lot.randrange(3)) if starved else Step("feed"))
    return Schedule(need, tuple(steps), f"seed {seed}")


def play(stage: Stage, schedule: Schedule) -> None:
    """Play it on a group of its own. Raises AssertionError when the contract is broken; the group is gone either way."""
    run = _Run(stage, schedule.need)
    try:
        for number, step in enumerate(schedule.steps):
            run.take(step, f"step {number} ({step.do})")
        run.settle()
    finally:
        run.leave()


def shrunk(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """The schedule without every step that it also fails without."""
    size = max(1, len(schedule.steps) // 2)
    while size:
        start = 0
        while start < len(schedule.steps):
            less = replace(schedule, steps=schedule.steps[:start] + schedule.steps[start + size :])
            if fails(less):
                schedule = less
            else:
                start += size
        size //= 2
    return schedule


class _Run:
    """One group, what is needed of it, and what we know to be ours."""

    def __init__(self, stage: Stage, need: int) -> None:
        self.stage = stage
        self.need = need
        self.group = stage.create(f"gpu{next(_PLAYS)}", nodes=need, high=40)
        self.provider = stage.provider
        self.removed: set[str] = set()
        self.seen: set[str] = set()
        self.starved = False
        self.frozen = False
        self.plans = count(1)

    def take(self, step: Step, when: str) -> None:
        """Do what the step says; the engine's own steps are judged by what they changed."""
        target, ids = self.stage.truth(self.group)
        match step.do:
            case "need":
                self.need = step.number
            case "tick":
                self.tick(step.number)
            case "refuse":
                self.stage.fail(step.verb, step.fault, after=step.number)
            case "lose":
                self.stage.lose(step.verb)
            case "mend":
                self.stage.mend()
            case "freeze":
                self.frozen = True
                self.stage.freeze()
            case "thaw":
                self.frozen = False
                self.stage.thaw()
            case "person" if not self.frozen:
                target = max(0, target + step.number)
                self.stage.set_by_hand(self.group, target)
                self.removed |= set(ids) - set(self.stage.truth(self.group)[1])
            case "starve":
                self.starved = True
                cast("StockOutStage", self.stage).starve(self.group, left=step.number)
            case "feed" if not self.frozen:
                self.starved = False
                cast("StockOutStage", self.stage).feed(self.group)
        self.check(max(target, self.need), ids, when)

    def tick(self, pick: int) -> None:
        """What the engine would do about the need, on the news that it has."""
        found = [each for each in self.provider.observe().groups if each.id == self.group]
        if not found:
            return
        there = sorted(each.id for each in found[0].staying)
        request = f"plan-{self.group}-{next(self.plans)}"
        with suppress(ProviderError):
            if self.need < len(there):
                gone = random.Random(pick).sample(there, len(there) - self.need)  # noqa: S311 - a test's draw
                self.removed.update(gone)
                self.provider.remove(self.group, gone, request_id=request)
            elif self.need != found[0].target_nodes:
                self.provider.resize(self.group, target_nodes=self.need, request_id=request)

    def check(self, most: int, before: Sequence[str], when: str) -> None:
        """Nothing is bought above the need; no instance is gone that nobody removed."""
        target, ids = self.stage.truth(self.group)
        assert target <= most, f"{when}: the target is {target}, and {most} at most were asked for"
        assert len(ids) <= max(target, len(before)), f"{when}: {len(ids)} instances for a target of {target}"
        self.seen |= set(ids)
        lost = self.seen - set(ids) - self.removed
        assert not lost, f"{when}: {sorted(lost)} went, and nobody removed them"

    def settle(self) -> None:
        """When all is mended the group has exactly what is needed after a few ticks a minute apart."""
        self.stage.mend()
        self.take(Step("thaw"), "the end (thaw)")
        if self.starved:
            self.take(Step("feed"), "the end (feed)")
        for number in range(_SETTLING):
            self.stage.thaw()
            self.take(Step("tick"), f"the end (tick {number})")
        target, ids = self.stage.truth(self.group)
        found = f"a target of {target} with {len(ids)} instances"
        assert (target, len(ids)) == (self.need, self.need), f"the end: {found}, where {self.need} are needed"

    def leave(self) -> None:
        """However it ended, the stage is whole for the next."""
        self.stage.mend()
        self.stage.thaw()
        if self.starved:
            cast("StockOutStage", self.stage).feed(self.group)
        self.stage.delete_by_hand(self.group)
