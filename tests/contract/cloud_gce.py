"""The Google Cloud provider on a server of our own, whose wire can fail."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from autoscale.model.supply import Instance, InstanceState
from providers.gcp.provider import GcpProvider
from providers.gcp.settings import GcpSettings

from .clock import StageClock
from .gce import Gce
from .gce_messages import PROJECT
from .wire import Rule

GCE_ZONE = "us-central1-a"

_ANSWERS = {
    "throttled": (403, "rateLimitExceeded", "Rate Limit Exceeded"),
    "out of stock": (
        503,
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "The zone does not have enough resources available to fulfill the request.",
    ),
    "broken": (500, "backendError", "Internal error"),
    "over quota": (403, "quotaExceeded", "Quota 'NVIDIA_L4_GPUS' exceeded. Limit: 8.0 in region us-central1."),
    "denied": (403, "forbidden", "Required 'compute.instanceGroupManagers.update' permission for 'group'"),
}
_ACTIONS = {
    "observe": "compute.instanceGroupManagers.list",
    "resize": "compute.instanceGroupManagers.createInstances",
    "remove": "compute.instanceGroupManagers.deleteInstances",
    "make": "compute.instanceGroupManagers.create",
    "delete": "compute.instanceGroupManagers.delete",
}


class GceCloud:
    """The Google Cloud provider on a server of our own, whose wire can fail."""

    def __init__(
        self, gce: Gce, *, sleep: Callable[[float], None] = time.sleep, clock: StageClock | None = None
    ) -> None:
        gce.reset()
        self.gce = gce
        self.secret = "planted-kubelet-key"
        env = {"key": "kube-env", "value": f"KUBELET_KEY: {self.secret}\nAUTOSCALER_ENV_VARS: os=linux"}
        self.main = gce.template("main", "g2-standard-4", metadata={"items": [env]})
        self.clock = clock or StageClock()
        self._sleep = sleep
        self._pools: dict[str, Any] = {}
        self.gcp = gcp_provider(gce.url, now_s=self.clock.now_s, sleep=sleep)
        self.provider = self.gcp

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Create a zonal group whose instances carry the labels."""
        labels = {"gpu-autoscale-min": str(low), "gpu-autoscale-max": str(high)}
        if tagged:
            labels["gpu-autoscale-cluster"] = "demo"
        self.gce.group(name, GCE_ZONE, template=self.main, nodes=nodes, labels=labels)
        return f"gcp:{GCE_ZONE}/{name}"

    def dear(self, name: str) -> str:
        """A group in another zone, of a dearer type."""
        template = self.gce.template("dear", "g2-standard-8")
        labels = {"gpu-autoscale-min": "0", "gpu-autoscale-max": "10", "gpu-autoscale-cluster": "demo"}
        self.gce.group(name, "us-central1-b", template=template, labels=labels)
        return f"gcp:us-central1-b/{name}"

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The server's own books."""
        place, _, name = group.removeprefix("gcp:").partition("/")
        found = self.gce.groups[place, name]
        alive = [each for each in found.machines.values() if each.number and each.action != "DELETING"]
        return found.target, [f"{each.zone}/{each.name}" for each in alive]

    def running(self, instance: str) -> Instance:
        """Of the main template in the zone that groups are in, of the dear one elsewhere."""
        zone = instance.partition("/")[0]
        machine_type = "g2-standard-4" if zone == GCE_ZONE else "g2-standard-8"
        return Instance(instance, f"gce://{PROJECT}/{instance}", InstanceState.RUNNING, zone, machine_type)

    def fail(self, verb: str, fault: str, *, after: int = 0) -> None:
        """The wire answers in Google's place."""
        self.gce.rules.append(Rule(_ACTIONS[verb], times=100, after=after, error=_ANSWERS[fault]))

    def lose(self, verb: str) -> None:
        """The wire hangs up after the server has acted."""
        self.gce.rules.append(Rule(_ACTIONS[verb], times=100, lost=0.0))

    def mend(self) -> None:
        """The wire is whole."""
        self.gce.rules.clear()

    def freeze(self) -> None:
        """A group may show its old size for a while."""
        self.gce.frozen = {}

    def thaw(self) -> None:
        """It catches up."""
        self.gce.frozen = None
        self.clock.sleep(60)

    def set_by_hand(self, group: str, nodes: int) -> None:
        """In the console."""
        place, _, name = group.removeprefix("gcp:").partition("/")
        self.gce.resize_by_hand(place, name, nodes)

    def delete_by_hand(self, group: str) -> None:
        """In the console."""
        place, _, name = group.removeprefix("gcp:").partition("/")
        del self.gce.groups[place, name]

    def pool(self, name: str, **more: Any) -> None:
        """Put a pool into the configuration, of one offering unless told otherwise; the provider is made anew."""
        usual = {"instance_template": "main", "instance_types": ["g2-standard-4"], "zones": [GCE_ZONE], "max_nodes": 10}
        self._pools[name] = usual | more
        self.gcp = self.provider = gcp_provider(
            self.gce.url, now_s=self.clock.now_s, sleep=self._sleep, pools=self._pools
        )

    def offer(self, name: str) -> str:
        """A pool of one offering."""
        self.pool(name)
        return f"gcp:{GCE_ZONE}/demo-{name}-g2-standard-4-us-central1-a-on-demand"

    def made(self, group: str) -> bool:
        """In the server's own books."""
        place, _, name = group.removeprefix("gcp:").partition("/")
        return (place, name) in self.gce.groups

    def take_name(self, group: str) -> None:
        """In the console, without labels of ours."""
        place, _, name = group.removeprefix("gcp:").partition("/")
        self.gce.group(name, place, template=self.main)

    def starve(self, group: str, *, left: int = 0) -> None:
        """The zone has none."""
        code, message = "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources available"
        self.gce.stockouts[GCE_ZONE] = (code, message)
        self.gce.left[GCE_ZONE] = left

    def feed(self, group: str) -> None:
        """Google kept trying."""
        self.gce.restock(GCE_ZONE)

    def calls(self) -> int:
        """Requests that came."""
        made = len(self.gce.actions)
        self.gce.actions.clear()
        return made


def gcp_provider(
    url: str,
    *,
    read_timeout_s: float = 5.0,
    now_s: Callable[[], int] = lambda: int(time.time()),
    sleep: Callable[[float], None] = time.sleep,
    **settings: Any,
) -> GcpProvider:
    """The provider as a configuration would make it, on that address."""
    parsed = GcpSettings.parse({"project": PROJECT, "endpoint_url": url, **settings}, cluster="demo")
    return GcpProvider(parsed, now_s=now_s, read_timeout_s=read_timeout_s, sleep=sleep)
