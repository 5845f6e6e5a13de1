"""Nodes that are better gone while pods are on them: the whole fleet asked about again, and what of the answer begins now.

A move must pay back within the horizon, and what is paid for nodes falls with each, so a fleet whose load and prices stand still
comes to rest. Nothing is moved while anything else happens: no pod waits for a node that is bought, no node goes or comes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from autoscale.decide.moves import relocations
from autoscale.decide.residents import lodging
from autoscale.model.disruption import Going
from autoscale.model.plan import Reoptimum
from autoscale.model.workload import Code, Reason
from autoscale.ports import Permitter, Reoptimiser

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from autoscale.decide.answer import Answer
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.moves import Moves
    from autoscale.model.plan import Relocation
    from autoscale.model.settings import Consolidation
    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Policy, Solver

SOURCE = "consolidation"
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Consolidated:
    """What was found. `going` are the nodes that may begin to go now."""

    reoptimum: Reoptimum
    going: tuple[Going, ...] = ()


def steady(snapshot: Snapshot) -> str:
    """A digest of which pods run on which nodes; DaemonSets come with nodes."""
    there = sorted(f"{pod.uid} {pod.node_name}" for pod in snapshot.cluster.pods if not (pod.daemon or pod.mirror))
    nodes = sorted(node.name for node in snapshot.cluster.nodes)
    return sha256("\n".join((*there, "", *nodes)).encode()).hexdigest()[:16]


def due(fleet: Fleet, standing: Standing, best: Answer, settings: Consolidation) -> bool:
    """Whether the whole fleet is to be asked about now: nothing else happens, and nothing has for long enough.

    Someone who looks only once (`autoscale plan`) is shown what there is to gain at any time.
    """
    busy = (
        fleet.going
        or standing.slots
        or any(fleet.starting.values())
        or best.placed.placements
        or any(node.disruption or node.deleting for node in fleet.nodes)
        or not fleet.whole
    )
    if busy:
        return False
    ledger = fleet.snapshot.ledger
    if ledger.looked_at is None:
        return True
    return _quiet_s(fleet.snapshot) >= settings.after_s and fleet.now_s - ledger.reoptimised_at_s >= settings.after_s


def consolidate(
    fleet: Fleet, standing: Standing, policies: Sequence[Policy], solver: Solver, settings: Consolidation
) -> Consolidated | None:
    """Ask, and choose what begins: no more than all policies let go at once, and only what pays back by itself."""
    if not isinstance(solver, Reoptimiser):
        return None
    whole = _asked(fleet, standing, policies, solver, settings, None)
    if whole is None:
        return None
    wanted = _going(whole)
    permitted, held = _permitted(fleet, policies, wanted)
    now = whole
    if len(permitted) < len(wanted):
        some = _asked(fleet, standing, policies, solver, settings, permitted) if permitted else None
        now = replace(whole, relocations=()) if some is None else some
    why = "" if fleet.snapshot.ledger.looked_at is not None else _later(settings)
    begins = {name for each in now.relocations for name in each.nodes} if not why else set()
    found = Reoptimum(
        settings.horizon_s,
        whole.before,
        whole.after,
        whole.bound,
        _told(whole, now, begins, why or held),
    )
    return Consolidated(found, tuple(each for each in _going(now) if each.node in begins))


def pays(fleet: Fleet, best: Answer, settings: Consolidation, found: Consolidated) -> bool:
    """Whether the moves still pay once they are planned by every rule: what is bought costs less than what goes."""
    begun = [each for each in found.going if each.node in fleet.going]
    nodes = sum(fleet.groups[fleet.group_of[each.node]].offering.weighed_microusd_per_hour for each in begun)
    bought = [one.berth.price_microusd_per_hour for one in best.placed.placements if one.berth.kind == "new"]
    goes = {each.node for each in begun}
    once = sum(each.costs_microusd for each in found.reoptimum.relocations if goes & set(each.nodes))
    saved = (nodes - sum(bought)) * settings.horizon_s
    return bool(begun) and saved > once * _HOUR_S


def held_back(found: Reoptimum, why: str) -> Reoptimum:
    """Nothing of it begins."""
    return replace(found, relocations=tuple(replace(each, held=each.held or why) for each in found.relocations))


def too_dear(fleet: Fleet, best: Answer) -> tuple[str, ...]:
    """Nodes that go to save money, when what is still to be bought for their pods costs as much as they do."""
    mine = [name for name, going in fleet.going.items() if going.reason.code is Code.UNDERUTILIZED]
    uids = {pod.uid for name in mine for pod in fleet.leaving.get(name, ())}
    gain = sum(fleet.groups[fleet.group_of[name]].offering.weighed_microusd_per_hour for name in mine)
    spent = sum(
        one.berth.price_microusd_per_hour
        for one in best.placed.placements
        if one.berth.kind == "new" and any(pod.uid in uids for pod in one.pods)
    )
    return tuple(mine) if mine and spent >= gain else ()


def _asked(  # noqa: PLR0917 - who asks whom, and about what
    fleet: Fleet,
    standing: Standing,
    policies: Sequence[Policy],
    solver: Reoptimiser,
    settings: Consolidation,
    only: Collection[str] | None,
) -> Moves | None:
    lodged = lodging(fleet, standing, policies, settings, only)
    return None if lodged is None else relocations(fleet, lodged, solver.reoptimise(lodged.question), settings)


def _going(moves: Moves) -> list[Going]:
    """What saves most per node goes first."""
    order = sorted(moves.relocations, key=lambda each: (-each.saves_microusd_per_hour // len(each.nodes), each.nodes))
    return [Going(name, Reason(Code.UNDERUTILIZED, _text(each.homes), SOURCE)) for each in order for name in each.nodes]


def _text(homes: Iterable[str]) -> str:
    return f"its pods cost less elsewhere: {', '.join(homes)}"


def _permitted(fleet: Fleet, policies: Sequence[Policy], wanted: Sequence[Going]) -> tuple[set[str], str]:
    going: Sequence[Going] = wanted
    said: list[Reason] = []
    for policy in policies:
        if isinstance(policy, Permitter) and going:
            going, reasons = policy.permit(going, fleet.snapshot)
            said += reasons
    return {each.node for each in going}, "; ".join(reason.text.partition(": ")[2] for reason in said)


def _told(whole: Moves, now: Moves, begins: Collection[str], held: str) -> tuple[Relocation, ...]:
    """What begins, and what does not yet and why."""
    first = now.relocations if begins else ()
    rest = [each for each in whole.relocations if not begins or not set(each.nodes) & set(begins)]
    return (*first, *(replace(each, held=held or "others come first") for each in rest))


def _later(settings: Consolidation) -> str:
    return f"`autoscale run` begins it once nothing has changed for {settings.after_s} s"


def _quiet_s(snapshot: Snapshot) -> int:
    digest, since_s = snapshot.ledger.steady
    return snapshot.now_s - since_s if digest and digest == steady(snapshot) else 0
