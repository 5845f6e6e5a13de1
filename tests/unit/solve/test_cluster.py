"""Pods that are all different: clusters of like ones, their bound, and a plan for them made one for the pods."""

import random

import numpy as np
import pytest

from autoscale.model.problem import Demand, Problem, Supply
from autoscale.solve import cluster, native, solve, verify
from autoscale.solve.realise import realise
from autoscale.solve.reduce import reduce

PENALTY = 10**9


def different(pods: int, seed: int = 0) -> Problem:
    """So many pods, no two alike, a third of them for one dear machine only; some want 1 GPU, some 2."""
    rng = random.Random(seed)
    demands = tuple(
        Demand(
            f"pod-{i}",
            (rng.randint(500, 3000), rng.randint(1000, 9000), 1 + i % 2),
            1,
            frozenset({1}) if i % 3 == 0 else frozenset({0, 1}),
            PENALTY,
        )
        for i in range(pods)
    )
    supplies = (Supply("cheap", (8000, 32000, 4), 1_000_000), Supply("dear", (16000, 64000, 8), 9_000_000))
    return Problem(("cpu", "memory", "nvidia.com/gpu"), demands, supplies)


def test_a_cluster_has_one_set_of_homes_and_one_number_of_gpus() -> None:
    """A pod that needs the dear machine is never thrown together with one that runs anywhere."""
    reduced = reduce(different(120))
    groups = cluster.clusters(reduced, cluster.class_values(reduced), 12)
    assert len(groups) == 12
    assert sorted(c for members in groups for c in members) == list(range(120))
    for members in groups:
        assert len({reduced.admits[:, c].tobytes() for c in members}) == 1
        assert len({reduced.request[c, 2] for c in members}) == 1


def test_where_homes_differ_too_much_the_least_valuable_pods_are_thrown_together() -> None:
    """No more clusters than asked for, though every pod has homes of its own."""
    homes = [frozenset({b for b in range(10) if pod >> b & 1}) for pod in range(1, 200)]
    demands = tuple(Demand(f"p{i}", (100 + i, 1), 1, of, PENALTY) for i, of in enumerate(homes))
    supplies = tuple(Supply(f"s{b}", (1000 + b, 50), 1_000_000 + 999 * b) for b in range(10))
    reduced = reduce(Problem(("cpu", "pods"), demands, supplies))
    groups = cluster.clusters(reduced, cluster.class_values(reduced), 20)
    assert len(groups) == 20
    assert sorted(c for members in groups for c in members) == list(range(len(reduced.demand)))


def test_the_smallest_of_each_cluster_asks_for_no_more_than_any() -> None:
    """What makes its optimum a bound."""
    reduced = reduce(different(120))
    groups = cluster.clusters(reduced, cluster.class_values(reduced), 12)
    small = cluster.shrunk(reduced, groups)
    assert small.demand.sum() == 120
    for g, members in enumerate(groups):
        assert (small.request[g] <= reduced.request[members]).all()
        assert (small.admits[:, [g]] >= reduced.admits[:, members]).all()


def test_classes_that_are_alike_share_rows() -> None:
    """One that counts them, and one for each resource that differs, a pod of mean size counting once in each."""
    reduced = reduce(different(48))
    rows = cluster.shared_rows(reduced, cluster.class_values(reduced))
    assert len(rows.rhs) == 4 * 3  # homes x GPUs; pods, cpu and memory
    assert sorted(rows.rhs.tolist()) == pytest.approx([8.0] * 6 + [16.0] * 6)
    assert np.diff(rows.begin).tolist() == [3] * 48
    assert np.bincount(rows.row, weights=rows.coef).tolist() == pytest.approx(rows.rhs.tolist())
    worth = np.add.reduceat(rows.most[rows.row] * rows.coef, rows.begin[:-1])
    assert worth.max() <= PENALTY * (1 + 1e-9)


def test_a_few_that_are_alike_share_one_row() -> None:
    """Values linear in the request would take as many rows as there are classes."""
    reduced = reduce(different(24))
    rows = cluster.shared_rows(reduced, cluster.class_values(reduced))
    assert sorted(rows.rhs.tolist()) == pytest.approx([4.0, 4.0] + [8.0] * 6)


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("pods", [12, 40, 90])
def test_a_bound_is_one_whoever_shares_rows(pods: int, seed: int) -> None:
    """With a row for each class, with rows that classes share, and of clusters: none is above a plan that is proven best."""
    reduced = reduce(different(pods, seed))
    values = cluster.class_values(reduced)
    best = native.run(reduced, 2.0, seed=0, cancel=native.Cancel(), workers=1)
    cost = best.numbers["objective"]
    own = native.bound(reduced, 0.5, seed=0, cancel=native.Cancel())
    shared = native.bound(reduced, 0.5, rows=cluster.shared_rows(reduced, values), seed=0, cancel=native.Cancel())
    groups = cluster.clusters(reduced, values, max(4, pods // 8))
    small = native.bound(cluster.shrunk(reduced, groups), 0.5, seed=0, cancel=native.Cancel())
    assert max(best.bound, own.bound, shared.bound, small.bound) <= cost
    assert 0.8 * cost <= min(own.bound, shared.bound)


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
def test_a_plan_for_means_begins_one_for_the_pods() -> None:
    """No node holds more than it has room for, no pod is on two, each is where it may be, most have a place."""
    reduced = reduce(different(120))
    groups = cluster.clusters(reduced, cluster.class_values(reduced), 12)
    mean = cluster.typical(reduced, groups)
    begun = native.run(mean, 1.0, seed=0, cancel=native.Cancel(), workers=1)
    nodes = realise(reduced, groups, mean, begun.nodes, np.ones(120))
    placed = [c for _, pods, count in nodes for c, n in pods for _ in range(n * count)]
    assert len(placed) == len(set(placed)) >= 100
    for b, pods, count in nodes:
        assert count == 1
        assert (sum(n * reduced.request[c] for c, n in pods) <= reduced.capacity[b]).all()
        assert all(reduced.admits[b, c] for c, _ in pods)


def test_pods_that_are_all_different_get_a_plan_within_its_bound() -> None:
    """Beyond the number of classes from which clusters are used."""
    problem = different(cluster.MANY_CLASSES + 100)
    solution = solve(problem, time_limit_s=2.0)
    assert verify(problem, solution) == []
    assert solution.pending == {}
    assert 0 < solution.bound_microusd_per_hour <= solution.objective_microusd_per_hour
