"""Pods whose rules are wrong, or can't be kept by anybody: each is told why, and all others are planned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoscale.decide import decide
from autoscale.model.plan import ClaimPods, Plan
from autoscale.model.settings import DecideSettings
from autoscale.model.workload import Code
from autoscale.observe import decode
from autoscale.solve import solve
from tests.builders import group, node, snapshot

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
HOST = "kubernetes.io/hostname"
Json = dict[str, Any]


def expression(key: str, operator: str, *values: str) -> Json:
    """One of a selector."""
    return {"key": key, "operator": operator, "values": list(values)}


def on_nodes(*expressions: Json, of: str = "matchExpressions") -> Json:
    """Required node affinity."""
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{of: list(expressions)}]}}}}


def with_pods(app: str, kind: str = "podAffinity", key: str = "zone", **more: Any) -> Json:
    """Required pod affinity, or another kind."""
    selector = {"labelSelector": {"matchLabels": {"app": app}}}
    return {"affinity": {kind: {REQUIRED: [{"topologyKey": key} | selector | more]}}}


def spread(key: str, **more: Any) -> Json:
    """A spread constraint."""
    constraint: Json = {"topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    return {"topologySpreadConstraints": [constraint | {"labelSelector": {"matchLabels": {"app": "bad"}}} | more]}


def pod(name: str, spec: Json) -> Json:
    """One that asks for a GPU; its label `app` is its name."""
    container = {"name": "c", "resources": {"requests": {"nvidia.com/gpu": "1", "cpu": "1"}}}
    meta = {"name": name, "namespace": "d", "uid": name, "labels": {"app": name}}
    return {"metadata": meta, "spec": {"containers": [container], **spec}}


def plan_of(*pods: Json, nodes: int = 0) -> Plan:
    """What is decided for these pods and a good one; `nodes` that are there are full."""
    read = [decode.pod(json.dumps(each).encode()) for each in (pod("good", {}), *pods)]
    there = tuple(node(f"g8-{i}", gpus=0, labels={"zone": "z0", HOST: f"g8-{i}"}) for i in range(nodes))
    of = group("g8", labels={"zone": "z0", "group": "g8"}, running=nodes)
    seen = snapshot(pods=tuple(read), nodes=there, groups=(of,))
    return decide(seen, (), lambda problem: solve(problem, time_limit_s=2), DecideSettings())


def told(*pods: Json, nodes: int = 0) -> tuple[list[str], dict[str, list[tuple[Code, str]]]]:
    """Who is planned beside a good pod, and what the others are told."""
    plan = plan_of(*pods, nodes=nodes)
    planned = sorted(ref for a in plan.actions if isinstance(a, ClaimPods) for _, ref in a.pods)
    unmet = {ref: [(r.code, r.text) for r in unmet.reasons] for unmet in plan.unmet for ref in unmet.pods}
    return planned, unmet


MALFORMED = "its rule is not planned yet: "
BOTH = {"affinity": with_pods("good", key=HOST)["affinity"] | with_pods("good", "podAntiAffinity", HOST)["affinity"]}
BAD: list[tuple[str, Json, Code, str]] = [
    (
        "unknown operator on a node's label", on_nodes(expression("zone", "Near", "z0")), Code.NODE_AFFINITY,
        "node group g8: wants zone Near z0, a node has z0",
    ),
    (
        "In without a value", on_nodes(expression("zone", "In")), Code.NODE_AFFINITY,
        "node group g8: wants zone in (), a node has z0",
    ),
    (
        "a bound that is no number", on_nodes(expression("zone", "Gt", "many")), Code.NODE_AFFINITY,
        "node group g8: wants zone > many, a node has z0",
    ),
    (
        "a field that no node has", on_nodes(expression("metadata.colour", "In", "red"), of="matchFields"),
        Code.NODE_AFFINITY, "node group g8: wants metadata.colour=red",
    ),
    (
        "contradictory node affinity", on_nodes(expression("zone", "In", "z0"), expression("zone", "NotIn", "z0")),
        Code.NODE_AFFINITY, "node group g8: wants zone=z0 and zone!=z0, a node has z0",
    ),
    (
        "contradictory selector and affinity",
        {"nodeSelector": {"group": "g8"}} | on_nodes(expression("group", "NotIn", "g8")),
        Code.NODE_AFFINITY, "node group g8: wants group!=g8, a node has g8",
    ),
    (
        "contradictory pod affinity", BOTH, Code.POD_AFFINITY,
        f"wants pods with app=good in the same {HOST}, and keeps away from them",
    ),
    (
        "unknown operator on a pod's label",
        with_pods("x", labelSelector={"matchExpressions": [expression("app", "Like", "x")]}), Code.UNMODELLED,
        MALFORMED + "pod affinity: unknown operator Like of app in a label selector",
    ),
    (
        "unknown operator on a namespace's label",
        with_pods("x", "podAntiAffinity", namespaceSelector={"matchExpressions": [expression("a", "Huh")]}),
        Code.UNMODELLED, MALFORMED + "pod anti-affinity: unknown operator Huh of a in a label selector",
    ),
    (
        "a value that no label can have", with_pods("no such value!"), Code.POD_AFFINITY,
        "wants pods with app=no such value! in the same zone, there are none",
    ),
    (
        "no topology key", with_pods("good", key=""), Code.UNMODELLED,
        MALFORMED + "required pod affinity without a topologyKey",
    ),
    (
        "a spread over a label that no node has", spread("rack"), Code.SPREAD,
        "is spread over rack, the node has no such label",
    ),
    (
        "a skew of zero", spread("zone", maxSkew=0), Code.UNMODELLED,
        MALFORMED + "topology spread over zone with a maxSkew or minDomains below 1",
    ),
    (
        "a spread with an unknown operator",
        spread("zone", labelSelector={"matchExpressions": [expression("app", "Like", "x")]}), Code.UNMODELLED,
        MALFORMED + "topology spread over zone: unknown operator Like of app in a label selector",
    ),
]  # fmt: skip


@pytest.mark.parametrize("nodes", [0, 2])
@pytest.mark.parametrize(("spec", "code", "text"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_pod_is_told_why_and_all_others_are_planned(spec: Json, code: Code, text: str, nodes: int) -> None:
    """Whether there are nodes yet or not."""
    assert told(pod("bad", spec), nodes=nodes) == (["d/good"], {"d/bad": [(code, text)]})


def test_all_bad_pods_together_harm_nobody() -> None:
    """Each has its own reason; a taint that a pod tolerates in no known way, and one spread by an unknown word, are no harm."""
    many = [pod(f"bad-{i}", spec) for i, (_, spec, _, _) in enumerate(BAD)]
    planned, unmet = told(*many, pod("odd", {"tolerations": [{"key": "a", "operator": "Maybe"}]}))
    assert planned == ["d/good", "d/odd"]
    assert sorted(unmet) == sorted(f"d/bad-{i}" for i in range(len(BAD)))


def test_pods_that_wait_for_each_other_in_a_circle() -> None:
    """Each is told who is in it; who only waits for one of them is told what it lacks."""
    circle = [pod("a", with_pods("b")), pod("b", with_pods("c")), pod("c", with_pods("a"))]
    planned, unmet = told(*circle, pod("hanger-on", with_pods("a")))
    assert planned == ["d/good"]
    texts = {ref.partition("/")[2]: text for ref, ((_, text),) in unmet.items()}
    none = "wants pods with app={} in the same zone, there are none"
    end = "; d/{}, d/{} and d/{} wait for each other in a circle"
    assert texts == {
        "a": none.format("b") + end.format("a", "b", "c"),
        "b": none.format("c") + end.format("b", "c", "a"),
        "c": none.format("a") + end.format("c", "a", "b"),
        "hanger-on": none.format("a"),
    }


def test_pods_that_nobody_can_place_cost_the_plan_no_proof() -> None:
    """They are no part of the question: what is bought for the others is proven to be the cheapest."""
    plan = plan_of(pod("a", with_pods("b")), pod("b", with_pods("a")), pod("lonely", with_pods("nobody")))
    assert (plan.cost_microusd_per_hour, plan.bound_microusd_per_hour) == (10_000_000, 10_000_000)
