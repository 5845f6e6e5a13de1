"""Kubernetes objects as model types."""

import json
from typing import Any

import msgspec
import pytest

from autoscale.model.resources import Resources
from autoscale.model.rules import HostPort, PodRules, PodTerm, Requirement, Spread, Wishes
from autoscale.model.supply import Condition, Disruption, Node, NodeReservation
from autoscale.model.workload import (
    Claim,
    ClaimUse,
    DaemonSet,
    NodeSelectorTerm,
    Pod,
    PodShape,
    Taint,
    Toleration,
)
from autoscale.observe import decode


def pod_json(spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **metadata: Any) -> bytes:
    """A pod of one container as the API server writes it."""
    containers = [{"name": "main", "resources": {"requests": {"cpu": "1"}}}]
    return json.dumps(
        {
            "metadata": {"name": "a", "namespace": "ml", "uid": "u1", **metadata},
            "spec": {"containers": containers, **(spec or {})},
            "status": status or {},
        }
    ).encode()


PLAIN = PodShape(Resources({"cpu": 1000, "pods": 1}))


def test_a_whole_pod() -> None:
    """Everything that is read of a pod lands where the model has it."""
    raw = pod_json(
        {
            "nodeSelector": {"z": "1", "a": "2"},
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {
                                "matchExpressions": [{"key": "k", "operator": "In", "values": ["y", "x"]}],
                                "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}],
                            }
                        ]
                    },
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}],
                }
            },
            "tolerations": [
                {"key": "nvidia.com/gpu", "operator": "Exists"},
                {"key": "gpu-autoscale.dev/slot", "value": "p-3", "effect": "NoSchedule"},
                {"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": 300},
            ],
            "priority": 7,
            "schedulerName": "kai",
            "nodeName": "n1",
            "schedulingGates": [{"name": "wait"}],
            "volumes": [
                {"name": "scratch", "emptyDir": {}},
                {"name": "shm", "emptyDir": {"medium": "Memory"}},
                {"name": "disk", "hostPath": {"path": "/x"}},
            ],
        },
        {"phase": "Running", "nominatedNodeName": "n2"},
        labels={"app": "web"},
        annotations={
            "gpu-autoscale.dev/slot": "p-3",
            "gpu-autoscale.dev/group": "g",
            "gpu-autoscale.dev/claimed-at": "1795411795",
            "gpu-autoscale.dev/next-slot": "q-0",
            "gpu-autoscale.dev/next-group": "h",
            "gpu-autoscale.dev/next-claimed-at": "1795411796",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        },
        creationTimestamp="2026-11-23T05:29:55Z",
        deletionTimestamp="2026-11-23T05:30:00Z",
        finalizers=["a/b"],
        ownerReferences=[
            {"kind": "Thing", "name": "t", "uid": "1"},
            {"kind": "ReplicaSet", "name": "web-1", "uid": "2", "controller": True},
        ],
    )
    assert decode.pod(raw) == Pod(
        uid="u1",
        namespace="ml",
        name="a",
        shape=PodShape(
            requests=Resources({"cpu": 1000, "pods": 1}),
            node_selector=(("a", "2"), ("z", "1")),
            node_affinity=(
                NodeSelectorTerm((Requirement("k", "In", ("x", "y")),), (Requirement("metadata.name", "In", ("n",)),)),
            ),
            tolerations=(Toleration("a", "Equal", "b", "NoExecute"), Toleration("nvidia.com/gpu", "Exists")),
            priority=7,
            scheduler_name="kai",
            preferred_nodes=((1, NodeSelectorTerm()),),
        ),
        labels={"app": "web"},
        annotations={
            "gpu-autoscale.dev/slot": "p-3",
            "gpu-autoscale.dev/group": "g",
            "gpu-autoscale.dev/claimed-at": "1795411795",
            "gpu-autoscale.dev/next-slot": "q-0",
            "gpu-autoscale.dev/next-group": "h",
            "gpu-autoscale.dev/next-claimed-at": "1795411796",
        },
        owner="ReplicaSet/web-1",
        node_name="n1",
        phase="Running",
        created_at_s=1795411795,
        deleting=True,
        gated=True,
        nominated_node="n2",
        tolerated_slots=("p-3",),
        claim=Claim("p-3", "g", 1795411795),
        deletion_at_s=1795411800,
        finalizers=("a/b",),
        local_volumes=("scratch", "disk"),
        next_claim=Claim("q-0", "h", 1795411796),
    )


