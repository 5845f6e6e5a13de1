"""Cluster API and simulated nodes on a real API server, behind wires that can fail."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autoscale.model.supply import Instance, InstanceState
from providers.clusterapi.provider import ClusterApiProvider
from providers.clusterapi.settings import ClusterApiSettings
from providers.kwok.nodes import POOL, document
from providers.kwok.provider import KwokProvider
from providers.kwok.settings import KwokSettings
from tests.cluster.controlplane import Api

from .capi import CAPACITY, Capi
from .capi import NAMESPACE as CAPI
from .clock import StageClock
from .kubewire import KubeWire
from .wire import Rule

_ANSWERS = {
    "throttled": (429, "TooManyRequests", "too many requests"),
    "out of stock": (422, "Invalid", 'admission webhook "hosts" denied the request: not enough free hosts'),
    "broken": (500, "InternalError", "an internal error occurred"),
    "over quota": (403, "Forbidden", "exceeded quota: gpus, requested: count=1, used: count=8, limited: count=8"),
    "denied": (403, "Forbidden", 'User "x" cannot do this'),
}
_CAPI_ACTIONS = {
    "observe": "list machinedeployments",
    "resize": "patch machinedeployments/scale",
    "remove": "patch machines",
}
_KWOK_ACTIONS = {"observe": "list nodes", "resize": "create nodes", "remove": "delete nodes"}


class CapiCloud:
    """The Cluster API provider on a real API server, behind a wire that can fail."""

    def __init__(
        self,
        capi: Capi,
        wire: KubeWire,
        folder: Path,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: StageClock | None = None,
    ) -> None:
        self.clock = clock or StageClock()
        wire.rules.clear()
        wire.actions.clear()
        capi.reset()
        self.capi = capi
        self.wire = wire
        self._sleep = sleep
        self.secret = "planted-token"
        self.kubeconfig = wire.kubeconfig(folder, token=self.secret)
        self.clusterapi = self.make()
        self.provider = self.clusterapi

    def make(self, **settings: Any) -> ClusterApiProvider:
        """The provider as a configuration would make it."""
        parsed = ClusterApiSettings.parse({"kubeconfig": str(self.kubeconfig), **settings}, cluster="demo")
        return ClusterApiProvider(parsed, now_s=self.clock.now_s, read_timeout_s=5.0, sleep=self._sleep)

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Create a MachineDeployment whose annotations tell its sizes and what its nodes have."""
        capacity = {"cpu": "4", "memory": "16Gi", "gpu-type": "nvidia.com/gpu", "gpu-count": "1"}
        notes = {f"{CAPACITY}/{key}": value for key, value in capacity.items()}
        bounds = (str(low), str(high)) if tagged else None
        return self.capi.group(name, nodes=nodes, bounds=bounds, annotations=notes)

    def dear(self, name: str) -> str:
        """A group elsewhere whose machines cost something."""
        self.provider = self.make(prices={name: 3})
        return self.create(name)

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The API server's books, when the controllers have done their work."""
        name = group.rpartition("/")[2]
        self.capi.settle("MachineDeployment", name)
        found = self.capi.api.get(f"{CAPI}/machinedeployments/{name}")
        there = [each for each in self.capi.machines(name) if each["spec"].get("providerID")]
        return found["spec"]["replicas"], [f"default/{each['metadata']['name']}" for each in there]

    def running(self, instance: str) -> Instance:
        """A machine whose node is there."""
        name = instance.rpartition("/")[2]
        return Instance(instance, f"demo://{name}", InstanceState.RUNNING, "", name.split("-")[0])

    def fail(self, verb: str, fault: str, *, after: int = 0) -> None:
        """The wire answers in the API server's place."""
        self.wire.rules.append(Rule(_CAPI_ACTIONS[verb], times=100, after=after, error=_ANSWERS[fault]))

    def lose(self, verb: str) -> None:
        """The wire hangs up after the server has acted."""
        action = "patch machinedeployments/scale" if verb == "remove" else _CAPI_ACTIONS[verb]
        self.wire.rules.append(Rule(action, times=100, lost=0.0))

    def mend(self) -> None:
        """The wire is whole."""
        self.wire.rules.clear()

    def freeze(self) -> None:
        """An API server's lists are as new as its last write: there are no old news to show."""

    def thaw(self) -> None:
        """Nothing was frozen; a minute passes."""
        self.clock.sleep(60)

    def set_by_hand(self, group: str, nodes: int) -> None:
        """`kubectl scale`."""
        name = group.rpartition("/")[2]
        self.capi.api.patch(f"{CAPI}/machinedeployments/{name}", {"spec": {"replicas": nodes}})
        self.capi.settle("MachineDeployment", name)

    def delete_by_hand(self, group: str) -> None:
        """`kubectl delete`, which takes the set and the machines along."""
        name = group.rpartition("/")[2]
        for machine in self.capi.machines(name):
            self.capi.api.delete(f"{CAPI}/machines/{machine['metadata']['name']}")
        self.capi.api.delete(f"{CAPI}/machinesets/{name}-x")
        self.capi.api.delete(f"{CAPI}/machinedeployments/{name}")

    def starve(self, group: str, *, left: int = 0) -> None:
        """Machines are made, and stay without a provider id."""
        name = group.rpartition("/")[2]
        self.capi.left[name] = left
        self.capi.out_of_stock[name] = "no valid host was found"

    def feed(self, group: str) -> None:
        """The infrastructure kept trying."""
        self.capi.out_of_stock.pop(group.rpartition("/")[2], None)
        for machine in self.capi.machines(group.rpartition("/")[2]):
            if not machine["spec"].get("providerID"):
                self.capi.start(machine)

    def calls(self) -> int:
        """Requests that came through the wire."""
        made = len(self.wire.actions)
        self.wire.actions.clear()
        return made


