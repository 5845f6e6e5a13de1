"""A node that is being drained, explained: since when and why, what each of its pods waits for, and what would free it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.decide.drain import hold_up
from autoscale.demand.kinds import selects
from autoscale.model.disruption import Going
from autoscale.model.plan import Evict, Restore
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.model.plan import Plan
    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod

SOURCE = "drain"
_MOST = 10  # pods that are told one by one


def explain_drain(fleet: Fleet, plan: Plan, node: Node, work: Sequence[Pod]) -> Iterator[Reason]:
    """Nothing for a node that we have not closed."""
    begun = node.disruption
    if begun is None:
        return
    code = Code(begun.code) if begun.code in list(Code) else Code.DRAIN_BLOCKED
    if any(isinstance(action, Restore) and action.node == node.name for action in plan.actions):
        yield Reason(code, f"it was closed ({begun.code}) and is given back with the next plan", SOURCE)
        return
    for_s = max(0, fleet.now_s - begun.since_s)
    since = f"{for_s // 60} min" if for_s >= 60 else f"{for_s} s"
    yield Reason(code, f"it has been closed to new pods for {since} ({begun.code})", SOURCE)
    if not work:
        yield Reason(code, "no pod is left on it: it is removed once its volumes are detached", SOURCE)
    evicted = {uid for a in plan.actions if isinstance(a, Evict) and a.node == node.name for uid, _ in a.pods}
    for pod in sorted(work, key=lambda pod: pod.ref)[:_MOST]:
        why = _waits_for(fleet, pod, Going(node.name, Reason(code, "")))
        if why is not None:
            yield Reason(why.code, f"{why.text}; {why.hint}" if why.hint else why.text, SOURCE)
        elif pod.uid in evicted:
            yield Reason(code, f"{pod.ref} is evicted with the next plan", SOURCE)
        else:
            yield Reason(code, f"{pod.ref} waits until its place is ready, or for its turn", SOURCE)
    if len(work) > _MOST:
        yield Reason(code, f"and {len(work) - _MOST} pods more", SOURCE)
    yield from (
        note for note in plan.notes if note.code is Code.DRAIN_BLOCKED and note.text.startswith(f"{node.name} ")
    )


def _waits_for(fleet: Fleet, pod: Pod, going: Going) -> Reason | None:
    """What keeps the pod there, the budgets as they are now included."""
    why = hold_up(fleet, pod, going)
    if why is not None:
        return why
    owner = f", of {pod.owner}" if pod.owner else ""
    if pod.deleting:
        return Reason(Code.DRAIN_BLOCKED, f"{pod.ref}{owner} is ending, with its own grace", SOURCE)
    for budget in fleet.snapshot.cluster.budgets:
        if budget.allowed <= 0 and budget.namespace == pod.namespace and selects(budget.selector, pod.labels):
            text = f"{pod.ref}{owner}: PodDisruptionBudget {budget.name} lets no pod go now"
            return Reason(
                Code.DRAIN_BLOCKED, text, SOURCE, "give its owner more ready replicas, or the budget more room"
            )
    return None
