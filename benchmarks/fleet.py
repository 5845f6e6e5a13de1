"""Re-optimises a whole fleet that time has worn: how good, how soon, and is the proof right?

    python -m benchmarks.fleet --nodes 1000 --pods 10000 --seed 0 --time-limit 5

Pods of a problem kind are packed tightly at real prices; then a share of them leaves, each class by another share, spot
prices move, and some pods turn out to be protected. What is left is asked about again. Every answer is checked by
`reverify`, and with `--prove` the bound is too, every room by a search of its own (minutes).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import benchmarks.catalogue as cat
from autoscale.model.problem import Demand, Problem, Supply
from autoscale.model.reoptimisation import Reoptimisation, Resident
from autoscale.observe.problem_file import parse_problem
from autoscale.solve import reoptimise, reverify, solve
from autoscale.solve.reverify import faults_of_bound
from benchmarks.problems import make

if TYPE_CHECKING:
    from benchmarks.reading import Json

LARGE_GPUS, LARGE_MILLICORES = 8, 120_000
MUCH_MILLICORES = 8_000
START_UP_H = 5 / 60  # a new node is paid for while nothing runs on it
RESTART_H = 2 / 60  # a pod that is moved does nothing for so long
MOST_LOST_H = 1.0
LEFT = 0.72  # the share of pods that stay
PROTECTED = 0.01  # of pods; one holds its node


@dataclass(frozen=True, slots=True)
class Worn:
    """The question, and what holding all that is protected costs, micro-US$/h."""

    question: Reoptimisation
    held_microusd_per_hour: int
    nodes: int
    pods: int


def worn(kind: str, nodes: int, pods: int, seed: int) -> Worn:
    """A fleet of so many nodes and pods. The same arguments give the same fleet."""
    rng = random.Random(f"fleet/{kind}/{nodes}/{pods}/{seed}")
    data = make(cat.load(), kind, round(1.8 * pods / LEFT), seed)
    data["offerings"] = [each for each in data["offerings"] if _large(each)]
    data["pods"] = [_fewer(each) for each in data["pods"]]
    file = parse_problem(json.dumps(data).encode()).problem
    packed = [
        (each.supply, Counter(dict(each.pods)))
        for each in solve(file, time_limit_s=0, seed=0).nodes
        for _ in range(each.count)
    ]
    stays = [rng.uniform(LEFT - 0.25, LEFT + 0.25) for _ in file.demands]
    for _, held in packed:
        for c in list(held):
            held[c] = sum(rng.random() < stays[c] for _ in range(held[c]))
    rng.shuffle(packed)
    packed = [(supply, +held) for supply, held in packed if +held][:nodes]
    moved = [s.price_microusd_per_hour if s.key.endswith("on-demand") else _moved(rng, s) for s in file.supplies]
    return _question(rng, file, packed, moved)


def _large(offering: Json) -> bool:
    """Machines that hold about ten pods."""
    capacity = offering["capacity"]
    return int(capacity.get(cat.GPU, 0)) >= LARGE_GPUS or int(capacity["cpu"].removesuffix("m")) >= LARGE_MILLICORES


def _fewer(pod: Json) -> Json:
    """A tenth of the pods that ask for much, so that about ten are on a node."""
    large = int(pod["requests"].get(cat.GPU, 0)) > 1 or int(pod["requests"]["cpu"].removesuffix("m")) > MUCH_MILLICORES
    return {**pod, "count": -(-pod["count"] // 10)} if large else pod


def _moved(rng: random.Random, supply: Supply) -> int:
    return max(1, round(supply.price_microusd_per_hour * rng.lognormvariate(0, 0.2)))


def _question(rng: random.Random, file: Problem, packed: list[tuple[int, Counter[int]]], price: list[int]) -> Worn:
    supplies: list[Supply] = [
        replace(s, price_microusd_per_hour=round(p * (1 + START_UP_H)))
        for s, p in zip(file.supplies, price, strict=True)
    ]
    like: dict[int, list[int]] = {}
    residents: list[Resident] = []
    held_cost = 0
    for i, (o, held) in enumerate(packed):
        used = [sum(file.demands[c].request[r] * n for c, n in held.items()) for r in range(len(file.resources))]
        room = tuple(a - u for a, u in zip(file.supplies[o].capacity, used, strict=True))
        like.setdefault(o, []).append(len(supplies))
        supplies.append(Supply(f"node-{i}", room, 0, 1))
        if any(rng.random() < 1 - (1 - PROTECTED) ** n for n in held.values()):
            held_cost += price[o]
            continue
        move = sum(_move(rng, file, o, c, price[o]) for c, n in held.items() for _ in range(n))
        residents.append(Resident(f"node-{i}", len(supplies) - 1, tuple(sorted(held.items())), 1, price[o], move))
    demands = tuple(
        Demand(
            d.key,
            d.request,
            0,
            d.offerings | {s for o in d.offerings for s in like.get(o, ())},
            2 * max(price),
            d.max_per_node,
        )
        for d in file.demands
    )
    problem = Problem(file.resources, demands, tuple(supplies), file.rules, file.node_cost_microusd_per_hour)
    return Worn(
        Reoptimisation(problem, tuple(residents)),
        held_cost,
        len(packed),
        sum(sum(held.values()) for _, held in packed),
    )


def _move(rng: random.Random, file: Problem, o: int, c: int, price: int) -> int:
    """What moving a pod loses: its share of the node for as long as it restarts, and since its last checkpoint."""
    capacity, request = file.supplies[o].capacity, file.demands[c].request
    gpu = file.resources.index(cat.GPU) if cat.GPU in file.resources else -1
    share = max(
        (q / k for r, (q, k) in enumerate(zip(request, capacity, strict=True)) if k and (r == gpu or not request[gpu])),
        default=0.0,
    )
    lost_h = rng.choice((0.0, 0.0, rng.uniform(0, MOST_LOST_H)))
    return round(share * price * (RESTART_H + lost_h)) + 1


def main(arguments: list[str] | None = None) -> int:
    """Measure, print one line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=main.__doc__)
    parser.add_argument("--kind", default="wide")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time-limit", type=float, default=5.0)
    parser.add_argument("--prove", action="store_true", help="check the bound by a search of its own")
    options = parser.parse_args(arguments)
    fleet = worn(options.kind, options.nodes, options.pods, options.seed)
    started, busy = time.perf_counter(), time.process_time()
    answer = reoptimise(fleet.question, time_limit_s=options.time_limit)
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    faults = reverify(fleet.question, answer)
    if options.prove:
        faults += faults_of_bound(fleet.question, answer)
    before = fleet.question.decided(fleet.question.staying)
    print(
        f"{options.kind} seed {options.seed}: {fleet.nodes} nodes, {fleet.pods} pods, "
        f"{len(fleet.question.residents)} may go, {seconds:.2f} s ({cpu:.2f} s CPU), before {before / 1e6:.4f}, "
        f"cost {answer.cost_microusd_per_hour / 1e6:.4f}, bound {answer.bound_microusd_per_hour / 1e6:.4f} US$/h, "
        f"gap {answer.gap * 100:.3f} %, {sum(answer.emptied)} emptied, {answer.method}"
    )
    for fault in faults:
        print(f"  WRONG: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
