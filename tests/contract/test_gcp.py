"""What only Google Cloud has: templates, regional groups, named instances, operations, attempts that failed, rights."""

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscale.errors import BadInput, ProviderError
from autoscale.model.resources import Resources
from autoscale.model.supply import (
    CapacityType,
    Fault,
    FaultKind,
    InstanceState,
    NodeGroup,
    Notice,
    NoticeKind,
    Offering,
)
from autoscale.model.workload import Taint

from .cloud_gce import GCE_ZONE, GceCloud, gcp_provider
from .gce import permission
from .gce_messages import PROJECT
from .wire import Rule

ROLE = Path(__file__).parents[2] / "deploy" / "gcp" / "role.yaml"
OURS = {"gpu-autoscale-cluster": "demo"}
ZONES = ["us-central1-a", "us-central1-b"]
CREATE = "compute.instanceGroupManagers.createInstances"
STOCKOUT = ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "The zone does not have enough resources available.")
SECRET = "ya29.planted-secret"


def kube_env(**variables: str) -> dict[str, Any]:
    """The metadata that carries the variables, and a secret beside them."""
    text = ";".join(f"{name}={value}" for name, value in variables.items())
    value = yaml.safe_dump({"AUTOSCALER_ENV_VARS": text, "KUBELET_KEY": SECRET})
    return {"metadata": {"items": [{"key": "kube-env", "value": value}]}}


def only(gce: GceCloud) -> NodeGroup:
    """The one group of the view."""
    view = gce.provider.observe()
    assert (len(view.groups), view.skipped, view.faults) == (1, (), ())
    return view.groups[0]


def notes(group: NodeGroup) -> list[str]:
    """What the provider remarked."""
    return [note.text for note in group.notes]


