"""Each provider with a way to set its stage: create groups, look at the truth, make the wire fail."""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import boto3

from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, Fault, FaultKind, Instance, InstanceState, NodeGroup, Offering
from autoscale.ports import Provider
from providers.aws.provider import AwsProvider
from providers.aws.settings import AwsSettings
from providers.clusterapi.provider import ClusterApiProvider
from providers.clusterapi.settings import ClusterApiSettings
from providers.fake import FakeProvider
from providers.gcp.provider import GcpProvider
from providers.gcp.settings import GcpSettings
from providers.kwok.nodes import POOL
from providers.kwok.provider import KwokProvider
from providers.kwok.settings import KwokSettings
from tests.cluster.controlplane import Api

from .capi import CAPACITY, Capi
from .capi import NAMESPACE as CAPI
from .gce import PROJECT, Gce
from .kubewire import KubeWire
from .wire import Rule, Wire

REGION = "us-east-1"
GCE_ZONE = "us-central1-a"
TAG = "k8s.io/cluster-autoscaler"
OWNED = {f"{TAG}/enabled": "true", f"{TAG}/demo": "owned"}

# A fault as a person names it, and what kind the provider must make of it.
FAULTS: Mapping[str, FaultKind] = {
    "throttled": FaultKind.THROTTLED,
    "out of stock": FaultKind.NO_CAPACITY,
    "broken": FaultKind.OTHER,
    "denied": FaultKind.DENIED,
}
# How each cloud says it: status, code, sentence.
_AMAZON = {
    "throttled": (400, "Throttling", "Rate exceeded"),
    "out of stock": (
        400,
        "InsufficientInstanceCapacity",
        "We currently do not have sufficient g4dn.xlarge capacity.",
    ),
    "broken": (500, "InternalFailure", "An internal error occurred."),
    "denied": (403, "AccessDenied", "User is not authorized to perform this action."),
}
_GOOGLE = {
    "throttled": (403, "rateLimitExceeded", "Rate Limit Exceeded"),
    "out of stock": (
        503,
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "The zone does not have enough resources available to fulfill the request.",
    ),
    "broken": (500, "backendError", "Internal error"),
    "denied": (403, "forbidden", "Required 'compute.instanceGroupManagers.update' permission for 'group'"),
}
_KUBERNETES = {
    "throttled": (429, "TooManyRequests", "too many requests"),
    "out of stock": (422, "Invalid", 'admission webhook "hosts" denied the request: not enough free hosts'),
    "broken": (500, "InternalError", "an internal error occurred"),
    "denied": (403, "Forbidden", 'User "x" cannot do this'),
}
_AWS_ACTIONS = {
    "observe": "DescribeAutoScalingGroups",
    "resize": "SetDesiredCapacity",
    "remove": "TerminateInstanceInAutoScalingGroup",
}
_GCE_ACTIONS = {
    "observe": "compute.instanceGroupManagers.list",
    "resize": "compute.instanceGroupManagers.createInstances",
    "remove": "compute.instanceGroupManagers.deleteInstances",
}
_CAPI_ACTIONS = {
    "observe": "list machinedeployments",
    "resize": "patch machinedeployments/scale",
    "remove": "patch machines",
}
_KWOK_ACTIONS = {"observe": "list nodes", "resize": "create nodes", "remove": "delete nodes"}


class Cloud(Protocol):
    """The stage of a contract test."""

    @property
    def provider(self) -> Provider:
        """Under test."""

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Create a group, give its id."""

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The group's target and living instances, whatever the provider says."""

    def running(self, instance: str) -> Instance:
        """A running instance of that id, as the view must have it."""

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

    def running(self, instance: str) -> Instance:
        """The fake has one type and zone."""
        return Instance(instance, f"fake:///us-east-1a/{instance}", InstanceState.RUNNING, "us-east-1a", "g4dn.xlarge")

    def fail(self, verb: str, fault: str) -> None:
        """Script the failure."""
        _, code, message = _AMAZON[fault]
        self._fake.fail_next(verb, Fault("", FAULTS[fault], code, message, 0))

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

    def running(self, instance: str) -> Instance:
        """Of `lt-main`, in the zone that groups are in."""
        return Instance(instance, f"aws:///us-east-1a/{instance}", InstanceState.RUNNING, "us-east-1a", "g4dn.xlarge")

    def fail(self, verb: str, fault: str) -> None:
        """The wire answers in Amazon's place."""
        self.wire.rules.append(Rule(_AWS_ACTIONS[verb], times=100, error=_AMAZON[fault]))

    def lose(self, verb: str) -> None:
        """The wire hangs up after the server has acted."""
        self.wire.rules.append(Rule(_AWS_ACTIONS[verb], times=100, lost=0.0))

    def mend(self) -> None:
        """The wire is whole."""
        self.wire.rules.clear()


class GceCloud:
    """The Google Cloud provider on a server of our own, whose wire can fail."""

    def __init__(self, gce: Gce) -> None:
        gce.reset()
        self.gce = gce
        self.main = gce.template("main", "g2-standard-4")
        self.gcp = gcp_provider(gce.url)
        self.provider: Provider = self.gcp

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Create a zonal group whose instances carry the labels."""
        labels = {"gpu-autoscale-min": str(low), "gpu-autoscale-max": str(high)}
        if tagged:
            labels["gpu-autoscale-cluster"] = "demo"
        self.gce.group(name, GCE_ZONE, template=self.main, nodes=nodes, labels=labels)
        return f"gcp:{GCE_ZONE}/{name}"

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The server's own books."""
        place, _, name = group.removeprefix("gcp:").partition("/")
        found = self.gce.groups[place, name]
        alive = [each for each in found.machines.values() if each.number and each.action != "DELETING"]
        return found.target, [f"{each.zone}/{each.name}" for each in alive]

    def running(self, instance: str) -> Instance:
        """Of the main template, in the zone that groups are in."""
        return Instance(instance, f"gce://{PROJECT}/{instance}", InstanceState.RUNNING, GCE_ZONE, "g2-standard-4")

    def fail(self, verb: str, fault: str) -> None:
        """The wire answers in Google's place."""
        self.gce.rules.append(Rule(_GCE_ACTIONS[verb], times=100, error=_GOOGLE[fault]))

    def lose(self, verb: str) -> None:
        """The wire hangs up after the server has acted."""
        self.gce.rules.append(Rule(_GCE_ACTIONS[verb], times=100, lost=0.0))

    def mend(self) -> None:
        """The wire is whole."""
        self.gce.rules.clear()


