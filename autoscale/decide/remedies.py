"""The smallest changes with which a pod would run. Each is tried by planning again; what only looks right is not said.

Edits of the pod come from `demand.edits`, smallest sets first. When groups would take the pod as it is, what is changed
is what keeps them from growing: a group's maximum, a policy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.what_if import home_of, pending
from autoscale.demand.edits import repairs
from autoscale.model.explanation import Remedy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscale.decide.groups import GroupState
    from autoscale.decide.what_if import Case
    from autoscale.demand.edits import Edit
    from autoscale.demand.misses import Candidate
    from autoscale.model.plan import Plan
    from autoscale.model.workload import Pod

_TRIED, _SAID = 10, 3


def remedies(
    case: Case, pod: Pod, candidates: Sequence[Candidate], full: Sequence[GroupState] = ()
) -> tuple[Remedy, ...]:
    """What would let the pod run, smallest change first; `full` are groups that would take it and are at their maximum.

    `candidates` are the node groups, cheapest first. Nothing is said that was not planned through.
    """
    others = case.with_pods({pod.uid}).plan()
    found = [*_of_limits(case, pod, full, others), *_of_pod(case, pod, candidates, others)]
    return tuple(found[:_SAID])


def _of_pod(case: Case, pod: Pod, candidates: Sequence[Candidate], others: Plan) -> Iterator[Remedy]:
    """Edits of the pod, none that contains another that works already."""
    working: list[frozenset[tuple[str, str]]] = []
    tried = 0
    for edits in repairs(pod.shape, candidates):
        rules = frozenset(edit.rule for edit in edits)
        if any(known <= rules for known in working):
            continue
        if tried == _TRIED or len(working) == _SAID:
            return
        tried += 1
        remedy = _tried(case, pod, edits, others)
        if remedy is not None:
            working.append(rules)
            yield remedy


def _tried(case: Case, pod: Pod, edits: Sequence[Edit], others: Plan) -> Remedy | None:
    """Plan with the pod changed: as many of it as do the work of one, else one; None when that would stay, too."""
    of = pod.shape
    for edit in edits:
        of = edit.apply(of)
    pieces = max((edit.pieces for edit in edits), default=1)
    changes = tuple(edit.text for edit in edits)
    together = tuple(f"{edit.text}; {edit.together}" if edit.together else edit.text for edit in edits)
    for count, said in ((pieces, together), (1, changes)):
        pods = [replace(pod, shape=of, claim=None, uid=f"{pod.uid}/{i}", name=f"{pod.name}~{i}") for i in range(count)]
        remedy = _planned(case.with_pods({pod.uid}, pods), pods, said, others)
        if remedy is not None:
            return replace(remedy, pods=count)
        if count == 1:
            break
    return None


def _of_limits(case: Case, pod: Pod, full: Sequence[GroupState], others: Plan) -> Iterator[Remedy]:
    """One node more of the cheapest full group that helps; then each policy left out."""
    for state in sorted(full, key=lambda s: (s.group.offering.price_microusd_per_hour, s.group.id))[:_SAID]:
        most = state.group.max_nodes
        text = f"raise the maximum size of {state.group.name} from {most} to {most + 1}"
        remedy = _planned(case.with_room({state.group.id: 1}), [pod], (text,), others)
        if remedy is not None:
            yield remedy
            break
    for policy in case.policies:
        freer = replace(case, policies=[each for each in case.policies if each is not policy])
        remedy = _planned(freer, [pod], (f"relax the policy {policy.name}",), others)
        if remedy is not None:
            yield remedy


def _planned(case: Case, pods: Sequence[Pod], changes: tuple[str, ...], others: Plan) -> Remedy | None:
    plan = case.plan()
    left = pending(plan)
    if any(pod.ref in left for pod in pods):
        return None
    groups = {group.id: group for group in case.snapshot.groups}
    home = groups.get(home_of(plan, pods[0].uid))
    return Remedy(
        changes=changes,
        group=home.name if home else "",
        instance_type=home.offering.instance_type if home else "",
        cost_microusd_per_hour=max(0, plan.cost_microusd_per_hour - others.cost_microusd_per_hour),
        displaced=len(left - pending(others)),
    )
