"""A process of its own: the API's JSON to the solver's problem, cold and after a few changes. Prints four figures as JSON.

Its argument is a file with the objects as `footprint_world.write_pages` wrote them. What is timed begins with the bytes of
the API server's answers and ends with the problem; reading them off the disk stands for the network and is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from autoscale.decide.build import build
from autoscale.decide.decision import ours_of
from autoscale.decide.fleet import survey
from autoscale.decide.lifecycle import stand
from autoscale.model.settings import DecideSettings
from benchmarks import footprint_world as worlds

AGAIN, CHANGED = 5, 200


def main() -> None:
    """Fill the stores page by page, make the problem; then change pods as a watch does and make it again."""
    settings = DecideSettings()
    stores = worlds.Stores.empty(worlds.SIZE[0])
    cold_s = 0.0
    pods: list[bytes] = []
    for kind, pages in worlds.read_pages(Path(sys.argv[1])):
        store = stores.pods if kind == "pods" else stores.nodes
        listed: list[Any] = []  # of nodes, then of pods
        for page in pages:
            began = time.process_time()
            items = worlds.LIST.decode(page).items
            listed += store.decode_all(items)
            cold_s += time.process_time() - began
            if kind == "pods":
                pods.append(bytes(items[0]))
        began = time.process_time()
        store.replace(listed, 5)
        cold_s += time.process_time() - began
        del listed
    began = time.process_time()
    _problem(stores, settings)
    cold_s += time.process_time() - began
    changed_s = min(_changed(stores, settings, pods, 6 + number) for number in range(AGAIN))
    print(json.dumps({"cold_s": cold_s, "changed_s": changed_s, "peak_mb": worlds.peak_mb()}))


def _problem(stores: worlds.Stores, settings: DecideSettings) -> None:
    fleet = survey(stores.snapshot(), settings)
    standing = stand(fleet)
    build(fleet, standing, ours_of(standing, settings))


def _changed(stores: worlds.Stores, settings: DecideSettings, pods: list[bytes], version: int) -> float:
    """A watch tells of pods that changed, then the problem is made anew."""
    again = [pod.replace(b'"resourceVersion": "5"', b'"resourceVersion": "%d"' % version) for pod in pods]
    began = time.process_time()
    for number in range(CHANGED):
        stores.pods.apply("MODIFIED", msgspec.Raw(again[number % len(again)]))
    _problem(stores, settings)
    return time.process_time() - began


if __name__ == "__main__":
    main()
