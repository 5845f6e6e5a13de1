"""The moto server and its groups: what moto does and does not do, on which other tests rely."""

import pytest

from .aws import MotoServer

pytestmark = pytest.mark.cluster


def market(moto: MotoServer, group: str) -> str | None:
    """Give the market that a group's launch template asks for."""
    found = moto.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    template = found["AutoScalingGroups"][0]["LaunchTemplate"]["LaunchTemplateName"]
    answer = moto.client("ec2").describe_launch_template_versions(LaunchTemplateName=template)
    options: dict[str, str] = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"].get("InstanceMarketOptions", {})
    return options.get("MarketType")


def test_a_group_has_the_tags_that_cluster_autoscaler_reads(moto: MotoServer) -> None:
    """Cluster, labels, taints and resources of a group are tags under Cluster Autoscaler's names."""
    moto.create_group(
        "g",
        instance_type="g5.xlarge",
        labels={"a": "b"},
        taints={"t": "v:NoSchedule"},
        resources={"nvidia.com/gpu": "1"},
    )
    group = moto.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert {tag["Key"].removeprefix("k8s.io/cluster-autoscaler/"): tag["Value"] for tag in group["Tags"]} == {
        "enabled": "true",
        "test": "owned",
        "node-template/label/a": "b",
        "node-template/taint/t": "v:NoSchedule",
        "node-template/resources/nvidia.com/gpu": "1",
    }


def test_a_spot_group_says_so_in_its_launch_template(moto: MotoServer) -> None:
    """The launch template of a spot group asks for spot and a plain one does not; moto's instances don't tell."""
    moto.create_group("spot", instance_type="g5.xlarge", nodes=2, spot=True)
    moto.create_group("dear", instance_type="g5.xlarge", nodes=1)
    assert market(moto, "spot") == "spot"
    assert market(moto, "dear") is None


def test_a_mixed_group_starts_its_first_type(moto: MotoServer) -> None:
    """A mixed-instances group has a policy with all types; moto always starts the first."""
    moto.create_group("mixed", instance_type="g5.xlarge", mixed_types=["g4dn.xlarge"], spot=True, nodes=2)
    group = moto.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    overrides = group["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
    assert [override["InstanceType"] for override in overrides] == ["g5.xlarge", "g4dn.xlarge"]
    assert [instance["InstanceType"] for instance in group["Instances"]] == ["g5.xlarge", "g5.xlarge"]


def test_terminate_lowers_the_target_and_reclaim_does_not(moto: MotoServer) -> None:
    """An instance that the autoscaler ends is not replaced; one that the cloud takes away is."""
    moto.create_group("g", instance_type="g5.xlarge", nodes=2)
    first, second = moto.instances("g")
    moto.terminate(first)
    assert moto.instances("g") == [second]
    moto.reclaim(second)
    (third,) = moto.instances("g")
    assert third != second
