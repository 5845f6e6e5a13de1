"""The cloud of a whole plan: it makes what it is asked for, and a test says which instances become nodes, and when."""

from collections import Counter
from collections.abc import Sequence

from autoscale.model.resources import Resources
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import CapacityType, Fault, FaultKind, Instance, InstanceState, NodeGroup, Offering
from autoscale.model.workload import Taint

from .plans import GPU, ZONE, Kind


class Cloud:
    """A cloud in this process: `resize` makes instances, which become nodes when the test says so."""

    name = "test"

    def __init__(self, kinds: Sequence[Kind], up: Sequence[str]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self.instances: dict[str, list[str]] = {kind.name: [] for kind in kinds}
        self._made: Counter[str] = Counter(up)
        self._faults: dict[str, Fault] = {}
        for name in up:
            self.instances[name].append(f"{name}-0")

    def check(self) -> None:
        """It lets us in."""

    def observe(self) -> CloudView:
        """All groups."""
        return CloudView(self.name, tuple(self._group(kind) for kind in self._kinds.values()))

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """Instances up to the target."""
        there = self.instances[group]
        for _ in range(target_nodes - len(there)):
            there.append(f"{group}-{self._made[group]}")
            self._made[group] += 1

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:
        """Nothing is idle for so long here."""

    def delete(self, group: str, *, request_id: str) -> None:
        """No group is made of a template here."""

    def fail(self, never: Sequence[str], at_s: int) -> None:
        """These are not delivered after all, and the cloud says so."""
        for name in never:
            group = name.rpartition("-")[0]
            self.instances[group].remove(name)
            text = f"{name} can't be had"
            self._faults[group] = Fault(group, FaultKind.NO_CAPACITY, "InsufficientInstanceCapacity", text, at_s)

    def kind(self, instance: str) -> Kind:
        """The kind of an instance."""
        return self._kinds[instance.rpartition("-")[0]]

    def _group(self, kind: Kind) -> NodeGroup:
        names = self.instances[kind.name]
        return NodeGroup(
            id=kind.name,
            provider=self.name,
            name=kind.name,
            offering=Offering(f"type-{kind.name}", kind.zone, CapacityType.ON_DEMAND, round(kind.usd * 1e6)),
            allocatable=Resources.parse(room(kind), up=False),
            labels={ZONE: kind.zone, "group": kind.name},
            taints=(Taint(GPU, "present"),) if kind.tainted else (),
            devices=(GPU,),
            target_nodes=len(names),
            faults=tuple(filter(None, [self._faults.get(kind.name)])),
            instances=tuple(Instance(n, f"test:///{n}", InstanceState.RUNNING) for n in names),
        )


def room(kind: Kind, *, devices: bool = True) -> dict[str, str]:
    """What a node has to give, before and after its devices come."""
    found = {"cpu": str(kind.cpus), "memory": "512Gi", "pods": "110"}
    return found | ({GPU: str(kind.gpus)} if devices else {})
