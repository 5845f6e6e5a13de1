"""The fake, whose script stands for the wire."""

from collections.abc import Sequence
from dataclasses import replace

from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType, Fault, FaultKind, Instance, InstanceState, NodeGroup, Offering
from autoscale.testing import FAULTS
from providers.fake import FakeProvider

from .clock import StageClock


class FakeCloud:
    """The fake, whose script stands for the wire."""

    def __init__(self, *, clock: StageClock | None = None) -> None:
        self.clock = clock or StageClock(1_000)
        self._fake = FakeProvider(now_s=self.clock.now_s)
        self.secret = ""
        self.provider = self._fake

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """A group that is not tagged is one that the fake does not have."""
        offering = Offering("g4dn.xlarge", "us-east-1a", CapacityType.ON_DEMAND, 526_000)
        room = Resources({"cpu": 3920, "memory": 15 * 2**30, "pods": 29, "nvidia.com/gpu": 1})
        group = NodeGroup(
            f"fake:{name}",
            "fake",
            name,
            offering,
            room,
            devices=("nvidia.com/gpu",),
            min_nodes=low,
            max_nodes=high,
            target_nodes=nodes,
        )
        if tagged:
            self._fake.add(group)
        return group.id

    def dear(self, name: str) -> str:
        """A group in another zone, of a dearer type."""
        offering = Offering("g5.2xlarge", "us-east-1b", CapacityType.ON_DEMAND, 1_212_000)
        room = Resources({"cpu": 7910, "memory": 30 * 2**30, "pods": 58, "nvidia.com/gpu": 1})
        group = NodeGroup(f"fake:{name}", "fake", name, offering, room, devices=("nvidia.com/gpu",), max_nodes=10)
        self._fake.add(group)
        return group.id

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The fake's own books."""
        found = self._fake.group(group)
        return found.target_nodes, [each.id for each in found.instances]

    def running(self, instance: str) -> Instance:
        """As its group has it."""
        groups = (self._fake.group(each) for each in self._fake.ids)
        found = next(each for group in groups for each in group.instances if each.id == instance)
        return replace(found, state=InstanceState.RUNNING)

    def fail(self, verb: str, fault: str, *, after: int = 0) -> None:
        """Script the failure; the fake's calls are whole, so that nothing of one can pass."""
        self._fake.fail_next(verb, Fault("", FAULTS[fault], fault.title(), f"the answer is {fault}", 0))

    def lose(self, verb: str) -> None:
        """Script a failure after the fact."""
        self._fake.fail_next(
            verb, Fault("", FaultKind.OTHER, "Unreachable", "no answer", 0, maybe_applied=True), applied=True
        )

    def freeze(self) -> None:
        """The fake remembers what it was."""
        self._fake.lag_s = 10_000

    def thaw(self) -> None:
        """And forgets it again; a minute passes."""
        self.clock.sleep(60)
        self._fake.lag_s = 0

    def mend(self) -> None:
        """Failures that nobody has met yet never come."""
        self._fake._failures.clear()

    def set_by_hand(self, group: str, nodes: int) -> None:
        """In the fake's own books."""
        found = self._fake.group(group)
        self._fake.add(replace(found, target_nodes=nodes, instances=found.instances[:nodes]))

    def delete_by_hand(self, group: str) -> None:
        """In the fake's own books."""
        self._fake.drop(group)

    def starve(self, group: str, *, left: int = 0) -> None:
        """A shortage by script."""
        offering = self._fake.group(group).offering.key
        self._fake.starve(
            group,
            Fault(group, FaultKind.NO_CAPACITY, "OutOfStock", "none left", self.clock.now_s(), offering),
            left=left,
        )

    def feed(self, group: str) -> None:
        """The end of it."""
        self._fake.starve(group, None)

    def offer(self, name: str) -> str:
        """A group that is there to plan on."""
        id_ = self.create(name)
        self._fake.add(replace(self._fake.group(id_), template="pool", made=False))
        return id_

    def made(self, group: str) -> bool:
        """In the fake's own books."""
        return self._fake.group(group).made or self._fake.taken(group)

    def take_name(self, group: str) -> None:
        """Without the mark of a template, and for the fake without being shown."""
        self._fake.take_name(group)

    def calls(self) -> int:
        """Calls of the port: behind it there are none."""
        made = len(self._fake.calls)
        self._fake.calls.clear()
        return made
