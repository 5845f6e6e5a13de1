"""The answer to a problem file, and the same pods as manifests. `docs/problem-format.md` tells more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from autoscale.model.units import MICRO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.model.problem import Solution
    from autoscale.observe.problem_file import ProblemFile
    from autoscale.observe.problem_format import PodEntry

_NAME = "@name@"


def write_answer(file: ProblemFile, solution: Solution, *, seconds: float) -> dict[str, Any]:
    """The answer as plain data, equal for equal solutions; `msgspec.json.encode` writes a million pods in a blink.

    `bound` is a lower bound on the cost of any answer that leaves no more pods pending than this one.
    """
    names = [[name for pod in pods for name in pod.names()] for pods in file.pods]
    taken = [0] * len(names)
    nodes = []
    for packed in solution.nodes:
        offering = file.offerings[packed.supply]
        for _ in range(packed.count):
            here: list[str] = []
            for index, count in packed.pods:
                here += names[index][taken[index] : taken[index] + count]
                taken[index] += count
            nodes.append(
                {
                    "instance_type": offering.instance_type,
                    "zone": offering.zone,
                    "capacity_type": offering.capacity_type,
                    "pods": here,
                }
            )
    left = [name for index, mine in enumerate(names) for name in mine[taken[index] :]]
    penalties = sum(
        (len(mine) - taken[index]) * file.problem.demands[index].pending_penalty_microusd_per_hour
        for index, mine in enumerate(names)
    )
    cost = solution.cost_microusd_per_hour
    bound = max(0, min(cost, solution.bound_microusd_per_hour - penalties))
    return {
        "nodes": nodes,
        "cost": cost / MICRO,
        "bound": bound / MICRO,
        "gap": (cost - bound) / cost if cost else 0.0,
        "seconds": seconds,
        "status": str(solution.status),
        "pending": sorted([*left, *(name for unplaced in file.unplaced for name in unplaced.pod.names())]),
        "reasons": {
            unplaced.pod.name: [
                {"code": str(r.code), "text": r.text, **({"hint": r.hint} if r.hint else {})} for r in unplaced.reasons
            ]
            for unplaced in file.unplaced
        },
    }


def as_manifests(file: ProblemFile) -> Iterator[dict[str, Any]]:
    """The pods of the problem as Pod manifests, by name of their entry; those that fit nowhere too."""
    for pod in _entries(file):
        for name in pod.names():
            yield _manifest(pod, name)


def manifests_yaml(file: ProblemFile) -> Iterator[str]:
    """The same as YAML documents, one a pod. Each entry is written once and its pods differ in their names."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    for pod in _entries(file):
        text = "---\n" + yaml.dump(_manifest(pod, _NAME), Dumper=dumper, sort_keys=False)
        before, _, after = text.partition(f"'{_NAME}'")
        for name in pod.names():
            yield f"{before}{json.dumps(name, ensure_ascii=False)}{after}"


def _entries(file: ProblemFile) -> list[PodEntry]:
    merged = [pod for pods in file.pods for pod in pods]
    return sorted([*merged, *(unplaced.pod for unplaced in file.unplaced)], key=lambda pod: pod.name)


def _manifest(pod: PodEntry, name: str) -> dict[str, Any]:
    requests = {key: str(value) for key, value in msgspec.json.decode(pod.requests).items()}
    # Kubernetes takes an extended resource only with a limit equal to the request.
    limits = {key: value for key, value in requests.items() if "/" in key}
    resources = {"requests": requests} | ({"limits": limits} if limits else {})
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10", "resources": resources}],
    }
    for key, raw in (
        ("nodeSelector", pod.node_selector),
        ("tolerations", pod.tolerations),
        ("affinity", pod.affinity),
        ("topologySpreadConstraints", pod.topology_spread_constraints),
    ):
        if value := msgspec.json.decode(raw) if bytes(raw) else None:
            spec[key] = value
    metadata = {"name": name, "labels": pod.labels} if pod.labels else {"name": name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
