"""Laws of demand: what must hold for every shape, node and pod."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscale.demand.classes import classes
from autoscale.demand.daemons import Daemons
from autoscale.demand.edits import repairs
from autoscale.demand.fit import admits, untolerated, why_not
from autoscale.demand.misses import Candidate, nearest_misses
from autoscale.demand.pending import waiting
from autoscale.demand.places import Place, Places
from autoscale.model.resources import Resources
from autoscale.model.workload import DaemonSet, NodeSelectorTerm, Pod, PodShape, Requirement, Taint, Toleration
from autoscale.observe.requests import pod_requests

if TYPE_CHECKING:
    from random import Random

UNHURRIED = settings(deadline=None)  # a busy machine is no broken law
KEYS = st.sampled_from(("a", "b", "c"))
VALUES = st.sampled_from(("1", "2", "10", "x", ""))
EFFECTS = st.sampled_from(("NoSchedule", "NoExecute", "PreferNoSchedule"))
AMOUNTS = st.integers(0, 4)

requirements = st.builds(
    Requirement,
    KEYS,
    st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")),
    st.lists(VALUES, max_size=2).map(tuple),
)
terms = st.builds(NodeSelectorTerm, st.lists(requirements, max_size=2).map(tuple))
tolerations = st.builds(
    Toleration, KEYS | st.just(""), st.sampled_from(("Exists", "Equal")), VALUES, EFFECTS | st.just("")
)
taints = st.lists(st.builds(Taint, KEYS, VALUES, EFFECTS), max_size=3).map(tuple)
vectors = st.dictionaries(st.sampled_from(("cpu", "memory", "nvidia.com/gpu")), AMOUNTS).map(Resources)
shapes = st.builds(
    PodShape,
    vectors,
    node_selector=st.dictionaries(KEYS, VALUES, max_size=2).map(lambda d: tuple(sorted(d.items()))),
    node_affinity=st.none() | st.lists(terms, max_size=2).map(tuple),
    tolerations=st.lists(tolerations, max_size=2).map(tuple),
)
labels = st.dictionaries(KEYS, VALUES)
places = st.builds(Place, labels, taints, st.sampled_from(("", "n1")))
pod_lists = st.lists(
    st.tuples(st.sampled_from(("x", "y")), shapes, labels, st.booleans()), max_size=12
).map(
    lambda rows: [
        Pod(f"u{i}", namespace, f"p-{i}", shape, labels, node_name="n" if bound else "")
        for i, (namespace, shape, labels, bound) in enumerate(rows)
    ]
)  # fmt: skip


@UNHURRIED
@given(shapes, st.lists(places, max_size=6), requirements)
def test_an_expression_more_never_lets_more_nodes_in(shape: PodShape, nodes: list[Place], extra: Requirement) -> None:
    """Adding an expression to every term only narrows the choice."""
    narrowed = tuple(replace(t, expressions=(*t.expressions, extra)) for t in shape.node_affinity or ())
    if shape.node_affinity is None:
        narrowed = (NodeSelectorTerm((extra,)),)
    elif not all(t.expressions for t in shape.node_affinity):
        return  # an empty term matches nothing, and is no longer empty with an expression
    index = Places(nodes)
    assert index.admitting(replace(shape, node_affinity=narrowed)) <= index.admitting(shape)


@UNHURRIED
@given(shapes, st.lists(places, max_size=6), tolerations)
def test_a_toleration_more_is_never_worse(shape: PodShape, nodes: list[Place], extra: Toleration) -> None:
    """Tolerating more only widens the choice, and tolerating everything leaves no taint in the way."""
    index = Places(nodes)
    more = replace(shape, tolerations=(*shape.tolerations, extra))
    everything = replace(shape, tolerations=(Toleration("", "Exists"),))
    assert index.admitting(shape) <= index.admitting(more) <= index.admitting(everything)
    assert all(untolerated(everything.tolerations, node.taints) == () for node in nodes)


@UNHURRIED
@given(shapes, st.lists(places, max_size=6))
def test_the_index_answers_as_admits_does(shape: PodShape, nodes: list[Place]) -> None:
    """Asking for all places at once and one by one is the same."""
    one_by_one = {i for i, p in enumerate(nodes) if admits(shape, p.labels, p.taints, node_name=p.node_name)}
    assert Places(nodes).admitting(shape) == one_by_one


@UNHURRIED
@given(shapes, places, vectors)
def test_there_is_a_reason_exactly_when_it_does_not_fit(shape: PodShape, place: Place, room: Resources) -> None:
    """No fit without silence, no silence without a fit; the nearest miss agrees."""
    why = why_not(shape, labels=place.labels, taints=place.taints, room=room, node_name=place.node_name)
    fits = admits(shape, place.labels, place.taints, node_name=place.node_name) and shape.requests.fits(room)
    assert (why == ()) is fits
    candidate = Candidate("g", place.labels, place.taints, room, place.node_name)
    assert (nearest_misses(shape, [candidate]) == ()) is fits


@UNHURRIED
@given(shapes, st.lists(st.tuples(places, vectors), max_size=4))
def test_every_repair_lets_the_shape_onto_some_node(shape: PodShape, nodes: list[tuple[Place, Resources]]) -> None:
    """Whatever is proposed works, for one candidate at least; and a shape that fits everywhere needs no repair."""
    candidates = [Candidate(f"g{i}", p.labels, p.taints, room, p.node_name) for i, (p, room) in enumerate(nodes)]

    def fits(of: PodShape) -> list[bool]:
        return [admits(of, c.labels, c.taints, node_name=c.node_name) and of.requests.fits(c.room) for c in candidates]

    found = repairs(shape, candidates)
    for edits in found:
        changed = shape
        for edit in edits:
            changed = edit.apply(changed)
        assert any(fits(changed)), edits
    if all(fits(shape)):
        assert found == []


@UNHURRIED
@given(pod_lists, st.randoms(use_true_random=False))
def test_classes_partition_the_pods_in_any_order(pods: list[Pod], random: Random) -> None:
    """Every pod is in exactly one class, keys are unique, and the order of the pods makes no difference."""
    found = classes(pods)
    assert sum(c.count for c in found) == len(pods)
    assert {p.uid for c in found for p in c.pods} == {p.uid for p in pods}
    assert len({c.key for c in found}) == len(found)
    assert all(p.shape == c.shape and p.namespace == c.namespace for c in found for p in c.pods)
    shuffled = list(pods)
    random.shuffle(shuffled)
    assert classes(shuffled) == found


@UNHURRIED
@given(pod_lists)
def test_waiting_pods_are_neither_lost_nor_made(pods: list[Pod]) -> None:
    """What waits is what is not bound, once."""
    found = waiting(pods)
    assert [*found.plannable, *found.unmodelled] == [p for p in pods if not p.node_name]


@UNHURRIED
@given(st.lists(shapes, max_size=4), places)
def test_overhead_is_the_sum_of_the_daemons_that_run(daemon_shapes: list[PodShape], place: Place) -> None:
    """What DaemonSets take is what those that belong there ask for; asking twice changes nothing."""
    daemons = Daemons(DaemonSet("ns", f"d{i}", shape) for i, shape in enumerate(daemon_shapes))
    there = daemons.on(place.labels, place.taints, node_name=place.node_name)
    expected = sum((d.shape.requests for d in there), Resources())
    assert daemons.overhead(place.labels, place.taints, node_name=place.node_name) == expected
    assert daemons.on(place.labels, place.taints, node_name=place.node_name) == there


amounts = st.dictionaries(st.sampled_from(("cpu", "memory", "example.com/chip")), st.integers(0, 5000), max_size=3)


def raw(requests: dict[str, int]) -> bytes:
    """A container's resources, amounts in thousandths."""
    return json.dumps({"requests": {name: f"{value}m" for name, value in requests.items()}}).encode()


