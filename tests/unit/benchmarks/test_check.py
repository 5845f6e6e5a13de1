"""The judge of all engines: what it accepts, and every fault that it must see."""

from typing import Any

import pytest

from benchmarks.check import check
from benchmarks.reading import quantity

GPU_NODE: dict[str, Any] = {
    "instance_type": "g.large",
    "zone": "a",
    "capacity_type": "spot",
    "price": 0.1,
    "capacity": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1", "pods": "3"},
    "labels": {"gpu-memory": "24000"},
}
PLAIN_NODE = {
    **GPU_NODE,
    "instance_type": "c.large",
    "price": 0.2,
    "capacity": {"cpu": "4", "memory": "16Gi", "pods": "3"},
    "labels": {},
}
BIG_MEMORY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu-memory", "operator": "Gt", "values": ["20000"]}]}]
        }
    }
}
PROBLEM: dict[str, Any] = {
    "pods": [
        {"name": "web", "count": 2, "requests": {"cpu": "1500m", "memory": "2Gi"}},
        {"name": "train", "requests": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}, "affinity": BIG_MEMORY},
    ],
    "offerings": [GPU_NODE, PLAIN_NODE],
}


def node(instance_type: str, *pods: str, zone: str = "a") -> dict[str, Any]:
    """One node of an answer."""
    return {"instance_type": instance_type, "zone": zone, "capacity_type": "spot", "pods": list(pods)}


def test_right_answer_is_accepted_and_priced_from_the_file() -> None:
    """Costs are summed exactly, whatever the engine says."""
    verdict = check(PROBLEM, {"nodes": [node("g.large", "train", "web-0", "web-1")], "cost": 99})
    assert (verdict.valid, verdict.complete, verdict.nodes, verdict.pods, verdict.placed) == (True, True, 1, 3, 3)
    assert verdict.cost == 0.1


def test_pods_left_out_are_no_fault_but_seen() -> None:
    """An engine that gives up on pods gave an incomplete answer, not a wrong one."""
    verdict = check(PROBLEM, {"nodes": [node("c.large", "web-1")]})
    assert (verdict.valid, verdict.complete, verdict.placed) == (True, False, 1)


@pytest.mark.parametrize(
    ("nodes", "fault"),
    [
        ([node("g.large", "train", "web-0", "web-0")], "web-0 is placed twice"),
        ([node("g.large", "train"), node("g.large", "train")], "train is placed twice"),
        ([node("c.large", "web-2")], "there is no pod web-2"),
        ([node("c.large", "web-01")], "there is no pod web-01"),
        ([node("c.large", "web")], "there is no pod web"),
        ([node("c.large", "train-0")], "there is no pod train-0"),
        ([node("g.large", "web-0", zone="b")], "g.large/b/spot is not for sale"),
        ([node("c.large", "train")], "c.large/a/spot does not admit train"),
        ([node("c.large", "train")], "c.large/a/spot has 0 nvidia.com/gpu and is given 1"),
    ],
)
def test_faults_are_found(nodes: list[dict[str, Any]], fault: str) -> None:
    """Each kind of wrong answer is named."""
    verdict = check(PROBLEM, {"nodes": nodes})
    assert not verdict.valid
    assert fault in verdict.violations


@pytest.mark.parametrize(
    ("capacity", "fault"),
    [
        ({"cpu": "3999m"}, "g.large/a/spot has 3.999 cpu and is given 4"),
        ({"pods": "2"}, "g.large/a/spot has 2 pods and is given 3"),
        ({"memory": "5242879Ki"}, "memory"),
    ],
)
def test_no_resource_may_be_exceeded_by_the_least(capacity: dict[str, str], fault: str) -> None:
    """There is no tolerance: quantities are exact."""
    problem = {**PROBLEM, "offerings": [{**GPU_NODE, "capacity": {**GPU_NODE["capacity"], **capacity}}]}
    verdict = check(problem, {"nodes": [node("g.large", "train", "web-0", "web-1")]})
    assert verdict.violation_count == 1
    assert fault in verdict.violations[0]


def test_what_is_unavailable_is_not_for_sale() -> None:
    """An offering marked unavailable can't be bought."""
    problem = {**PROBLEM, "offerings": [{**GPU_NODE, "unavailable": True}]}
    assert check(problem, {"nodes": [node("g.large", "train")]}).violations == ["g.large/a/spot is not for sale"]


def test_every_fault_of_equal_nodes_is_counted() -> None:
    """Equal nodes are judged once and counted each."""
    problem = {**PROBLEM, "pods": [{"name": "big", "count": 30, "requests": {"cpu": "8"}}]}
    verdict = check(problem, {"nodes": [node("c.large", f"big-{i}") for i in range(30)]})
    assert verdict.violation_count == 30
    assert len(verdict.violations) == 10


@pytest.mark.parametrize(("text", "value"), [("3500m", 3.5), ("2", 2), ("1Ki", 1024), ("0.5Gi", 2**29), ("1k", 1000)])
def test_quantities(text: str, value: float) -> None:
    """Suffixes are powers of ten or of two."""
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "-1", "1KB", "one", "1e3"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """A quantity that this reader does not know is an error, never a guess."""
    with pytest.raises(ValueError, match="expected a Kubernetes quantity"):
        quantity(text)
