"""What only AWS has: templates, policies, tags, scaling activities and the rights that the provider needs."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from autoscale.errors import BadInput, ProviderError
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, FaultKind, NodeGroup, Offering
from autoscale.model.workload import Taint
from providers.aws.catalog import shipped_book
from providers.aws.provider import AwsProvider
from providers.aws.settings import AwsSettings

from .cloud_aws import TAG, AwsCloud, aws_provider
from .wire import Rule

POLICY = Path(__file__).parents[2] / "deploy" / "aws" / "iam-policy.json"
LIST = "DescribeAutoScalingGroups"


def mixed(*types: str, base: int = 0, percent: int = 0, **override: Any) -> dict[str, Any]:
    """A mixed instances policy on `lt-main` over those types."""
    return {
        "MixedInstancesPolicy": {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateName": "lt-main"},
                "Overrides": [({"InstanceType": each} if each else {}) | override for each in types],
            },
            "InstancesDistribution": {
                "OnDemandBaseCapacity": base,
                "OnDemandPercentageAboveBaseCapacity": percent,
            },
        }
    }


def launch_template(name: str, version: str = "$Latest") -> dict[str, Any]:
    """The part of a group that names its launch template."""
    return {"LaunchTemplate": {"LaunchTemplateName": name, "Version": version}}


def only(aws: AwsCloud) -> NodeGroup:
    """The one group of the view."""
    view = aws.provider.observe()
    assert (len(view.groups), view.skipped, view.faults) == (1, (), ())
    return view.groups[0]


def notes(group: NodeGroup) -> list[str]:
    """What the provider remarked."""
    return [note.text for note in group.notes]


def test_a_group_is_foretold_from_its_type_zone_and_tags(aws: AwsCloud) -> None:
    """A group of no nodes is known as well as one of a hundred."""
    aws.create(
        "gpu",
        tags={
            f"{TAG}/node-template/label/team": "vision",
            f"{TAG}/node-template/taint/nvidia.com/gpu": "true:NoSchedule",
            f"{TAG}/node-template/resources/ephemeral-storage": "100Gi",
            f"{TAG}/node-template/resources/nvidia.com/mig-1g.5gb": "7",
            f"{TAG}/node-template/resources/nvidia.com/gpu": "0",
            f"{TAG}/node-template/autoscaling-options/scaledownunneededtime": "1m",
            "eks:nodegroup-name": "workers",
        },
    )
    group = only(aws)
    machine = shipped_book().instance_type("g4dn.xlarge")
    assert machine
    assert group.offering == Offering("g4dn.xlarge", "us-east-1a", CapacityType.ON_DEMAND, 526_000)
    assert group.allocatable == Resources(
        {
            "cpu": 3920,
            "memory": machine.allocatable["memory"],
            "pods": 29,
            "ephemeral-storage": 100 * 2**30,
            "nvidia.com/mig-1g.5gb": 7,
        }
    )
    assert group.devices == ("nvidia.com/mig-1g.5gb",)
    assert group.taints == (Taint("nvidia.com/gpu", "true", "NoSchedule"),)
    assert dict(group.labels) == {
        **machine.labels,
        "topology.kubernetes.io/region": "us-east-1",
        "topology.kubernetes.io/zone": "us-east-1a",
        "topology.k8s.aws/zone-id": "use1-az6",
        "karpenter.sh/capacity-type": "on-demand",
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
        "eks.amazonaws.com/nodegroup": "workers",
        "team": "vision",
    }
    assert notes(group) == []


def test_a_spot_template_costs_the_spot_price_of_its_zone(aws: AwsCloud) -> None:
    """The account's own zone IDs decide which price: moto's us-east-1a is use1-az6."""
    aws.template("lt-spot", "g5.xlarge", InstanceMarketOptions={"MarketType": "spot"})
    aws.create("gpu", **launch_template("lt-spot"))
    group = only(aws)
    assert group.offering == Offering("g5.xlarge", "us-east-1a", CapacityType.SPOT, 442_300)
    assert (group.labels["karpenter.sh/capacity-type"], group.labels["eks.amazonaws.com/capacityType"]) == (
        "spot",
        "SPOT",
    )


def test_an_unknown_spot_price_is_the_on_demand_price_and_a_note(aws: AwsCloud) -> None:
    """Never cheaper than it may turn out to be."""
    aws.template("lt-spot", "m7i.large", InstanceMarketOptions={"MarketType": "spot"})
    aws.create("cpu", **launch_template("lt-spot"))
    group = only(aws)
    assert group.offering.price_microusd_per_hour == 100_800
    assert notes(group) == ["the spot price is not known; it is priced as on-demand"]


def test_several_types_and_zones_give_the_least_room_the_dearest_price_and_common_labels(aws: AwsCloud) -> None:
    """Whatever machine comes, what was promised of it holds."""
    aws.create("gpu", **mixed("g5.xlarge", "g4dn.xlarge"), AvailabilityZones=["us-east-1a", "us-east-1b"])
    group = only(aws)
    small, large = shipped_book().instance_type("g4dn.xlarge"), shipped_book().instance_type("g5.xlarge")
    assert small
    assert large
    assert group.offering == Offering("g5.xlarge|g4dn.xlarge", "", CapacityType.SPOT, 442_300)
    assert group.allocatable == small.allocatable.min(large.allocatable)
    assert group.devices == ("nvidia.com/gpu",)
    assert "node.kubernetes.io/instance-type" not in group.labels
    assert "nvidia.com/gpu.product" not in group.labels
    assert "topology.kubernetes.io/zone" not in group.labels
    assert group.labels["karpenter.k8s.aws/instance-size"] == "xlarge"


@pytest.mark.parametrize(
    ("base", "percent", "capacity_type", "label"),
    [
        (0, 0, "spot", "spot"),
        (0, 100, "on-demand", "on-demand"),
        (5, 100, "on-demand", "on-demand"),
        (2, 0, "on-demand", None),
        (0, 50, "on-demand", None),
    ],
)
def test_the_purchase_policy_decides_the_capacity_type(
    aws: AwsCloud, base: int, percent: int, capacity_type: str, label: str | None
) -> None:
    """All spot is spot; anything mixed is priced as on-demand and promises no label."""
    aws.create("gpu", **mixed("g4dn.xlarge", base=base, percent=percent))
    group = only(aws)
    assert group.offering.capacity_type == capacity_type
    assert group.labels.get("karpenter.sh/capacity-type") == label
    assert bool(notes(group)) == (label is None)


def test_efa_and_the_disk_come_from_the_launch_template(aws: AwsCloud) -> None:
    """An interface that the template does not attach is not there, however many the machine could have."""
    volumes = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 200}}]
    interfaces = [{"DeviceIndex": n, "InterfaceType": "efa"} for n in range(2)]
    aws.template("lt-efa", "p4d.24xlarge", BlockDeviceMappings=volumes, NetworkInterfaces=interfaces)
    aws.template("lt-plain", "p4d.24xlarge")
    aws.create("a-efa", **launch_template("lt-efa"))
    aws.create("b-plain", **launch_template("lt-plain"))
    efa, plain = aws.provider.observe().groups
    disk = [(group.allocatable["ephemeral-storage"]) // 2**30 for group in (efa, plain)]
    assert [group.allocatable["vpc.amazonaws.com/efa"] for group in (efa, plain)] == [2, 0]
    assert disk == [179, 17]


def test_what_can_not_be_modelled_is_left_out_with_a_reason_and_the_rest_works(aws: AwsCloud) -> None:
    """One odd group never takes the others down."""
    aws.create("good")
    aws.template("lt-odd", "z9.mega")
    aws.template("lt-fraction", "g6f.large")
    aws.create("bad-attributes", **mixed("", InstanceRequirements={"VCpuCount": {"Min": 4}, "MemoryMiB": {"Min": 1}}))
    aws.create("bad-fraction", **launch_template("lt-fraction"))
    aws.create("bad-tag", tags={f"{TAG}/node-template/taint/dedicated": "gpu"})
    aws.create("bad-type", **launch_template("lt-odd"))
    aws.create("bad-weights", **mixed("g5.xlarge", WeightedCapacity="4"))
    view = aws.provider.observe()
    assert [group.id for group in view.groups] == ["aws:good"]
    assert view.faults == ()
    assert {each.id: each.reason.text.partition(": ")[2] for each in view.skipped} == {
        "aws:bad-attributes": "it selects instance types by attributes (InstanceRequirements), "
        "which is not supported yet",
        "aws:bad-fraction": "g6f.large has 0.125 of a GPU, which no device plugin offers as a resource",
        "aws:bad-tag": f"tag {TAG}/node-template/taint/dedicated: expected VALUE:EFFECT with an effect of "
        "NoSchedule, PreferNoSchedule, NoExecute, found 'gpu'",
        "aws:bad-type": "the catalogue does not have instance type z9.mega",
        "aws:bad-weights": "it counts its size in weighted capacity, not in nodes",
    }


def test_a_template_version_is_read_once(aws: AwsCloud) -> None:
    """The second observation is one call for all groups."""
    for n in range(5):
        aws.create(f"gpu-{n}")
    aws.provider.observe()
    aws.wire.actions.clear()
    assert len(aws.provider.observe().groups) == 5
    assert aws.wire.actions == ["autoscaling:DescribeAutoScalingGroups"]


def test_an_unreadable_template_is_a_fault_of_the_view_and_leaves_its_group_out(aws: AwsCloud) -> None:
    """The engine learns that groups may be missing, once, however many there are."""
    aws.template("lt-good", "g5.xlarge")
    aws.create("gpu-1")
    aws.create("gpu-2")
    aws.wire.rules.append(Rule("DescribeLaunchTemplateVersions", error=(403, "UnauthorizedOperation", "no")))
    view = aws.provider.observe()
    assert (view.groups, [each.id for each in view.skipped]) == ((), ["aws:gpu-1", "aws:gpu-2"])
    assert [(each.kind, each.code) for each in view.faults] == [(FaultKind.DENIED, "UnauthorizedOperation")]


def test_zone_ids_that_may_not_be_read_are_dealt_in_order(aws: AwsCloud) -> None:
    """The right is worth having, but nothing stops without it."""
    aws.template("lt-spot", "g5.xlarge", InstanceMarketOptions={"MarketType": "spot"})
    aws.create("gpu", **launch_template("lt-spot"))
    aws.wire.rules.append(Rule("DescribeAvailabilityZones", error=(403, "UnauthorizedOperation", "no")))
    group = only(aws)
    assert ("topology.k8s.aws/zone-id" in group.labels, group.offering.price_microusd_per_hour) == (False, 432_800)


def test_a_short_group_tells_why_it_is_short(aws: AwsCloud) -> None:
    """Amazon says it in the scaling activities of that group, and only there is it asked for."""
    aws.create("full", nodes=1)
    short = aws.create("short", nodes=2)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    aws.wire.activities["short"] = f"""
      <member><ActivityId>1</ActivityId><AutoScalingGroupName>short</AutoScalingGroupName><Cause>a difference</Cause>
      <StartTime>{stamp}</StartTime><EndTime>{stamp}</EndTime><StatusCode>Failed</StatusCode><Progress>100</Progress>
      <Description>Launching a new EC2 instance.  Status Reason: none</Description>
      <StatusMessage>We currently do not have sufficient g4dn.xlarge capacity in the Availability Zone you requested
 (us-east-1a). Launching EC2 instance failed.</StatusMessage>
      <Details>{{"Subnet ID":"subnet-1","Availability Zone":"us-east-1a"}}</Details></member>"""
    wants_three = Rule(LIST, rewrite=lambda text: text.replace("<DesiredCapacity>2</", "<DesiredCapacity>3</"), times=1)
    aws.wire.rules.append(wants_three)
    full, seen = aws.provider.observe().groups
    assert (full.faults, seen.target_nodes, len(seen.instances)) == ((), 3, 2)
    assert [(each.group, each.kind, each.code, each.offering) for each in seen.faults] == [
        (short, FaultKind.NO_CAPACITY, "InsufficientInstanceCapacity", "g4dn.xlarge/us-east-1a/on-demand")
    ]
    assert aws.wire.actions.count("autoscaling:DescribeScalingActivities") == 1


def test_a_passing_throttle_is_not_even_noticed(aws: AwsCloud) -> None:
    """What may be repeated is repeated."""
    group = aws.create("gpu")
    aws.wire.rules.append(Rule("SetDesiredCapacity", error=(400, "Throttling", "Rate exceeded")))
    aws.provider.resize(group, target_nodes=2, request_id="plan-1")
    assert aws.truth(group)[0] == 2


def test_silence_after_a_resize_buys_once(aws: AwsCloud) -> None:
    """The server acts and never answers: every retry asks for the same target."""
    group = aws.create("gpu")
    provider = aws_provider(aws.wire.url, read_timeout_s=1.0)
    aws.wire.rules.append(Rule("SetDesiredCapacity", times=100, lost=2.0))
    with pytest.raises(ProviderError) as error:
        provider.resize(group, target_nodes=2, request_id="plan-1")
    target, ids = aws.truth(group)
    assert (error.value.fault.code, target, len(ids)) == ("Unreachable", 2, 2)
    assert aws.wire.actions.count("autoscaling:SetDesiredCapacity") == 3


def test_silence_after_a_removal_is_looked_into_and_never_sent_twice(aws: AwsCloud) -> None:
    """The group itself shows that the instance is going, so the removal is done."""
    group = aws.create("gpu", nodes=2)
    _, (first, second) = aws.truth(group)
    provider = aws_provider(aws.wire.url, read_timeout_s=1.0)
    aws.wire.rules.append(Rule("TerminateInstanceInAutoScalingGroup", times=100, lost=2.0))
    provider.remove(group, [first], request_id="plan-1")
    provider.remove(group, [first], request_id="plan-1")
    assert aws.truth(group) == (1, [second])
    assert aws.wire.actions.count("autoscaling:TerminateInstanceInAutoScalingGroup") == 1


def test_a_removal_is_not_repeated_on_stale_news(aws: AwsCloud) -> None:
    """Amazon may still show an instance whose removal it has accepted."""
    group = aws.create("gpu", nodes=2)
    _, (first, second) = aws.truth(group)
    stale = []

    def keep(text: str) -> str:
        stale.append(text)
        return text

    aws.wire.rules.append(Rule(LIST, rewrite=keep))
    aws.provider.remove(group, [first], request_id="plan-1")
    aws.wire.rules[:] = [Rule(LIST, times=100, rewrite=lambda _: stale[0])]
    aws.provider.remove(group, [first], request_id="plan-1")
    assert aws.truth(group) == (1, [second])


def test_a_suspended_launch_process_means_no_growth(aws: AwsCloud) -> None:
    """Such a group would never deliver."""
    aws.create("gpu", nodes=1, high=9)
    aws._autoscaling.suspend_processes(AutoScalingGroupName="gpu", ScalingProcesses=["Launch"])
    group = only(aws)
    assert (group.max_nodes, notes(group)) == (1, ["its Launch process is suspended, so it can't grow"])


def test_without_credentials_the_view_says_so_and_check_is_bad_input(
    aws: AwsCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clear sentence, exit status 2 for a person; data for the loop."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    provider = aws_provider(aws.wire.url)
    sentence = "autoscaling:DescribeAutoScalingGroups: no AWS credentials (Unable to locate credentials)"
    assert [(each.kind, each.message) for each in provider.observe().faults] == [(FaultKind.DENIED, sentence)]
    with pytest.raises(BadInput, match="no AWS credentials"):
        provider.check()


def test_check_is_silent_when_the_account_can_be_read(aws: AwsCloud) -> None:
    """And says in one sentence that nothing listens at an address."""
    aws.aws.check()
    with pytest.raises(BadInput, match="Could not connect to the endpoint"):
        aws_provider("http://127.0.0.1:9").check()


@pytest.mark.parametrize(
    ("region", "sentence"),
    [
        ("us-west-9", "aws: unknown region 'us-west-9'; did you mean us-west-2?"),
        (
            "us east",
            "aws: autoscaling:DescribeAutoScalingGroups: Provided region_name 'us east' doesn't match a supported format",
        ),
    ],
)
def test_a_region_that_there_is_none_of(
    aws: AwsCloud, monkeypatch: pytest.MonkeyPatch, region: str, sentence: str
) -> None:
    """Nobody answers there, and the sentence says why: for `check` and in the view."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing leaves this machine
    provider = AwsProvider(AwsSettings.parse({"region": region}, cluster="demo"), now_s=aws.clock.now_s)
    with pytest.raises(BadInput) as error:
        provider.check()
    assert str(error.value) == sentence
    assert [(each.kind, f"aws: {each.message}") for each in provider.observe().faults] == [(FaultKind.DENIED, sentence)]


def test_the_shipped_policy_grants_what_is_called_and_nothing_else(aws: AwsCloud) -> None:
    """Least privilege, compared with the requests of a session that uses every verb."""
    group = aws.create("gpu", nodes=1)
    aws.wire.rules.append(Rule(LIST, rewrite=lambda text: text.replace("<DesiredCapacity>1</", "<DesiredCapacity>2</")))
    reserve = {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}
    aws.template("lt-reserved", "p5.48xlarge", CapacityReservationSpecification=reserve)
    aws.create("reserved", **launch_template("lt-reserved"))
    aws.aws.check()
    aws.wire.rules.append(Rule(LIST, rewrite=lambda text: text.replace("<DesiredCapacity>1</", "<DesiredCapacity>2</")))
    aws.provider.observe()
    aws.provider.resize(group, target_nodes=2, request_id="plan-1")
    aws.provider.remove(group, [aws.truth(group)[1][0]], request_id="plan-1")
    granted = [action for statement in json.loads(POLICY.read_text())["Statement"] for action in statement["Action"]]
    assert sorted(set(aws.wire.actions)) == sorted(granted)
