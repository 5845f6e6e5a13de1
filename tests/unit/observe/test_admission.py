"""Workloads, quotas, limit ranges and Events as model types, from manifests and from an API server."""

import json
from typing import Any

import pytest

from autoscale.errors import ClusterError, NotFound, Unreachable
from autoscale.model.admission import (
    Admission,
    Ask,
    Condition,
    ContainerAsk,
    LimitItem,
    Quota,
    Refusal,
    Workload,
)
from autoscale.model.rules import Requirement
from autoscale.observe.admission import Collector
from autoscale.observe.kube_admission import read_admission
from autoscale.observe.requests import BadQuantity

TEMPLATE = {
    "metadata": {"labels": {"app": "a"}},
    "spec": {"containers": [{"name": "main", "resources": {"requests": {"nvidia.com/gpu": "2"}}}]},
}
QUOTA = {
    "metadata": {"name": "team", "namespace": "ml"},
    "spec": {"hard": {"requests.nvidia.com/gpu": "8", "requests.cpu": "1500m", "requests.memory": "1Ki"}},
}


def raw(obj: dict[str, Any]) -> bytes:
    """As the API server sends it."""
    return json.dumps(obj).encode()


def collected(*objects: tuple[str, dict[str, Any]], strict: bool = False) -> Admission:
    """What a collector makes of them."""
    collector = Collector(strict=strict)
    for kind, obj in objects:
        collector.add(kind, raw(obj))
    return collector.view()


def workload(kind: str, spec: dict[str, Any], status: dict[str, Any] | None = None) -> Workload:
    """One, without its template."""
    meta = {
        "name": "a",
        "namespace": "ml",
        "ownerReferences": [{"kind": "Deployment", "name": "d", "controller": True}],
    }
    (found,) = collected((kind, {"metadata": meta, "spec": spec, "status": status})).workloads
    return found


@pytest.mark.parametrize(
    ("kind", "spec", "status", "wanted", "made"),
    [
        ("Deployment", {}, None, 1, 0),
        ("ReplicaSet", {"replicas": 3}, {"replicas": 2}, 3, 2),
        ("StatefulSet", {"replicas": 0}, {}, 0, 0),
        ("Job", {}, {"active": 1}, 1, 1),
        ("Job", {"parallelism": 4, "completions": 6}, {"succeeded": 5, "active": 1}, 1, 1),
        ("Job", {"parallelism": 4, "completions": 6}, None, 4, 0),
        ("Job", {"parallelism": 4, "suspend": True}, None, 0, 0),
    ],
)
def test_how_many_pods_there_should_be(
    kind: str, spec: dict[str, Any], status: dict[str, Any] | None, wanted: int, made: int
) -> None:
    """Replicas; of a Job what may run at once and is not done."""
    expected = Workload(kind, "ml", "a", "Deployment/d", wanted, made, suspended=bool(spec.get("suspend")))
    assert workload(kind, spec, status) == expected


def test_conditions_and_template() -> None:
    """Conditions are kept, and a pod as it would be made."""
    failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    found = workload("ReplicaSet", {"template": TEMPLATE}, {"conditions": [failed]})
    assert found.conditions == (Condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota"),)
    assert found.template is not None
    assert (found.template.ref, found.template.owner, dict(found.template.labels)) == (
        "ml/a-new",
        "ReplicaSet/a",
        {"app": "a"},
    )
    assert dict(found.template.shape.requests.amounts) == {"nvidia.com/gpu": 2, "pods": 1}


def test_quotas_and_limit_ranges() -> None:
    """Cores in thousandths, the rest in base units; a quota that nobody has counted says so."""
    each = {
        "type": "Container",
        "default": {"cpu": "500m"},
        "defaultRequest": {"memory": "1Ki"},
        "maxLimitRequestRatio": {"cpu": "1.5"},
    }
    limits = {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Pod", "max": {"nvidia.com/gpu": 4}}, each]}}
    chosen = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["gold"]}]}
    spec = {"hard": {"pods": "2"}, "scopes": ["Terminating"], "scopeSelector": chosen}
    scoped = {**QUOTA, "spec": spec, "status": {"used": {"pods": "1"}}}
    found = collected(("ResourceQuota", QUOTA), ("ResourceQuota", scoped), ("LimitRange", limits), ("Secret", {}))
    hard = {"requests.nvidia.com/gpu": 8, "requests.cpu": 1500, "requests.memory": 1024}
    scopes = (Requirement("Terminating", "Exists"), Requirement("PriorityClass", "In", ("gold",)))
    assert found == Admission(
        quotas=(
            Quota("ml", "team", hard),
            Quota("ml", "team", {"pods": 2}, {"pods": 1}, counted=True, scopes=scopes),
        ),
        limits=(
            LimitItem("default", "l", "Pod", {"nvidia.com/gpu": 4}),
            LimitItem("default", "l", "Container", {}, {}, {"cpu": 500}, {"memory": 1024}, {"cpu": 1500}),
        ),
    )


