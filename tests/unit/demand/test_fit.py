"""Whether a shape may run on a node, rule by rule, and the reasons when it may not."""

from collections.abc import Mapping

import pytest

from autoscale.demand.fit import admits, why_not
from autoscale.demand.places import Place, Places
from autoscale.model.resources import Resources
from autoscale.model.workload import Code, NodeSelectorTerm, PodShape, Reason, Requirement, Taint, Toleration
from tests.builders import resources, shape

LABELS = {"product": "T4", "memory": "16384", "zone": "a"}
GPU_TAINT = Taint("nvidia.com/gpu", "present")


def affinity(*expressions: Requirement, fields: tuple[Requirement, ...] = ()) -> PodShape:
    """A shape with one node affinity term."""
    return shape(node_affinity=(NodeSelectorTerm(expressions, fields),))


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        ("In", ("T4", "L4"), LABELS, True),
        ("In", ("L4",), LABELS, False),
        ("In", ("T4",), {}, False),
        ("In", (), LABELS, False),
        ("NotIn", ("L4",), LABELS, True),
        ("NotIn", ("T4",), LABELS, False),
        ("NotIn", ("T4",), {}, True),
        ("NotIn", (), LABELS, False),
        ("Exists", (), LABELS, True),
        ("Exists", (), {}, False),
        ("DoesNotExist", (), LABELS, False),
        ("DoesNotExist", (), {}, True),
        ("Gt", ("3",), {"product": "4"}, True),
        ("Gt", ("4",), {"product": "4"}, False),
        ("Gt", ("-4",), {"product": "3"}, False),
        ("Lt", ("+5",), {"product": "4"}, False),
        ("Gt", ("007",), {"product": "0000000000000000000000012"}, True),
        ("Gt", ("9223372036854775806",), {"product": "9223372036854775807"}, True),
        ("In", ("T4", "not a value!"), LABELS, False),
        ("NotIn", ("not a value!",), LABELS, False),
        ("NotIn", ("x" * 64,), LABELS, False),
        ("In", ("",), {"product": ""}, True),
        ("In", ("",), {}, False),
        ("NotIn", ("",), {"product": ""}, False),
        ("Exists", (), {"product": ""}, True),
        ("Exists", ("T4",), LABELS, False),
        ("DoesNotExist", ("T4",), {}, False),
        ("Gt", ("9",), {"product": "10"}, True),
        ("Gt", ("3",), {}, False),
        ("Gt", ("3",), {"product": "4G"}, False),
        ("Gt", ("3",), {"product": "1_000"}, False),
        ("Gt", ("3",), {"product": "9223372036854775808"}, False),
        ("Gt", ("3", "4"), {"product": "5"}, False),
        ("Gt", ("x",), {"product": "5"}, False),
        ("Lt", ("5",), {"product": "4"}, True),
        ("Lt", ("4",), {"product": "4"}, False),
        ("Lt", ("4",), {}, False),
        ("Near", ("4",), {"product": "4"}, False),
    ],
)
def test_operators(operator: str, values: tuple[str, ...], labels: Mapping[str, str], expected: bool) -> None:  # noqa: FBT001
    """Each operator as Kubernetes has it: a missing label passes NotIn and DoesNotExist only; Gt and Lt are for integers.

    A value that no label can have makes the whole expression void, as the scheduler has it.
    """
    assert admits(affinity(Requirement("product", operator, values)), labels, ()) is expected


def test_terms_are_alternatives_and_expressions_are_not() -> None:
    """One term must hold, and all expressions of it; no terms and empty terms hold nowhere; none at all hold everywhere."""
    yes, no = Requirement("zone", "In", ("a",)), Requirement("zone", "In", ("b",))
    assert not admits(affinity(yes, no), LABELS, ())
    assert admits(shape(node_affinity=(NodeSelectorTerm((no,)), NodeSelectorTerm((yes,)))), LABELS, ())
    assert not admits(shape(node_affinity=()), LABELS, ())
    assert not admits(affinity(), LABELS, ())
    assert admits(shape(node_affinity=None), LABELS, ())


