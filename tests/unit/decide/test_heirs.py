"""Places that pods with a claim leave to others just like them, when the scheduler binds them elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscale.decide.fleet import survey
from autoscale.decide.lifecycle import Standing, stand
from autoscale.model.plan import ClaimPods, Hold, Release, Unclaim
from autoscale.model.settings import DecideSettings
from autoscale.model.workload import Claim, Pod, Taint
from tests.builders import NOW, group, node, pod, shape, snapshot

ASTRAY = pod(
    "a", node_name="old", claim=("p-000", "g8"), labels={"app": "a", "topology.kubernetes.io/zone": "z1"}
)  # the API server copies the zone when it binds


def standing(*pods: Pod, phase: str = "held") -> Standing:
    """One node held for a slot, another that runs already, and these pods."""
    there = node("g8-0", slot="p-000", phase=phase, taints=(Taint("gpu-autoscale.dev/slot", "p-000"),))
    world = snapshot(pods=pods, nodes=(there, node("old")), groups=(group(running=1),))
    return stand(survey(world, DecideSettings()))


def test_a_pod_that_is_bound_elsewhere_leaves_its_place_to_one_just_like_it() -> None:
    """The eldest that waits gets claim and place, the node stays held, and nobody is demand."""
    young, old = (pod(name, labels={"app": "a"}, created_at_s=NOW - age) for name, age in (("b", 5), ("c", 50)))
    found = standing(ASTRAY, young, old)
    ref = ("uid-c", "default/c")
    assert [replace(a, reason=None) if isinstance(a, Unclaim) else a for a in found.actions] == [  # type: ignore[arg-type]  # its words don't matter
        Unclaim("p-000", (("uid-a", "default/a"),), None),  # type: ignore[arg-type]  # the same
        ClaimPods("p-000", "g8", (ref,)),
        Hold("g8-0", "p-000", (ref,), tainted=True),
    ]
    assert [slot.pods for slot in found.slots] == [(replace(old, claim=Claim("p-000", "g8", NOW)),)]
    assert found.waiting == (young,)


@pytest.mark.parametrize(
    "other",
    [
        {"labels": {"app": "b"}},
        {"labels": {"app": "a"}, "namespace": "team"},
        {"labels": {"app": "a"}, "of": shape(gpus=2)},
        {"labels": {"app": "a"}, "of": replace(ASTRAY.shape, scheduler_name="volcano")},
    ],
)
def test_a_pod_that_is_another_inherits_nothing(other: dict[str, Any]) -> None:
    """Other labels, another namespace, other requests, another scheduler: the scheduler could tell them apart."""
    found = standing(ASTRAY, pod("b", **other))
    assert [type(a) for a in found.actions] == [Release]


def test_no_more_inherit_than_there_is_room_for() -> None:
    """Strangers took most of the node: of two that went astray one leaves a place."""
    full = pod("full", shape(gpus=7), node_name="g8-0")
    more = (replace(ASTRAY, uid="uid-a2", name="a2"), *(pod(name, labels={"app": "a"}) for name in ("b", "c")))
    found = standing(ASTRAY, full, *more)
    assert [a.pods for a in found.actions if isinstance(a, ClaimPods)] == [(("uid-b", "default/b"),)]


def test_a_place_on_a_node_that_is_open_to_all_is_no_place() -> None:
    """What bound pods claimed long ago on nodes that are released concerns nobody."""
    found = standing(ASTRAY, pod("b", labels={"app": "a"}), phase="released")
    assert found.actions == ()
