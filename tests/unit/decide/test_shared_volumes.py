"""Plans for pods that have one volume together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide import decide
from autoscale.model.plan import ClaimPods, Resize, Unclaim
from autoscale.model.settings import DecideSettings
from autoscale.model.storage import AttachLimits, Storage, StorageClass, VolumeClaim
from autoscale.model.workload import ClaimUse
from autoscale.solve import solve
from tests.builders import group, node, pods, shape, snapshot

if TYPE_CHECKING:
    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem, Solution

CLASS = StorageClass("shared", "x", delayed=True)


def solver(problem: Problem) -> Solution:
    """The real one."""
    return solve(problem, time_limit_s=5, seed=0)


def planned(*claims: str, limit: int, claimed: bool = False) -> Plan:
    """A plan for four pods that have each of these claims, on nodes that can have so many volumes."""
    of = shape(gpus=1, claims=tuple(ClaimUse(name) for name in claims))
    storage = Storage(
        {f"default/{name}": VolumeClaim("default", name, storage_class="shared") for name in claims},
        {},
        {"shared": CLASS},
        {"other": AttachLimits("other", {"x": limit})},
    )
    there = pods("w", 4, of, claim=("abc-000", "g8") if claimed else None)
    before = snapshot(pods=there, nodes=(node("other", gpus=0),), groups=(group(target_nodes=1 if claimed else 0),))
    return decide(replace(before, cluster=replace(before.cluster, storage=storage)), (), solver, DecideSettings())


def test_pods_of_a_node_that_share_a_volume_need_one_place_for_it() -> None:
    """One node for four pods, though it can have only one volume."""
    plan = planned("data", limit=1)
    assert [(a.group, a.target_nodes) for a in plan.actions if isinstance(a, Resize)] == [("g8", 1)]
    assert [len(a.pods) for a in plan.actions if isinstance(a, ClaimPods)] == [4]


def test_more_volumes_than_a_node_can_have_keep_them_off() -> None:
    """Both are shared, and both are needed on a node."""
    plan = planned("data", "more", limit=1)
    assert not [a for a in plan.actions if isinstance(a, Resize)]
    assert [len(each.pods) for each in plan.unmet] == [4]


def test_a_promise_made_so_is_kept() -> None:
    """The claims of a node on its way are not taken back because each pod counts the volume."""
    assert not [a for a in planned("data", limit=1, claimed=True).actions if isinstance(a, Unclaim)]
