"""`remember`: the next ledger, a pure function of the last one, what was decided and what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.explain import announced_key
from autoscale.decide.guard import crowd, doubt
from autoscale.model.plan import Announce, Disrupt, Evict, RemoveNode, Resize
from autoscale.model.snapshot import Backoff, Blocked, Ledger
from autoscale.model.supply import FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscale.model.plan import Plan, Receipt
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Fault, NodeGroup

_DAY_S = 86_400


def remember(
    ledger: Ledger,
    plan: Plan,
    receipts: Sequence[Receipt],
    snapshot: Snapshot,
    *,
    settings: DecideSettings,
    now_s: int,
) -> Ledger:
    """What the next tick should know."""
    groups = {group.id: group for group in snapshot.groups}
    refused = [_placed(r.fault, groups) for r in receipts if r.fault is not None and isinstance(r.action, Resize)]
    targets, grown, shrunk = dict(ledger.targets), dict(ledger.grown_at_s), dict(ledger.shrunk_at_s)
    announced = dict(ledger.announced)
    for receipt in receipts:
        match receipt.action:
            case Resize(id_, current, target) if receipt.fault and receipt.fault.maybe_applied and target > current:
                targets[id_] = target  # counts as heard until the cloud has had time to show otherwise
                grown[id_] = now_s
            case _ if receipt.outcome != "done":
                continue
            case Resize(id_, current, target):
                targets[id_] = target
                (grown if target > current else shrunk)[id_] = now_s
            case RemoveNode(id_):
                shown = groups[id_].target_nodes if id_ in groups else 0
                targets[id_] = max(0, targets.get(id_, shown) - 1)
                shrunk[id_] = now_s
            case Announce() as said:
                announced[announced_key(said)] = now_s
    asked_at = {id_: max(grown.get(id_, 0), shrunk.get(id_, 0)) for id_ in targets}
    return Ledger(
        backoffs=_backoffs(ledger, (*plan.faults, *refused), settings, now_s),
        targets={id_: n for id_, n in targets.items() if now_s - asked_at[id_] < settings.target_memory_s},
        grown_at_s=grown,
        shrunk_at_s=shrunk,
        idle_since_s=_since(ledger.idle_since_s, plan.idle, now_s),
        unused_since_s=_since(ledger.unused_since_s, plan.unused, now_s),
        announced={key: at for key, at in announced.items() if now_s - at < settings.announce_again_s},
        ready_since_s=_since(ledger.ready_since_s, plan.ready, now_s),
        starting_since_s=_since(ledger.starting_since_s, plan.starting, now_s),
        empty_since_s=_since(ledger.empty_since_s, plan.empty, now_s),
        blocked=_blocked(ledger, receipts, snapshot, now_s),
        learnt={**ledger.learnt, **{each.group: each for each in plan.learnt}},
        gone_at_s=_gone(ledger, receipts, now_s),
        short_since_s=_since(ledger.short_since_s, plan.short, now_s),
        looked_at=ledger.looked_at,
        began_at_s=ledger.began_at_s,
        steady=ledger.steady if plan.steady == ledger.steady[0] else (plan.steady, now_s),
        reoptimised_at_s=now_s if plan.reoptimum is not None else ledger.reoptimised_at_s,
        crowd=crowd(snapshot) if snapshot.cluster.nodes and doubt(snapshot) is None else ledger.crowd,
    )


def _placed(fault: Fault, groups: Mapping[str, NodeGroup]) -> Fault:
    """A stock-out told at the call is one of what the group sells, whoever else sells it."""
    group = groups.get(fault.group)
    if fault.kind is not FaultKind.NO_CAPACITY or fault.offering or group is None:
        return fault
    return replace(fault, offering=group.offering.key)


def _gone(ledger: Ledger, receipts: Sequence[Receipt], now_s: int) -> dict[str, int]:
    """Nodes that were closed for good or removed within the last day."""
    out = {name: at for name, at in ledger.gone_at_s.items() if 0 <= now_s - at < _DAY_S}
    for receipt in receipts:
        if isinstance(receipt.action, Disrupt | RemoveNode) and receipt.outcome == "done" and receipt.action.node:
            out.setdefault(receipt.action.node, now_s)
    return out


def _blocked(ledger: Ledger, receipts: Sequence[Receipt], snapshot: Snapshot, now_s: int) -> dict[str, Blocked]:
    """Pods that budgets keep from being evicted, as long as they are there and not on their way out."""
    going = {node.name for node in snapshot.cluster.nodes if node.disruption is not None}
    there = {pod.uid for pod in snapshot.cluster.pods if not pod.deleting and pod.node_name in going}
    evicted = {uid for r in receipts if isinstance(r.action, Evict) for uid, _ in r.action.pods}
    out = {uid: kept for uid, kept in ledger.blocked.items() if uid in there and uid not in evicted}
    for uid, text in (each for receipt in receipts for each in receipt.blocked):
        before = ledger.blocked.get(uid)
        out[uid] = Blocked(text, before.since_s if before else now_s, now_s)
    return out


def without_times(ledger: Ledger) -> Ledger:
    """The ledger after the clock was set: how long nodes have been idle, sick or on their way is measured anew."""
    return replace(
        ledger,
        idle_since_s={},
        unused_since_s={},
        ready_since_s={},
        starting_since_s={},
        short_since_s={},
        empty_since_s={},
        crowd=None,
        began_at_s=None,
        steady=("", 0),
        reoptimised_at_s=0,
    )


def _since(before: Mapping[str, int], now: Iterable[str], now_s: int) -> dict[str, int]:
    """When each was first seen; whatever is no longer so starts anew next time."""
    return {name: before.get(name, now_s) for name in now}


def _backoffs(ledger: Ledger, faults: Iterable[Fault], settings: DecideSettings, now_s: int) -> dict[str, Backoff]:
    """Each failure in a row doubles the wait. After as long again without one, the count starts anew."""
    kept = {k: b for k, b in ledger.backoffs.items() if now_s - b.until_s < settings.backoff_max_s}
    for fault in faults:
        key = fault.offering or fault.group
        if fault.kind is FaultKind.THROTTLED or not key:
            continue
        failures = kept[key].failures + 1 if key in kept else 1
        wait = min(settings.backoff_max_s, settings.backoff_first_s * 2 ** min(failures - 1, 20))
        kept[key] = Backoff(fault, now_s + wait, failures)
    return kept
