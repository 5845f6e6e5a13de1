"""An Amazon in this process: moto behind real boto3 clients, with auto scaling groups tagged as Cluster Autoscaler reads them."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

from autoscale.model.frozen import empty

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from autoscale.model.snapshot import CloudView
    from autoscale.ports import Provider

REGION = "us-east-1"
_TAG = "k8s.io/cluster-autoscaler"
_OURS = {
    "AWS_ACCESS_KEY_ID": "embedded",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # nobody looks at images here
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsGroup:
    """An auto scaling group to be. `taints` maps a key to `value:Effect`; both maps become node-template tags."""

    name: str
    instance_type: str
    zone: str
    spot: bool = False
    max_nodes: int = 10
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)
    taints: Mapping[str, str] = field(default_factory=empty, hash=False)


class EmbeddedAws:
    """A context manager within which every boto3 client of this process talks to an account in memory.

    The process's own AWS settings (profile, keys, endpoints) are put aside meanwhile, so that nothing real is read or
    reached. One at a time per process, as moto replaces what is there once.
    """

    def __init__(self, *, cluster: str) -> None:
        self._cluster = cluster
        self._open = ExitStack()
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            opening.enter_context(mock.patch.dict(os.environ))
            for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO_"))]:
                del os.environ[name]
            os.environ.update(_OURS)
            from moto import mock_aws

            opening.enter_context(mock_aws())
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            client.close()
        self._open.close()

    def create_group(self, group: AwsGroup) -> None:
        """A launch template, and an empty group on it."""
        market = {"InstanceMarketOptions": {"MarketType": "spot"}} if group.spot else {}
        template = f"lt-{group.name}"
        self._client("ec2").create_launch_template(
            LaunchTemplateName=template,
            LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": group.instance_type, **market},
        )
        self._client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=group.name,
            MinSize=0,
            MaxSize=group.max_nodes,
            DesiredCapacity=0,
            AvailabilityZones=[group.zone],
            LaunchTemplate={"LaunchTemplateName": template, "Version": "$Latest"},
            Tags=[
                {"Key": key, "Value": value, "PropagateAtLaunch": True}
                | {"ResourceId": group.name, "ResourceType": "auto-scaling-group"}
                for key, value in self._tags(group).items()
            ],
        )

    def _tags(self, group: AwsGroup) -> dict[str, str]:
        tags = {f"{_TAG}/enabled": "true", f"{_TAG}/{self._cluster}": "owned"}
        for kind, values in (("label", group.labels), ("taint", group.taints)):
            tags |= {f"{_TAG}/node-template/{kind}/{key}": value for key, value in values.items()}
        return tags

    def _client(self, service: str) -> Any:
        import boto3

        if service not in self._clients:
            new_client: Any = boto3.client  # its stubs want the name of the service literally
            self._clients[service] = new_client(service, region_name=REGION)
        return self._clients[service]


class OneAtATime:
    """A provider whose calls wait for each other: moto's memory is not made for several threads."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The provider's own."""
        return self._provider.name

    def check(self) -> None:
        """As the provider does."""
        with self._lock:
            self._provider.check()

    def observe(self) -> CloudView:
        """As the provider does."""
        with self._lock:
            return self._provider.observe()

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """As the provider does."""
        with self._lock:
            self._provider.resize(group, target_nodes=target_nodes, request_id=request_id)

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:
        """As the provider does."""
        with self._lock:
            self._provider.remove(group, instances, request_id=request_id)

    def delete(self, group: str, *, request_id: str) -> None:
        """As the provider does."""
        with self._lock:
            self._provider.delete(group, request_id=request_id)


if TYPE_CHECKING:

    def _is_provider(x: OneAtATime) -> Provider:
        return x