def test_what_a_pod_asks_of_admission() -> None:
    """Each container's requests and limits, a limit alone being the request as well; and what quotas' scopes go by."""
    term = {"topologyKey": "zone", "namespaces": ["other"]}
    wish = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}
    spec = {
        "containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "2"}, "requests": {"cpu": "1"}}}],
        "initContainers": [{"name": "side", "restartPolicy": "Always"}, {"name": "first"}],
        "overhead": {"memory": "1Ki"},
        "priorityClassName": "gold",
        "activeDeadlineSeconds": 60,
        "affinity": {"podAntiAffinity": wish},
    }
    gpus = {"nvidia.com/gpu": 2}
    containers = (
        ContainerAsk("main", {**gpus, "cpu": 1000}, gpus),
        ContainerAsk("side", start="sidecar"),
        ContainerAsk("first", start="init"),
    )
    collector = Collector(namespace="ml")
    for namespace in ("ml", "other"):
        collector.add("Pod", raw({"metadata": {"name": "p", "namespace": namespace}, "spec": spec}))
    assert collector.view().asks == {
        "ml/p": Ask(containers, overhead={"memory": 1024}, priority_class="gold", deadline=True, crosses=True)
    }
    assert collected(("Pod", {"metadata": {"name": "p"}, "spec": spec})).asks == {}


def test_the_newest_event_counts() -> None:
    """One refusal an object, the last that was said; Events of other kinds pass, those of events.k8s.io too."""

    def event(name: str, message: str, at: str, reason: str = "FailedCreate") -> tuple[str, dict[str, Any]]:
        about = {"kind": "ReplicaSet", "namespace": "ml", "name": name}
        return "Event", {
            "metadata": {"name": "e"}, "involvedObject": about, "reason": reason, "message": message,
            "lastTimestamp": at, "count": 3,
        }  # fmt: skip

    assert collected(
        event("a", "new", "2026-01-01T00:00:02Z"),
        event("a", "old", "2026-01-01T00:00:01Z"),
        event("b", "other", "2026-01-01T00:00:01Z", "Killing"),
        ("Event", {"apiVersion": "events.k8s.io/v1", "regarding": {"name": "a"}}),
    ).refusals == (Refusal("ReplicaSet", "ml", "a", "new", 1767225602, 3),)


def test_a_bad_quantity() -> None:
    """From an API server it is left out, from a file it is an error."""
    bad = ("ResourceQuota", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "many", "cpu": "1"}}})
    assert collected(bad).quotas == (Quota("default", "q", {"cpu": 1000}),)
    with pytest.raises(BadQuantity):
        collected(bad, strict=True)


class Server:
    """Answers by the end of the path."""

    def __init__(self, answers: dict[str, dict[str, Any] | ClusterError]) -> None:
        self.answers = answers

    def get(self, path: str, query: object = None, *, attempts: int | None = None) -> bytes:
        """A list, or a refusal."""
        answer = self.answers.get(path.rpartition("/")[2], NotFound("no such thing"))
        if isinstance(answer, ClusterError):
            raise answer
        return raw(answer)


def test_what_may_not_be_read_is_said() -> None:
    """A kind that the server lacks is left out in silence, one that we may not read by name."""
    server = Server(
        {
            "resourcequotas": {"items": [QUOTA, {"metadata": 1}]},
            "jobs": Unreachable("no (403): job"),
            "events": Unreachable("no (403): e"),
        },
    )
    found = read_admission(server, "ml")  # type: ignore[arg-type]  # only `get` is used
    assert [quota.name for quota in found.quotas] == ["team"]
    assert found.unread == (
        "a ResourceQuota of ml makes no sense: Expected `object`, got `int` - at `$.metadata`",
        "Jobs, Events of ml can't be read: no (403)",
    )
