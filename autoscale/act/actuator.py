"""A plan carried out, in the order that survives a crash at any point.

Nodes that go are closed first, claims come before purchases, purchases before evictions, evictions before removals.

Expected trouble becomes a receipt and the rest goes on; the next tick sees the world as it is then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from autoscale.act.crew import failure, side_by_side
from autoscale.act.drain import close_nodes, evict_pods
from autoscale.act.gone import note_gone
from autoscale.act.removal import remove_nodes
from autoscale.act.resizing import resize_groups
from autoscale.errors import AutoscaleError, Conflict, NotFound, ProviderError
from autoscale.model.plan import (
    Announce,
    Assign,
    ClaimPods,
    DeleteGroup,
    Disrupt,
    Evict,
    Hold,
    Receipt,
    Release,
    RemoveNode,
    Resize,
    Unclaim,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from autoscale.errors import ClusterError
    from autoscale.model.plan import Action, Plan
    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Clock, Cluster, Provider

DONE, REFUSED, SKIPPED = "done", "refused", "skipped"
_Kind = TypeVar("_Kind", Unclaim, ClaimPods, Resize, RemoveNode, DeleteGroup, Evict, Announce)


@dataclass(frozen=True, slots=True)
class Hands:
    """What is acted with. `provider_of` knows who runs a group."""

    cluster: Cluster
    provider_of: Mapping[str, Provider]
    clock: Clock
    threads: int


def act(
    plan: Plan,
    snapshot: Snapshot,
    cluster: Cluster,
    providers: Iterable[Provider],
    clock: Clock,
    *,
    threads: int = 16,
) -> tuple[Receipt, ...]:
    """Carry the plan out; a receipt for each action, in the order in which they were taken."""
    by_name = {provider.name: provider for provider in providers}
    provider_of = {g.id: by_name[c.provider] for c in snapshot.clouds for g in c.groups if c.provider in by_name}
    hands = Hands(cluster, provider_of, clock, threads)
    receipts = close_nodes(cluster, clock, plan.actions, threads)
    open_still = {r.action.node for r in receipts if isinstance(r.action, Disrupt) and r.outcome != DONE}
    receipts += [_unclaim(hands, action) for action in _of(plan, Unclaim)]
    receipts += _reserve(hands, [a for a in plan.actions if isinstance(a, Assign | Hold | Release)])
    claimed = _claim(hands, _of(plan, ClaimPods))
    receipts += claimed
    lost = {r.action.slot for r in claimed if isinstance(r.action, ClaimPods) and r.outcome != DONE}
    receipts += resize_groups(provider_of, plan.id, _of(plan, Resize), lost, snapshot, threads=threads)
    receipts += evict_pods(cluster, [e for e in _of(plan, Evict) if e.node not in open_still], threads)
    receipts += remove_nodes(cluster, provider_of, plan.id, _of(plan, RemoveNode))
    receipts += side_by_side(lambda delete: _delete(hands, plan.id, delete), _of(plan, DeleteGroup), threads)
    receipts += side_by_side(lambda announce: _announce(hands, announce), _of(plan, Announce), threads)
    note_gone(cluster, snapshot, receipts, clock.now_s())
    return tuple(receipts)


def _of(plan: Plan, kind: type[_Kind]) -> list[_Kind]:
    return [action for action in plan.actions if isinstance(action, kind)]


def _unclaim(hands: Hands, action: Unclaim) -> Receipt:
    calls = [_call(hands.cluster.unclaim, pod, slot=action.slot) for pod in action.pods]
    return _pods_receipt(action, side_by_side(failure, calls, hands.threads))


def _claim(hands: Hands, actions: Sequence[ClaimPods]) -> list[Receipt]:
    """Slot by slot, several pods at once."""
    now = hands.clock.now_s()
    calls = [
        _call(verb, pod, slot=action.slot, group=action.group, at_s=now)
        for action in actions
        for verb, pods in ((hands.cluster.claim, action.pods), (hands.cluster.claim_next, action.moving))
        for pod in pods
    ]
    failures = iter(side_by_side(failure, calls, hands.threads))
    return [_pods_receipt(action, [next(failures) for _ in (*action.pods, *action.moving)]) for action in actions]


def _reserve(hands: Hands, actions: Sequence[Assign | Hold | Release]) -> list[Receipt]:
    """Steps of reservations, nodes side by side: all taints first, since devices may come at any moment; then tolerations.

    An Assign whose node is held in the same plan needs no call of its own: holding writes the slot as well.
    """
    held = {(action.node, action.slot): action for action in actions if isinstance(action, Hold) and not action.tainted}
    steps = [a for a in actions if not (isinstance(a, Assign) and (a.node, a.slot) in held)]
    written = side_by_side(lambda action: _write_node(hands, action), steps, hands.threads)
    receipts: dict[Action, Receipt] = dict(zip(steps, written, strict=True))
    open_now = [a for a in steps if isinstance(a, Hold) and receipts[a].outcome == DONE]
    fresh = [hold for hold in open_now if not hold.tainted]
    calls = [_call(hands.cluster.tolerate, pod, slot=hold.slot) for hold in fresh for pod in hold.pods]
    failures = iter(side_by_side(failure, calls, hands.threads))
    for hold in fresh:
        if hold.pods:
            receipts[hold] = _pods_receipt(hold, [next(failures) for _ in hold.pods])
    for hold in open_now:
        if hold.tainted:
            receipts[hold] = _let_in(hands, hold)
    return [
        receipts[a] if a in receipts else replace(receipts[held[a.node, a.slot]], action=a, text="") for a in actions
    ]


def _let_in(hands: Hands, hold: Hold) -> Receipt:
    """Let the pods onto a node that is held already, and open it at once, before anything else happens."""
    calls = [_call(hands.cluster.tolerate, pod, slot=hold.slot) for pod in hold.pods]
    failures = side_by_side(failure, calls, hands.threads)
    opened = failure(_call(hands.cluster.admit, hold.node, slot=hold.slot, at_s=hands.clock.now_s()))
    if opened is not None:
        return Receipt(hold, REFUSED, str(opened))
    return _pods_receipt(hold, failures) if hold.pods else Receipt(hold, DONE)


def _write_node(hands: Hands, action: Assign | Hold | Release) -> Receipt:
    """The node's part of a step. A node that is gone is nothing to act on."""
    cluster, now = hands.cluster, hands.clock.now_s()
    try:
        match action:
            case Assign(node, slot):
                cluster.assign(node, slot=slot, at_s=now)
            case Hold(node, slot, _, tainted):
                if not tainted:
                    cluster.hold(node, slot=slot, at_s=now)
            case Release(node, slot):
                cluster.release(node, slot=slot, at_s=now)
    except (NotFound, Conflict) as error:
        return Receipt(action, SKIPPED, str(error))
    except AutoscaleError as error:
        return Receipt(action, REFUSED, str(error))
    return Receipt(action, DONE)