def test_a_group_is_foretold_from_its_template(gce: GceCloud) -> None:
    """Type, attached accelerators, disk, and what kube-env says of labels, taints and resources."""
    template = gce.gce.template(
        "t4",
        f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{GCE_ZONE}/machineTypes/n1-standard-8",
        guest_accelerators=[{"accelerator_type": "nvidia-tesla-t4", "accelerator_count": 2}],
        scheduling={"provisioning_model": "SPOT"},
        disks=[{"boot": True, "initialize_params": {"disk_size_gb": 200}}],
        **kube_env(
            node_labels="team=vision,tier=batch",
            node_taints="nvidia.com/gpu=present:NoSchedule,startup-taint.cluster-autoscaler.kubernetes.io/x=y:NoSchedule",
            kube_reserved="cpu=100m,memory=1Gi,ephemeral-storage=10Gi",
            extended_resources="example.com/nic=2",
            os="linux",
        ),
    )
    gce.gce.group("gpu", GCE_ZONE, template=template, labels=OURS)
    group = only(gce)
    memory = 30 * 2**30 - (30 * 2**30 // 64 + 80 * 2**20) - 2**30 - 100 * 2**20
    assert group.offering == Offering("n1-standard-8+nvidia-tesla-t4x2", GCE_ZONE, CapacityType.SPOT, 127_650 + 383_000)
    assert group.allocatable == Resources(
        {
            "cpu": 7900,
            "memory": memory,
            "ephemeral-storage": 170 * 2**30,
            "pods": 110,
            "nvidia.com/gpu": 2,
            "example.com/nic": 2,
        }
    )
    assert group.devices == ("example.com/nic", "nvidia.com/gpu")
    assert group.taints == (Taint("nvidia.com/gpu", "present", "NoSchedule"),)
    assert dict(group.labels) == {
        "node.kubernetes.io/instance-type": "n1-standard-8",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "cloud.google.com/machine-family": "n1",
        "cloud.google.com/gke-accelerator": "nvidia-tesla-t4",
        "cloud.google.com/gke-accelerator-count": "2",
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.count": "2",
        "nvidia.com/gpu.product": "Tesla-T4",
        "nvidia.com/gpu.memory": "15360",
        "topology.kubernetes.io/region": "us-central1",
        "topology.kubernetes.io/zone": GCE_ZONE,
        "topology.gke.io/zone": GCE_ZONE,
        "karpenter.sh/capacity-type": "spot",
        "cloud.google.com/gke-spot": "true",
        "cloud.google.com/gke-provisioning": "spot",
        "team": "vision",
        "tier": "batch",
    }
    assert (group.min_nodes, group.max_nodes, notes(group)) == (0, 1000, [])


def test_tpus_are_machines_as_others_are(gce: GceCloud) -> None:
    """Priced by the configuration, since no list is bundled; one that is part of a slice of several is left out."""
    gce.gce.group("one", GCE_ZONE, template=gce.gce.template("one", "ct6e-standard-4t"), labels=OURS)
    placed = gce.gce.template("placed", "ct6e-standard-4t", resource_policies=["slice"])
    gce.gce.group("placed", GCE_ZONE, template=placed, labels=OURS)
    told = gce.gce.template("told", "ct6e-standard-4t", **kube_env(node_labels="cloud.google.com/gke-tpu-topology=4x4"))
    gce.gce.group("told", GCE_ZONE, template=told, labels=OURS)
    view = gcp_provider(gce.gce.url, prices={"ct6e-standard-4t": 10.8}).observe()
    (group,) = view.groups
    assert group.offering == Offering("ct6e-standard-4t", GCE_ZONE, CapacityType.ON_DEMAND, 10_800_000)
    assert (group.devices, group.allocatable["google.com/tpu"]) == (("google.com/tpu",), 4)
    assert group.labels["cloud.google.com/gke-tpu-topology"] == "2x2"
    assert [each.reason.text for each in view.skipped] == [
        f"group {name} is left out: its machines are one TPU slice together, which is not supported"
        for name in ("placed", "told")
    ]
    view = gce.provider.observe()
    assert "there is no price for ct6e-standard-4t in us-central1-a: set gcp.prices" in view.skipped[0].reason.text


def test_a_regional_group_grows_and_shrinks_across_its_zones(gce: GceCloud) -> None:
    """No zone beforehand, the price of the dearest; each instance has its own zone, also in its provider id."""
    gce.gce.group("wide", "us-central1", template=gce.main, labels=OURS, zones=ZONES)
    group = "gcp:us-central1/wide"
    gce.provider.resize(group, target_nodes=3, request_id="plan-1")
    seen = only(gce)
    zones = sorted(each.zone for each in seen.instances)
    assert (seen.offering.key, zones) == ("g2-standard-4/*/on-demand", [ZONES[0], ZONES[0], ZONES[1]])
    assert all(each.provider_id == f"gce://{PROJECT}/{each.id}" for each in seen.instances)
    assert "topology.kubernetes.io/zone" not in seen.labels
    gone = next(each.id for each in seen.instances if each.zone == ZONES[1])
    gce.provider.remove(group, [gone], request_id="plan-2")
    assert sorted(each.zone for each in only(gce).instances) == [ZONES[0], ZONES[0]]


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (["mig:namePrefix=gpu-"], {"gpu-a": (0, 1000), "gpu-b": (2, 1000)}),
        (["mig:name=gpu-b,max=7", "mig:namePrefix=gpu-,min=1,max=5"], {"gpu-a": (1, 5), "gpu-b": (2, 7)}),
        (["mig:label=team:ml"], {"other": (0, 1000)}),
    ],
)
def test_groups_are_found_by_name_prefix_or_label(
    gce: GceCloud, rules: list[str], found: dict[str, tuple[int, int]]
) -> None:
    """As Cluster Autoscaler's auto-discovery says it; the rule's bounds go before the labels'."""
    template = gce.gce.template("labelled", "g2-standard-4", labels={"team": "ml"})
    gce.gce.group("gpu-a", GCE_ZONE, template=gce.main)
    gce.gce.group("gpu-b", GCE_ZONE, template=gce.main, labels={"gpu-autoscale-min": "2"})
    gce.gce.group("other", GCE_ZONE, template=template)
    view = gcp_provider(gce.gce.url, discover=rules).observe()
    assert {group.name: (group.min_nodes, group.max_nodes) for group in view.groups} == found


