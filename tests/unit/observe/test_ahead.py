"""The clouds are read while the engine starts, and not a second time for its first plan."""

from __future__ import annotations

import threading

import pytest

from autoscale.model.snapshot import CloudView
from autoscale.observe.ahead import ReadAhead


class Cloud:
    """Counts its readings; the first waits until it may go on."""

    name = "counted"

    def __init__(self, error: Exception | None = None) -> None:
        self.read = 0
        self.go_on = threading.Event()
        self.error = error
        self.calls: list[tuple[object, ...]] = []

    def check(self) -> None:
        """Noted."""
        self.calls.append(("check",))

    def observe(self) -> CloudView:
        """A view that says which reading it is."""
        self.go_on.wait(10)
        if self.error is not None:
            raise self.error
        self.read += 1
        return CloudView(f"reading {self.read}")

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """Noted."""
        self.calls.append((group, target_nodes, request_id))

    def remove(self, group: str, instances: object, *, request_id: str) -> None:
        """Noted."""
        self.calls.append((group, instances, request_id))

    def delete(self, group: str, *, request_id: str) -> None:
        """Noted."""
        self.calls.append((group, request_id))


def test_the_first_plan_uses_the_view_that_was_read_at_the_start() -> None:
    """Made without waiting; asked for twice at the start, read once; later looks are new."""
    cloud = Cloud()
    ahead = ReadAhead(cloud)  # returns though the cloud does not answer yet
    cloud.go_on.set()
    assert [ahead.first().provider, ahead.observe().provider, cloud.read] == ["reading 1", "reading 1", 1]
    assert [ahead.observe().provider, ahead.observe().provider] == ["reading 2", "reading 3"]
    assert ahead.name == "counted"


def test_a_first_view_that_grew_old_is_read_anew() -> None:
    """A cluster that took long to list leaves a stale view."""
    cloud = Cloud()
    cloud.go_on.set()
    ahead = ReadAhead(cloud, fresh_s=0)
    assert [ahead.first().provider, ahead.observe().provider] == ["reading 1", "reading 2"]


def test_trouble_is_told_to_whoever_asks() -> None:
    """Not lost in the thread."""
    cloud = Cloud(ValueError("no"))
    cloud.go_on.set()
    with pytest.raises(ValueError, match="no"):
        ReadAhead(cloud).first()


def test_what_is_written_goes_straight_to_the_cloud() -> None:
    """Resizes, removals and deletions as they are."""
    cloud = Cloud()
    ahead = ReadAhead(cloud)
    ahead.resize("g", target_nodes=2, request_id="p/g")
    ahead.remove("g", ["i"], request_id="p/g")
    ahead.delete("g", request_id="q/g")
    cloud.go_on.set()
    assert cloud.calls == [("g", 2, "p/g"), ("g", ["i"], "p/g"), ("g", "q/g")]
