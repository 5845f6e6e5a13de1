"""An independent check of a re-optimisation and of its bound: it shares no code with what found them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from autoscale.solve.verify import verify

if TYPE_CHECKING:
    from autoscale.model.problem import Problem
    from autoscale.model.reoptimisation import Reoptimisation, Reoptimised


def reverify(question: Reoptimisation, answer: Reoptimised) -> list[str]:
    """What is wrong with the answer, one sentence each; empty when it keeps every promise."""
    if len(answer.emptied) != len(question.residents):
        return [f"{len(answer.emptied)} residents decided on, {len(question.residents)} there"]
    faults = [
        f"{resident.key}: {emptied} of {resident.count} nodes emptied"
        for resident, emptied in zip(question.residents, answer.emptied, strict=True)
        if not 0 <= emptied <= resident.count
    ]
    for cap in question.caps:
        emptied = sum(answer.emptied[j] for j in cap.residents)
        if emptied > cap.most:
            faults.append(f"{emptied} nodes emptied where {cap.most} may be")
    if faults:
        return faults
    faults = verify(question.emptied(answer.emptied), answer.solution)
    pending = sum(answer.solution.pending.values())
    if pending:
        faults.append(f"{pending} pods of emptied nodes have no place")
    cost = question.decided(answer.emptied) + answer.solution.objective_microusd_per_hour
    if cost != answer.cost_microusd_per_hour:
        faults.append(f"cost is {cost} micro-US$/h, not {answer.cost_microusd_per_hour}")
    if answer.bound_microusd_per_hour > cost:
        faults.append(f"bound {answer.bound_microusd_per_hour} is above the cost {cost}")
    return faults


def faults_of_bound(question: Reoptimisation, answer: Reoptimised) -> list[str]:
    """Whether the values of pods prove the bound: each room's worth is searched for anew, by CP-SAT. Slow.

    A node that costs less to keep than to empty may as well stay. Whatever else is emptied, its pods have to be somewhere:
    worth `values`, they pay for no more than the sum below (Lagrange).
    """
    values = answer.values or (0,) * len(question.problem.demands)
    if any(value != int(value) or value < 0 for value in values):
        return ["a value of a pod is no whole number of 0 or more"]
    whole = [int(value) for value in values]
    there: Counter[int] = Counter()
    movable = [each for each in question.residents if each.keep_microusd_per_hour > each.empty_microusd_per_hour]
    for resident in movable:
        for c, pods in resident.pods:
            there[c] += pods * resident.count
    worth = _worths(question.problem, whole, there)
    lasting = [10**6 if supply.limit is None else supply.limit for supply in question.problem.supplies]
    total = sum(whole[c] * pods for c, pods in there.items())
    total += sum(each.count * each.keep_microusd_per_hour for each in question.residents if each not in movable)
    for resident in movable:
        mine = sum(whole[c] * pods for c, pods in resident.pods)
        if resident.supply is not None:
            mine += worth[resident.supply]
            lasting[resident.supply] -= resident.count
        total += resident.count * min(resident.empty_microusd_per_hour, resident.keep_microusd_per_hour - mine)
    for s, left in enumerate(lasting):
        total += left * min(0, question.problem.price_of(s) - worth[s])
    if total < answer.bound_microusd_per_hour:
        return [f"the values of pods prove {total} micro-US$/h, not {answer.bound_microusd_per_hour}"]
    return []


def _worths(problem: Problem, values: list[int], there: Counter[int]) -> list[int]:
    """The most that pods in each supply can be worth, or a little more."""
    known: dict[object, int] = {}
    out = []
    for s, supply in enumerate(problem.supplies):
        items = [
            c
            for c, demand in enumerate(problem.demands)
            if values[c] and there[c] and s in demand.offerings and supply.limit != 0
        ]
        key = (supply.capacity, tuple(items))
        if key not in known:
            known[key] = _worth(problem, supply.capacity, items, values, there)
        out.append(known[key])
    return out


def _worth(
    problem: Problem, capacity: tuple[int, ...], items: list[int], values: list[int], there: Counter[int]
) -> int:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    counts = []
    for c in items:
        most = problem.demands[c].max_per_node
        counts.append(model.new_int_var(0, there[c] if most is None else min(most, there[c]), ""))
    for r, room in enumerate(capacity):
        requests = [problem.demands[c].request[r] for c in items]
        if any(requests):
            model.add(sum(n * q for n, q in zip(counts, requests, strict=True)) <= room)
    model.maximize(sum(n * values[c] for n, c in zip(counts, items, strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = 20
    if not items:
        return 0
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return sum(values[c] * there[c] for c in items)
    return int(solver.best_objective_bound + 0.5)