def test_what_our_taint_says_of_a_node_that_goes() -> None:
    """The taint counts; annotations without it are of the past, and a time that can't be read is the oldest."""
    taint = {"key": "gpu-autoscale.dev/disrupted", "value": "Expired", "effect": "NoSchedule"}
    said = {"gpu-autoscale.dev/disrupted": "Expired", "gpu-autoscale.dev/disrupted-at": "7"}

    def read(annotations: dict[str, str], *taints: dict[str, str]) -> Disruption | None:
        raw = {"metadata": {"name": "n", "annotations": annotations}, "spec": {"taints": list(taints)}}
        return decode.node(json.dumps(raw).encode()).disruption

    assert read(said, taint) == Disruption("Expired", 7)
    assert read({}, taint) == Disruption("Expired", 0)
    assert read(said) is None


def test_a_bare_pod_has_defaults() -> None:
    """What a pod does not say is what Kubernetes assumes."""
    raw = b'{"metadata":{"name":"a","labels":null},"spec":{"containers":[{"name":"m"}],"tolerations":null}}'
    assert decode.pod(raw) == Pod("", "default", "a", PodShape(Resources({"pods": 1})))


def test_a_static_pod_is_a_mirror() -> None:
    """The kubelet's annotation tells a static pod."""
    assert decode.pod(pod_json(annotations={"kubernetes.io/config.mirror": "x"})).mirror


def test_pods_of_one_template_share_their_shape_and_labels() -> None:
    """Equal shapes are one object, however their bytes are written."""
    one, two = decode.pod(pod_json(labels={"a": "b"})), decode.pod(pod_json(name="b", labels={"a": "b"}))
    spaced = decode.pod(pod_json({"nodeSelector": {}, "tolerations": []}))
    assert one.shape is two.shape is spaced.shape
    assert one.labels is two.labels


def test_a_slot_toleration_does_not_change_the_shape() -> None:
    """Pods of one class stay equal when some of them are let onto their slot's node."""
    toleration = {"key": "gpu-autoscale.dev/slot", "operator": "Equal", "value": "p-1", "effect": "NoSchedule"}
    held = decode.pod(pod_json({"tolerations": [toleration]}))
    assert (held.shape, held.tolerated_slots) == (PLAIN, ("p-1",))


