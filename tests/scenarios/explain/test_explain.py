"""Snapshot in, page out: each file of this folder is one situation and how it is explained.

A file has the world of `tests/scenarios`, `explain` (what is asked about) and `page`: the whole answer at 100 columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscale.cli.explain_page import node_page, pod_page
from autoscale.cli.page import Page
from autoscale.cli.table import Paper
from autoscale.decide.explain_node import explain_node
from autoscale.decide.explain_pod import explain_pod
from autoscale.decide.what_if import Case
from autoscale.model.settings import DecideSettings
from autoscale.solve import solve
from policies.limits import Limits
from tests.builders import GPU
from tests.scenarios.test_scenarios import read

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_page_is_what_the_scenario_says(file: Path) -> None:
    """The whole page, as a person reads it."""
    said = yaml.safe_load(file.read_text())
    page = Page(Paper(100))
    write(page, case(said), *said["explain"].split(" "))
    assert page.text() == said["page"]


def case(said: dict[str, Any]) -> Case:
    """The world of a file as the arguments of a decision."""
    gpus = said.get("gpu_limit")
    policies = () if gpus is None else (Limits(resources={GPU: gpus}),)
    settings = DecideSettings(**said.get("settings", {}))
    return Case(read(said), policies, lambda problem: solve(problem, time_limit_s=5), settings)


def write(page: Page, world: Case, kind: str, name: str) -> None:
    """Ask."""
    if kind == "node":
        node_page(page, explain_node(world, next(n for n in world.snapshot.cluster.nodes if n.name == name)))
        return
    pod = next(pod for pod in world.snapshot.cluster.pods if pod.name == name)
    pod_page(page, explain_pod(world, pod))
