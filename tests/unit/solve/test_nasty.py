"""Problems that nobody should ask and somebody will: a clear BadInput or a right answer, never a wrong plan or a hang."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import pytest

from autoscale.errors import BadInput
from autoscale.model.problem import Demand, PackedNode, Problem, Rule, Status, Supply
from autoscale.solve import solve, verify

if TYPE_CHECKING:
    from autoscale.model.problem import Solution

PENALTY = 10**9
pytestmark = pytest.mark.timeout(20)


def pods(
    count: int, *request: int, homes: tuple[int, ...] = (0,), key: str = "pods", most: int | None = None
) -> Demand:
    """Pods that are dear to leave pending."""
    return Demand(key, request, count, frozenset(homes), PENALTY, most)


def problem(
    demands: tuple[Demand, ...], supplies: tuple[Supply, ...], *rules: Rule, resources: tuple[str, ...] = ("gpu",)
) -> Problem:
    """A problem of one resource, if nothing else is said."""
    return Problem(resources, demands, supplies, rules)


def answer(asked: Problem, time_limit_s: float = 1.0) -> Solution:
    """An answer that verifies and has a bound."""
    found = solve(asked, time_limit_s=time_limit_s)
    assert verify(asked, found) == []
    assert 0 <= found.bound_microusd_per_hour <= found.objective_microusd_per_hour
    return found


NODE = Supply("node", (8,), 100)


@pytest.mark.parametrize(
    ("asked", "cost", "pending"),
    [
        (problem((), ()), 0, {}),
        (problem((), (NODE,)), 0, {}),
        (problem((pods(0, 1),), (NODE,)), 0, {}),
        (problem((pods(3, 1, homes=()),), ()), 0, {0: 3}),
        (problem((pods(3, 1, homes=()),), (NODE,)), 0, {0: 3}),
        (problem((pods(3, 1),), (Supply("nothing", (0,), 100),)), 0, {0: 3}),
        (problem((pods(3, 9),), (NODE,)), 0, {0: 3}),
        (problem((pods(3, 9), pods(3, 8)), (NODE,)), 300, {0: 3}),
        (problem((pods(3, 0),), (Supply("nothing", (0,), 100),)), 100, {}),
        (problem((pods(10**6, 0),), (NODE,)), 100, {}),
        (problem((pods(3),), (Supply("node", (), 100),), resources=()), 100, {}),
        (problem((pods(3, 1, most=0),), (NODE,)), 0, {0: 3}),
        (problem((pods(3, 1, most=1),), (NODE,)), 300, {}),
        (problem((pods(3, 1),), (dataclasses.replace(NODE, limit=0),)), 0, {0: 3}),
        (problem((pods(9, 1),), (dataclasses.replace(NODE, limit=1),)), 100, {0: 1}),
        (problem((pods(9, 1),), (Supply("free", (8,), 0),)), 0, {}),
        (problem((dataclasses.replace(pods(3, 1), pending_penalty_microusd_per_hour=0),), (NODE,)), 0, {0: 3}),
        (problem((dataclasses.replace(pods(1, 1), pending_penalty_microusd_per_hour=99),), (NODE,)), 0, {0: 1}),
    ],
)
def test_the_edges_have_plain_answers(asked: Problem, cost: int, pending: dict[int, int]) -> None:
    """Nothing, zero, and what fits nowhere: the answer is what a person would say, proven."""
    found = answer(asked)
    assert (found.cost_microusd_per_hour, found.pending) == (cost, pending)
    assert found.bound_microusd_per_hour == found.objective_microusd_per_hour
    assert found.status is Status.OPTIMAL


def test_memory_in_bytes_is_counted_to_the_byte() -> None:
    """Two pods of half of 2^45 bytes share a node; one byte more and they don't."""
    room, price = 2**45, 10**12
    half, more = (
        problem(
            (dataclasses.replace(pods(2, need), pending_penalty_microusd_per_hour=10**13),),
            (Supply("n", (room,), price),),
        )
        for need in (room // 2, room // 2 + 1)
    )
    assert answer(half).cost_microusd_per_hour == price
    assert answer(more).cost_microusd_per_hour == 2 * price


def test_a_million_pods_at_prices_of_a_million_dollars_add_up() -> None:
    """10^6 pods on nodes of 10^12 micro-US$/h: the sum is exact, the bound as near as doubles are."""
    demand = dataclasses.replace(pods(10**6, 1), pending_penalty_microusd_per_hour=10**12 + 1)
    found = answer(problem((demand,), (Supply("dear", (1,), 10**12),)))
    assert found.cost_microusd_per_hour == 10**18
    assert found.gap < 1e-8


@pytest.mark.parametrize("count", [10**6, 10**9, 10**12])
def test_a_crowd_is_one_number(count: int) -> None:
    """A million or a billion equal pods take no longer than ten."""
    demand = dataclasses.replace(pods(count, 1), pending_penalty_microusd_per_hour=1000)
    assert answer(problem((demand,), (Supply("n", (3,), 5),))).cost_microusd_per_hour == -(-count // 3) * 5
    assert answer(problem((demand,), (Supply("n", (count,), 5),))).nodes
    assert not answer(problem((demand,), (Supply("n", (count,), 5),))).pending


def test_units_without_a_common_divisor_lose_nothing() -> None:
    """A capacity that is no whole multiple of the requests holds what fits, and not one more."""
    asked = problem((pods(7, 3 * 2**20), pods(5, 5 * 2**20, key="five")), (Supply("n", (16 * 2**20 - 1,), 1),))
    assert answer(asked).cost_microusd_per_hour == 4  # 46 Mi of pods; no more than 15 Mi of them on a node
    assert answer(dataclasses.replace(asked, supplies=(Supply("n", (16 * 2**20,), 1),))).cost_microusd_per_hour == 3


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (problem((pods(1, 1),), (Supply("n", (1,), -5),)), "n: price is negative"),
        (problem((pods(1, 1),), (Supply("n", (-1,), 5),)), "n: capacity is negative"),
        (problem((pods(1, 1),), (Supply("n", (1,), 5, -1),)), "n: limit is negative"),
        (problem((pods(1, -1),), (NODE,)), "pods: request is negative"),
        (problem((pods(-1, 1),), (NODE,)), "pods: count is negative"),
        (problem((pods(1, 1, most=-1),), (NODE,)), "pods: max_per_node is negative"),
        (problem((pods(1, 1, homes=(1,)),), (NODE,)), "pods: unknown offering"),
        (problem((pods(1, 1, homes=(-1,)),), (NODE,)), "pods: unknown offering"),
        (problem((pods(1, 1),), (Supply("n", (1,), math.nan),)), "n: price is not a whole number"),  # type: ignore[arg-type]  # what is wrong is the test
        (problem((pods(1, 1),), (Supply("n", (math.inf,), 1),)), "n: capacity is not a whole number"),  # type: ignore[arg-type]  # what is wrong is the test
        (problem((pods(1, 1),), (Supply("n", (2**54,), 1),)), "n: capacity is too large"),
        (problem((pods(2**54, 1),), (NODE,)), "pods: count is too large"),
        (problem((pods(2**50, 1),), (NODE,)), "the objective overflows"),
        (problem((pods(1, 1),), (NODE,), Rule("r", "t", 0, {1: 1})), "r: unknown offering"),
        (problem((pods(1, 1),), (NODE,), Rule("r", "t", 0, {}, {(1, 0): 1})), "r: unknown class"),
        (problem((pods(1, 1),), (NODE,), Rule("r", "t", 2**60)), "r: bad number in a rule"),
        (problem((pods(1, 1),), (NODE,), Rule("r", "t", math.nan)), "r: bad number in a rule"),  # type: ignore[arg-type]  # what is wrong is the test
        (
            problem((pods(1, *[1] * 40),), (Supply("n", (1,) * 40, 1),), resources=tuple(f"r{i}" for i in range(40))),
            "too many resources are asked for",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(asked: Problem, says: str) -> None:
    """Each wrong number is named together with who has it, before anything is solved."""
    with pytest.raises(BadInput, match=says):
        solve(asked)


def test_resources_that_nobody_asks_for_do_not_count() -> None:
    """Forty kinds of resources may exist, as long as pods ask for few of them."""
    asked = problem((pods(4, 2, *[0] * 39),), (Supply("n", (8,) * 40, 1),), resources=tuple(f"r{i}" for i in range(40)))
    assert answer(asked).cost_microusd_per_hour == 1


AT_LEAST_TWO = Rule("two", "limits", -2, {0: -1})


@pytest.mark.parametrize(
    "asked",
    [
        problem((pods(1, 1),), (NODE,), Rule("never", "limits", -1, {0: 1})),
        problem((), (), Rule("never", "limits", -1)),
        problem((pods(1, 1),), (NODE,), AT_LEAST_TWO, Rule("one", "limits", 1, {0: 1})),
        problem((pods(1, 1),), (dataclasses.replace(NODE, limit=1),), AT_LEAST_TWO),
        problem((pods(5, 1),), (NODE,), Rule("six", "limits", -6, {}, {(0, 0): -1})),
    ],
)
def test_rules_that_nothing_can_keep_are_refused(asked: Problem) -> None:
    """A limit below 0 that nothing can reach, or two rules against each other: an error, not a plan that breaks one."""
    with pytest.raises(BadInput, match="no plan was found that keeps every rule"):
        solve(asked, time_limit_s=0.2)


@pytest.mark.parametrize(
    ("asked", "cost"),
    [
        (problem((pods(1, 1),), (NODE,), AT_LEAST_TWO), 200),
        (problem((), (NODE,), AT_LEAST_TWO), 200),
        (problem((), (Supply("a", (1,), 5, 1), Supply("b", (1,), 3, 1)), Rule("two", "t", -2, {0: -1, 1: -1})), 8),
        (problem((pods(1, 1),), (NODE,), Rule("many", "t", -(10**6), {0: -1})), 10**8),
        (
            problem(
                (pods(5, 1, homes=(0, 1)),),
                (Supply("a", (2,), 5), Supply("b", (2,), 9)),
                Rule("three", "t", -3, {}, {(0, 1): -1}),
            ),
            23,
        ),
    ],
)
def test_rules_that_ask_for_nodes_get_them(asked: Problem, cost: int) -> None:
    """A limit below 0 is a floor when weights are negative: so many nodes are bought, needed or not."""
    assert answer(asked).cost_microusd_per_hour == cost


def test_a_limit_below_what_runs_buys_nothing() -> None:
    """A supply whose limit is used up already is given as 0: pods go elsewhere, or wait."""
    full = dataclasses.replace(NODE, limit=0)
    dear = Supply("dear", (8,), 900)
    assert answer(problem((pods(2, 8, homes=(0, 1)),), (full, dear))).nodes == (PackedNode(1, ((0, 1),), 2),)
    assert answer(problem((pods(2, 8),), (full, dear))).pending == {0: 2}


@pytest.mark.parametrize("time_limit_s", [0.0, 1e-9, 1e-3, 1e-2])
def test_no_time_still_gives_a_complete_answer(time_limit_s: float) -> None:
    """With no time at all, every pod is placed or pending and the bound holds."""
    demands = tuple(pods(20 + c, 1 + c, 7 + 3 * c % 11, homes=tuple(range(c % 3, 12)), key=f"c{c}") for c in range(25))
    supplies = tuple(Supply(f"s{o}", (32 + 9 * o, 64 + 5 * o), 1000 + 271 * o) for o in range(12))
    asked = problem(demands, supplies, resources=("cpu", "memory"))
    assert not answer(asked, time_limit_s).pending


def test_fifteen_hundred_existing_nodes_of_different_size_are_no_trouble() -> None:
    """Every limited supply is a row of its own in the linear program; so many are still solved in time."""
    supplies = tuple(Supply(f"s{i}", (1 + i,), 0, 1) for i in range(1500))
    demands = tuple(pods(100, 1 + j, homes=tuple(range(1500)), key=f"c{j}") for j in range(5))
    assert answer(problem(demands, supplies)).objective_microusd_per_hour == 0


@pytest.mark.parametrize("scale", [1, 1000, 2**30])
def test_a_rule_in_smaller_units_is_the_same_rule(scale: int) -> None:
    """A quota on memory may be in GiB or in bytes."""
    demands = (pods(30, 1, homes=(0, 1)), pods(20, 3, homes=(0, 1), key="three"))
    supplies = (Supply("a", (4,), 10), Supply("b", (8,), 25))
    quota = Rule("memory", "limits", 70 * scale, {0: 5 * scale, 1: 3 * scale})
    found = answer(problem(demands, supplies, quota))
    assert (found.cost_microusd_per_hour, found.pending) == (
        265,
        {},
    )  # 9 x a + 7 x b; one b less and one a more breaks the quota by 1
    assert found.bound_microusd_per_hour == 265