class CapiCloud:
    """The Cluster API provider on a real API server, behind a wire that can fail."""

    def __init__(self, capi: Capi, wire: KubeWire, kubeconfig: Path) -> None:
        wire.rules.clear()
        wire.actions.clear()
        capi.reset()
        self.capi = capi
        self.wire = wire
        self.kubeconfig = kubeconfig
        self.clusterapi = self.make()
        self.provider: Provider = self.clusterapi

    def make(self, **settings: Any) -> ClusterApiProvider:
        """The provider as a configuration would make it."""
        parsed = ClusterApiSettings.parse({"kubeconfig": str(self.kubeconfig), **settings}, cluster="demo")
        return ClusterApiProvider(parsed, now_s=lambda: int(time.time()), read_timeout_s=5.0)

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Create a MachineDeployment whose annotations tell its sizes and what its nodes have."""
        capacity = {"cpu": "4", "memory": "16Gi", "gpu-type": "nvidia.com/gpu", "gpu-count": "1"}
        notes = {f"{CAPACITY}/{key}": value for key, value in capacity.items()}
        bounds = (str(low), str(high)) if tagged else None
        return self.capi.group(name, nodes=nodes, bounds=bounds, annotations=notes)

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The API server's books, when the controllers have done their work."""
        name = group.rpartition("/")[2]
        self.capi.settle("MachineDeployment", name)
        found = self.capi.api.get(f"{CAPI}/machinedeployments/{name}")
        return found["spec"]["replicas"], [f"default/{each['metadata']['name']}" for each in self.capi.machines(name)]

    def running(self, instance: str) -> Instance:
        """A machine whose node is there."""
        name = instance.rpartition("/")[2]
        return Instance(instance, f"demo://{name}", InstanceState.RUNNING, "", name.split("-")[0])

    def fail(self, verb: str, fault: str) -> None:
        """The wire answers in the API server's place."""
        self.wire.rules.append(Rule(_CAPI_ACTIONS[verb], times=100, error=_KUBERNETES[fault]))

    def lose(self, verb: str) -> None:
        """The wire hangs up after the server has acted."""
        action = "patch machinedeployments/scale" if verb == "remove" else _CAPI_ACTIONS[verb]
        self.wire.rules.append(Rule(action, times=100, lost=0.0))

    def mend(self) -> None:
        """The wire is whole."""
        self.wire.rules.clear()


class KwokCloud:
    """The provider of simulated nodes on a real API server, behind a wire that can fail. Its groups are configured."""

    def __init__(self, api: Api, wire: KubeWire, kubeconfig: Path) -> None:
        wire.rules.clear()
        wire.actions.clear()
        api.request("DELETE", "/api/v1/nodes")
        self.api = api
        self.wire = wire
        self.pools: dict[str, Any] = {}
        self._kubeconfig = str(kubeconfig)

    @property
    def provider(self) -> KwokProvider:
        """As the configuration of this moment makes it."""
        settings = KwokSettings.parse({"kubeconfig": self._kubeconfig, "pools": self.pools})
        return KwokProvider(settings, now_s=lambda: int(time.time()), read_timeout_s=5.0)

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Configure a pool, and create its nodes."""
        resources = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
        if tagged:
            self.pools[name] = {"resources": resources, "min": low, "max": high, "zone": "rack-1"}
        if nodes:
            self.provider.resize(f"kwok:{name}", target_nodes=nodes, request_id="stage")
        return f"kwok:{name}"

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The Nodes that there are."""
        found = self.api.items("/api/v1/nodes", labelSelector=f"{POOL}={group.removeprefix('kwok:')}")
        return len(found), [each["metadata"]["name"] for each in found]

    def running(self, instance: str) -> Instance:
        """Of the one rack."""
        provider_id, pool = f"kwok:///rack-1/{instance}", instance.rpartition("-")[0]
        return Instance(instance, provider_id, InstanceState.RUNNING, "rack-1", pool)

    def fail(self, verb: str, fault: str) -> None:
        """The wire answers in the API server's place."""
        self.wire.rules.append(Rule(_KWOK_ACTIONS[verb], times=100, error=_KUBERNETES[fault]))

    def lose(self, verb: str) -> None:
        """The wire hangs up after the server has acted."""
        self.wire.rules.append(Rule(_KWOK_ACTIONS[verb], times=100, lost=0.0))

    def mend(self) -> None:
        """The wire is whole."""
        self.wire.rules.clear()


def gcp_provider(url: str, *, read_timeout_s: float = 5.0, **settings: Any) -> GcpProvider:
    """The provider as a configuration would make it, on that address."""
    parsed = GcpSettings.parse({"project": PROJECT, "endpoint_url": url, **settings}, cluster="demo")
    return GcpProvider(parsed, now_s=lambda: int(time.time()), read_timeout_s=read_timeout_s)


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
