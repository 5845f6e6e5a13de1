"""Problem files: what is read, what is refused, what is answered."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscale.errors import BadInput
from autoscale.model.problem import Demand, PackedNode, Problem, Rule, Solution, Status, Supply
from autoscale.model.workload import Code, Reason
from autoscale.observe.manifests import load_manifests
from autoscale.observe.problem_answer import as_manifests, manifests_yaml, write_answer
from autoscale.observe.problem_file import load_problem, parse_problem

BIG: dict[str, Any] = {
    "instance_type": "g5.big",
    "zone": "z1",
    "capacity_type": "on-demand",
    "price": 4.0000004,
    "capacity": {"cpu": "7910m", "memory": "30Gi", "nvidia.com/gpu": "4", "pods": "58"},
    "labels": {"gpu-memory": "24576", "product": "A10G"},
}
SMALL: dict[str, Any] = {
    "instance_type": "c6.small",
    "zone": "z1",
    "capacity_type": "spot",
    "price": 0.1,
    "capacity": {"cpu": "1930m", "memory": "3Gi", "pods": "29"},
    "labels": {},
}
GPU_POD = {"name": "gpu", "count": 3, "labels": {"app": "gpu"}, "requests": {"cpu": "1", "nvidia.com/gpu": "1"}}
CPU_POD = {"name": "api", "requests": {"cpu": "500m", "memory": "1Gi"}, "nodeSelector": {}, "tolerations": []}


def parse(*pods: dict[str, Any], offerings: Any = (SMALL, BIG), **rest: Any) -> Any:
    """The problem of these entries."""
    return parse_problem(json.dumps({"pods": pods, "offerings": offerings, **rest}).encode(), "p.json")


def test_a_problem() -> None:
    """Pods become demands, offerings supplies, both by name; prices are micro-US$ to the nearest, pending is dear."""
    found = parse(GPU_POD, CPU_POD)
    assert found.problem == Problem(
        resources=("cpu", "memory", "nvidia.com/gpu", "pods"),
        demands=(
            Demand("api", (500, 2**30, 0, 1), 1, frozenset({0, 1}), 40_000_000),
            Demand("gpu", (1000, 0, 1, 1), 3, frozenset({1}), 40_000_000),
        ),
        supplies=(
            Supply("c6.small/z1/spot", (1930, 3 * 2**30, 0, 29), 100_000),
            Supply("g5.big/z1/on-demand", (7910, 30 * 2**30, 4, 58), 4_000_000),
        ),
    )
    assert found.unplaced == ()


def test_the_order_of_the_file_makes_no_difference() -> None:
    """Pods and offerings in any order are the same problem."""
    one = parse(GPU_POD, CPU_POD)
    assert parse(CPU_POD, GPU_POD, offerings=(BIG, SMALL)).problem == one.problem


def test_equal_pods_are_one_demand() -> None:
    """Pods of equal requests that the same offerings take are one demand, whatever they are called or ask of labels."""
    twin = {**GPU_POD, "name": "twin", "count": 2, "nodeSelector": {"product": "A10G"}}
    found = parse(GPU_POD, twin)
    assert [(d.key, d.count) for d in found.problem.demands] == [("gpu", 5)]
    assert [[p.name for p in pods] for pods in found.pods] == [["gpu", "twin"]]


@pytest.mark.parametrize(
    ("expression", "homes"),
    [
        ({"key": "gpu-memory", "operator": "Gt", "values": ["24000"]}, {1}),
        ({"key": "gpu-memory", "operator": "DoesNotExist"}, {0}),
        ({"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}, {0}),
        ({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["z1", "z2"]}, {0, 1}),
        ({"key": "node.kubernetes.io/instance-type", "operator": "NotIn", "values": ["c6.small"]}, {1}),
        ({"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}, {0, 1}),
    ],
)
def test_affinity_reads_the_labels_of_a_node(expression: dict[str, Any], homes: set[int]) -> None:
    """A node has the offering's labels and those of where and how it is bought."""
    terms = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    }
    found = parse({**CPU_POD, "affinity": {"nodeAffinity": terms}})
    assert found.problem.demands[0].offerings == frozenset(homes)


def test_unavailable_offerings_are_left_out() -> None:
    """What cannot be bought now is no supply."""
    assert [s.key for s in parse(CPU_POD, offerings=(SMALL, {**BIG, "unavailable": True})).problem.supplies] == [
        "c6.small/z1/spot"
    ]


