"""A moto server as a process of its own, and auto scaling groups tagged the way that Cluster Autoscaler reads them."""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import botocore.config
import urllib3

from .controlplane import Process, free_ports, wait_until

REGION = "us-east-1"
_TAG = "k8s.io/cluster-autoscaler"


class MotoServer:
    """Amazon's EC2 and Auto Scaling over HTTP, in memory. A context manager; ready in two to three seconds."""

    def __init__(self, *, cluster: str = "test") -> None:
        self.cluster = cluster
        self._port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self._port}"
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="moto-")
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        self._process = Process("moto", command, log=Path(self._folder.name) / "moto.log")
        try:
            wait_until("moto answers", self._answers, within_s=60, every_s=0.05)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for client in self._clients.values():
            client.close()
        self._process.kill()
        self._folder.cleanup()

    def client(self, service: str) -> Any:
        """Give a boto3 client of the server, for example of `autoscaling` or `ec2`. Safe to share between threads."""
        if service not in self._clients:
            self._clients[service] = aws_client(service, self.url)
        return self._clients[service]

    def reset(self) -> None:
        """Forget every group and instance."""
        urllib3.request("POST", f"{self.url}/moto-api/reset")

    def create_group(
        self,
        name: str,
        *,
        instance_type: str,
        zone: str = f"{REGION}a",
        max_nodes: int = 10,
        min_nodes: int = 0,
        nodes: int = 0,
        labels: Mapping[str, str] | None = None,
        taints: Mapping[str, str] | None = None,
        resources: Mapping[str, str] | None = None,
        spot: bool = False,
        mixed_types: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Create a launch template and a group on it.

        `taints` maps a key to `value:Effect`, `resources` a resource to its amount per node; both and `labels` become
        Cluster Autoscaler's node-template tags. A spot group asks for spot in its launch template; with `mixed_types`
        it is a mixed-instances group of those types, all spot or all on demand, and `instance_type` comes first.
        """
        market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot and not mixed_types else {}
        data = {"ImageId": "ami-12c6146b", "InstanceType": instance_type, **market}
        self.client("ec2").create_launch_template(LaunchTemplateName=f"lt-{name}", LaunchTemplateData=data)
        template = {"LaunchTemplateName": f"lt-{name}", "Version": "$Latest"}
        launch: dict[str, Any] = {"LaunchTemplate": template}
        if mixed_types:
            types = [instance_type, *(each for each in mixed_types if each != instance_type)]
            launch = {
                "MixedInstancesPolicy": {
                    "LaunchTemplate": {
                        "LaunchTemplateSpecification": template,
                        "Overrides": [{"InstanceType": each} for each in types],
                    },
                    "InstancesDistribution": {
                        "OnDemandBaseCapacity": 0,
                        "OnDemandPercentageAboveBaseCapacity": 0 if spot else 100,
                    },
                }
            }
        all_tags = {f"{_TAG}/enabled": "true", f"{_TAG}/{self.cluster}": "owned"}
        for kind, values in (("label", labels), ("taint", taints), ("resources", resources)):
            all_tags |= {f"{_TAG}/node-template/{kind}/{key}": value for key, value in (values or {}).items()}
        self.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=min_nodes,
            MaxSize=max_nodes,
            DesiredCapacity=nodes,
            AvailabilityZones=[zone],
            Tags=[
                {"Key": key, "Value": value, "PropagateAtLaunch": True, "ResourceId": name}
                | {"ResourceType": "auto-scaling-group"}
                for key, value in (all_tags | dict(tags or {})).items()
            ],
            **launch,
        )

    def set_nodes(self, name: str, nodes: int) -> None:
        """Set a group's target size."""
        self.client("autoscaling").set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=nodes)

    def instances(self, name: str) -> list[str]:
        """Give the ids of a group's instances."""
        answer = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return [instance["InstanceId"] for instance in answer["AutoScalingGroups"][0]["Instances"]]

    def terminate(self, instance_id: str) -> None:
        """End an instance and lower its group's target, the way that autoscalers do."""
        self.client("autoscaling").terminate_instance_in_auto_scaling_group(
            InstanceId=instance_id, ShouldDecrementDesiredCapacity=True
        )

    def reclaim(self, instance_id: str) -> None:
        """Take an instance away as spot does: the group keeps its target and starts another."""
        self.client("ec2").terminate_instances(InstanceIds=[instance_id])

    def _answers(self) -> bool:
        self._process.check_alive()
        try:
            answer = urllib3.request("GET", f"{self.url}/moto-api/data.json", retries=False, timeout=5.0)
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == 200 and isinstance(json.loads(answer.data), dict)


def aws_client(service: str, url: str) -> Any:
    """Give a boto3 client of a moto server; it needs no account and fails fast."""
    new_client: Any = boto3.client  # its stubs want the name of the service literally
    return new_client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=botocore.config.Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=60),
    )