@UNHURRIED
@given(st.lists(amounts, max_size=4), st.lists(st.tuples(amounts, st.booleans()), max_size=4))
def test_a_request_covers_every_moment_of_the_pod(
    containers: list[dict[str, int]], inits: list[tuple[dict[str, int], bool]]
) -> None:
    """The request is the least that covers start-up, step by step, and the run, replayed here moment by moment."""
    found = pod_requests(
        [(f"c{i}", raw(r)) for i, r in enumerate(containers)],
        [(f"i{i}", raw(r), sidecar) for i, (r, sidecar) in enumerate(inits)],
    )
    running: list[dict[str, int]] = []
    moments = []
    for request, sidecar in inits:
        moments.append([*running, request])
        if sidecar:
            running.append(request)
    moments.append([*running, *containers])
    most = {
        name: max(sum(r.get(name, 0) for r in moment) for moment in moments)
        for name in ("cpu", "memory", "example.com/chip")
    }
    expected = {name: value if name == "cpu" else -(-value // 1000) for name, value in most.items()}
    assert found == Resources({**expected, "pods": 1})


@UNHURRIED
@given(st.lists(amounts, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_containers_makes_no_difference(containers: list[dict[str, int]], random: Random) -> None:
    """Containers run side by side, whatever their order; one more never asks for less."""
    rows = [(f"c{i}", raw(r)) for i, r in enumerate(containers)]
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert pod_requests(shuffled) == pod_requests(rows)
    assert pod_requests(rows[1:]).fits(pod_requests(rows))
