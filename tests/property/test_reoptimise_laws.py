"""Laws of the re-optimisation of fleets that Hypothesis makes up; small enough to try every set of nodes to empty."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscale.model.problem import Demand, Problem, Status, Supply
from autoscale.model.reoptimisation import Reoptimisation, Reoptimised, Resident
from autoscale.solve import reoptimise, reverify, solve
from autoscale.solve.reverify import faults_of_bound

USD = 1_000_000
LAWS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Reoptimisation, tuple[int, ...]]:
    """Up to four nodes of two sizes with pods of up to three classes, two offerings; and what moving a pod of a class costs."""
    requests = [(draw(st.integers(1, 4)), draw(st.integers(0, 3))) for _ in range(draw(st.integers(1, 3)))]
    moving = tuple(draw(st.sampled_from([USD // 10, USD, 3 * USD])) for _ in requests)
    offers = tuple(
        Supply(f"offer-{o}", (draw(st.integers(4, 12)), draw(st.integers(2, 9))), draw(st.integers(3, 12)) * USD)
        for o in range(2)
    )
    supplies, residents = list(offers), []
    for j in range(draw(st.integers(1, 4))):
        left = [draw(st.integers(4, 10)), draw(st.integers(3, 8))]
        pods: dict[int, int] = {}
        for c, request in enumerate(requests):
            fits = min(room // asked for room, asked in zip(left, request, strict=True) if asked)
            if count := draw(st.integers(0, min(2, fits))):
                pods[c] = count
                left = [room - asked * count for room, asked in zip(left, request, strict=True)]
        count = draw(st.integers(1, 2))
        supplies.append(Supply(f"node-{j}", tuple(left), 0, count))
        keep = draw(st.integers(2, 12)) * USD
        empty = sum(moving[c] * n for c, n in pods.items())
        residents.append(Resident(f"node-{j}", len(supplies) - 1, tuple(sorted(pods.items())), count, keep, empty))
    homes = [frozenset(draw(st.sets(st.integers(0, len(supplies) - 1), min_size=1))) | frozenset({0}) for _ in requests]
    demands = tuple(Demand(f"c{c}", r, 0, homes[c], 1000 * USD) for c, r in enumerate(requests))
    return Reoptimisation(Problem(("gpu", "cpu"), demands, tuple(supplies)), tuple(residents)), moving


def cheapest(question: Reoptimisation) -> int | None:
    """By trying every set of nodes to empty; None when some answer was not proven to be the best for its set."""
    best = question.decided(question.staying)
    for emptied in itertools.product(*(range(each.count + 1) for each in question.residents)):
        solution = solve(question.emptied(emptied), time_limit_s=1.0)
        if solution.status is not Status.OPTIMAL:
            return None
        if not solution.pending:
            best = min(best, question.decided(emptied) + solution.objective_microusd_per_hour)
    return best


def carried_out(question: Reoptimisation, answer: Reoptimised, moving: tuple[int, ...]) -> Reoptimisation:
    """The fleet after the answer: nodes with those who came, and those that were bought, each a resident."""
    problem = question.problem
    supplies = [each for each in problem.supplies if each.key.startswith("offer")]
    offers = len(supplies)
    residents: list[Resident] = []
    homes: list[set[int]] = [{h for h in each.offerings if h < offers} for each in problem.demands]

    def add(supply: int, keep: int, held: dict[int, int], room: tuple[int, ...], count: int) -> None:
        pods = tuple(sorted(held.items()))
        empty = sum(moving[c] * n for c, n in pods)
        for c, each in enumerate(problem.demands):
            if supply in each.offerings:
                homes[c].add(len(supplies))
        residents.append(Resident(f"node-{len(supplies)}", len(supplies), pods, count, keep, empty))
        supplies.append(Supply(f"node-{len(supplies)}", room, 0, count))

    for node in answer.solution.nodes:
        own = next((each for each in question.residents if each.supply == node.supply), None)
        held = dict(own.pods) if own else {}
        for c, n in node.pods:
            held[c] = held.get(c, 0) + n
        used = [sum(problem.demands[c].request[r] * n for c, n in node.pods) for r in range(len(problem.resources))]
        room = tuple(a - b for a, b in zip(problem.supplies[node.supply].capacity, used, strict=True))
        price = problem.supplies[node.supply].price_microusd_per_hour
        add(node.supply, own.keep_microusd_per_hour if own else price, held, room, node.count)
    for j, each in enumerate(question.residents):
        assert each.supply is not None
        used_here = sum(node.count for node in answer.solution.nodes if node.supply == each.supply)
        if left := each.count - answer.emptied[j] - used_here:
            add(each.supply, each.keep_microusd_per_hour, dict(each.pods), problem.supplies[each.supply].capacity, left)
    demands = tuple(
        Demand(d.key, d.request, 0, frozenset(homes[c]), d.pending_penalty_microusd_per_hour)
        for c, d in enumerate(problem.demands)
    )
    return Reoptimisation(Problem(problem.resources, demands, tuple(supplies)), tuple(residents))


@LAWS
@given(fleets())
def test_every_answer_verifies_and_costs_no_more_than_staying(drawn: tuple[Reoptimisation, tuple[int, ...]]) -> None:
    """The answer, its proof, and the order of the two."""
    question, _ = drawn
    answer = reoptimise(question, time_limit_s=3.0)
    assert reverify(question, answer) == []
    assert faults_of_bound(question, answer) == []
    assert answer.cost_microusd_per_hour <= question.decided(question.staying)


@settings(LAWS, max_examples=15)
@given(fleets())
def test_no_set_of_nodes_is_cheaper_than_the_bound(drawn: tuple[Reoptimisation, tuple[int, ...]]) -> None:
    """Every set tried. What is the best, once carried out, is not touched again."""
    question, moving = drawn
    best = cheapest(question)
    if best is None:
        return
    answer = reoptimise(question, time_limit_s=3.0)
    assert answer.bound_microusd_per_hour <= best <= answer.cost_microusd_per_hour
    if answer.cost_microusd_per_hour == best:
        after = carried_out(question, answer, moving)
        assert reoptimise(after, time_limit_s=3.0).emptied == after.staying


@LAWS
@given(fleets())
def test_carrying_answers_out_comes_to_an_end(drawn: tuple[Reoptimisation, tuple[int, ...]]) -> None:
    """What is paid for nodes falls with each answer that empties any, so no fleet is seen twice."""
    question, moving = drawn
    for _ in range(12):
        answer = reoptimise(question, time_limit_s=3.0)
        if answer.emptied == question.staying:
            break
        after = carried_out(question, answer, moving)
        assert after.decided(after.staying) < question.decided(question.staying)
        question = after
    else:
        raise AssertionError("it moves on and on")
