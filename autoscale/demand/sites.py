"""A node that pods are tried on: labels, taints, what is left of it, and who is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.model.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autoscale.demand.kinds import Kind
    from autoscale.model.rules import HostPort
    from autoscale.model.workload import PodShape, Taint


class Site:
    """One node, there or planned. Changed only by the world that it is in; compared by identity."""

    __slots__ = ("labels", "name", "pods", "ports", "room", "taints", "volumes")

    def __init__(self, name: str, labels: Mapping[str, str], taints: tuple[Taint, ...], allocatable: Resources) -> None:
        self.name = name
        self.labels = labels
        self.taints = taints
        self.room: dict[str, int] = dict(allocatable.amounts)
        self.pods: dict[Kind, int] = {}
        self.ports: dict[HostPort, int] = {}
        self.volumes: dict[tuple[str, str], int] = {}

    def lacking(self, shape: PodShape) -> Iterator[tuple[str, int, int]]:
        """What there is too little of: (resource, asked, there)."""
        for name, amount in shape.requests.amounts.items():
            asked = amount - self._there(shape, name)
            if asked > 0 and asked > self.room.get(name, 0):
                yield name, asked, self.room.get(name, 0)

    def room_for(self, shape: PodShape) -> Resources:
        """What is left for such a pod: volumes of its that are there already cost nothing."""
        room = dict(self.room)
        for name in {resource for resource, _ in shape.shared_volumes}:
            there, asked = self._there(shape, name), shape.requests[name]
            room[name] = asked if there == asked else room.get(name, 0) + there  # nothing new is asked of a full node
        return Resources(room)

    def _there(self, shape: PodShape, resource: str) -> int:
        return sum(each in self.volumes for each in shape.shared_volumes if each[0] == resource)

    def clashing(self, shape: PodShape) -> Iterator[HostPort]:
        """Ports of the node that the pod wants and others have."""
        for port in shape.rules.ports:
            if any(port.clashes(taken) for taken in self.ports):
                yield port

    def change(self, kind: Kind, count: int) -> None:
        """So many pods come, or leave when negative."""
        there = self.pods.get(kind, 0) + count
        if there:
            self.pods[kind] = there
        else:
            del self.pods[kind]
        for name, asked in kind.shape.requests.amounts.items():
            self.room[name] = self.room.get(name, 0) - asked * count
        for volume in kind.shape.shared_volumes:
            before = self.volumes.get(volume, 0)
            self.volumes[volume] = before + count
            counted = (
                (before > 0) + count - (before + count > 0)
            )  # of what was taken off above, how much is the same one
            self.room[volume[0]] += counted
            if not self.volumes[volume]:
                del self.volumes[volume]
        for port in kind.shape.rules.ports:
            taken = self.ports.get(port, 0) + count
            if taken:
                self.ports[port] = taken
            else:
                del self.ports[port]
