"""A run: cases from a seed, the scheduler's verdicts and ours, and a count of where they differ."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .compare import difference, rules
from .generate import cases
from .judge import Judge, Verdict

BATCH = 250


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

    def add(self, verdict: Verdict) -> None:
        """Count a verdict."""
        if verdict.refused:
            self.refused += 1
            return
        self.verdicts += 1
        self.binds += verdict.binds
        differs = difference(verdict)
        if differs:
            self.differing.append(verdict)
            self.by_kind[differs] += 1
        for rule in rules(verdict):
            counts = self.by_rule.setdefault(rule, [0, 0, 0])
            counts[0 if verdict.binds else 1] += 1
            counts[2] += bool(differs)

    @property
    def last_line(self) -> str:
        """Cases and disagreements."""
        return f"cases {self.verdicts}, disagreements {len(self.differing)}"

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
