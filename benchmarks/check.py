"""Judges an engine's answer to a problem file: every pod once, on a node that admits it and has room; and its price.

    python -m benchmarks.check PROBLEM.json ANSWER.json

An answer is `{"nodes": [{"instance_type", "zone", "capacity_type", "pods": [names]}]}`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.reading import PODS, Json, Offering, Shape, offerings, pod_count, shapes

if TYPE_CHECKING:
    from autoscale.model.problem import Problem, Solution

SHOWN = 10  # violations that are spelled out; the rest are counted


@dataclass(slots=True)
class Verdict:
    """What an answer comes to. `cost` is US$ per hour at the file's prices, never the engine's own figure."""

    nodes: int = 0
    pods: int = 0
    placed: int = 0
    cost: float = 0.0
    violation_count: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Say whether nothing is wrong with what was placed."""
        return self.violation_count == 0

    @property
    def complete(self) -> bool:
        """Say whether every pod was placed."""
        return self.placed == self.pods

    def object_to(self, text: str) -> None:
        """Record one violation."""
        self.violation_count += 1
        if len(self.violations) < SHOWN:
            self.violations.append(text)


class _Names:
    """Finds the shape of a pod's name and remembers which pods were seen."""

    def __init__(self, all_shapes: list[Shape]) -> None:
        self._single = {shape.name: i for i, shape in enumerate(all_shapes) if not shape.counted}
        self._counted = {shape.name: i for i, shape in enumerate(all_shapes) if shape.counted}
        self._seen = [bytearray(shape.count) for shape in all_shapes]

    def take(self, name: str) -> tuple[int, bool] | None:
        """Give the shape's index and whether this is the first time; None for a name that the file does not have."""
        if (i := self._single.get(name)) is not None:
            number = 0
        else:
            stem, _, digits = name.rpartition("-")
            i = self._counted.get(stem)
            if i is None or not (digits.isascii() and digits.isdigit()) or digits != str(int(digits)):
                return None
            number = int(digits)
            if number >= len(self._seen[i]):
                return None
        first = not self._seen[i][number]
        self._seen[i][number] = 1
        return i, first


def check(problem: Json, answer: Json) -> Verdict:
    """Check the answer against the problem."""
    all_shapes = shapes(problem)
    by_key = {offering.key: offering for offering in offerings(problem)}
    names = _Names(all_shapes)
    verdict = Verdict(pods=pod_count(problem), nodes=len(answer["nodes"]))
    judged: dict[tuple[object, frozenset[tuple[int, int]]], list[str]] = {}
    total = Fraction(0)
    for node in answer["nodes"]:
        key = (node["instance_type"], node["zone"], node["capacity_type"])
        offering = by_key.get(key)
        if offering is None:
            verdict.object_to(f"{'/'.join(key)} is not for sale")
            continue
        total += Fraction(str(offering.price))
        held: Counter[int] = Counter()
        for name in node["pods"]:
            found = names.take(name)
            if found is None:
                verdict.object_to(f"there is no pod {name}")
                continue
            index, first = found
            held[index] += 1
            verdict.placed += first
            if not first:
                verdict.object_to(f"{name} is placed twice")
        # Nodes of one offering with the same numbers of the same shapes are judged once and objected to each.
        case = (key, frozenset(held.items()))
        if case not in judged:
            judged[case] = _faults(offering, [(all_shapes[i], count) for i, count in held.items()])
        for fault in judged[case]:
            verdict.object_to(fault)
    verdict.cost = float(total)
    return verdict


def _faults(offering: Offering, held: list[tuple[Shape, int]]) -> list[str]:
    where = "/".join(offering.key)
    faults = [f"{where} does not admit {shape.name}" for shape, _ in held if not shape.admitted_by(offering.labels)]
    used: dict[str, Fraction] = {PODS: Fraction(0)}
    for shape, count in held:
        used[PODS] += count
        for name, amount in shape.request.items():
            used[name] = used.get(name, Fraction(0)) + amount * count
    faults += [
        f"{where} has {float(offering.capacity.get(name, 0)):g} {name} and is given {float(amount):g}"
        for name, amount in used.items()
        if amount > offering.capacity.get(name, 0)
    ]
    return faults


def faults_of_solution(problem: Problem, solution: Solution) -> list[str]:
    """Check an answer to a `Problem` that no file states: counts, admission, room, limits, and the sums of money."""
    faults = []
    placed: Counter[int] = Counter()
    used: Counter[int] = Counter()
    for node in solution.nodes:
        supply = problem.supplies[node.supply]
        used[node.supply] += node.count
        for c, count in node.pods:
            placed[c] += count * node.count
            if node.supply not in problem.demands[c].offerings:
                faults.append(f"{supply.key} does not admit {problem.demands[c].key}")
        for r, capacity in enumerate(supply.capacity):
            amount = sum(problem.demands[c].request[r] * count for c, count in node.pods)
            if amount > capacity:
                faults.append(f"{supply.key} has {capacity} {problem.resources[r]} and is given {amount}")
    for supply_index, count in used.items():
        limit = problem.supplies[supply_index].limit
        if limit is not None and count > limit:
            faults.append(f"{problem.supplies[supply_index].key} is used {count} times, limit {limit}")
    for c, demand in enumerate(problem.demands):
        if placed[c] + solution.pending.get(c, 0) != demand.count:
            faults.append(
                f"{demand.key}: {placed[c]} placed and {solution.pending.get(c, 0)} pending of {demand.count}"
            )
    cost = sum(problem.supplies[o].price_microusd_per_hour * count for o, count in used.items())
    if cost != solution.cost_microusd_per_hour:
        faults.append(f"the nodes cost {cost}, the answer says {solution.cost_microusd_per_hour}")
    if solution.bound_microusd_per_hour > solution.objective_microusd_per_hour:
        faults.append("the bound is above the objective")
    return faults


def main(arguments: list[str]) -> int:
    """Check a file from the command line."""
    problem, answer = (json.loads(Path(path).read_text()) for path in arguments)
    verdict = check(problem, answer)
    print(
        json.dumps(
            {
                "nodes": verdict.nodes,
                "pods": verdict.pods,
                "placed": verdict.placed,
                "cost": round(verdict.cost, 6),
                "violation_count": verdict.violation_count,
                "violations": verdict.violations,
            }
        )
    )
    return 0 if verdict.valid and verdict.complete else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