def test_limits_are_rules() -> None:
    """A limit counts what all nodes bought have together."""
    found = parse(CPU_POD, limits={"cpu": "100", "nvidia.com/gpu": "8"})
    assert found.problem.rules == (
        Rule("limits/cpu", "problem file", 100_000, {0: 1930, 1: 7910}, text="at most 100 cpu in all"),
        Rule("limits/nvidia.com/gpu", "problem file", 8, {1: 4}, text="at most 8 nvidia.com/gpu in all"),
    )


def test_pods_that_nothing_takes_are_told_apart() -> None:
    """A pod too big for every offering, or with a rule that is not modelled, stays out of the problem with its reasons."""
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    found = parse(
        CPU_POD,
        {**GPU_POD, "name": "huge", "requests": {"nvidia.com/gpu": "16"}},
        {**CPU_POD, "name": "spread", "topologySpreadConstraints": [spread]},
    )
    assert [d.key for d in found.problem.demands] == ["api"]
    assert [(u.pod.name, u.reasons) for u in found.unplaced] == [
        (
            "huge",
            (
                Reason(
                    Code.INSUFFICIENT,
                    "all 2 offerings: asks for 16 nvidia.com/gpu, a node has at most 4",
                    "demand",
                    "ask for 4 nvidia.com/gpu instead of 16: no node has more",
                ),
            ),
        ),
        ("spread", (Reason(Code.UNMODELLED, "not modelled yet: topology spread over zone", "problem file"),)),
    ]


@pytest.mark.parametrize(
    ("pod", "rest", "message"),
    [
        ({"nodeselector": {}}, {}, " pods[0]: unknown key, expected nodeSelector, found nodeselector"),
        ({"count": 0}, {}, " pods[0].count: the value is out of bounds, expected a whole number of at least 1"),
        ({"name": 3}, {}, " pods[0].name: wrong kind of value, expected a string, found a whole number"),
        (
            {"requests": {"cpu": "-1"}},
            {},
            " pods[0] (api) requests.cpu: bad quantity, expected a quantity of at least 0 such as 500m, 2 or 16Gi, found -1",
        ),
        ({"tolerations": [{"kee": "a"}]}, {}, " pods[0].tolerations[0]: unknown key, expected key, found kee"),
        (
            {"affinity": {"nodeAffinty": {}}},
            {},
            " pods[0].affinity: unknown key, expected nodeAffinity, found nodeAffinty",
        ),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Has"}]}]
                        }
                    }
                }
            },
            {},
            " pods[0].affinity: unknown operator, expected one of In, NotIn, Exists, DoesNotExist, Gt, Lt, found Has",
        ),
        ({}, {"limit": {}}, ": unknown key, expected limits, found limit"),
        (
            {},
            {"limits": {"cpu": "x"}},
            " limits.cpu: bad quantity, expected a quantity of at least 0 such as 500m, 2 or 16Gi, found x",
        ),
        (
            {},
            {"offerings": [{**SMALL, "capacity": {"cpu": "4x"}}]},
            (
                " offerings[0] (c6.small/z1/spot) capacity.cpu: bad quantity, "
                "expected a quantity of at least 0 such as 500m, 2 or 16Gi, found 4x"
            ),
        ),
        (
            {},
            {"offerings": [{**SMALL, "price": -1}]},
            " offerings[0].price: the value is out of bounds, expected a number of at least 0",
        ),
        (
            {},
            {"offerings": [SMALL, SMALL]},
            " offerings[1]: the offering is listed twice, found c6.small/z1/spot",
        ),
        (
            {},
            {"offerings": [{**SMALL, "capacity_type": "Spot"}]},
            " offerings[0].capacity_type: unknown capacity type, expected spot, found Spot",
        ),
        (
            {},
            {"offerings": [{**SMALL, "zone": ""}]},
            " offerings[0].zone: the value is out of bounds, expected a string of a length of at least 1",
        ),
        ({}, {"offerings": None}, " offerings: wrong kind of value, expected a list, found nothing"),
    ],
)
def test_a_wrong_problem_gets_one_sentence(pod: dict[str, Any], rest: dict[str, Any], message: str) -> None:
    """File and key, what was expected and what was found."""
    with pytest.raises(BadInput) as caught:
        parse({**CPU_POD, **pod}, **rest)
    assert str(caught.value) == f"p.json{message}"


