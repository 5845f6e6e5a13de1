from typing import Any

import pytest

from autoscale.errors import BadInput
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, FaultKind, InstanceState, Offering
from providers.clusterapi import provider_from_settings
from providers.clusterapi.machines import faults_of, instances_of
from providers.clusterapi.objects import Ref, by_group, ref_of
from providers.clusterapi.settings import ClusterApiSettings
from providers.clusterapi.templates import NodeTemplate, node_template
from providers.kubernetes_api import KubeError, classify


def machine(name: str, **more: Any) -> dict[str, Any]:
    """A Machine of set `s`."""
    owner = [{"kind": "MachineSet", "name": "s"}]
    return {"metadata": {"namespace": "ns", "name": name, "ownerReferences": owner}, **more}


def test_the_defaults_are_this_cluster_and_owned_machines() -> None:
    """Whatever the engine's own kubeconfig reaches, in any namespace, at no price."""
    found = ClusterApiSettings.parse({}, cluster="prod")
    assert found == ClusterApiSettings("", "", "", "prod", "cluster.x-k8s.io", (), Resources())
    assert found.price("gpu") == 0


def test_all_that_can_be_said() -> None:
    """The first pattern that matches a group's name has its price."""
    given = {
        "kubeconfig": "/etc/mgmt",
        "context": "mgmt",
        "namespace": "clusters",
        "cluster_name": "prod-1",
        "api_group": "cluster.example.com",
        "prices": {"h100-*": 2.5, "*": "0.1"},
        "reserved": {"cpu": "100m", "memory": "1Gi"},
    }
    found = ClusterApiSettings.parse(given, cluster="prod")
    assert found == ClusterApiSettings(
        kubeconfig="/etc/mgmt",
        context="mgmt",
        namespace="clusters",
        cluster_name="prod-1",
        api_group="cluster.example.com",
        prices=(("h100-*", 2_500_000), ("*", 100_000)),
        reserved=Resources({"cpu": 100, "memory": 2**30}),
    )
    assert (found.price("h100-a"), found.price("l4")) == (2_500_000, 100_000)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"kubeconf": "x"},
            (
                "clusterapi.kubeconf: unknown key; did you mean kubeconfig?, expected one of api_group, cluster_name, "
                "context, kubeconfig, namespace, prices, reserved"
            ),
        ),
        ({"namespace": 3}, "clusterapi.namespace: wrong type, expected a text, found 3"),
        (
            {"prices": {"a": -1}},
            "clusterapi.prices.a: wrong price, expected US$ per hour, 0 or more, found -1",
        ),
        (
            {"prices": [1]},
            "clusterapi.prices: wrong type, expected a map of group pattern to US$ per hour, found [1]",
        ),
        (
            {"reserved": {"cpu": "much"}},
            ("clusterapi.reserved: wrong quantity, found 'much' is not a Kubernetes quantity such as 500m, 2 or 16Gi"),
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(given: dict[str, Any], message: str) -> None:
    """Key, what was expected, what was found."""
    with pytest.raises(BadInput) as error:
        provider_from_settings(given, cluster="prod", now_s=lambda: 0)
    assert str(error.value) == message


def test_ids_name_kind_namespace_and_object() -> None:
    """What is no id of ours is none."""
    assert ref_of("clusterapi:machineset/ns/a") == Ref("machineset", "ns", "a")
    wrong = ("clusterapi:pod/ns/a", "clusterapi:machineset/ns", "clusterapi:machineset//a", "aws:machineset/ns/a")
    assert [ref_of(each) for each in wrong] == [None] * 4


def test_a_machine_belongs_to_the_deployment_above_its_set() -> None:
    """Or to the set, or to the pool; a control plane's machine to nobody."""
    sets = [
        {"metadata": {"namespace": "ns", "name": "s", "ownerReferences": [{"kind": "MachineDeployment", "name": "d"}]}}
    ]
    lone = machine("b")
    lone["metadata"]["ownerReferences"] = [{"kind": "KubeadmControlPlane", "name": "cp"}]
    pooled = machine("c")
    pooled["metadata"]["ownerReferences"] = [{"kind": "MachinePool", "name": "p"}]
    assert by_group([machine("a"), lone, pooled], sets) == {
        Ref("machinedeployment", "ns", "d"): [machine("a")],
        Ref("machinepool", "ns", "p"): [pooled],
    }
    assert by_group([machine("a")], []) == {Ref("machineset", "ns", "s"): [machine("a")]}


def test_states_follow_the_machine() -> None:
    """No provider id: a wish. A node: running. Being deleted, or marked while there are too many: on its way out."""
    mark = "cluster.x-k8s.io/delete-machine"
    having = {"spec": {"providerID": "x://a"}}
    going = machine("d", **having, status={"nodeRef": {"name": "d"}})
    going["metadata"]["annotations"] = {mark: "1"}
    machines = [
        machine("a", **having),
        machine("b", status={"phase": "Provisioning"}),
        machine("c", **having, status={"nodeRef": {"name": "c"}}),
        going,
        machine("e", **having, status={"phase": "Deleting"}),
    ]
    wanted = {
        "ns/a": InstanceState.PENDING,
        "ns/c": InstanceState.RUNNING,
        "ns/d": InstanceState.TERMINATING,
        "ns/e": InstanceState.TERMINATING,
    }
    for replicas, marked in ((3, InstanceState.TERMINATING), (4, InstanceState.RUNNING), (9, InstanceState.RUNNING)):
        found = instances_of(machines, machine_type="dgx", mark=mark, replicas=replicas)
        assert {each.id: each.state for each in found} == {**wanted, "ns/d": marked}


def test_failures_are_found_where_either_version_keeps_them() -> None:
    """v1beta2 has no severity and keeps the old failure fields aside; a condition that merely waits is no failure."""
    offering = Offering("dgx", "", CapacityType.ON_DEMAND, 0)
    waiting = {"type": "InfrastructureReady", "status": "False", "reason": "NotReady", "message": "it is being made"}
    full = {**waiting, "reason": "NotReady", "message": "0/3 hosts: no available hosts"}
    found = faults_of(
        [
            machine("a", status={"conditions": [waiting]}),
            machine("b", status={"conditions": [full]}),
            machine(
                "c", status={"deprecated": {"v1beta1": {"failureReason": "Bad", "failureMessage": "quota: 8 GPUs"}}}
            ),
            machine("d", status={"phase": "Failed"}),
        ],
        group="g",
        offering=offering,
        at_s=7,
    )
    assert [(each.kind, each.code, each.message, each.at_s, each.offering) for each in found] == [
        (FaultKind.NO_CAPACITY, "InsufficientCapacity", "NotReady: 0/3 hosts: no available hosts", 7, offering.key),
        (FaultKind.OTHER, "ProvisioningFailed", "ProvisioningFailed", 7, offering.key),
        (FaultKind.QUOTA, "QuotaExceeded", "Bad: quota: 8 GPUs", 7, offering.key),
    ]


def test_taints_of_the_template_and_of_the_annotation_together() -> None:
    """The annotation's value counts; those that only last while a node starts are left out."""
    document = {
        "metadata": {"annotations": {"capacity.cluster-autoscaler.kubernetes.io/taints": "a=2:NoSchedule"}},
        "spec": {
            "template": {
                "spec": {
                    "taints": [
                        {"key": "a", "value": "1", "effect": "NoSchedule"},
                        {"key": "b", "effect": "NoExecute", "propagation": "Always"},
                        {"key": "c", "effect": "NoSchedule", "propagation": "OnInitialization"},
                    ]
                }
            }
        },
    }
    infra = {"status": {"capacity": {"cpu": "2", "memory": "4Gi"}, "nodeInfo": {"architecture": "arm64"}}}
    found = node_template(document, infra)
    assert isinstance(found, NodeTemplate)
    assert [(each.key, each.value, each.effect) for each in found.taints] == [
        ("a", "2", "NoSchedule"),
        ("b", "", "NoExecute"),
    ]
    assert found.labels["kubernetes.io/arch"] == "arm64"


@pytest.mark.parametrize(
    ("status", "message", "kind", "code"),
    [
        (0, "no answer from the API server", FaultKind.OTHER, "Unreachable"),
        (401, "Unauthorized", FaultKind.DENIED, "Unauthorized"),
        (403, 'User "x" cannot patch resource', FaultKind.DENIED, "Forbidden"),
        (403, "exceeded quota: gpus", FaultKind.QUOTA, "QuotaExceeded"),
        (404, "not found", FaultKind.NOT_FOUND, "NotFound"),
        (409, "the object has been modified", FaultKind.OTHER, "Conflict"),
        (422, "denied the request: out of capacity", FaultKind.NO_CAPACITY, "InsufficientCapacity"),
        (422, "spec.replicas: must be a number", FaultKind.OTHER, "Invalid"),
        (429, "too many requests", FaultKind.THROTTLED, "TooManyRequests"),
        (500, "out of capacity", FaultKind.OTHER, "InternalFailure"),
    ],
)
def test_refusals_of_an_api_server_are_faults(status: int, message: str, kind: FaultKind, code: str) -> None:
    """By status; where a webhook refuses, its sentence says why."""
    fault = KubeError(status, message).fault(group="g", at_s=7, doing="patch x")
    assert (fault.kind, fault.code, fault.message) == (kind, code, f"patch x: {message}")


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("InsufficientInstanceCapacity: We currently do not have sufficient capacity", FaultKind.NO_CAPACITY),
        ("AllocationFailed: the zone is full", FaultKind.NO_CAPACITY),
        ("No valid host was found.", FaultKind.NO_CAPACITY),
        ("VcpuLimitExceeded", FaultKind.QUOTA),
        ("Rate exceeded", FaultKind.THROTTLED),
        ("You are not authorized to perform this operation", FaultKind.DENIED),
        ("image ubuntu-22 not found", FaultKind.BAD_TEMPLATE),
    ],
)
def test_sentences_of_infrastructure_are_understood(sentence: str, kind: FaultKind) -> None:
    """Whoever passes them on."""
    told = classify(sentence)
    assert told
    assert told[0] == kind
    assert classify("waiting for the bootstrap data") is None
