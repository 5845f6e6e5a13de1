"""Pools on AWS: what the groups and launch templates that are made of them look like, and how they follow the configuration."""

import json
from pathlib import Path
from typing import Any

import pytest

from autoscale.errors import ProviderError
from autoscale.model.supply import CapacityType, FaultKind, NodeGroup, Offering
from autoscale.model.workload import Taint

from .cloud_aws import TAG, AwsCloud
from .wire import Rule

POLICIES = Path(__file__).parents[2] / "deploy" / "aws"
NAME = "demo-gpu-g4dn.xlarge-us-east-1a-on-demand"
IMPLIED = {"autoscaling:CreateOrUpdateTags", "ec2:CreateTags", "ec2:RunInstances", "iam:PassRole"}  # Amazon checks them


def groups(aws: AwsCloud) -> dict[str, NodeGroup]:
    """The view's groups by name."""
    view = aws.provider.observe()
    assert view.faults == ()
    return {each.name: each for each in view.groups}


def launched(aws: AwsCloud, group: str) -> dict[str, Any]:
    """The content of the launch template that a group has; moto puts the template's own tags into it."""
    (found,) = aws._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    name = found["LaunchTemplate"]["LaunchTemplateName"]
    (version,) = aws._ec2.describe_launch_template_versions(LaunchTemplateName=name)["LaunchTemplateVersions"]
    return {key: value for key, value in version["LaunchTemplateData"].items() if key != "TagSpecifications"}


def test_one_pool_spans_types_zones_and_ways_to_pay(aws: AwsCloud) -> None:
    """A group each, at the price of its own zone; types that a zone does not have and pieces of GPUs are left out."""
    aws.pool(
        "gpu",
        instance_types=["g5.*", "p5.48xlarge", "g6f.*"],
        zones=["us-east-1a", "us-east-1b", "us-east-1c"],
        capacity_types=["spot", "on-demand"],
        labels={"team": "vision"},
        taints=["nvidia.com/gpu=present:NoSchedule"],
        max_nodes=7,
    )
    found = groups(aws)
    assert len(found) > 30
    assert {each.capacity_type for each in (g.offering for g in found.values())} == {
        CapacityType.SPOT,
        CapacityType.ON_DEMAND,
    }
    one = found["demo-gpu-g5.xlarge-us-east-1a-spot"]
    assert one.offering == Offering("g5.xlarge", "us-east-1a", CapacityType.SPOT, 442_300)
    assert (one.max_nodes, one.taints, one.labels["team"], one.labels["topology.kubernetes.io/zone"]) == (
        7, (Taint("nvidia.com/gpu", "present"),), "vision", "us-east-1a",
    )  # fmt: skip
    assert (one.template, one.made, one.delete_after_s, one.notes) == ("gpu", False, 3600, ())
    assert not any("g6f" in name for name in found)
    assert aws.wire.actions == [
        "autoscaling:DescribeAutoScalingGroups",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeLaunchTemplateVersions",
        "autoscaling:DescribeAccountLimits",
        "servicequotas:ListServiceQuotas",
    ]


