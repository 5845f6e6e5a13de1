"""A run: cases and scenes from a seed, the scheduler's verdicts and ours, and a count of where they differ."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from . import among, parts, rivals
from .compare import difference, rules
from .generate import cases
from .judge import Judge, Verdict
from .scenes import ASKS, scenes

BATCH, SCENES = 250, 30


@dataclass(slots=True)
class Tally:
    """What a run found. `by_rule` counts verdicts by the rules that had a say: (binds, does not bind, differs)."""

    verdicts: int = 0
    binds: int = 0
    refused: int = 0
    seconds: float = 0.0
    by_rule: dict[str, list[int]] = field(default_factory=dict)
    by_kind: Counter[str] = field(default_factory=Counter)
    differing: list[Verdict] = field(default_factory=list)
    differing_scenes: list[among.Answer] = field(default_factory=list)
    differing_rivals: list[rivals.Ruling] = field(default_factory=list)
    differing_others: list[parts.Judged] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Count a verdict on a pod and a node."""
        if verdict.refused:
            self.refused += 1
            return
        differs = difference(verdict)
        if differs:
            self.differing.append(verdict)
        self._count(differs, rules(verdict), binds=verdict.binds)

    def add_answer(self, answer: among.Answer) -> None:
        """Count a verdict on a pod among others."""
        if answer.refused:
            self.refused += 1
            return
        differs = among.difference(answer)
        if differs:
            self.differing_scenes.append(answer)
        pod = answer.scene.asks[answer.ask].pod
        self._count(differs, {"among pods", *among.rules(answer.scene, pod)}, binds=bool(answer.node))

    def add_ruling(self, ruling: rivals.Ruling) -> None:
        """Count a verdict on a pod that may preempt others."""
        differs = rivals.difference(ruling)
        if differs:
            self.differing_rivals.append(ruling)
        about = {"among rivals", "preempts" if ruling.nominated else "does not preempt"}
        about |= {f"preemption: {word}" for word in rivals.rules(ruling)}
        self._count(differs, about, binds=bool(ruling.bound))

    def add_other(self, judged: parts.Judged) -> None:
        """Count a verdict on who is on a node, or on whom the scheduler looks at."""
        if judged.differs:
            self.differing_others.append(judged)
        self._count(judged.differs, set(judged.about), binds=judged.binds)

    @property
    def disagreements(self) -> int:
        """How many verdicts are not ours."""
        found = (self.differing, self.differing_scenes, self.differing_rivals, self.differing_others)
        return sum(len(each) for each in found)

    @property
    def last_line(self) -> str:
        """Cases and disagreements."""
        return f"cases {self.verdicts}, disagreements {self.disagreements}"

    def _count(self, differs: str, about: set[str], *, binds: bool) -> None:
        self.verdicts += 1
        self.binds += binds
        if differs:
            self.by_kind[differs] += 1
        for rule in about:
            counts = self.by_rule.setdefault(rule, [0, 0, 0])
            counts[0 if binds else 1] += 1
            counts[2] += bool(differs)

    def table(self) -> str:
        """Every rule with its verdicts."""
        head = f"{'rule':44}{'binds':>8}{'does not':>10}{'differ':>8}"
        rows = [f"{rule:44}{b:8}{n:10}{d:8}" for rule, (b, n, d) in sorted(self.by_rule.items())]
        return "\n".join([head, *rows])


def run(judge: Judge, *, seed: int, count: int, say: Callable[[str], None] = lambda _: None) -> Tally:
    """Judge the cases of a seed until there are `count` verdicts; what the API server refuses is no verdict."""
    tally, source = Tally(), cases(seed, 2 * count + 100)
    began = time.monotonic()
    while tally.verdicts < count:
        batch = [case for _, case in zip(range(min(BATCH, count - tally.verdicts)), source, strict=False)]
        if not batch:
            raise RuntimeError("the API server refuses most of what the generator makes")
        for verdict in judge.verdicts(batch):
            tally.add(verdict)
        tally.seconds = time.monotonic() - began
        say(f"{tally.last_line}, {tally.seconds:.0f} s")
    return tally


def run_scenes(
    judge: among.SceneJudge, tally: Tally, *, seed: int, count: int, say: Callable[[str], None] = lambda _: None
) -> None:
    """Judge the scenes of a seed until there are `count` verdicts more."""
    began, before = time.monotonic(), tally.seconds
    until = tally.verdicts + count
    source = scenes(seed, 2 * count)
    while tally.verdicts < until:
        need = -(-(until - tally.verdicts) // ASKS)
        for answer in judge.answers([scene for _, scene in zip(range(min(SCENES, need)), source, strict=False)]):
            if tally.verdicts < until:
                tally.add_answer(answer)
        tally.seconds = before + time.monotonic() - began
        say(f"{tally.last_line}, {tally.seconds:.0f} s")


def run_rivals(
    judge: rivals.RivalJudge, tally: Tally, *, seed: int, count: int, say: Callable[[str], None] = lambda _: None
) -> None:
    """Judge pods that may preempt others until there are `count` verdicts more."""
    began, before = time.monotonic(), tally.seconds
    until, number = tally.verdicts + count, 0
    while tally.verdicts < until:
        size = min(rivals.SCENES, -(-(until - tally.verdicts) // rivals.ASKS))
        for ruling in judge.rulings([rivals.rivals(seed, number + i) for i in range(size)]):
            if tally.verdicts < until:
                tally.add_ruling(ruling)
        number += size
        tally.seconds = before + time.monotonic() - began
        say(f"{tally.last_line}, {tally.seconds:.0f} s")


def run_others(
    tally: Tally, verdicts: Iterable[parts.Judged], count: int, *, say: Callable[[str], None] = lambda _: None
) -> None:
    """Count so many verdicts more of a part."""
    began, before = time.monotonic(), tally.seconds
    for judged in parts.first(verdicts, count):
        tally.add_other(judged)
    tally.seconds = before + time.monotonic() - began
    say(f"{tally.last_line}, {tally.seconds:.0f} s")
