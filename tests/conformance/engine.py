"""The engine's verdict on a pod and a node, from the objects as the API server returns them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from autoscale.demand.fit import admits, why_not
from autoscale.demand.places import Place, Places
from autoscale.model.resources import Resources
from autoscale.model.workload import Taint
from autoscale.observe import decode
from tests.cluster.controlplane import Json

from .words import UNSCHEDULABLE


@dataclass(frozen=True, slots=True)
class Opinion:
    """What we say: whether it fits, the codes of the reasons if not, and which resources lack where labels let it in."""

    fits: bool
    codes: tuple[str, ...] = ()
    lacking: frozenset[str] = frozenset()


def opinion(node: Json, running: Sequence[Json], pod: Json) -> Opinion:
    """Judge with `demand.fit`; `demand.places` must say the same of labels and taints."""
    where = decode.node(json.dumps(node).encode())
    there = [decode.pod(json.dumps(each).encode()) for each in running]
    shape = decode.pod(json.dumps(pod).encode()).shape
    if shape.unmodelled:
        return Opinion(fits=False, codes=shape.unmodelled)
    used = sum((each.shape.requests for each in there if not each.finished), Resources())
    room = where.allocatable - used
    # The planner leaves such nodes out; to the scheduler they have one taint more.
    taints = (*where.taints, *((Taint(UNSCHEDULABLE),) if where.unschedulable else ()))
    reasons = why_not(shape, labels=where.labels, taints=taints, room=room, node_name=where.name)
    admitted = admits(shape, where.labels, taints, node_name=where.name)
    assert bool(Places([Place(where.labels, taints, where.name)]).admitting(shape)) == admitted
    assert (admitted and shape.requests.fits(room)) == (not reasons)
    lacking = frozenset(shape.requests.lacking(room)) if admitted else frozenset()
    return Opinion(not reasons, tuple(dict.fromkeys(reason.code.value for reason in reasons)), lacking)


def misread(written: Json, returned: Json) -> tuple[str, ...]:
    """What we read differently in a pod's manifest and in what the API server made of it (runtime classes apart)."""
    if "runtimeClassName" in written["spec"]:
        return ()
    ours, theirs = (decode.pod(json.dumps(each).encode()).shape for each in (written, returned))
    pairs = {
        "requests": (ours.requests, theirs.requests),
        "selector": (ours.node_selector, theirs.node_selector),
        "affinity": (ours.node_affinity, theirs.node_affinity),
    }
    return tuple(name for name, (one, other) in pairs.items() if one != other)