@pytest.mark.parametrize(
    ("spec", "noted"),
    [
        (
            {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}},
            ("required pod anti-affinity without a topologyKey",),
        ),
        (
            {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}},
            (),
        ),
        (
            {"topologySpreadConstraints": [{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]},
            ("topology spread over zone with a maxSkew or minDomains below 1",),
        ),
        (
            {
                "topologySpreadConstraints": [
                    {
                        "topologyKey": "zone",
                        "maxSkew": 1,
                        "labelSelector": {
                            "matchExpressions": [{"key": "app", "operator": "Near"}, {"key": "b", "operator": "In"}]
                        },
                    }
                ]
            },
            (
                "topology spread over zone: unknown operator Near of app in a label selector",
                "topology spread over zone: In of b with no values in a selector",
            ),
        ),
        ({"topologySpreadConstraints": [{"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]}, ()),
        ({"resourceClaims": [{"name": "gpu"}]}, ("resource claim",)),
    ],
)
def test_rules_that_are_not_modelled_are_noted(spec: dict[str, Any], noted: tuple[str, ...]) -> None:
    """Hard rules that the planner does not know are named; wishes are not."""
    assert decode.pod(pod_json(spec)).shape.unmodelled == noted


def test_rules_between_pods() -> None:
    """Required terms, hard constraints and the node's ports are read, wishes are not; selectors in one order."""
    selector = {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]}
    term = {"topologyKey": "zone", "labelSelector": selector, "namespaces": ["y", "x"], "matchLabelKeys": ["rev"]}
    anywhere = {"topologyKey": "host", "namespaceSelector": {}, "mismatchLabelKeys": ["rev"]}
    spec = {
        "affinity": {
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]},
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [anywhere],
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}],
            },
        },
        "topologySpreadConstraints": [
            {
                "topologyKey": "zone",
                "maxSkew": 2,
                "minDomains": 3,
                "nodeTaintsPolicy": "Honor",
                "matchLabelKeys": ["r"],
            },
            {"topologyKey": "host", "maxSkew": 1, "labelSelector": {}, "nodeAffinityPolicy": "Ignore"},
            {"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
        ],
        "containers": [{"name": "m", "ports": [{"hostPort": 80, "protocol": "UDP"}, {"containerPort": 1}]}],
        "initContainers": [
            {"name": "i", "ports": [{"hostPort": 81}]},
            {"name": "s", "restartPolicy": "Always", "ports": [{"hostPort": 82, "hostIP": "10.0.0.1"}]},
        ],
    }
    wanted = (Requirement("a", "In", ("1",)), Requirement("b", "In", ("2",)), Requirement("c", "Exists"))
    assert decode.pod(pod_json(spec)).shape.rules == PodRules(
        affinity=(PodTerm("zone", wanted, ("x", "y"), None, ("rev",)),),
        anti_affinity=(PodTerm("host", None, (), (), (), ("rev",)),),
        spread=(
            Spread("zone", 2, None, 3, honor_taints=True, match_label_keys=("r",)),
            Spread("host", 1, (), 1, False),
        ),
        ports=(HostPort(80, "UDP"), HostPort(82, "TCP", "10.0.0.1")),
    )


def test_claims_on_volumes() -> None:
    """Claims by name, and those of ephemeral volumes with the class that they ask for; other volumes are none."""
    template = {"volumeClaimTemplate": {"spec": {"storageClassName": "ssd"}}}
    volumes = [
        {"name": "d", "persistentVolumeClaim": {"claimName": "x"}}, {"name": "e", "ephemeral": template},
        {"name": "f", "emptyDir": {}}, {"name": "g", "projected": {}},
    ]  # fmt: skip
    assert decode.pod(pod_json({"volumes": volumes})).shape.claims == (
        ClaimUse("x"),
        ClaimUse("e", ephemeral=True, storage_class="ssd"),
    )


def test_every_port_is_the_hosts_on_its_network() -> None:
    """As the API server writes it."""
    spec = {"hostNetwork": True, "containers": [{"name": "m", "ports": [{"containerPort": 9}, {"hostPort": 8}]}]}
    assert decode.pod(pod_json(spec)).shape.rules.ports == (HostPort(8), HostPort(9))


def test_a_bad_quantity_is_noted_and_does_not_raise() -> None:
    """One odd pod does not stop the tick: its shape says what is wrong with it."""
    shape = decode.pod(pod_json({"containers": [{"name": "m", "resources": {"requests": {"cpu": "1x"}}}]})).shape
    assert shape.unmodelled == (
        (
            "bad quantity in container m, requests.cpu: expected a quantity of at least 0 such as 500m, 2 or 16Gi, "
            "found '1x'"
        ),
    )


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "٣"])
def test_a_claim_with_an_unreadable_time_is_as_old_as_can_be(text: str) -> None:
    """A claim whose time can't be read counts from 0, so that it runs out instead of living for ever."""
    pod = decode.pod(pod_json(annotations={"gpu-autoscale.dev/slot": "s", "gpu-autoscale.dev/claimed-at": text}))
    assert pod.claim == Claim("s", "", 0)