def test_what_is_made_has_the_marks_subnet_and_placement_and_spot_is_in_the_template(aws: AwsCloud) -> None:
    """Discovery tags, the pool's, what nodes register with, and tags for the machines alone."""
    subnet = aws._ec2.describe_subnets()["Subnets"][0]
    zone = subnet["AvailabilityZone"]
    aws.pool(
        "gpu",
        subnets={zone: subnet["SubnetId"]},
        zones=None,
        capacity_types=["spot"],
        placement_group="train-{zone}",
        labels={"team": "vision"},
        taints=["dedicated=gpu:NoSchedule"],
        tags={"cost-centre": "42"},
        max_nodes=3,
    )
    name = f"demo-gpu-g4dn.xlarge-{zone}-spot"
    aws.provider.resize(f"aws:{name}", target_nodes=1, request_id="plan-1")
    (made,) = aws._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert (made["MinSize"], made["MaxSize"], made["DesiredCapacity"], made["VPCZoneIdentifier"]) == (
        0, 3, 1, subnet["SubnetId"],
    )  # fmt: skip
    assert made["PlacementGroup"] == f"train-{zone}"
    assert {(each["Key"], each["Value"], each["PropagateAtLaunch"]) for each in made["Tags"]} == {
        (f"{TAG}/enabled", "true", False),
        (f"{TAG}/demo", "true", False),
        ("gpu-autoscale.dev/pool", "gpu", False),
        ("gpu-autoscale.dev/cluster", "demo", False),
        (f"{TAG}/node-template/label/team", "vision", False),
        (f"{TAG}/node-template/taint/dedicated", "gpu:NoSchedule", False),
        ("cost-centre", "42", True),
    }
    assert launched(aws, name) == {
        "ImageId": "ami-12c6146b",
        "InstanceType": "g4dn.xlarge",
        "InstanceMarketOptions": {"MarketType": "spot"},
    }


def test_efa_is_attached_to_every_card_and_counts(aws: AwsCloud) -> None:
    """Security groups move into the interfaces, as Amazon takes them in one place only."""
    aws.template("lt-net", "m7i.large", SecurityGroupIds=["sg-1"])
    aws.pool("train", instance_types=["p4d.24xlarge"], launch_template="lt-net", efa=True)
    (name,) = groups(aws)
    assert groups(aws)[name].allocatable["vpc.amazonaws.com/efa"] == 4
    aws.provider.resize(f"aws:{name}", target_nodes=1, request_id="plan-1")
    assert groups(aws)[name].allocatable["vpc.amazonaws.com/efa"] == 4
    content = launched(aws, name)
    assert "SecurityGroupIds" not in content
    assert [
        (each["NetworkCardIndex"], each["DeviceIndex"], each["InterfaceType"], each["Groups"])
        for each in content["NetworkInterfaces"]
    ] == [(n, 0 if n == 0 else 1, "efa", ["sg-1"]) for n in range(4)]


def test_a_pool_that_changed_changes_its_group_when_it_grows(aws: AwsCloud) -> None:
    """Another image and size: seen at once, carried out with the next purchase; the old template goes."""
    group = aws.offer("gpu")
    aws.provider.resize(group, target_nodes=1, request_id="plan-1")
    old = launched(aws, NAME)
    aws.template("lt-new", "m7i.large", BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 200}}])
    aws.pool("gpu", launch_template="lt-new", max_nodes=20)
    seen = groups(aws)[NAME]
    assert (seen.max_nodes, seen.allocatable["ephemeral-storage"] // 2**30) == (20, 179)
    assert launched(aws, NAME) == old
    aws.provider.resize(group, target_nodes=15, request_id="plan-2")
    assert launched(aws, NAME)["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 200
    assert aws.truth(group)[0] == 15
    names = [each["LaunchTemplateName"] for each in aws._ec2.describe_launch_templates()["LaunchTemplates"]]
    assert len([name for name in names if name.startswith(NAME)]) == 1


def test_a_group_whose_pool_is_gone_from_the_configuration_works_on(aws: AwsCloud) -> None:
    """Read from its own launch template and tags, with a note; never deleted."""
    group = aws.offer("gpu")
    aws.provider.resize(group, target_nodes=1, request_id="plan-1")
    aws.pool("gpu", instance_types=["g5.xlarge"])
    seen = groups(aws)[NAME]
    assert (seen.template, seen.target_nodes, [note.text for note in seen.notes]) == (
        "", 1, ["pool gpu made it and does not offer it any more; it works on and is never deleted"],
    )  # fmt: skip
    aws.provider.resize(group, target_nodes=2, request_id="plan-2")
    assert aws.truth(group)[0] == 2
    with pytest.raises(ProviderError) as error:
        aws.provider.delete(group, request_id="plan-3")
    assert error.value.fault.code == "NotFromTemplate"


def test_a_persons_group_of_the_same_name_is_theirs(aws: AwsCloud) -> None:
    """Tagged, it is managed as they made it; untagged, the offering is left out with a reason once that is known."""
    group = aws.offer("gpu")
    aws.create(NAME, nodes=1, high=4)
    seen = groups(aws)[NAME]
    assert (seen.template, seen.max_nodes, [note.text for note in seen.notes]) == (
        "", 4, ["pool gpu would make a group of this name and did not make this one, which it leaves alone"],
    )  # fmt: skip
    aws.delete_by_hand(group)
    aws.take_name(group)
    with pytest.raises(ProviderError):
        aws.provider.resize(group, target_nodes=1, request_id="plan-1")
    view = aws.provider.observe()
    assert (view.groups, [each.reason.text for each in view.skipped]) == (
        (), [f"pool gpu can't make {group}: a group of this name is there that it did not make"],
    )  # fmt: skip


def test_a_foreign_launch_template_of_that_name_is_not_used(aws: AwsCloud) -> None:
    """Its name has a digest of the content, so that this is no accident."""
    group = aws.offer("gpu")
    aws.provider.resize(group, target_nodes=0, request_id="plan-1")
    name = f"{NAME}-{launch_template_digest(aws)}"
    aws.provider.delete(group, request_id="plan-2")
    aws.template(name, "p5.48xlarge")
    with pytest.raises(ProviderError) as error:
        aws.provider.resize(group, target_nodes=1, request_id="plan-3")
    assert (error.value.fault.code, aws.made(group)) == ("NameTaken", False)


def launch_template_digest(aws: AwsCloud) -> str:
    """Of the template that the group has."""
    (found,) = aws._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])["AutoScalingGroups"]
    return str(found["LaunchTemplate"]["LaunchTemplateName"]).removeprefix(f"{NAME}-")


