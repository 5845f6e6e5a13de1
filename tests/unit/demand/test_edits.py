"""Changes that would let a shape onto some candidate, smallest first; each set really does."""

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import pytest

from autoscale.demand.edits import Edit, repairs
from autoscale.demand.fit import admits
from autoscale.demand.misses import Candidate
from autoscale.model.resources import Resources
from autoscale.model.rules import HostPort, PodRules, PodTerm
from autoscale.model.workload import NodeSelectorTerm, PodShape, Requirement, Taint
from tests.builders import GPU, resources, shape

PRODUCT = "nvidia.com/gpu.product"
A100, L4 = "NVIDIA-A100-SXM4-80GB", "NVIDIA-L4"
TAINT = Taint("nvidia.com/gpu", "present", "NoSchedule")


def candidate(name: str, gpus: int = 8, product: str = A100, *taints: Taint) -> Candidate:
    """A group with plenty of everything but GPUs."""
    return Candidate(name, {PRODUCT: product}, taints, resources(cpu=96, memory_gi=1000, gpus=gpus, pods=100))


def said(asked: PodShape, *candidates: Candidate) -> list[tuple[str, ...]]:
    """The texts of every set."""
    return [tuple(edit.text for edit in edits) for edits in repairs(asked, candidates)]


def applied(asked: PodShape, edits: tuple[Edit, ...]) -> PodShape:
    """The shape after the edits."""
    return reduce(lambda of, edit: edit.apply(of), edits, asked)


def wants(*values: str, operator: str = "In", key: str = PRODUCT) -> tuple[NodeSelectorTerm, ...]:
    """A node affinity of one expression."""
    return (NodeSelectorTerm((Requirement(key, operator, values),)),)


@pytest.mark.parametrize(
    ("asked", "candidates", "expected"),
    [
        (shape(gpus=16), [candidate("a")], [("ask for 8 nvidia.com/gpu instead of 16: no node has more",)]),
        (shape(gpus=1), [candidate("a", 8, A100, TAINT)], [("add the toleration nvidia.com/gpu=present:NoSchedule",)]),
        (
            shape(node_selector=((PRODUCT, "NVIDIA-A100-SXM-80GB"),)),
            [candidate("l", 8, L4), candidate("a")],
            [
                (f"select {PRODUCT}={A100}: NVIDIA-A100-SXM-80GB does not exist, this does",),
                (f"select {PRODUCT}={L4}: NVIDIA-A100-SXM-80GB does not exist",),
            ],
        ),
        (
            shape(gpus=8, node_selector=((PRODUCT, L4),)),
            [candidate("l", 1, L4), candidate("a")],
            [
                ("ask for 1 nvidia.com/gpu instead of 8: no node of that kind has more",),
                (f"select {PRODUCT}={A100} instead of {L4}",),
            ],
        ),
        (shape(node_selector=(("rack", "7"),)), [candidate("a")], [("take rack=7 off the node selector",)]),
        (
            shape(node_affinity=wants("NVIDIA-A100-SXM-80GB")),
            [candidate("a")],
            [(f"let the node affinity take {PRODUCT}={A100}: NVIDIA-A100-SXM-80GB does not exist",)],
        ),
        (
            shape(node_affinity=wants("7", operator="Gt", key="rack")),
            [candidate("a")],
            [("take the node affinity away, which wants rack > 7",)],
        ),
        (
            shape(
                node_affinity=(
                    NodeSelectorTerm((Requirement("rack", "Exists"), Requirement(PRODUCT, "In", (L4, A100)))),
                )
            ),
            [candidate("a")],
            [("take rack present off the node affinity",)],
        ),
        (
            shape(
                node_affinity=(
                    NodeSelectorTerm((Requirement("rack", "Gt", ("7",)), Requirement(PRODUCT, "In", (L4,)))),
                )
            ),
            [candidate("a"), candidate("l", 1, L4)],
            [
                ("take rack > 7 off the node affinity",),
                (f"let the node affinity take {PRODUCT}={A100}; take rack > 7 off the node affinity",),
            ],
        ),
        (
            PodShape(Resources({"nvidia.com/gpus": 1})),
            [candidate("a")],
            [("ask for nvidia.com/gpu instead of nvidia.com/gpus, which these nodes lack",)],
        ),
        (PodShape(Resources({"amd.com/fpga": 1})), [candidate("a")], []),
        (shape(), [candidate("a")], []),
    ],
    ids=str,
)
def test_what_is_changed(asked: PodShape, candidates: list[Candidate], expected: list[tuple[str, ...]]) -> None:
    """The texts, easiest first; and with each set some candidate takes the shape."""
    assert said(asked, *candidates) == expected
    for edits in repairs(asked, candidates):
        changed = applied(asked, edits)
        assert any(admits(changed, c.labels, c.taints) and changed.requests.fits(c.room) for c in candidates)


def test_many_pods_for_one() -> None:
    """Devices that no node has together are shared out evenly; memory is not, as it may be wanted whole."""
    (edits,) = repairs(shape(gpus=12), [candidate("a")])
    assert [(e.pieces, e.together, e.kept) for e in edits] == [(2, "use 2 pods of 6", 0.5)]
    assert applied(shape(gpus=12), edits).requests[GPU] == 6
    (edits,) = repairs(shape(memory_gi=1500), [candidate("a")])
    assert [(e.text, e.pieces) for e in edits] == [("ask for 1000Gi memory instead of 1500Gi: no node has more", 1)]


def test_of_one_kind_the_least_change_comes_first() -> None:
    """Eight of sixteen before four of sixteen, and not more than two of a kind."""
    found = repairs(shape(gpus=16), [candidate("a", 2), candidate("b", 8), candidate("c", 4)])
    assert [edits[0].kept for edits in found] == [0.5, 0.25]


@dataclass(frozen=True, slots=True)
class Later(PodShape):
    """A shape with a rule that this version does not know."""

    moons: tuple[int, ...] = field(default=())


def test_a_rule_of_tomorrow_can_be_taken_away() -> None:
    """Alone when all else fits, and with whatever else is needed."""
    base: dict[str, Any] = {"requests": shape(gpus=16).requests, "moons": (80,)}
    assert said(Later(**base), candidate("a")) == [
        ("ask for 8 nvidia.com/gpu instead of 16: no node has more",),
        ("ask for 8 nvidia.com/gpu instead of 16: no node has more", "without its moons"),
    ]
    (edits,) = repairs(Later(shape().requests, moons=(80,)), [candidate("a")])
    assert applied(Later(shape().requests, moons=(80,)), edits) == Later(shape().requests)
    unmodelled = replace(shape(), unmodelled=("host port 80",))
    assert said(unmodelled, candidate("a")) == [("without host port 80, which is not planned yet",)]


def test_rules_between_pods_are_taken_away_one_kind_at_a_time() -> None:
    """Whichever of them is in the way; the others stay."""
    rules = PodRules(anti_affinity=(PodTerm("zone"),), ports=(HostPort(80),))
    found = repairs(replace(shape(), rules=rules), [candidate("a")])
    assert [(edits[0].text, applied(replace(shape(), rules=rules), edits).rules) for edits in found] == [
        ("without its required pod anti-affinity", PodRules(ports=(HostPort(80),))),
        ("without its host ports", PodRules(anti_affinity=(PodTerm("zone"),))),
    ]