def test_what_is_no_pod_is_refused() -> None:
    """Bytes that are no pod raise msgspec's error, with the place."""
    with pytest.raises(msgspec.ValidationError, match=r"spec.tolerations\[0\].key"):
        decode.pod(pod_json({"tolerations": [{"key": 3}]}))


def node_json(**status: Any) -> bytes:
    """A reserved node as the API server writes it."""
    return json.dumps(
        {
            "metadata": {
                "name": "n1",
                "labels": {"zone": "a"},
                "creationTimestamp": "2026-11-23T05:29:55Z",
                "annotations": {
                    "gpu-autoscale.dev/slot": "p-3",
                    "gpu-autoscale.dev/reservation": "held",
                    "gpu-autoscale.dev/reserved-at": "5",
                },
            },
            "spec": {
                "providerID": "aws:///us-east-1a/i-1",
                "unschedulable": True,
                "taints": [
                    {"key": "gpu-autoscale.dev/slot", "value": "p-3", "effect": "NoSchedule"},
                    {"key": "x", "effect": "NoExecute", "timeAdded": "2026-11-23T05:29:55Z"},
                ],
            },
            "status": status,
        }
    ).encode()


def test_a_whole_node() -> None:
    """Everything that is read of a node lands where the model has it; allocatable rounds up, as the scheduler's does."""
    raw = node_json(
        allocatable={"cpu": "3920.5m", "memory": "14481Mi", "nvidia.com/gpu": "1", "pods": "29", "bad": "x"},
        capacity={"cpu": "4"},
        conditions=[
            {"type": "Ready", "status": "True"},
            {
                "type": "GpuXid",
                "status": "True",
                "reason": "Xid79",
                "lastTransitionTime": "2026-11-23T05:29:55Z",
                "lastHeartbeatTime": "2026-11-23T06:00:00Z",
            },
        ],
        volumesAttached=[{"name": "csi/v1", "devicePath": ""}],
    )
    assert decode.node(raw) == Node(
        name="n1",
        provider_id="aws:///us-east-1a/i-1",
        allocatable=Resources({"cpu": 3921, "memory": 14481 * 2**20, "nvidia.com/gpu": 1, "pods": 29}),
        labels={"zone": "a"},
        annotations={
            "gpu-autoscale.dev/slot": "p-3",
            "gpu-autoscale.dev/reservation": "held",
            "gpu-autoscale.dev/reserved-at": "5",
        },
        taints=(Taint("gpu-autoscale.dev/slot", "p-3"), Taint("x", "", "NoExecute")),
        unschedulable=True,
        ready=True,
        created_at_s=1795411795,
        reservation=NodeReservation("p-3", "held", 5),
        conditions=(Condition("Ready", "True"), Condition("GpuXid", "True", 1795411795, "Xid79")),
        volumes=("csi/v1",),
    )


@pytest.mark.parametrize("conditions", [[], None, [{"type": "Ready", "status": "Unknown"}]])
def test_a_node_is_ready_only_when_it_says_so(conditions: Any) -> None:
    """No Ready condition, or one that is not True, is not ready."""
    assert not decode.node(node_json(conditions=conditions)).ready


def test_capacity_stands_in_for_allocatable() -> None:
    """A node that has not reported allocatable yet is read by its capacity."""
    assert decode.node(node_json(capacity={"cpu": "4"})).allocatable == Resources({"cpu": 4000})


def test_an_unknown_phase_is_no_reservation() -> None:
    """Only the three phases of a reservation are one."""
    raw = b'{"metadata":{"name":"n","annotations":{"gpu-autoscale.dev/slot":"s"}}}'
    assert decode.node(raw).reservation is None