def test_match_fields_read_the_name() -> None:
    """A node is asked for by name with matchFields; a node that has no name yet is none of those asked for."""
    only = affinity(fields=(Requirement("metadata.name", "In", ("n1",)),))
    assert admits(only, {}, (), node_name="n1")
    assert not admits(only, {}, (), node_name="n2")
    assert not admits(only, {}, ())
    assert admits(affinity(fields=(Requirement("metadata.name", "NotIn", ("n1",)),)), {}, ())
    assert not admits(affinity(fields=(Requirement("spec.other", "In", ("n1",)),)), {}, (), node_name="n1")
    assert not admits(affinity(fields=(Requirement("metadata.name", "In", ("n1", "n2")),)), {}, (), node_name="n1")
    assert not admits(affinity(fields=(Requirement("metadata.name", "Gt", ("1",)),)), {}, (), node_name="2")
    long = ".".join(["x" * 60] * 4)
    assert admits(affinity(fields=(Requirement("metadata.name", "In", (long,)),)), {}, (), node_name=long)


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        (Toleration("", "Exists"), True),
        (Toleration("nvidia.com/gpu", "Exists"), True),
        (Toleration("nvidia.com/gpu", "Exists", "", "NoSchedule"), True),
        (Toleration("nvidia.com/gpu", "Exists", "", "NoExecute"), False),
        (Toleration("nvidia.com/gpu", "Equal", "present"), True),
        (Toleration("nvidia.com/gpu", "", "present"), True),
        (Toleration("nvidia.com/gpu", "Equal", "absent"), False),
        (Toleration("nvidia.com/gpu", "Equal"), False),
        (Toleration("amd.com/gpu", "Exists"), False),
        (Toleration("nvidia.com/gpu", "Gt", "present"), False),
    ],
)
def test_tolerations(toleration: Toleration, expected: bool) -> None:  # noqa: FBT001
    """An empty key or effect stands for any, Exists for any value."""
    assert admits(shape(tolerations=(toleration,)), {}, (GPU_TAINT,)) is expected


def test_effects() -> None:
    """NoSchedule and NoExecute keep pods out, PreferNoSchedule is a wish."""
    assert not admits(shape(), {}, (Taint("a", "", "NoSchedule"),))
    assert not admits(shape(), {}, (Taint("a", "", "NoExecute"),))
    assert admits(shape(), {}, (Taint("a", "", "PreferNoSchedule"),))


def test_why_not_says_everything_with_numbers() -> None:
    """Each rule that fails is a reason, with what was asked and what is there."""
    asked = shape(
        gpus=16,
        cpu=2,
        memory_gi=20,
        node_selector=(("gone", "x"), ("product", "A100"), ("zone", "a")),
        node_affinity=(NodeSelectorTerm((Requirement("memory", "Gt", ("40000",)), Requirement("zone", "In", ("a",)))),),
    )
    room = Resources({"cpu": 1500, "memory": 14481 * 2**20, "nvidia.com/gpu": 8, "pods": 0})
    found = why_not(asked, labels=LABELS, taints=(GPU_TAINT, Taint("b", "", "PreferNoSchedule")), room=room)
    assert found == (
        Reason(Code.NODE_SELECTOR, "wants gone=x, the node has no such label", "demand"),
        Reason(Code.NODE_SELECTOR, "wants product=A100, the node has T4", "demand"),
        Reason(Code.NODE_AFFINITY, "wants memory > 40000 and zone=a", "demand"),
        Reason(Code.TAINT, "does not tolerate the taint nvidia.com/gpu=present:NoSchedule", "demand"),
        Reason(Code.INSUFFICIENT, "asks for 2 cpu, a node has 1500m", "demand"),
        Reason(Code.INSUFFICIENT, "asks for 20Gi memory, a node has 14481Mi", "demand"),
        Reason(Code.INSUFFICIENT, "asks for 16 nvidia.com/gpu, a node has 8", "demand"),
        Reason(Code.INSUFFICIENT, "asks for 1 pods, a node has 0", "demand"),
    )


def test_why_not_is_empty_when_it_fits() -> None:
    """No reason means that it fits; an overfull resource that is not asked for is no reason."""
    room = resources(cpu=4, memory_gi=16, gpus=1, pods=1) + Resources({"ephemeral-storage": -5})
    assert why_not(shape(), labels={}, taints=(), room=room) == ()


def test_places_agree_with_admits() -> None:
    """The index answers as one question at a time would."""
    places = [
        Place({"zone": "a"}),
        Place({"zone": "b"}, (GPU_TAINT,)),
        Place({"zone": "b"}, (), "n1"),
        Place({}, (GPU_TAINT,), "n2"),
    ]
    index = Places(places)
    shapes = [
        shape(),
        shape(tolerations=(Toleration("", "Exists"),)),
        shape(node_selector=(("zone", "b"),)),
        affinity(Requirement("zone", "NotIn", ("b",))),
        affinity(fields=(Requirement("metadata.name", "In", ("n1", "n2")),)),
    ]
    assert [index.admitting(s) for s in shapes] == [
        frozenset(i for i, p in enumerate(places) if admits(s, p.labels, p.taints, node_name=p.node_name))
        for s in shapes
    ]
