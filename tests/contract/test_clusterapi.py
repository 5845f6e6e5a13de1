"""What only Cluster API has: annotations, infrastructure templates, marks on machines, sets and pools, rights."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from autoscale.errors import BadInput, ProviderError
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, Fault, FaultKind, InstanceState, NodeGroup, Offering
from autoscale.model.workload import Taint

from .capi import CAPACITY, GROUP, MARK, NAMESPACE, SIZE
from .cloud_kubernetes import CapiCloud
from .conftest import ON_API_SERVER, rights
from .wire import Rule

pytestmark = list(ON_API_SERVER)

ROOM = {f"{CAPACITY}/cpu": "8", f"{CAPACITY}/memory": "32Gi"}
SCALE = "patch machinedeployments/scale"


def only(capi: CapiCloud, **settings: Any) -> NodeGroup:
    """The one group of the view."""
    view = capi.make(**settings).observe()
    assert (len(view.groups), view.skipped, view.faults) == (1, (), ())
    return view.groups[0]


def test_a_group_is_foretold_from_its_annotations(capi: CapiCloud) -> None:
    """Scale from zero: nothing of the group has to run for its nodes to be known."""
    capi.capi.group(
        "h100",
        annotations={
            **ROOM,
            f"{CAPACITY}/ephemeral-disk": "100Gi",
            f"{CAPACITY}/maxPods": "200",
            f"{CAPACITY}/gpu-type": "nvidia.com/gpu",
            f"{CAPACITY}/gpu-count": "8",
            f"{CAPACITY}/labels": "node.kubernetes.io/instance-type=dgx-h100,karpenter.sh/capacity-type=reserved",
            f"{CAPACITY}/taints": "nvidia.com/gpu=true:NoSchedule,gpu-autoscale.dev/slot=starting:NoSchedule",
        },
        bounds=("1", "4"),
        template={"metadata": {"labels": {"node-role.kubernetes.io/gpu": "", "private": "x"}}},
        replicas=1,
    )
    group = only(capi, prices={"h*": 1.5}, reserved={"cpu": "100m", "memory": "1Gi"})
    assert group.offering == Offering("dgx-h100", "", CapacityType.RESERVED, 1_500_000)
    assert group.allocatable == Resources(
        {
            "cpu": 7900,
            "memory": 31 * 2**30,
            "ephemeral-storage": 100 * 2**30,
            "pods": 200,
            "nvidia.com/gpu": 8,
        }
    )
    assert group.devices == ("nvidia.com/gpu",)
    assert group.taints == (Taint("nvidia.com/gpu", "true", "NoSchedule"),)
    assert dict(group.labels) == {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node-role.kubernetes.io/gpu": "",
        "node.kubernetes.io/instance-type": "dgx-h100",
        "karpenter.sh/capacity-type": "reserved",
    }
    assert (group.id, group.min_nodes, group.max_nodes, group.target_nodes) == (
        "clusterapi:machinedeployment/default/h100",
        1,
        4,
        1,
    )


def test_capacity_comes_from_the_infrastructures_template_and_annotations_go_before_it(capi: CapiCloud) -> None:
    """One list of each kind of template, and only when annotations don't tell."""
    ref = capi.capi.template("dgx", cpu="64", memory="256Gi", **{"nvidia.com/gpu": "4"})
    capi.capi.group(
        "gpu",
        annotations={f"{CAPACITY}/cpu": "60"},
        template={"spec": {"infrastructureRef": ref, "failureDomain": "rack-1"}},
    )
    group = only(capi)
    assert group.offering == Offering("dgx", "rack-1", CapacityType.ON_DEMAND, 0)
    assert group.allocatable == Resources({"cpu": 60_000, "memory": 256 * 2**30, "pods": 110, "nvidia.com/gpu": 4})
    assert capi.wire.actions.count("list demomachinetemplates") == 1


@pytest.mark.parametrize("kind", ["MachineSet", "MachinePool"])
def test_sets_and_pools_grow_and_shrink_by_name(capi: CapiCloud, kind: str) -> None:
    """As deployments do; a pool's machines are Machines too."""
    group = capi.capi.group("gpu", kind=kind, nodes=1, annotations=ROOM)
    capi.provider.resize(group, target_nodes=3, request_id="plan-1")
    capi.capi.settle(kind, "gpu")
    names = [each.id for each in only(capi).instances]
    capi.provider.remove(group, [names[1]], request_id="plan-2")
    marked = {each.id: each.state for each in only(capi).instances}
    capi.capi.settle(kind, "gpu")
    assert marked[names[1]] == InstanceState.TERMINATING
    assert [each.id for each in only(capi).instances] == [names[0], names[2]]
    assert only(capi).target_nodes == 2


