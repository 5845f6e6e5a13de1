"""What only Google's pools have: what a made template and group look like, and the rights to make them."""

from pathlib import Path

import pytest
import yaml

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType
from autoscale.model.workload import Taint
from providers.gcp.settings import GcpSettings

from .cloud_gce import GCE_ZONE, GceCloud
from .gce import permission

ROLES = Path(__file__).parents[2] / "deploy" / "gcp"
T4 = "n1-standard-8+nvidia-tesla-t4x2"


def test_a_pool_offers_each_machine_in_each_zone_and_way(gce: GceCloud) -> None:
    """As groups at zero; a zone that does not have the machine is left out."""
    gce.pool(
        "gpu",
        instance_types=["g2-standard-4", T4],
        zones=[GCE_ZONE, "us-central1-f"],
        capacity_types=["on-demand", "spot"],
    )
    found = {group.id: group.offering.key for group in gce.provider.observe().groups}
    stem = "gcp:us-central1-a/demo-gpu-g2-standard-4-us-central1-a"
    assert found[f"{stem}-spot"] == "g2-standard-4/us-central1-a/spot"
    assert found[f"{stem}-on-demand"] == "g2-standard-4/us-central1-a/on-demand"
    machines = sorted({(key.split("/")[0], key.split("/")[1]) for key in found.values()})
    assert machines == [("g2-standard-4", GCE_ZONE), (T4, GCE_ZONE), (T4, "us-central1-f")]
    assert gce.gce.groups == {}


def test_the_made_template_is_the_pools_with_machine_market_marks_and_what_the_kubelet_is_to_be_told(
    gce: GceCloud,
) -> None:
    """All else is the template's that the pool starts from."""
    gce.pool(
        "gpu",
        instance_types=[T4],
        capacity_types=["spot"],
        labels={"team": "vision"},
        taints=["nvidia.com/gpu=present:NoSchedule"],
    )
    (group,) = gce.provider.observe().groups
    assert (group.offering.capacity_type, group.labels["team"]) == (CapacityType.SPOT, "vision")
    assert group.taints == (Taint("nvidia.com/gpu", "present", "NoSchedule"),)
    gce.provider.resize(group.id, target_nodes=1, request_id="plan-1")
    place, _, name = group.id.removeprefix("gcp:").partition("/")
    made = gce.gce.groups[place, name]
    template = gce.gce.templates["/" + made.template.partition("/demo-project/")[2]]
    properties = template.properties
    assert (properties.machine_type, properties.scheduling.provisioning_model) == ("n1-standard-8", "SPOT")
    assert (properties.scheduling.instance_termination_action, properties.scheduling.on_host_maintenance) == (
        "DELETE",
        "TERMINATE",
    )
    attached = [(each.accelerator_type, each.accelerator_count) for each in properties.guest_accelerators]
    assert attached == [("nvidia-tesla-t4", 2)]
    marks = {"gpu-autoscale-cluster": "demo", "gpu-autoscale-pool": "gpu"}
    assert (dict(properties.labels), made.labels) == (marks, marks)
    metadata = {item.key: item.value for item in properties.metadata.items}
    assert metadata.pop("kube-env").startswith("KUBELET_KEY")
    assert metadata == {
        "gpu-autoscale-node-labels": "team=vision",
        "gpu-autoscale-node-taints": "nvidia.com/gpu=present:NoSchedule",
    }


def test_a_pool_whose_template_is_gone_offers_nothing_and_says_why(gce: GceCloud) -> None:
    """The others work on."""
    good = gce.offer("good")
    gce.pool("bad", instance_template="nowhere")
    view = gce.provider.observe()
    assert ([each.id for each in view.groups], view.faults) == ([good], ())
    assert [each.reason.text.partition(": ")[2][:54] for each in view.skipped] == [
        "the instance template of pool bad can't be read: compu"
    ]


def test_names_are_the_same_always_and_never_too_long(gce: GceCloud) -> None:
    """54 letters leave room for the template's digest, and a machine's name for its own."""
    gce.pool("a-pool-with-a-name-of-forty-letters-or-s", instance_types=["g2-standard-*"])
    found = [group.name for group in gce.provider.observe().groups]
    assert len(set(found)) == len(found) > 3
    assert max(map(len, found)) == 54
    assert found == [group.name for group in gce.provider.observe().groups]


@pytest.mark.parametrize(
    ("pool", "sentence"),
    [
        ({}, "gcp.pools.gpu: instance_template is missing, expected the name of an instance template"),
        ({"instance_template": "x", "zones": ["us-central1"], "instance_types": ["g2-standard-4"]}, "gcp.pools.gpu.zones: wrong value"),
        ({"instance_template": "x", "zones": ["us-central1-a"], "instance_types": ["g9"]}, "no instance type of the catalogue is 'g9'"),
        ({"instance_template": "x", "subnets": {}}, "subnets"),
    ],
)  # fmt: skip
def test_wrong_pools_are_one_sentence(pool: dict[str, object], sentence: str) -> None:
    """Before anything is touched."""
    with pytest.raises(BadInput) as error:
        GcpSettings.parse({"pools": {"gpu": pool}}, cluster="demo")
    assert sentence in str(error.value)


def test_the_shipped_roles_grant_what_pools_call_and_nothing_else(gce: GceCloud) -> None:
    """What making and deleting needs is in a role of its own; `useReadOnly` is asked of whoever names a template."""
    group = gce.offer("gpu")
    gce.provider.observe()
    gce.provider.resize(group, target_nodes=1, request_id="plan-1")
    gce.provider.remove(group, gce.truth(group)[1], request_id="plan-2")
    gce.provider.delete(group, request_id="plan-3")
    usual, pools = (
        set(yaml.safe_load((ROLES / name).read_text())["includedPermissions"])
        for name in ("role.yaml", "role-pools.yaml")
    )
    called = {permission(action) for action in gce.gce.actions} | {"compute.instanceTemplates.useReadOnly"}
    assert called - usual == pools
