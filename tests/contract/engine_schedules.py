"""Fault schedules for the whole engine: pods come and end, clouds fail, run out and recover, the engine is started anew."""

import random
from collections import Counter
from typing import cast

from autoscale.loop import Turn
from autoscale.model.plan import Resize
from autoscale.testing import FAULTS, Schedule, Step, StockOutStage

from .engine import EngineStage, StageWorld

_STEPS = 12
_SETTLE_S = 300
_PATIENCE_S = 50  # pods wait about so long for the cloud to take back what it can't deliver
_OLD_S = 20  # no cloud shows old news for longer than providers reckon with
_EVENTS = ("want", "want", "finish", "pass", "pass", "refuse", "lose", "mend", "news", "restart", "kill")


def drawn(seed: int, *, stock_outs: bool) -> Schedule:
    """The schedule of a seed."""
    lot = random.Random(f"engine {seed}")
    steps = [Step("want", 1 + lot.randrange(3))]
    frozen = starved = False
    for _ in range(_STEPS):
        match lot.choice((*_EVENTS, "stock") if stock_outs else _EVENTS):
            case "want":
                steps.append(Step("want", 1 + lot.randrange(3)))
            case "finish":
                steps.append(Step("finish", 1 + lot.randrange(3)))
            case "pass":
                steps.append(Step("pass", lot.choice((2, 6, 30, 60))))
            case "refuse":
                verb = lot.choice(("observe", "resize", "remove"))
                steps.append(Step("refuse", lot.randrange(2), verb, lot.choice(sorted(FAULTS))))
            case "lose":
                steps.append(Step("lose", 0, lot.choice(("resize", "remove"))))
            case "mend":
                steps.append(Step("mend"))
            case "news":
                frozen = not frozen
                steps.append(Step("freeze" if frozen else "thaw"))
            case "restart" | "kill" as end:
                steps.append(Step(end))
            case "stock":
                starved = not starved
                steps.append(Step("starve", lot.randrange(3)) if starved else Step("feed"))
        steps.append(Step("pass", 2))
    return Schedule(0, tuple(steps), f"seed {seed}")


def failure(stage: EngineStage, schedule: Schedule) -> str:
    """What went wrong, empty when nothing did: more bought than needed, a pod lost, or not what is needed in the end."""
    world = WatchedWorld(stage)
    try:
        for number, step in enumerate(schedule.steps):
            world.when = f"step {number} ({step.do})"
            world.take(step)
        world.settle()
    except AssertionError as error:
        return str(error).partition("\n")[0]
    finally:
        world.close()
    return ""


class WatchedWorld(StageWorld):
    """A world that looks at what each tick has bought."""

    def __init__(self, stage: EngineStage) -> None:
        super().__init__(stage)
        self.when = ""
        self.starved = False
        self.expected = 0
        # Nodes that a group was to be asked for no longer, and the cloud said no, and since when.
        self.refused: Counter[str] = Counter()
        self.refused_at_s: dict[str, int] = {}
        self.frozen_at_s: int | None = None

    def thaw(self) -> None:
        """Reads show what is."""
        self.frozen_at_s = None
        now_s = self.clock.now_s()
        self.stage.thaw()
        self.clock.sleep(now_s - self.clock.now_s())  # what the stage does in a minute's time the engine is to see

    def take(self, step: Step) -> None:
        """Do what the step says."""
        match step.do:
            case "want":
                self.want(step.number)
                self.expected = self.need
            case "finish":
                self.finish(step.number)
                self.expected = self.need
            case "pass":
                self.go_on(step.number)
            case "refuse":
                self.stage.fail(step.verb, step.fault, after=step.number)
            case "lose":
                self.stage.lose(step.verb)
            case "mend":
                self.stage.mend()
            case "freeze":
                self.frozen_at_s = self.clock.now_s()
                self.stage.freeze()
            case "thaw":
                self.thaw()
            case "restart":  # starting takes longer than old news last
                self.thaw()
                self.forget()
            case "kill":  # and another one was waiting to take its place
                self.forget()
            case "starve":
                self.starved = True
                cast("StockOutStage", self.stage).starve(self.cheap, left=step.number)
            case "feed":
                self.starved = False
                cast("StockOutStage", self.stage).feed(self.cheap)

    def step(self) -> None:
        """As always; no pod goes with its machine."""
        if self.frozen_at_s is not None and self.clock.now_s() - self.frozen_at_s > _OLD_S:
            self.thaw()
        super().step()
        assert self.need == self.expected, f"{self.when}: {self.expected - self.need} pods went with their machines"

    def tick(self) -> Turn | None:
        """Never is more bought than pods need, but for what the cloud has refused to take back for a minute."""
        before = self._bought()
        turn = super().tick()
        self._note_refused(turn)
        target, there = self._bought()
        now_s = self.clock.now_s()
        most = self.need + sum(n for id_, n in self.refused.items() if now_s - self.refused_at_s[id_] >= _PATIENCE_S)
        assert target <= max(before[0], most), f"{self.when}: targets of {target} for {self.need} pods"
        assert there <= max(before[1], most), f"{self.when}: {there} machines for {self.need} pods"
        return turn

    def _note_refused(self, turn: Turn | None) -> None:
        """Since when the cloud refuses to take back what it can't deliver."""
        for each in turn.receipts if turn else ():
            if isinstance(each.action, Resize) and (many := each.action.current_nodes - each.action.target_nodes) > 0:
                id_ = each.action.group
                if each.outcome == "done":
                    self.refused_at_s.pop(id_, None)
                    del self.refused[id_]
                    continue
                self.refused_at_s.setdefault(id_, self.clock.now_s())
                self.refused[id_] = max(self.refused[id_], many)

    def settle(self) -> None:
        """When nothing fails any more each pod has its node, and no other node is left."""
        self.when = "the end"
        self.stage.mend()
        self.thaw()
        if self.starved:
            self.take(Step("feed"))
        self.go_on(_SETTLE_S)
        found = (len(self.unbound()), *self._bought())
        expected = (0, self.need, self.need)
        assert found == expected, f"the end: pods unbound, targets, machines are {found}, where {expected} is right"

    def close(self) -> None:
        """Leave the stage as it was."""
        if self.starved:
            cast("StockOutStage", self.stage).feed(self.cheap)
        super().close()

    def _bought(self) -> tuple[int, int]:
        groups = self.groups()
        return sum(each.target_nodes for each in groups), sum(len(each.instances) for each in groups)
