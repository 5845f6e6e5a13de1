"""A small provider, whole: machines of one's own, in racks that an inventory switches on and off.

The inventory is a JSON file, `{"rack-1": {"machines": ["a", "b"], "on": ["a"], "min": 0, "max": 2, "resources": {...}}}`.
docs/providers.md tells what matters here; `test_racks.py` holds it to what every provider promises.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscale.errors import BadInput, ProviderError
from autoscale.model.resources import Resources
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import CapacityType, Fault, FaultKind, Instance, InstanceState, NodeGroup, Offering

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# One table: what this cloud calls its noes -> what kind of no each is.
KINDS = {
    errno.EACCES: FaultKind.DENIED,
    errno.EAGAIN: FaultKind.THROTTLED,
    errno.EDQUOT: FaultKind.QUOTA,
    errno.ENOSPC: FaultKind.NO_CAPACITY,
}


class Inventory:
    """Where the racks are kept. Raises OSError."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def read(self) -> dict[str, Any]:
        """All racks by name."""
        found: dict[str, Any] = json.loads(self._path.read_text("utf-8"))
        return found

    def write(self, racks: dict[str, Any]) -> None:
        """All racks, at once or not at all."""
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(racks), "utf-8")
        new.replace(self._path)


class RacksProvider:
    """Each rack is a node group, `racks:NAME`."""

    name = "racks"

    def __init__(self, inventory: Inventory, *, now_s: Callable[[], int]) -> None:
        self._inventory = inventory
        self._now_s = now_s

    def check(self) -> None:
        """Whether the file can be read."""
        try:
            self._inventory.read()
        except OSError as error:
            if (fault := self._fault(error)).kind is FaultKind.DENIED:
                raise BadInput(fault.message, where="racks") from error

    def observe(self) -> CloudView:
        """One read of everything. A fault is in the view, never an exception."""
        try:
            racks = self._inventory.read()
        except OSError as error:
            return CloudView(self.name, faults=(self._fault(error),))
        return CloudView(self.name, groups=tuple(_group(name, racks[name]) for name in sorted(racks)))

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:  # noqa: ARG002 - targets are absolute
        """Switch on what is missing. What others have switched on stays on."""
        racks, rack = self._rack(group)
        on, low, high = rack["on"], rack["min"], rack["max"]
        if not low <= target_nodes <= high:
            raise self._refusal(group, "OutOfBounds", f"target {target_nodes} is outside the group's {low} to {high}")
        if target_nodes < len(on):
            raise self._refusal(group, "WouldTerminate", f"target {target_nodes} would end some of {len(on)} machines")
        off = [each for each in rack["machines"] if each not in on]
        rack["on"] = on + off[: target_nodes - len(on)]
        self._write(group, racks)

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:  # noqa: ARG002 - a name goes once
        """Switch these off, as far as the minimum allows. What is off already counts as done."""
        racks, rack = self._rack(group)
        named = [each for each in dict.fromkeys(instances) if each in rack["on"]]
        allowed = named[: max(0, len(rack["on"]) - rack["min"])]
        rack["on"] = [each for each in rack["on"] if each not in allowed]
        self._write(group, racks)
        if len(allowed) < len(named):
            raise self._refusal(group, "OutOfBounds", f"the group's minimum is {rack['min']}")

    def delete(self, group: str, *, request_id: str) -> None:  # noqa: ARG002 - nothing is ever deleted
        """Refused: racks are not made of templates."""
        raise self._refusal(group, "NotFromTemplate", "a person made this group")

    def _rack(self, group: str) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            racks = self._inventory.read()
        except OSError as error:
            raise ProviderError(self._fault(error, group)) from error
        if group.removeprefix("racks:") not in racks or not group.startswith("racks:"):
            raise self._refusal(group, "GroupNotFound", "there is no such rack", FaultKind.NOT_FOUND)
        return racks, racks[group.removeprefix("racks:")]

    def _write(self, group: str, racks: dict[str, Any]) -> None:
        try:
            self._inventory.write(racks)
        except OSError as error:
            raise ProviderError(self._fault(error, group)) from error

    def _fault(self, error: OSError, group: str = "") -> Fault:
        kind = KINDS.get(error.errno or 0, FaultKind.OTHER)
        code = errno.errorcode.get(error.errno or 0, "Unknown")
        return Fault(group, kind, code, str(error), self._now_s(), maybe_applied=error.errno == errno.EIO)

    def _refusal(self, group: str, code: str, text: str, kind: FaultKind = FaultKind.OTHER) -> ProviderError:
        return ProviderError(Fault(group, kind, code, text, self._now_s()))


def _group(name: str, rack: dict[str, Any]) -> NodeGroup:
    room = Resources.parse(rack["resources"], up=False)
    running = InstanceState.RUNNING
    return NodeGroup(
        id=f"racks:{name}",
        provider="racks",
        name=name,
        offering=Offering("rack-machine", name, CapacityType.ON_DEMAND, 0),
        allocatable=room,
        labels={"topology.kubernetes.io/zone": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        devices=tuple(each for each in room if "/" in each),
        min_nodes=rack["min"],
        max_nodes=rack["max"],
        target_nodes=len(rack["on"]),
        instances=tuple(
            Instance(each, f"racks://{each}", running, name, "rack-machine") for each in sorted(rack["on"])
        ),
    )


def provider_from_settings(settings: Mapping[str, Any], *, cluster: str, now_s: Callable[[], int]) -> RacksProvider:  # noqa: ARG001
    """What the entry point names. Touches nothing yet; raises BadInput for wrong settings."""
    if set(settings) != {"inventory"}:
        raise BadInput("wrong keys", where="racks", expected="inventory", found=", ".join(map(str, settings)) or "none")
    return RacksProvider(Inventory(settings["inventory"]), now_s=now_s)
