"""Targets: those that are lowered first, then those that grow, as far as the cloud took back what it can't deliver."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.act.crew import side_by_side
from autoscale.errors import ProviderError
from autoscale.model.plan import Receipt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from autoscale.model.plan import Resize
    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Provider

_PATIENCE_S = 60  # so long pods wait for a target to be lowered before what they need is bought on top of it


def resize_groups(
    provider_of: Mapping[str, Provider],
    plan_id: str,
    actions: Sequence[Resize],
    lost: Collection[str],
    snapshot: Snapshot,
    *,
    threads: int,
) -> list[Receipt]:
    """Set the targets, less the slots in `lost`, which no pod could be claimed for.

    A cloud that refuses to lower a target may deliver it after all. What was to be bought instead waits for a while, its
    claims written, and the next look tries both again.
    """

    def carry_out(action: Resize, held: int = 0) -> Receipt:
        gone = sum(slot in lost for slot in action.slots) if action.target_nodes > action.current_nodes else 0
        return _resize(provider_of.get(action.group), plan_id, action, gone, held)

    down = [action for action in actions if action.target_nodes < action.current_nodes]
    up = [action for action in actions if action.target_nodes >= action.current_nodes]
    receipts = side_by_side(carry_out, down, threads)
    stays = sum(a.current_nodes - a.target_nodes for a, r in zip(down, receipts, strict=True) if r.outcome == "refused")
    held: list[int] = []
    for action in up:
        held.append(min(stays, action.target_nodes - action.current_nodes) if _patient(action, snapshot) else 0)
        stays -= held[-1]
    return [*receipts, *side_by_side(lambda each: carry_out(*each), list(zip(up, held, strict=True)), threads)]


def _patient(action: Resize, snapshot: Snapshot) -> bool:
    """Whether none of the pods that it is for has waited for too long since it was promised a node."""
    slots = set(action.slots)
    claims = [pod.claim for pod in snapshot.cluster.pods if pod.claim and pod.claim.slot in slots]
    return all(snapshot.now_s - claim.claimed_at_s < _PATIENCE_S for claim in claims)


def _resize(provider: Provider | None, plan_id: str, action: Resize, gone: int, held: int) -> Receipt:
    """Set the target, less the nodes whose pods are gone, and those that wait for another target to be lowered."""
    if provider is None:
        return Receipt(action, "skipped", f"no provider runs {action.group}")
    texts = [f"the pods of {gone} nodes are gone"] if gone else []
    texts += [f"{held} nodes wait until another target is lowered"] if held else []
    if texts:
        target = max(action.current_nodes, action.target_nodes - gone - held)
        if target == action.current_nodes:
            return Receipt(action, "skipped", "its pods are gone" if not held else "; ".join(texts))
        action = replace(action, target_nodes=target)
    try:
        provider.resize(action.group, target_nodes=action.target_nodes, request_id=f"{plan_id}/{action.group}")
    except ProviderError as error:
        return Receipt(action, "refused", error.fault.message, error.fault)
    return Receipt(action, "done", "; ".join(texts))