@pytest.mark.parametrize(
    ("properties", "more", "reason"),
    [
        ({"machine_type": "z9-mega"}, {}, "the catalogue does not have machine type z9-mega"),
        (
            {"machine_type": "a3-highgpu-8g"},
            {},
            ("the price of a3-highgpu-8g is refused (on-demand 33.60609 US$ an hour for 8 H100 in us-central1-a is "
            "below spot 42.7096): set gcp.prices"),
        ),
        ({}, {"status": {"autoscaler": "x/y"}}, "a Google autoscaler changes its size"),
        ({}, {"labels": {"gpu-autoscale-max": "many"}}, "label gpu-autoscale-max: expected a whole number, found 'many'"),
        (
            {},
            {"labels": {"gpu-autoscale-min": "3", "gpu-autoscale-max": "2"}},
            "its minimum of 3 is above its maximum of 2",
        ),
        (
            {"scheduling": {"provisioning_model": "FLEX_START"}},
            {"region": "us-central1"},
            "it is regional; flex-start capacity is asked for through zonal groups",
        ),
        (
            kube_env(node_taints=f"a={SECRET}"),
            {},
            ("kube-env AUTOSCALER_ENV_VARS node_taints: expected a=VALUE:EFFECT with an effect of NoSchedule, "
            "PreferNoSchedule, NoExecute"),
        ),
        (kube_env(kube_reserved=f"cpu={SECRET}"), {}, "kube-env AUTOSCALER_ENV_VARS kube_reserved: expected Kubernetes quantities"),
    ],
)  # fmt: skip
def test_a_group_that_cannot_be_modelled_is_left_out_with_a_reason(
    gce: GceCloud, properties: dict[str, Any], more: dict[str, Any], reason: str
) -> None:
    """The others work on; nothing that may be secret is quoted."""
    template = gce.gce.template("odd", **{"machine_type": "g2-standard-4", **properties})
    gce.gce.group("odd", GCE_ZONE, template=template, **{**more, "labels": OURS | more.get("labels", {})})
    gce.gce.group("gone", GCE_ZONE, template=gce.main + "-gone", labels=OURS)
    good = gce.create("good")
    view = gce.provider.observe()
    told = {each.id.rpartition("/")[2]: each.reason.text for each in view.skipped}
    assert ([group.id for group in view.groups], view.faults) == ([good], ())
    assert told["odd"] == f"group odd is left out: {reason}"
    assert "instance template can't be read: compute.instanceTemplates.get" in told["gone"]
    assert SECRET not in str(view)


def test_a_configured_price_stands_in_for_a_refused_one(gce: GceCloud) -> None:
    """The user's word counts before the catalogue's."""
    template = gce.gce.template("h100", "a3-highgpu-8g")
    gce.gce.group("gpu", GCE_ZONE, template=template, labels=OURS)
    (group,) = gcp_provider(gce.gce.url, prices={"a3-highgpu-8g": 88.5}).observe().groups
    assert (group.offering.price_microusd_per_hour, group.allocatable["nvidia.com/gpu"]) == (88_500_000, 8)


