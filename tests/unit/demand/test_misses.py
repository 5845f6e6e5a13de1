"""Reasons over many groups in few lines, nearest first, with the change that would help."""

from autoscale.demand.misses import Candidate, Miss, Misses, nearest_misses
from autoscale.model.workload import Code, NodeSelectorTerm, PodShape, Reason, Requirement, Taint, Toleration
from tests.builders import resources, shape

A100 = "NVIDIA-A100-SXM4-80GB"
GPU_TAINT = (Taint("nvidia.com/gpu", "", "NoSchedule"),)


def group(name: str, *, gpus: int, product: str = A100, taints: tuple[Taint, ...] = (), **labels: str) -> Candidate:
    """A candidate with plenty of everything but GPUs."""
    room = resources(cpu=96, memory_gi=1000, gpus=gpus, pods=100)
    return Candidate(name, {"product": product, **labels}, taints, room)


def said(asked: PodShape, *candidates: Candidate) -> list[tuple[str, str]]:
    """Texts and hints of the nearest misses."""
    return [(r.text, r.hint) for r in nearest_misses(asked, candidates)]


def test_too_many_gpus() -> None:
    """Asking for more than any node has: the most that there is."""
    assert nearest_misses(shape(gpus=16), (group("p4", gpus=8), group("g5", gpus=4))) == (
        Reason(
            Code.INSUFFICIENT,
            "all 2 node groups: asks for 16 nvidia.com/gpu, a node has at most 8",
            "demand",
            "ask for 8 nvidia.com/gpu instead of 16: no node has more",
        ),
    )


def test_a_product_that_nobody_sells() -> None:
    """A slip in a label's value is told with the nearest value that there is."""
    assert said(
        shape(node_selector=(("product", "NVIDIA-A100-SXM-80GB"),)),
        group("p4", gpus=8),
        group("g4", gpus=1, product="Tesla-T4"),
    ) == [
        (
            f"all 2 node groups: wants product=NVIDIA-A100-SXM-80GB, a node has {A100} and Tesla-T4",
            f"no node group has product=NVIDIA-A100-SXM-80GB; the nearest is {A100}",
        )
    ]


def test_the_nearest_miss_comes_first() -> None:
    """What needs one change comes before what needs two, and a toleration before a smaller request."""
    assert said(
        shape(gpus=8, node_selector=(("product", A100),)),
        group("small-other", gpus=4, product="T4"),
        group("small", gpus=4),
        group("tainted", gpus=8, taints=GPU_TAINT),
    ) == [
        ("node group tainted: does not tolerate nvidia.com/gpu:NoSchedule", "add a toleration for nvidia.com/gpu"),
        (
            "node group small: asks for 8 nvidia.com/gpu, a node has 4",
            "ask for 4 nvidia.com/gpu instead of 8: no node of these has more",
        ),
        (
            f"node group small-other: wants product={A100}, a node has T4; asks for 8 nvidia.com/gpu, a node has 4",
            "ask for 4 nvidia.com/gpu instead of 8: no node of these has more",
        ),
    ]


def test_an_unknown_label_and_an_unknown_resource() -> None:
    """A label key or a resource that is nowhere is told with the nearest."""
    assert said(shape(node_selector=(("produkt", A100),)), group("p4", gpus=8))[0][1] == (
        "no node group has the label produkt; the nearest is product"
    )
    asked = PodShape(resources(pods=1) + type(resources())({"nvidia.com/gpus": 1}))
    assert said(asked, group("p4", gpus=8)) == [
        (
            "node group p4: asks for 1 nvidia.com/gpus, a node has none",
            "no node has any nvidia.com/gpus; the nearest is nvidia.com/gpu",
        )
    ]


def test_a_bound_that_nothing_reaches() -> None:
    """Gt beyond the highest value names that value."""
    asked = shape(node_affinity=(NodeSelectorTerm((Requirement("memory", "Gt", ("200000",)),)),))
    assert said(asked, group("p4", gpus=8, memory="81920"), group("g4", gpus=1, memory="16384")) == [
        (
            "all 2 node groups: wants memory > 200000, a node has 16384 and 81920",
            "no node group has memory above 200000; the highest is 81920",
        )
    ]


def test_a_choice_that_only_keeps_others_out() -> None:
    """Where the value exists elsewhere, the hint says what it costs."""
    asked = shape(gpus=8, node_selector=(("product", "T4"),))
    assert said(asked, group("p4", gpus=8), group("g4", gpus=1, product="T4")) == [
        (
            "node group g4: asks for 8 nvidia.com/gpu, a node has 1",
            "ask for 1 nvidia.com/gpu instead of 8: no node of these has more",
        ),
        (f"node group p4: wants product=T4, a node has {A100}", "without product=T4 it would fit 1 node group"),
    ]


def test_a_hundred_types_read_as_few_lines() -> None:
    """Groups that fail alike share a line, and what is left over is summed up."""
    asked = shape(gpus=16, node_selector=(("product", A100), ("zone", "a")))
    many = [group(f"g{i}", gpus=1 + i % 8, product=A100 if i % 2 else "T4", zone="ab"[i % 3 == 0]) for i in range(100)]
    many += [group("t", gpus=8, taints=GPU_TAINT), group("u", gpus=8, taints=GPU_TAINT, zone="b")]
    found = nearest_misses(asked, many)
    assert [r.text.partition(":")[0] for r in found] == [
        "33 node groups",
        "33 node groups",
        "17 node groups",
        "19 more node groups fail for other reasons",
    ]
    assert found[0].text == "33 node groups: asks for 16 nvidia.com/gpu, a node has at most 8"


def test_groups_that_take_it_are_left_out() -> None:
    """What fits is no miss; with no group at all that is the reason."""
    tolerant = shape(tolerations=(Toleration("", "Exists"),))
    assert nearest_misses(tolerant, (group("p4", gpus=8, taints=GPU_TAINT),)) == ()
    assert nearest_misses(tolerant, ()) == (Reason(Code.NO_GROUP, "there is no node group at all", "demand"),)


def test_in_parts_everything_is_there() -> None:
    """`grouped` leaves nothing out and keeps the names apart, so that a caller can count what it likes."""
    candidates = (group("a", gpus=8, taints=GPU_TAINT), group("b", gpus=4), group("c", gpus=2), group("d", gpus=8))
    assert Misses(candidates).grouped(shape(gpus=8)) == (
        Miss(("a",), Code.TAINT, "does not tolerate nvidia.com/gpu:NoSchedule", "add a toleration for nvidia.com/gpu"),
        Miss(
            ("b", "c"),
            Code.INSUFFICIENT,
            "asks for 8 nvidia.com/gpu, a node has at most 4",
            "ask for 4 nvidia.com/gpu instead of 8: no node of these has more",
        ),
    )
