"""The provider is held to the contract: `pip install gpu-autoscale[testing]`, then `pytest`."""

from __future__ import annotations

import copy
import errno
from typing import TYPE_CHECKING, Any

import pytest
from racks import RacksProvider

from autoscale.model.supply import Instance, InstanceState
from autoscale.testing import ProviderContract, ScheduleContract, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

_ERRNO = {
    "throttled": errno.EAGAIN,
    "out of stock": errno.ENOSPC,
    "broken": errno.EIO,
    "denied": errno.EACCES,
    "over quota": errno.EDQUOT,
}
_WRITES = {"observe": "read", "resize": "write", "remove": "write"}


class TestRacks(ProviderContract, ScheduleContract):
    """All that every provider promises, and 200 schedules of faults."""

    @pytest.fixture
    def stage(self) -> Stage:
        """No racks yet."""
        return RacksStage()


class FaultyInventory:
    """An inventory in memory. `faults`: method -> error number, and whether the call takes effect all the same."""

    def __init__(self) -> None:
        self.racks: dict[str, Any] = {}
        self.faults: dict[str, tuple[int, bool, int]] = {}
        self.calls = 0

    def read(self) -> dict[str, Any]:
        """A copy of everything."""
        self._happen("read")
        return copy.deepcopy(self.racks)

    def write(self, racks: dict[str, Any]) -> None:
        """Everything."""
        number, applied, after = self.faults.get("write", (0, True, 0))
        if applied or after or not number:
            self.racks = copy.deepcopy(racks)
        self._happen("write")

    def _happen(self, method: str) -> None:
        self.calls += 1
        number, applied, after = self.faults.get(method, (0, False, 0))
        if after:
            self.faults[method] = (number, applied, after - 1)
        elif number:
            raise OSError(number, "as told")


class RacksStage:
    """The provider on that inventory."""

    def __init__(self) -> None:
        self._inventory = FaultyInventory()
        self.secret = ""
        self.provider = RacksProvider(self._inventory, now_s=lambda: 1_000)

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Put up a rack, unless it is somebody else's."""
        machines = [f"{name}-{n:02}" for n in range(high)]
        resources = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
        if tagged:
            self._inventory.racks[name] = {
                "machines": machines, "on": machines[:nodes], "min": low, "max": high, "resources": resources,
            }  # fmt: skip
        return f"racks:{name}"

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The machines that are on."""
        on = self._inventory.racks[group.removeprefix("racks:")]["on"]
        return len(on), on

    def running(self, instance: str) -> Instance:
        """A machine of its rack."""
        rack = instance.rpartition("-")[0]
        return Instance(instance, f"racks://{instance}", InstanceState.RUNNING, rack, "rack-machine")

    def fail(self, verb: str, fault: str, *, after: int = 0) -> None:
        """The inventory raises, and nothing has happened."""
        self._inventory.faults[_WRITES[verb]] = (_ERRNO[fault], False, after)

    def lose(self, verb: str) -> None:
        """The inventory raises when all is done."""
        self._inventory.faults[_WRITES[verb]] = (errno.EIO, True, 0)

    def mend(self) -> None:
        """The inventory works."""
        self._inventory.faults.clear()

    def freeze(self) -> None:
        """A file has no old news."""

    def thaw(self) -> None:
        """Nothing was frozen."""

    def set_by_hand(self, group: str, nodes: int) -> None:
        """Somebody presses switches."""
        rack = self._inventory.racks[group.removeprefix("racks:")]
        off = [each for each in rack["machines"] if each not in rack["on"]]
        rack["on"] = (rack["on"] + off)[:nodes]

    def delete_by_hand(self, group: str) -> None:
        """Somebody carries the rack away."""
        del self._inventory.racks[group.removeprefix("racks:")]

    def calls(self) -> int:
        """Reads and writes."""
        made, self._inventory.calls = self._inventory.calls, 0
        return made