def test_a_stock_out_is_a_fault_of_the_offering_and_can_be_taken_back(gce: GceCloud) -> None:
    """Names that wait for a machine are no instances; lowering the target ends the wait and nothing else."""
    group = gce.create("gpu", nodes=1)
    gce.gce.stockouts[GCE_ZONE] = STOCKOUT
    gce.provider.resize(group, target_nodes=3, request_id="plan-1")
    seen = only(gce)
    code, message = STOCKOUT
    at_s = seen.faults[0].at_s
    assert (seen.target_nodes, len(seen.instances)) == (3, 1)
    assert seen.faults == (
        Fault(group, FaultKind.NO_CAPACITY, code, message.rstrip("."), at_s, f"g2-standard-4/{GCE_ZONE}/on-demand"),
    )
    before = gce.truth(group)[1]
    gce.gce.groups[GCE_ZONE, "gpu"].machines["gpu-0000"].error = ("QUOTA_EXCEEDED", "an attempt of long ago")
    assert [each.code for each in only(gce).faults] == [code]
    gce.provider.resize(group, target_nodes=1, request_id="plan-2")
    assert gce.truth(group) == (1, before)
    assert only(gce).faults == ()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ZONE_RESOURCE_POOL_EXHAUSTED", FaultKind.NO_CAPACITY),
        ("QUOTA_EXCEEDED", FaultKind.QUOTA),
        ("IP_SPACE_EXHAUSTED_WITH_DETAILS", FaultKind.NO_CAPACITY),
        ("PERMISSIONS_ERROR_SERVICE_ACCOUNT", FaultKind.DENIED),
        ("CONDITION_NOT_MET", FaultKind.BAD_TEMPLATE),
        ("NEVER_HEARD_OF", FaultKind.OTHER),
    ],
)
def test_an_operation_that_failed_is_a_refusal(gce: GceCloud, code: str, kind: FaultKind) -> None:
    """The call itself was taken in; its outcome says no, and the next try works."""
    group = gce.create("gpu")
    gce.gce.operation_errors.append((code, "no."))
    with pytest.raises(ProviderError) as error:
        gce.provider.resize(group, target_nodes=2, request_id="plan-1")
    fault = error.value.fault
    assert (fault.kind, fault.code, fault.message) == (kind, code, "compute.instanceGroupManagers.update: no")
    gce.provider.resize(group, target_nodes=2, request_id="plan-1")
    assert gce.truth(group)[0] == 2


def test_a_new_process_waits_for_what_the_last_one_asked_for(gce: GceCloud) -> None:
    """An operation that still runs when we start is finished before the group is read and grown."""
    group = gce.create("gpu")
    gce.gce.late = True
    gce.gce.rules.append(Rule("compute.zoneOperations.get", times=100, error=(403, "forbidden", "no")))
    with pytest.raises(ProviderError, match=r"compute\.zoneOperations\.get: no"):
        gce.provider.resize(group, target_nodes=2, request_id="plan-1")
    gce.mend()
    assert gce.truth(group)[0] == 0
    gcp_provider(gce.gce.url).resize(group, target_nodes=2, request_id="plan-2")
    assert gce.truth(group)[0] == 2


def test_names_are_the_groups_and_never_used_twice(gce: GceCloud) -> None:
    """A node that comes back under an old name would be taken for the old one."""
    group = gce.create("gpu")
    names: list[str] = []
    for _ in range(3):
        gce.provider.resize(group, target_nodes=2, request_id="plan-1")
        new = list(gce.truth(group)[1])
        names += new
        gce.provider.remove(group, new, request_id="plan-1")
    assert len(set(names)) == 6
    assert all(name.startswith(f"{GCE_ZONE}/gpu-") for name in names)


def test_machines_that_come_and_go_are_pending_and_terminating(gce: GceCloud) -> None:
    """A machine on its way out no longer counts."""
    group = gce.create("gpu", nodes=1)
    gce.gce.slow = True
    gce.provider.resize(group, target_nodes=2, request_id="plan-1")
    (first, *_) = sorted(gce.truth(group)[1])
    gce.provider.remove(group, [first], request_id="plan-2")
    states = {each.id: str(each.state) for each in only(gce).instances}
    assert (states.pop(first), list(states.values()), gce.truth(group)[0]) == ("terminating", ["pending"], 1)


@pytest.mark.parametrize("others", [0, 11])
def test_notice_is_taken_of_machines_that_end(gce: GceCloud, others: int) -> None:
    """Preempted, at the end of their time, to be maintained: told by few groups and by many alike."""
    for n in range(others):
        gce.create(f"other-{n}", nodes=1)
    gce.create("gpu", nodes=5)
    machines = list(gce.gce.groups[GCE_ZONE, "gpu"].machines.values())
    now_s = gce.clock.now_s()
    now = dt.datetime.fromtimestamp(now_s, dt.UTC)
    machines[0].status = "STOPPING"
    machines[1].ends = (now + dt.timedelta(minutes=50)).isoformat()
    machines[2].maintained = (now + dt.timedelta(minutes=10)).isoformat()
    machines[3].ends = machines[3].maintained = (now + dt.timedelta(minutes=70)).isoformat()
    (group,) = [each for each in gce.provider.observe().groups if each.name == "gpu"]
    assert [each.notice for each in group.instances] == [
        Notice(NoticeKind.INTERRUPTED, "Google is stopping it"),
        Notice(NoticeKind.ENDING, "the time it may run is over", now_s + 3000),
        Notice(NoticeKind.ENDING, "its host is to be maintained", now_s + 600),
        None,
        None,
    ]
    assert {each.state for each in group.instances} == {InstanceState.RUNNING}