def test_a_mark_that_nothing_came_of_takes_no_machine_with_it(capi: CapiCloud) -> None:
    """A person's, or one of an order that was cut off: that machine stays, and another one can be removed."""
    group = capi.capi.group("gpu", nodes=3, annotations=ROOM)
    names = [each.id for each in only(capi).instances]
    machine = f"{NAMESPACE}/machines/{names[0].partition('/')[2]}"
    capi.capi.api.patch(machine, {"metadata": {"annotations": {MARK: "1"}}})
    assert {each.state for each in only(capi).instances} == {InstanceState.RUNNING}
    capi.provider.remove(group, [names[2]], request_id="plan-1")
    capi.capi.settle("MachineDeployment", "gpu")
    assert [each.id for each in only(capi).instances] == names[:2]
    assert MARK not in (capi.capi.api.get(machine)["metadata"].get("annotations") or {})


def test_who_is_marked_for_a_size_that_is_still_to_come_is_not_mixed_up(capi: CapiCloud) -> None:
    """One of two marked machines will go, and nobody knows which: the next removal waits until it has."""
    group = capi.capi.group("gpu", nodes=3, annotations=ROOM)
    names = [each.id for each in only(capi).instances]
    capi.provider.remove(group, names[:1], request_id="plan-1")
    for name in names[1:2]:
        path = f"{NAMESPACE}/machines/{name.partition('/')[2]}"
        capi.capi.api.patch(path, {"metadata": {"annotations": {MARK: "1"}}})
    with pytest.raises(ProviderError) as error:
        capi.provider.remove(group, names[2:], request_id="plan-2")
    assert (error.value.fault.code, error.value.fault.kind) == ("StaleRead", FaultKind.THROTTLED)
    capi.capi.settle("MachineDeployment", "gpu")
    capi.provider.remove(group, names[2:], request_id="plan-3")
    capi.capi.settle("MachineDeployment", "gpu")
    assert [each.id for each in only(capi).instances] == names[1:2]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"annotations": {**ROOM, f"{GROUP}/paused": "true"}}, "it is paused"),
        ({"bounds": ("many", "9")}, "annotation cluster-api-autoscaler-node-group-min-size: expected a whole number, found 'many'"),
        ({"bounds": ("5", "2")}, "its minimum of 5 is above its maximum of 2"),
        (
            {"annotations": {}},
            (f"nothing tells its nodes' capacity: annotate it with {CAPACITY}/cpu and {CAPACITY}/memory, or use "
            "infrastructure whose template has status.capacity"),
        ),
        (
            {"annotations": {**ROOM, f"{CAPACITY}/gpu-count": "lots"}},
            "its capacity can't be read: 'lots' is not a Kubernetes quantity such as 500m, 2 or 16Gi",
        ),
        (
            {"annotations": {**ROOM, f"{CAPACITY}/taints": "gpu:Never"}},
            f"annotation {CAPACITY}/taints: expected KEY=VALUE:EFFECT with an effect of NoSchedule, PreferNoSchedule, NoExecute",
        ),
        (
            {"kind": "MachinePool", "replicas": 2},
            "its infrastructure has no Machines, so that nobody could choose which one goes",
        ),
    ],
)  # fmt: skip
def test_a_group_that_cannot_be_modelled_is_left_out_with_a_reason(
    capi: CapiCloud, changes: dict[str, Any], reason: str
) -> None:
    """The others work on."""
    capi.capi.group("odd", **{"annotations": ROOM, **changes})
    good = capi.create("good")
    view = capi.provider.observe()
    assert ([group.id for group in view.groups], view.faults) == ([good], ())
    assert [each.reason.text for each in view.skipped] == [f"group odd is left out: {reason}"]


def test_groups_of_other_clusters_and_sets_of_deployments_are_none_of_ours(capi: CapiCloud) -> None:
    """A management cluster manages many clusters; a deployment's set has its annotations copied."""
    capi.capi.group("theirs", cluster="other", annotations=ROOM)
    group = capi.create("ours", nodes=1)
    notes = {**ROOM, f"{SIZE}-min-size": "0", f"{SIZE}-max-size": "9"}
    capi.capi.api.patch(f"{NAMESPACE}/machinesets/ours-x", {"metadata": {"annotations": notes}})
    assert [each.id for each in capi.provider.observe().groups] == [group]
    theirs = "clusterapi:machinedeployment/default/theirs"
    assert [each.id for each in capi.make(cluster_name="other").observe().groups] == [theirs]


def test_a_stock_out_is_told_by_the_machines_condition_and_can_be_taken_back(capi: CapiCloud) -> None:
    """Machines without a provider id are wishes; lowering the replicas ends the wishes and no machine."""
    group = capi.create("gpu", nodes=1)
    before = capi.truth(group)[1]
    capi.capi.out_of_stock["gpu"] = "failed to create: InsufficientInstanceCapacity: no capacity in zone a."
    capi.provider.resize(group, target_nodes=3, request_id="plan-1")
    capi.truth(group)
    seen = only(capi)
    assert (seen.target_nodes, [each.id for each in seen.instances]) == (3, list(before))
    assert seen.faults == (
        Fault(
            group,
            FaultKind.NO_CAPACITY,
            "InsufficientCapacity",
            "InstanceProvisionFailed: failed to create: InsufficientInstanceCapacity: no capacity in zone a",
            seen.faults[0].at_s,
            "gpu/*/on-demand",
        ),
    )
    capi.provider.resize(group, target_nodes=1, request_id="plan-2")
    assert capi.truth(group) == (1, before)
    assert only(capi).faults == ()


