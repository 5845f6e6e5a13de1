"""Each provider with a way to set its stage: create groups, look at the truth, make the wire fail."""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import boto3

from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, Fault, FaultKind, NodeGroup, Offering
from autoscale.ports import Provider
from providers.aws.provider import AwsProvider
from providers.aws.settings import AwsSettings
from providers.fake import FakeProvider

from .wire import Rule, Wire

REGION = "us-east-1"
TAG = "k8s.io/cluster-autoscaler"
OWNED = {f"{TAG}/enabled": "true", f"{TAG}/demo": "owned"}

# A fault as a person names it: what the wire says, and what kind the provider must make of it.
FAULTS: Mapping[str, tuple[tuple[int, str, str], FaultKind]] = {
    "throttled": ((400, "Throttling", "Rate exceeded"), FaultKind.THROTTLED),
    "out of stock": (
        (400, "InsufficientInstanceCapacity", "We currently do not have sufficient g4dn.xlarge capacity."),
        FaultKind.NO_CAPACITY,
    ),
    "broken": ((500, "InternalFailure", "An internal error occurred."), FaultKind.OTHER),
    "denied": ((403, "AccessDenied", "User is not authorized to perform this action."), FaultKind.DENIED),
}
_ACTIONS = {
    "observe": "DescribeAutoScalingGroups",
    "resize": "SetDesiredCapacity",
    "remove": "TerminateInstanceInAutoScalingGroup",
}


class Cloud(Protocol):
    """The stage of a contract test."""

    provider: Provider

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Create a group, give its id."""

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The group's target and living instances, whatever the provider says."""

    def fail(self, verb: str, fault: str) -> None:
        """Refuse all requests of the verb from now on."""

    def lose(self, verb: str) -> None:
        """Carry out the requests of the verb from now on, and lose the answers."""

    def mend(self) -> None:
        """End all faults."""


class FakeCloud:
    """The fake, whose script stands for the wire."""

    def __init__(self) -> None:
        self._fake = FakeProvider(now_s=lambda: 1_000)
        self.provider: Provider = self._fake

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """A group that is not tagged is one that the fake does not have."""
        offering = Offering("g4dn.xlarge", "us-east-1a", CapacityType.ON_DEMAND, 526_000)
        room = Resources({"cpu": 3920, "nvidia.com/gpu": 1})
        group = NodeGroup(
            f"fake:{name}", "fake", name, offering, room, min_nodes=low, max_nodes=high, target_nodes=nodes
        )
        if tagged:
            self._fake.add(group)
        return group.id

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The fake's own books."""
        found = self._fake.group(group)
        return found.target_nodes, [each.id for each in found.instances]

    def fail(self, verb: str, fault: str) -> None:
        """Script the failure."""
        (_, code, message), kind = FAULTS[fault]
        self._fake.fail_next(verb, Fault("", kind, code, message, 0))

    def lose(self, verb: str) -> None:
        """Script a failure after the fact."""
        self._fake.fail_next(verb, Fault("", FaultKind.OTHER, "Unreachable", "no answer", 0), applied=True)

    def mend(self) -> None:
        """A scripted failure passes by itself."""


class AwsCloud:
    """The AWS provider on moto, behind the wire."""

    def __init__(self, wire: Wire) -> None:
        wire.reset()
        self.wire = wire
        self._autoscaling = client("autoscaling", wire.moto_url)
        self._ec2 = client("ec2", wire.moto_url)
        self.template("lt-main", "g4dn.xlarge")
        self.aws = aws_provider(wire.url)
        self.provider: Provider = self.aws

    def template(self, name: str, instance_type: str, **more: Any) -> None:
        """Create a launch template."""
        data = {"ImageId": "ami-12c6146b", "InstanceType": instance_type, **more}
        self._ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)

    def create(
        self,
        name: str,
        *,
        nodes: int = 0,
        low: int = 0,
        high: int = 10,
        tagged: bool = True,
        tags: Mapping[str, str] | None = None,
        **more: Any,
    ) -> str:
        """Create an auto scaling group on `lt-main` in one zone, unless `more` says otherwise."""
        launch = {} if "MixedInstancesPolicy" in more else {"LaunchTemplate": {"LaunchTemplateName": "lt-main"}}
        all_tags = (OWNED if tagged else {"team": "other"}) | dict(tags or {})
        self._autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=low,
            MaxSize=high,
            DesiredCapacity=nodes,
            Tags=[{"Key": key, "Value": value} for key, value in all_tags.items()],
            **({"AvailabilityZones": ["us-east-1a"]} | launch | more),
        )
        return f"aws:{name}"

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """Moto's own books."""
        answer = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group.removeprefix("aws:")])
        found = answer["AutoScalingGroups"][0]
        alive = [each for each in found["Instances"] if not each["LifecycleState"].startswith("Terminat")]
        return found["DesiredCapacity"], [each["InstanceId"] for each in alive]

    def fail(self, verb: str, fault: str) -> None:
        """The wire answers in Amazon's place."""
        self.wire.rules.append(Rule(_ACTIONS[verb], times=100, error=FAULTS[fault][0]))

    def lose(self, verb: str) -> None:
        """The wire hangs up after the server has acted."""
        self.wire.rules.append(Rule(_ACTIONS[verb], times=100, lost=0.0))

    def mend(self) -> None:
        """The wire is whole."""
        self.wire.rules.clear()


def aws_provider(url: str, *, cluster: str = "demo", read_timeout_s: float = 5.0) -> AwsProvider:
    """The provider as a configuration would make it, on that address."""
    settings = AwsSettings.parse({"region": REGION, "endpoint_url": url}, cluster=cluster)
    return AwsProvider(settings, now_s=lambda: int(time.time()), read_timeout_s=read_timeout_s)


@cache
def client(service: str, url: str) -> Any:
    """A boto3 client of a moto server; making one takes half a second, so tests share it."""
    new_client: Any = boto3.client  # its stubs want the name of the service literally
    return new_client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