@pytest.mark.parametrize("others", [0, 11])
def test_a_machine_of_another_template_than_new_ones_is_outdated(gce: GceCloud, others: int) -> None:
    """During a roll-out the machines of both versions are as they should be."""
    for n in range(others):
        gce.create(f"other-{n}", nodes=1)
    gce.create("gpu", nodes=1)
    found = gce.gce.groups[GCE_ZONE, "gpu"]
    found.template = gce.gce.template("newer", "g2-standard-4")

    def told() -> list[str]:
        return [i.outdated for g in gce.provider.observe().groups if g.name == "gpu" for i in g.instances]

    assert told() == ["it was made of instance template main, new ones are made of newer"]
    newest = gce.gce.template("newest", "g2-standard-4")
    canary = {"instance_template": gce.main, "target_size": {"fixed": 1}}
    found.more["versions"] = [{"instance_template": newest}, canary]
    assert told() == [""]
    gce.set_by_hand(f"gcp:{GCE_ZONE}/gpu", 2)
    assert told() == ["", "it was made of instance template newer, new ones are made of newest"]


def test_many_groups_are_read_in_few_calls(gce: GceCloud) -> None:
    """1,000 groups at rest: at most 12 calls for each hundred; only those that move or miss one are looked at."""
    for n in range(1000):
        gce.create(f"gpu-{n:04}", nodes=n % 3)
    gce.gce.stockouts[GCE_ZONE] = STOCKOUT
    for n in range(5):
        gce.provider.resize(f"gcp:{GCE_ZONE}/gpu-{n:04}", target_nodes=4, request_id="plan-1")
    del gce.gce.groups[GCE_ZONE, "gpu-0998"].machines["gpu-0998-0000"]
    gce.gce.actions.clear()
    view = gce.provider.observe()
    calls = {action: len(list(same)) for action, same in itertools.groupby(sorted(gce.gce.actions))}
    assert (len(view.groups), view.faults, sum(len(group.instances) for group in view.groups)) == (1000, (), 998)
    assert calls == {
        "compute.instanceGroupManagers.list": 2,
        "compute.instances.list": 2,
        "compute.instanceGroupManagers.get": 6,
        "compute.regions.get": 1,
    }


def test_quotas_of_the_region_are_ceilings_over_its_groups(gce: GceCloud) -> None:
    """Spot machines count apart where the project has a quota for them; what others use is told apart."""
    gce.gce.quotas = {
        "NVIDIA_L4_GPUS": (16.0, 9.0),
        "PREEMPTIBLE_NVIDIA_T4_GPUS": (4.0, 0.0),
        "NVIDIA_T4_GPUS": (8.0, 8.0),
    }
    gce.create("l4", nodes=2)
    attached = [{"accelerator_type": "nvidia-tesla-t4", "accelerator_count": 2}]
    for name, market in (("spot", "SPOT"), ("sure", "STANDARD")):
        template = gce.gce.template(
            name, "n1-standard-8", guest_accelerators=attached, scheduling={"provisioning_model": market}
        )
        gce.gce.group(f"t4-{name}", GCE_ZONE, template=template, labels=OURS)
    found = [(each.id, each.limit, each.per_node, each.used_elsewhere) for each in gce.provider.observe().quotas]
    assert found == [
        ("gcp/us-central1/NVIDIA_L4_GPUS", 16, {"gcp:us-central1-a/l4": 1}, 7),
        ("gcp/us-central1/NVIDIA_T4_GPUS", 8, {"gcp:us-central1-a/t4-sure": 2}, 8),
        ("gcp/us-central1/PREEMPTIBLE_NVIDIA_T4_GPUS", 4, {"gcp:us-central1-a/t4-spot": 2}, 0),
    ]


