"""The example of docs/providers.md, with an inventory that can fail."""

import copy
import errno
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoscale.model.supply import Instance, InstanceState

_ERRNO = {
    "throttled": errno.EAGAIN,
    "out of stock": errno.ENOSPC,
    "broken": errno.EIO,
    "denied": errno.EACCES,
    "over quota": errno.EDQUOT,
}
_EXAMPLE = Path(__file__).parents[2] / "examples" / "provider" / "racks.py"
_WRITES = {"observe": "read", "resize": "write", "remove": "write"}


def example() -> Any:
    """The module, as a package of its own would provide it."""
    spec = importlib.util.spec_from_file_location("racks", _EXAMPLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


class RacksCloud:
    """The example on that inventory."""

    def __init__(self) -> None:
        self._inventory = FaultyInventory()
        self.secret = ""
        self.provider = example().RacksProvider(self._inventory, now_s=lambda: 1_000)

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