def test_a_machine_that_failed_without_a_known_reason_is_a_fault_too(capi: CapiCloud) -> None:
    """Its phase says so."""
    group = capi.create("gpu", nodes=1)
    (name,) = (each.rpartition("/")[2] for each in capi.truth(group)[1])
    status = {"phase": "Failed", "nodeRef": None, "failureReason": "CreateError", "failureMessage": "the disk is bad"}
    capi.capi.api.patch(f"{NAMESPACE}/machines/{name}/status", {"status": status})
    assert [(each.kind, each.code, each.message) for each in only(capi).faults] == [
        (FaultKind.OTHER, "CreateError", "CreateError: the disk is bad")
    ]


def test_a_crash_between_mark_and_scale_is_made_good(capi: CapiCloud) -> None:
    """The next removal of the same machine lowers the replicas, and only once."""
    group = capi.create("gpu", nodes=3)
    first = capi.truth(group)[1][0]
    capi.capi.api.patch(f"{NAMESPACE}/machines/{first.rpartition('/')[2]}", {"metadata": {"annotations": {MARK: "1"}}})
    capi.provider.remove(group, [first], request_id="plan-1")
    capi.provider.remove(group, [first], request_id="plan-2")
    target, left = capi.truth(group)
    assert (target, len(left), first in left) == (2, 2, False)


def test_a_mark_is_taken_back_when_the_replicas_cannot_be_lowered(capi: CapiCloud) -> None:
    """Else the next change of size, by whomever, would take the machine."""
    group = capi.create("gpu", nodes=2)
    first = capi.truth(group)[1][0]
    capi.wire.rules.append(Rule(SCALE, error=(403, "Forbidden", "no")))
    with pytest.raises(ProviderError, match="patch machinedeployments/scale: no"):
        capi.provider.remove(group, [first], request_id="plan-1")
    assert [each.state for each in only(capi).instances] == [InstanceState.RUNNING] * 2


def test_a_change_by_others_in_between_is_seen_and_the_removal_counts_on_top_of_it(capi: CapiCloud) -> None:
    """Somebody scales up between our read and our write: nobody's change is lost."""
    group = capi.create("gpu", nodes=2)
    first = capi.truth(group)[1][0]

    def older(text: str) -> str:
        document = json.loads(text)
        capi.capi.api.patch(f"{NAMESPACE}/machinedeployments/gpu", {"spec": {"replicas": 4}})
        return json.dumps(document)

    capi.wire.rules.append(Rule("get machinedeployments", rewrite=older))
    capi.provider.remove(group, [first], request_id="plan-1")
    assert capi.capi.api.get(f"{NAMESPACE}/machinedeployments/gpu")["spec"]["replicas"] == 3


def test_all_groups_are_read_in_a_handful_of_calls(capi: CapiCloud) -> None:
    """However many they are, as long as they fit a page."""
    for n in range(20):
        capi.create(f"gpu-{n:04}")
    capi.wire.actions.clear()
    assert len(capi.make().observe().groups) == 20
    assert sorted(capi.wire.actions) == [
        "get discovery",
        "list machinedeployments",
        "list machinepools",
        "list machines",
        "list machinesets",
    ]


def test_check_says_in_one_sentence_what_a_person_must_mend(capi: CapiCloud, tmp_path: Path) -> None:
    """No such file, no rights; and silence when all is well."""
    capi.clusterapi.check()
    none = tmp_path / "none"
    with pytest.raises(BadInput, match=re.escape("clusterapi: list machinedeployments: no cluster to sign in to")):
        capi.make(kubeconfig=str(none)).check()
    capi.fail("observe", "denied")
    with pytest.raises(BadInput, match="cannot do this"):
        capi.make().check()


def test_the_shipped_role_grants_what_is_called_and_nothing_else(capi: CapiCloud) -> None:
    """The wire signs in with exactly this role, so nothing is missing; and each right is used."""
    capi.capi.group(
        "from-zero", template={"spec": {"infrastructureRef": capi.capi.template("t", cpu="1", memory="1Gi")}}
    )
    for kind in ("MachineDeployment", "MachineSet", "MachinePool"):
        group = capi.capi.group(f"of-{kind.lower()}", kind=kind, nodes=1, annotations=ROOM)
        capi.provider.resize(group, target_nodes=2, request_id="plan-1")
        capi.capi.settle(kind, f"of-{kind.lower()}")
        ids = [each.id for found in capi.provider.observe().groups if found.id == group for each in found.instances]
        capi.provider.remove(group, ids[:1], request_id="plan-2")
    used = {action.replace("demomachinetemplates", "*") for action in capi.wire.actions} - {"get discovery"}
    assert used == rights("clusterapi")
