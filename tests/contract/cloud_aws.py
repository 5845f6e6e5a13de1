"""The AWS provider on moto, behind a wire that can fail."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import boto3
from moto.autoscaling.models import autoscaling_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from autoscale.model.supply import Instance, InstanceState
from providers.aws.provider import AwsProvider
from providers.aws.queue import Patience
from providers.aws.settings import AwsSettings

from .clock import StageClock
from .wire import Rule, Wire

REGION = "us-east-1"
TAG = "k8s.io/cluster-autoscaler"
OWNED = {f"{TAG}/enabled": "true", f"{TAG}/demo": "owned"}
SECRET = "planted/secret+key"

_ANSWERS = {
    "throttled": (400, "Throttling", "Rate exceeded"),
    "out of stock": (
        400,
        "InsufficientInstanceCapacity",
        "We currently do not have sufficient g4dn.xlarge capacity.",
    ),
    "broken": (500, "InternalFailure", "An internal error occurred."),
    "denied": (403, "AccessDenied", "User is not authorized to perform this action."),
    "over quota": (
        400,
        "VcpuLimitExceeded",
        "You have requested more vCPU capacity than your current vCPU limit of 8.",
    ),
}
_ACTIONS = {
    "observe": "DescribeAutoScalingGroups",
    "resize": "SetDesiredCapacity",
    "remove": "TerminateInstanceInAutoScalingGroup",
    "make": "CreateAutoScalingGroup",
    "delete": "DeleteAutoScalingGroup",
}


class AwsCloud:
    """The AWS provider on moto, behind the wire."""

    def __init__(self, wire: Wire, *, clock: StageClock | None = None) -> None:
        wire.reset()
        self.wire = wire
        self._autoscaling = client("autoscaling", wire.moto.url)
        self._ec2 = client("ec2", wire.moto.url)
        self.template("lt-main", "g4dn.xlarge")
        self.template("lt-dear", "g5.2xlarge")
        self.clock = clock or StageClock()
        self.quotas({})
        self.account_limit(500, there=1)
        self.reservations()
        self._pools: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.patience = Patience(wait_s=1, hidden_s=1)
        self.aws = aws_provider(wire.url, now_s=self.clock.now_s)
        self.provider = self.aws
        self.secret = SECRET

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

    def dear(self, name: str) -> str:
        """A group in another zone, of a dearer type."""
        return self.create(name, LaunchTemplate={"LaunchTemplateName": "lt-dear"}, AvailabilityZones=["us-east-1b"])

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """Moto's own books."""
        found = self._books(group)
        alive = [each for each in found.instance_states if not each.lifecycle_state.startswith("Terminat")]
        return found.desired_capacity, [each.instance.id for each in alive]

    def _books(self, group: str) -> Any:
        """Moto's own object."""
        return autoscaling_backends[DEFAULT_ACCOUNT_ID][REGION].autoscaling_groups[group.removeprefix("aws:")]

    def running(self, instance: str) -> Instance:
        """As moto started it."""
        found = ec2_backends[DEFAULT_ACCOUNT_ID][REGION].get_instance(instance)
        zone = found.placement.zone or ""
        return Instance(instance, f"aws:///{zone}/{instance}", InstanceState.RUNNING, zone, found.instance_type)

    def fail(self, verb: str, fault: str, *, after: int = 0) -> None:
        """The wire answers in Amazon's place."""
        self.wire.rules.append(Rule(_ACTIONS[verb], times=100, after=after, error=_ANSWERS[fault]))

    def lose(self, verb: str) -> None:
        """The wire hangs up after the server has acted."""
        self.wire.rules.append(Rule(_ACTIONS[verb], times=100, lost=0.0))

    def mend(self) -> None:
        """The wire is whole."""
        self.wire.rules.clear()

    def freeze(self) -> None:
        """Amazon's reads lag by seconds now and then."""
        self.wire.frozen = {}

    def thaw(self) -> None:
        """They catch up."""
        self.wire.frozen = None
        self.clock.sleep(60)

    def set_by_hand(self, group: str, nodes: int) -> None:
        """In the console."""
        name = group.removeprefix("aws:")
        self._autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=nodes)

    def delete_by_hand(self, group: str) -> None:
        """In the console."""
        name = group.removeprefix("aws:")
        self._autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)

    def starve(self, group: str, *, left: int = 0) -> None:
        """The zone has none: moto launches no more than are left, and each launch that failed is an activity."""
        found = self._books(group)
        launch = type(found).replace_autoscaling_group_instances

        def short(count: int, tags: dict[str, str]) -> None:
            nonlocal left
            able, left = min(count, left), max(0, left - count)
            if able:
                launch(found, able, tags)
            if able < count:
                self._tell_failure(group)

        found.replace_autoscaling_group_instances = short

    def feed(self, group: str) -> None:
        """Amazon kept trying."""
        found = self._books(group)
        vars(found).pop("replace_autoscaling_group_instances", None)
        self.wire.activities.pop(found.name, None)
        found.set_desired_capacity(found.desired_capacity)

    def _tell_failure(self, group: str) -> None:
        name, stamp = group.removeprefix("aws:"), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.clock.now_s()))
        self.wire.activities[name] = f"""
          <member><ActivityId>{stamp}</ActivityId><AutoScalingGroupName>{name}</AutoScalingGroupName>
          <Cause>a difference</Cause><StartTime>{stamp}</StartTime><EndTime>{stamp}</EndTime>
          <StatusCode>Failed</StatusCode><Progress>100</Progress>
          <Description>Launching a new EC2 instance.  Status Reason: none</Description>
          <StatusMessage>We currently do not have sufficient g4dn.xlarge capacity in the Availability Zone you requested
           (us-east-1a). Launching EC2 instance failed.</StatusMessage>
          <Details>{{"Availability Zone":"us-east-1a"}}</Details></member>"""

    def quotas(self, values: Mapping[str, tuple[str, int]]) -> None:
        """Service quotas of EC2, which moto does not know: code -> (name, value)."""
        found = [{"QuotaCode": code, "QuotaName": name, "Value": value} for code, (name, value) in values.items()]
        told = "application/x-amz-json-1.1", json.dumps({"Quotas": found})
        self.wire.answers["ListServiceQuotas"] = lambda _: told

    def account_limit(self, most: int, *, there: int) -> None:
        """How many groups the account may have and has, which moto does not tell."""
        root = "DescribeAccountLimits"
        inner = f"<MaxNumberOfAutoScalingGroups>{most}</MaxNumberOfAutoScalingGroups>"
        inner += f"<NumberOfAutoScalingGroups>{there}</NumberOfAutoScalingGroups>"
        told = "text/xml", f"<{root}Response><{root}Result>{inner}</{root}Result></{root}Response>"
        self.wire.answers[root] = lambda _: told

    def reservations(self, *found: Mapping[str, object]) -> None:
        """Capacity reservations, which moto does not know, by the names of the API's fields."""
        items = "".join(f"<item>{''.join(f'<{k}>{v}</{k}>' for k, v in each.items())}</item>" for each in found)
        root = "DescribeCapacityReservationsResponse"
        told = "text/xml", f"<{root}><capacityReservationSet>{items}</capacityReservationSet></{root}>"
        self.wire.answers["DescribeCapacityReservations"] = lambda _: told

    def pool(self, name: str, **more: Any) -> None:
        """Put a pool into the configuration, of one offering unless told otherwise; the provider is made anew."""
        usual = {
            "launch_template": "lt-main",
            "instance_types": ["g4dn.xlarge"],
            "zones": ["us-east-1a"],
            "max_nodes": 10,
        }
        self._pools[name] = usual | more
        self.again()

    def queue(self, name: str = "notices") -> str:
        """A queue, named in the configuration; the provider is made anew. Gives its address."""
        address: str = client("sqs", self.wire.moto.url).create_queue(QueueName=name)["QueueUrl"]
        self.settings["interruption_queue"] = name
        self.again()
        return address

    def again(self) -> None:
        """The provider of an engine that is started anew."""
        self.aws = self.provider = aws_provider(
            self.wire.url, now_s=self.clock.now_s, patience=self.patience, pools=self._pools, **self.settings
        )

    def offer(self, name: str) -> str:
        """A pool of one offering."""
        self.pool(name)
        return f"aws:demo-{name}-g4dn.xlarge-us-east-1a-on-demand"

    def made(self, group: str) -> bool:
        """In moto's own books."""
        return group.removeprefix("aws:") in autoscaling_backends[DEFAULT_ACCOUNT_ID][REGION].autoscaling_groups

    def take_name(self, group: str) -> None:
        """In the console, without tags of ours."""
        self.create(group.removeprefix("aws:"), tagged=False)

    def calls(self) -> int:
        """Requests that came through the wire."""
        made = len(self.wire.actions)
        self.wire.actions.clear()
        return made


def aws_provider(
    url: str,
    *,
    cluster: str = "demo",
    read_timeout_s: float = 5.0,
    now_s: Callable[[], int] = lambda: int(time.time()),
    patience: Patience | None = None,
    **more: Any,
) -> AwsProvider:
    """The provider as a configuration would make it, on that address."""
    settings = AwsSettings.parse({"region": REGION, "endpoint_url": url} | more, cluster=cluster)
    return AwsProvider(settings, now_s=now_s, read_timeout_s=read_timeout_s, patience=patience)


@cache
def client(service: str, url: str) -> Any:
    """A boto3 client of a moto server; making one takes half a second, so tests share it."""
    new_client: Any = boto3.client  # its stubs want the name of the service literally
    return new_client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