class KwokCloud:
    """The provider of simulated nodes on a real API server, behind a wire that can fail. Its groups are configured."""

    def __init__(
        self,
        api: Api,
        wire: KubeWire,
        folder: Path,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: StageClock | None = None,
    ) -> None:
        self.clock = clock or StageClock()
        wire.rules.clear()
        wire.actions.clear()
        api.request("DELETE", "/api/v1/nodes")
        self.api = api
        self.wire = wire
        self.pools: dict[str, Any] = {}
        self._sleep = sleep
        self._by_hand = 0
        self.secret = "planted-token"
        self._kubeconfig = str(wire.kubeconfig(folder, token=self.secret))

    @property
    def provider(self) -> KwokProvider:
        """As the configuration of this moment makes it."""
        settings = KwokSettings.parse({"kubeconfig": self._kubeconfig, "pools": self.pools})
        return KwokProvider(settings, now_s=self.clock.now_s, read_timeout_s=5.0, sleep=self._sleep)

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Configure a pool, and create its nodes."""
        resources = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
        if tagged:
            self.pools[name] = {"resources": resources, "min": low, "max": high, "zone": "rack-1"}
        if nodes:
            self.provider.resize(f"kwok:{name}", target_nodes=nodes, request_id="stage")
        return f"kwok:{name}"

    def dear(self, name: str) -> str:
        """A pool elsewhere whose nodes cost something."""
        group = self.create(name)
        self.pools[name] |= {"zone": "rack-2", "price": 3}
        return group

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The Nodes that there are."""
        found = self.api.items("/api/v1/nodes", labelSelector=f"{POOL}={group.removeprefix('kwok:')}")
        return len(found), [each["metadata"]["name"] for each in found]

    def running(self, instance: str) -> Instance:
        """Of the rack that its pool is in."""
        pool = instance.rpartition("-")[0]
        zone = self.pools[pool]["zone"]
        return Instance(instance, f"kwok:///{zone}/{instance}", InstanceState.RUNNING, zone, pool)

    def fail(self, verb: str, fault: str, *, after: int = 0) -> None:
        """The wire answers in the API server's place."""
        self.wire.rules.append(Rule(_KWOK_ACTIONS[verb], times=100, after=after, error=_ANSWERS[fault]))

    def lose(self, verb: str) -> None:
        """The wire hangs up after the server has acted."""
        self.wire.rules.append(Rule(_KWOK_ACTIONS[verb], times=100, lost=0.0))

    def mend(self) -> None:
        """The wire is whole."""
        self.wire.rules.clear()

    def freeze(self) -> None:
        """An API server's lists are as new as its last write: there are no old news to show."""

    def thaw(self) -> None:
        """Nothing was frozen; a minute passes."""
        self.clock.sleep(60)

    def set_by_hand(self, group: str, nodes: int) -> None:
        """`kubectl create` or `kubectl delete`."""
        names = self.truth(group)[1]
        for name in names[nodes:]:
            self.api.delete(f"/api/v1/nodes/{name}")
        pool = KwokSettings.parse({"pools": self.pools}).pools[group.removeprefix("kwok:")]
        for _ in range(nodes - len(names)):
            self._by_hand += 1
            self.api.create("/api/v1/nodes", document(pool, f"{pool.name}-hand{self._by_hand}"))

    def delete_by_hand(self, group: str) -> None:
        """The nodes, and the pool from the configuration."""
        self.set_by_hand(group, 0)
        del self.pools[group.removeprefix("kwok:")]

    def calls(self) -> int:
        """Requests that came through the wire."""
        made = len(self.wire.actions)
        self.wire.actions.clear()
        return made
