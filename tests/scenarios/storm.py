"""Spot storms: how many machines a zone has at a time, as somebody measured it, played to the real tick.

`python -m tests.scenarios.storm FOLDER [--nodes N] [--first POINT] [--points N]` plays a folder of the traces of
skypilot-org/spot-traces, a zone in each file, and says what became of everybody.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autoscale.model.supply import CapacityType, FaultKind, NodeGroup
from autoscale.model.workload import Taint
from tests.builders import fault, group, pods, shape
from tests.scenarios.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTICE = Taint("aws-node-termination-handler/spot-itn")
_NOTICE_S = 120
OWNER = "ReplicaSet/serve"


@dataclass(frozen=True, slots=True)
class Storm:
    """Machines to be had in each zone, a number for each `gap_s`."""

    gap_s: int
    zones: Mapping[str, Sequence[int]]

    @property
    def points(self) -> int:
        """How many there are of all zones."""
        return min(len(each) for each in self.zones.values())


@dataclass(slots=True)
class Told:
    """What became of everybody: notices, pods that ended with their machine, the most nodes asked for beyond the need."""

    notices: int = 0
    reclaimed: int = 0
    lost: int = 0
    beyond: int = 0
    unbound_pod_s: int = 0


def kept(path: Path) -> Storm:
    """A storm of this folder."""
    said = json.loads(path.read_text("utf-8"))
    return Storm(said["gap_s"], said["zones"])


def traces(folder: Path, first: int, points: int) -> Storm:
    """Traces as they are published, some points of them."""
    said = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    (gap_s,) = {each["metadata"]["gap_seconds"] for each in said.values()}
    return Storm(gap_s, {zone: each["data"][first : first + points] for zone, each in said.items()})


class StormyWorld(World):
    """A pod for each node, spot groups in the storm's zones, and a dearer group that never runs out."""

    def __init__(self, storm: Storm, nodes: int, *, tick_s: int = 6) -> None:
        self.storm = storm
        super().__init__(
            (*(_spot(zone, nodes) for zone in storm.zones), group("on-demand", gpus=1, usd=3, max_nodes=nodes * 2)),
            join_s=40,
            devices_s=10,
            tick_s=tick_s,
            idle_after_s=120,
            backoff_first_s=60,
            backoff_max_s=240,
        )
        self.told = Told()
        self._ends_at_s: dict[str, int] = {}  # machine -> when it is taken away
        self.submit(*pods("serve", nodes, shape(gpus=1), owner=OWNER))
        self._nodes = nodes

    def play(self) -> Told:
        """All of it, then a quarter of an hour in which nothing happens any more."""
        for point in range(self.storm.points):
            self._weather(point)
            self.run(self.storm.gap_s)
        self.run(900)
        self.told.lost = len(self.kube.lost)
        return self.told

    def step(self) -> None:
        """As always; machines whose time is up are taken away."""
        for machine, end_s in list(self._ends_at_s.items()):
            if self.time.now >= end_s:
                del self._ends_at_s[machine]
                self.told.reclaimed += any(i.id == machine for g in self.groups() for i in g.instances)
                self.cloud.reclaim(machine)
        super().step()
        self.told.unbound_pod_s += len(self.unbound())
        self.told.beyond = max(self.told.beyond, sum(self.targets().values()) - self._nodes - len(self._ends_at_s))

    def _weather(self, point: int) -> None:
        """So many machines can be had in each zone now: those that are too many are told that they end."""
        for zone, available in self.storm.zones.items():
            there = [i.id for i in self.cloud.group(zone).instances if i.id not in self._ends_at_s]
            short = fault(zone, FaultKind.NO_CAPACITY, at_s=self.time.now)
            self.cloud.starve(zone, short, left=max(0, available[point] - len(there)))
            for machine in there[available[point] :]:
                self._ends_at_s[machine] = self.time.now + _NOTICE_S
                self.told.notices += 1
                name = next((node for node, its in self.joined.items() if its == machine), None)
                if name is not None:
                    node = self.kube.nodes[name]
                    self.kube.nodes[name] = replace(node, taints=(*node.taints, NOTICE))


def _spot(zone: str, nodes: int) -> NodeGroup:
    made = group(zone, gpus=1, usd=1, max_nodes=nodes * 2, capacity_type=CapacityType.SPOT)
    return replace(made, offering=replace(made.offering, zone=zone))


def main() -> int:
    """Play and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.storm", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int, default=16)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--points", type=int, default=100)
    asked = parser.parse_args()
    world = StormyWorld(traces(asked.folder, asked.first, asked.points), asked.nodes)
    told = world.play()
    sys.stdout.write(f"{told}\nunbound at the end: {len(world.unbound())}, targets {world.targets()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
