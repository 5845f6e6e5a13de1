"""What only simulated nodes have: Nodes written in full, pools from the configuration, rights."""

import pytest

from autoscale.errors import BadInput, ProviderError
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, NodeGroup, Offering
from autoscale.model.workload import Taint

from .cloud_kubernetes import KwokCloud
from .conftest import ON_API_SERVER, rights
from .wire import Rule

pytestmark = list(ON_API_SERVER)

H100 = {
    "resources": {"cpu": "26", "memory": "234Gi", "nvidia.com/gpu": "8"},
    "instanceType": "p5.48xlarge",
    "zone": "us-east-1a",
    "capacityType": "spot",
    "price": 55.04,
    "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
    "taints": ["nvidia.com/gpu=true:NoSchedule"],
    "max": 3,
}


def only(kwok: KwokCloud) -> NodeGroup:
    """The one group of the view."""
    view = kwok.provider.observe()
    assert (len(view.groups), view.faults) == (1, ())
    return view.groups[0]


def test_a_pool_is_what_the_configuration_says_and_so_are_its_nodes(kwok: KwokCloud) -> None:
    """What the planner counts on is what the scheduler will see."""
    kwok.pools["h100"] = H100
    kwok.provider.resize("kwok:h100", target_nodes=1, request_id="plan-1")
    (name,) = kwok.truth("kwok:h100")[1]
    node = kwok.api.get(f"/api/v1/nodes/{name}")
    group = only(kwok)
    assert group.offering == Offering("p5.48xlarge", "us-east-1a", CapacityType.SPOT, 55_040_000)
    assert group.taints == (Taint("nvidia.com/gpu", "true", "NoSchedule"),)
    assert group.devices == ("nvidia.com/gpu",)
    assert Resources.parse(node["status"]["allocatable"], up=False) == group.allocatable
    assert node["metadata"]["labels"] == {**group.labels, "kubernetes.io/hostname": name}
    assert group.labels["type"] == "kwok"
    assert node["metadata"]["annotations"]["kwok.x-k8s.io/node"] == "fake"
    assert node["spec"]["providerID"] == group.instances[0].provider_id == f"kwok:///us-east-1a/{name}"
    taints = [(each["key"], each["value"]) for each in node["spec"]["taints"]]
    assert ("nvidia.com/gpu", "true") in taints


def test_nodes_are_closed_to_real_pods_unless_the_configuration_opens_them(kwok: KwokCloud) -> None:
    """A real pod on a simulated node would never run."""
    kwok.create("closed")
    kwok.pools["open"] = {"resources": {"cpu": 1, "memory": "1Gi"}, "taints": []}
    closed, open_ = kwok.provider.observe().groups
    assert (closed.taints, open_.taints) == ((Taint("kwok.x-k8s.io/node", "fake", "NoSchedule"),), ())


def test_what_was_created_before_a_failure_counts(kwok: KwokCloud) -> None:
    """Two of three came; the next try creates one."""
    group = kwok.create("gpu")
    kwok.wire.rules += [Rule("create nodes", times=2, rewrite=str), Rule("create nodes", error=(500, "x", "oops"))]
    with pytest.raises(ProviderError):
        kwok.provider.resize(group, target_nodes=3, request_id="plan-1")
    assert kwok.truth(group)[0] == 2
    kwok.provider.resize(group, target_nodes=3, request_id="plan-2")
    assert kwok.truth(group)[0] == 3


def test_nodes_of_pools_that_are_not_configured_are_left_alone(kwok: KwokCloud) -> None:
    """And so are all other nodes."""
    kwok.create("old", nodes=1)
    del kwok.pools["old"]
    kwok.api.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "real"}})
    kwok.create("new")
    assert [(each.id, each.instances) for each in kwok.provider.observe().groups] == [("kwok:new", ())]


def test_check_says_in_one_sentence_what_a_person_must_mend(kwok: KwokCloud) -> None:
    """No rights; and silence when all is well."""
    kwok.provider.check()
    kwok.fail("observe", "denied")
    with pytest.raises(BadInput, match='kwok: list nodes: User "x" cannot do this'):
        kwok.provider.check()


def test_the_shipped_role_grants_what_is_called_and_nothing_else(kwok: KwokCloud) -> None:
    """The wire signs in with exactly this role, so nothing is missing; and each right is used."""
    group = kwok.create("gpu", nodes=2)
    kwok.provider.remove(group, kwok.truth(group)[1][:1], request_id="plan-1")
    kwok.provider.observe()
    assert set(kwok.wire.actions) == rights("kwok")


def test_the_taint_that_only_lasts_while_a_node_starts_keeps_no_pod_from_a_plan(kwok: KwokCloud) -> None:
    """The node has it, the group's promise does not."""
    kwok.pools["h100"] = H100 | {"taints": ["gpu-autoscale.dev/slot=starting:NoSchedule"]}
    kwok.provider.resize("kwok:h100", target_nodes=1, request_id="plan-1")
    (node,) = kwok.api.items("/api/v1/nodes")
    taint = {"key": "gpu-autoscale.dev/slot", "value": "starting", "effect": "NoSchedule"}
    assert (only(kwok).taints, taint in node["spec"]["taints"]) == ((), True)