def test_a_daemon_set() -> None:
    """A DaemonSet's shape is its template's; host network brings the toleration that its controller adds for that."""
    raw = json.dumps(
        {
            "metadata": {"name": "agent", "namespace": "kube-system"},
            "spec": {
                "template": {
                    "spec": {
                        "hostNetwork": True,
                        "containers": [{"name": "m", "resources": {"requests": {"cpu": "1"}}}],
                    }
                }
            },
        }
    ).encode()
    network = Toleration("node.kubernetes.io/network-unavailable", "Exists", "", "NoSchedule")
    shape = PodShape(Resources({"cpu": 1000, "pods": 1}), tolerations=(network,))
    assert decode.daemon_set(raw) == DaemonSet("kube-system", "agent", shape)


def test_what_preemption_looks_at() -> None:
    """The policy, when the kubelet took the pod, and since when the scheduler has refused it."""
    refused = {
        "conditions": [
            {"type": "Ready", "status": "False"},
            {
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "lastTransitionTime": "2026-11-23T05:29:55Z",
            },
        ]
    }  # fmt: skip
    spec = {"containers": [{"name": "m"}], "preemptionPolicy": "Never"}
    waits = decode.pod(pod_json(spec, refused))
    assert (waits.shape.preempts, waits.refused_at_s, waits.started_at_s) == (False, 1795411795, 0)
    runs = decode.pod(pod_json({**spec, "nodeName": "n"}, {**refused, "startTime": "2026-11-23T05:29:55Z"}))
    assert (runs.refused_at_s, runs.started_at_s) == (0, 1795411795)
    gated = {"conditions": [{**refused["conditions"][1], "reason": "SchedulingGated"}]}
    assert decode.pod(pod_json(spec, gated)).refused_at_s == 0


def test_a_pod_that_is_resized_asks_for_the_larger() -> None:
    """Its status counts once it is on a node, and its shape is the template's again when the resize is done."""
    needs = {"requests": {"cpu": "1"}}
    spec = {"containers": [{"name": "m", "resources": needs}], "nodeName": "n"}

    def asked(has: str, *conditions: dict[str, str]) -> Resources:
        status = {
            "containerStatuses": [{"name": "m", "resources": {"requests": {"cpu": has}}, "allocatedResources": {"cpu": has}}],
            "conditions": list(conditions),
        }  # fmt: skip
        return decode.pod(pod_json(spec, status)).shape.requests

    assert asked("2") == Resources({"cpu": 2000, "pods": 1})
    assert asked("500m") == Resources({"cpu": 1000, "pods": 1})
    assert asked("500m", {"type": "PodResizePending", "reason": "Deferred"}) == Resources({"cpu": 1000, "pods": 1})
    assert asked("500m", {"type": "PodResizePending", "reason": "Infeasible"}) == Resources({"cpu": 500, "pods": 1})
    done = {"containerStatuses": [{"name": "m", "resources": needs, "allocatedResources": {"cpu": "1"}}]}
    assert decode.pod(pod_json(spec, done)).shape is decode.pod(pod_json(spec, {})).shape


def test_wishes_are_read_beside_the_rules() -> None:
    """Preferred terms with their weights, and spread constraints that need not hold."""
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}
    wished = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5, "podAffinityTerm": term}]}
    spread = {"topologyKey": "zone", "maxSkew": 2, "labelSelector": {"matchLabels": {"a": "b"}}}
    spec = {
        "containers": [{"name": "m"}],
        "affinity": {"podAffinity": wished, "podAntiAffinity": wished},
        "topologySpreadConstraints": [
            {**spread, "whenUnsatisfiable": "ScheduleAnyway"},
            {**spread, "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1},
        ],
    }
    selector = (Requirement("a", "In", ("b",)),)
    terms = ((5, PodTerm("zone", selector)),)
    shape = decode.pod(pod_json(spec, {})).shape
    assert shape.wishes == Wishes(terms, terms, (Spread("zone", 2, selector),))
    assert shape.rules == PodRules(spread=(Spread("zone", 1, selector),))
