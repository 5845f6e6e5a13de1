"""The model of Cluster Autoscaler: the facts that its docstring claims."""

from typing import Any

from benchmarks import catalogue, cluster_autoscaler, problems
from benchmarks.check import check


def offering(name: str, price: float, cpu: str, memory: str, gpus: int = 0) -> dict[str, Any]:
    """Something to buy."""
    gpu = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    capacity = {"cpu": cpu, "memory": memory, "pods": "110", **gpu}
    return {"instance_type": name, "zone": "a", "capacity_type": "on-demand", "price": price, "capacity": capacity}


def bought(pods: list[dict[str, Any]], offerings: list[dict[str, Any]]) -> list[str]:
    """The types bought, in order."""
    problem = {"pods": pods, "offerings": offerings}
    answer = cluster_autoscaler.solve(problem)
    verdict = check(problem, {"nodes": answer.nodes})
    assert verdict.valid
    assert verdict.complete
    return [node["instance_type"] for node in answer.nodes]


def test_least_waste_is_blind_to_price_and_gpus() -> None:
    """The 8-GPU node wins for a pod of one GPU when its cpu and memory fit better."""
    pods = [{"name": "p", "requests": {"cpu": "7", "memory": "30Gi", "nvidia.com/gpu": "1"}}]
    assert bought(pods, [offering("small", 1, "16", "64Gi", 1), offering("huge", 50, "8", "32Gi", 8)]) == ["huge"]


def test_equal_waste_goes_to_the_cheapest() -> None:
    """Where the program draws lots."""
    pods = [{"name": "p", "requests": {"cpu": "1", "memory": "1Gi"}}]
    assert bought(pods, [offering("dear", 2, "2", "2Gi"), offering("cheap", 1, "2", "2Gi")]) == ["cheap"]


def test_larger_pods_are_packed_first() -> None:
    """First fit decreasing needs two nodes where the order of the file would need three."""
    pods = [{"name": f"p{c}", "count": 2, "requests": {"cpu": c, "memory": "1Gi"}} for c in ("3", "7")]
    assert bought(pods, [offering("n", 1, "10", "100Gi")]) == ["n", "n"]


def test_what_fits_nowhere_is_left_pending() -> None:
    """And the loops end."""
    problem = {"pods": [{"name": "p", "requests": {"cpu": "64"}}], "offerings": [offering("n", 1, "2", "2Gi")]}
    assert cluster_autoscaler.solve(problem).nodes == []


def test_everything_is_placed_on_a_generated_problem() -> None:
    """Every pod once, nothing over capacity, and the cost as the check sees it."""
    problem = problems.make(catalogue.load(), "mixed", 500)
    answer = cluster_autoscaler.solve(problem)
    verdict = check(problem, {"nodes": answer.nodes})
    assert verdict.valid
    assert verdict.complete
    assert abs(verdict.cost - answer.cost) < 1e-6