def test_names_are_taken_once() -> None:
    """Two entries may not stand for the same pod, spelt out or counted."""
    with pytest.raises(BadInput, match=r"^p.json pods\[1\].name: the name is taken, found api$"):
        parse(CPU_POD, {**GPU_POD, "name": "api"})
    with pytest.raises(BadInput, match=r"^p.json pods: the name is taken, found gpu-2, also a pod of gpu$"):
        parse(GPU_POD, {**CPU_POD, "name": "gpu-2"})
    parse(GPU_POD, {**CPU_POD, "name": "gpu-3"}, {**CPU_POD, "name": "gpu-02"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"pods": [],\n "offerings": [}', " line 2: not JSON (invalid character)"),
        ('{"pods": [],\n "offerings": [', " line 2: the JSON ends too early"),
        ('{"pods": [\n"\udcff"]}', " line 2: not text, expected UTF-8, found the byte 0xff"),
        ('{"pods": []}', ": the key offerings is missing"),
        ('{"pods": [{"name": "a", "affinity": ' + '{"a": ' * 100_000, ": it has too many levels"),
        ("[]", ": wrong kind of value, expected a mapping, found a list"),
        (" ", ": the file is empty"),
    ],
)
def test_what_is_no_problem_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Text that is no problem names the line or the key."""
    file = tmp_path / "p.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput) as caught:
        load_problem(str(file))
    assert str(caught.value) == f"{file}{message}"


def test_an_answer() -> None:
    """Every pod has its node or is pending; the bound is on the cost of answers that leave no more pending."""
    huge = {**GPU_POD, "name": "huge", "count": 1, "requests": {"nvidia.com/gpu": "16"}}
    file = parse(GPU_POD, CPU_POD, huge)
    solution = Solution(
        Status.FEASIBLE,
        (PackedNode(0, ((0, 1),), 1), PackedNode(1, ((1, 1),), 2)),
        pending={1: 1},
        cost_microusd_per_hour=8_100_000,
        objective_microusd_per_hour=48_100_000,
        bound_microusd_per_hour=47_290_000,
    )
    node = {"instance_type": "g5.big", "zone": "z1", "capacity_type": "on-demand"}
    answer = write_answer(file, solution, seconds=0.25)
    assert answer == {
        "nodes": [
            {"instance_type": "c6.small", "zone": "z1", "capacity_type": "spot", "pods": ["api"]},
            {**node, "pods": ["gpu-0"]},
            {**node, "pods": ["gpu-1"]},
        ],
        "cost": 8.1,
        "bound": 7.29,
        "gap": pytest.approx(0.1),
        "seconds": 0.25,
        "status": "feasible",
        "pending": ["gpu-2", "huge-0"],
        "reasons": {
            "huge": [
                {
                    "code": "InsufficientResource",
                    "text": "all 2 offerings: asks for 16 nvidia.com/gpu, a node has at most 4",
                    "hint": "ask for 4 nvidia.com/gpu instead of 16: no node has more",
                }
            ]
        },
    }


def test_an_empty_problem() -> None:
    """Nothing asked, nothing bought."""
    found = parse(offerings=())
    assert found.problem == Problem(("pods",), (), ())
    answer = write_answer(found, Solution(Status.OPTIMAL, (), {}, 0, 0, 0), seconds=0.0)
    assert (answer["nodes"], answer["cost"], answer["gap"], answer["pending"]) == ([], 0.0, 0.0, [])


def test_the_pods_as_manifests(tmp_path: Path) -> None:
    """The manifests, in either form, read back as pods with the names and shapes of the problem's."""
    affinity: dict[str, Any] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
    }
    file = parse(GPU_POD, {**CPU_POD, "nodeSelector": {"a": "b"}}, {**CPU_POD, "name": "never", "affinity": affinity})
    text = "".join(manifests_yaml(file))
    assert list(yaml.safe_load_all(text)) == list(as_manifests(file))
    (tmp_path / "pods.yaml").write_text(text)
    pods = load_manifests([str(tmp_path)]).view.pods
    assert [p.name for p in pods] == ["api", "gpu-0", "gpu-1", "gpu-2", "never"]
    assert pods[0].shape.node_selector == (("a", "b"),)
    assert pods[1].shape.requests.amounts == {"cpu": 1000, "nvidia.com/gpu": 1, "pods": 1}
    assert pods[1].labels == {"app": "gpu"}