def _delete(hands: Hands, plan_id: str, action: DeleteGroup) -> Receipt:
    provider = hands.provider_of.get(action.group)
    if provider is None:
        return Receipt(action, SKIPPED, f"no provider runs {action.group}")
    try:
        provider.delete(action.group, request_id=f"{plan_id}/{action.group}/delete")
    except ProviderError as error:
        return Receipt(action, REFUSED, error.fault.message, error.fault)
    return Receipt(action, DONE)


def _announce(hands: Hands, action: Announce) -> Receipt:
    hands.cluster.announce((action.uid, action.pod), event=action.event, text=action.text, about=action.about)
    return Receipt(action, DONE)


def _call(method: Callable[..., None], *args: object, **kwargs: object) -> Callable[[], None]:
    return lambda: method(*args, **kwargs)


def _pods_receipt(action: Action, failures: Sequence[ClusterError | None]) -> Receipt:
    """Done if it worked for one pod at least; else skipped when all are gone or changed, refused when told no."""
    errors = [error for error in failures if error is not None]
    text = f"{len(errors)} of {len(failures)} pods not written: {errors[0]}" if errors else ""
    if len(errors) < len(failures):
        return Receipt(action, DONE, text)
    moot = all(isinstance(error, NotFound | Conflict) for error in errors)
    return Receipt(action, SKIPPED if moot else REFUSED, text)