def test_too_many_groups_is_a_quota_of_no_offering(aws: AwsCloud) -> None:
    """So that it backs this group off and bounds no machines."""
    group = aws.offer("gpu")
    text = "You have already reached the limit for Auto Scaling groups"
    aws.wire.rules.append(Rule("CreateAutoScalingGroup", times=9, error=(400, "LimitExceeded", text)))
    with pytest.raises(ProviderError) as error:
        aws.provider.resize(group, target_nodes=1, request_id="plan-1")
    assert (error.value.fault.kind, error.value.fault.offering) == (FaultKind.QUOTA, "")
    aws.wire.rules.clear()
    aws.provider.resize(group, target_nodes=1, request_id="plan-2")
    assert aws.truth(group)[0] == 1


def test_a_pool_whose_launch_template_is_gone_offers_nothing_and_says_so(aws: AwsCloud) -> None:
    """Groups of others work on."""
    aws.create("by-hand")
    aws.pool("gpu", launch_template="nowhere")
    view = aws.provider.observe()
    assert [each.name for each in view.groups] == ["by-hand"]
    assert [(each.kind, each.message.partition(":")[0]) for each in view.faults] == [
        (FaultKind.NOT_FOUND, "aws.pools.gpu")
    ]


def test_the_shipped_policy_for_pools_grants_what_is_called_beyond_the_other(aws: AwsCloud) -> None:
    """And what Amazon checks when a group is made from a template that gives machines a role and tags."""
    group = aws.offer("gpu")
    aws.provider.resize(group, target_nodes=1, request_id="plan-1")
    aws.pool("gpu", max_nodes=20)
    aws.provider.resize(group, target_nodes=2, request_id="plan-2")
    aws.provider.remove(group, aws.truth(group)[1], request_id="plan-3")
    aws.provider.delete(group, request_id="plan-4")
    assert set(aws.wire.actions) <= granted("iam-policy.json") | granted("iam-policy-pools.json")
    assert granted("iam-policy-pools.json") == (set(aws.wire.actions) - granted("iam-policy.json")) | IMPLIED


def granted(name: str) -> set[str]:
    """The actions that a policy allows."""
    return {
        each for statement in json.loads((POLICIES / name).read_text())["Statement"] for each in statement["Action"]
    }