def test_quotas_that_cannot_be_read_bind_nothing_or_as_they_were_read_last(gce: GceCloud) -> None:
    """They are no fault of the view: Google says no by itself."""
    group = gce.create("gpu")
    gce.gce.rules.append(Rule("compute.regions.get", times=100, error=(403, "forbidden", "no")))
    view = gce.provider.observe()
    assert ([each.id for each in view.groups], view.faults, view.quotas) == ([group], (), ())
    gce.mend()
    gce.gce.quotas = {"NVIDIA_L4_GPUS": (16.0, 0.0)}
    told = gce.provider.observe().quotas
    gce.gce.rules.append(Rule("compute.regions.get", times=100, error=(403, "forbidden", "no")))
    assert (len(told), gce.provider.observe().quotas) == (1, told)


def test_a_zone_that_does_not_answer_is_a_fault(gce: GceCloud) -> None:
    """Its groups are missing, and nobody may take them for deleted."""
    group = gce.create("gpu")
    gce.gce.unreachable = ["zones/us-central1-f"]
    view = gce.provider.observe()
    assert [each.id for each in view.groups] == [group]
    assert [each.message for each in view.faults] == [
        "compute.instanceGroupManagers.list: us-central1-f does not answer"
    ]


def test_a_group_whose_instances_cannot_be_read_is_not_shown_without_them(gce: GceCloud) -> None:
    """It would look as if it had lost them all."""
    gce.create("gpu", nodes=2)
    gce.gce.rules.append(Rule("compute.instanceGroupManagers.get", times=100, error=(500, "backendError", "oops")))
    view = gce.provider.observe()
    assert (view.groups, [each.code for each in view.faults]) == ((), ["InternalFailure"])


def test_check_says_in_one_sentence_what_a_person_must_mend(
    gce: GceCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No address, no rights, no credentials; and silence when all is well."""
    gce.gcp.check()
    with pytest.raises(BadInput, match="could not connect to the endpoint"):
        gcp_provider("http://127.0.0.1:9").check()
    gce.fail("observe", "denied")
    with pytest.raises(BadInput, match=r"compute\.instanceGroupManagers\.list: Required .* permission"):
        gce.gcp.check()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(BadInput, match="no Google credentials"):
        gcp_provider("").check()
    assert [each.kind for each in gcp_provider("").observe().faults] == [FaultKind.DENIED]


def test_the_shipped_role_grants_what_is_called_and_nothing_else(gce: GceCloud) -> None:
    """Least privilege, compared with the requests of sessions that use every verb, zonal and regional."""
    gce.gce.group("wide", "us-central1", template=gce.main, labels=OURS, zones=ZONES)
    for n in range(12):
        gce.create(f"gpu-{n}", nodes=1)
    gce.gce.template("more", "g2-standard-8")
    affinity = {"consume_reservation_type": "SPECIFIC_RESERVATION", "values": ["block"]}
    reserved = gce.gce.template("reserved", "g2-standard-4", reservation_affinity=affinity)
    gce.gce.group("reserved", GCE_ZONE, template=reserved, labels=OURS)
    for group in (f"gcp:{GCE_ZONE}/gpu-0", "gcp:us-central1/wide"):
        gce.provider.resize(group, target_nodes=2, request_id="plan-1")
        gce.gce.stockouts = dict.fromkeys(ZONES, STOCKOUT)
        gce.provider.resize(group, target_nodes=3, request_id="plan-2")
        gce.provider.resize(group, target_nodes=2, request_id="plan-3")
        gce.provider.remove(group, [gce.truth(group)[1][0]], request_id="plan-4")
        gce.gce.stockouts = {}
    gce.provider.observe()
    for n in range(9):
        gce.gce.group(f"own-{n}", GCE_ZONE, template=gce.gce.template(f"own-{n}", "g2-standard-4"), labels=OURS)
    gcp_provider(gce.gce.url).observe()
    granted = yaml.safe_load(ROLE.read_text())["includedPermissions"]
    assert sorted({permission(action) for action in gce.gce.actions}) == sorted(granted)
