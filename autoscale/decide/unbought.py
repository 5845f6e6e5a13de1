"""Promised nodes that the cloud was not asked for: not bought after all where their pods have another place by now."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.reservations import refs
from autoscale.decide.scale_up import scale_up
from autoscale.model.plan import Unclaim
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscale.decide.answer import Answer
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.reservations import Slot

SOURCE = "reservation"


def spare(standing: Standing, best: Answer, ask: Callable[[Standing], Answer]) -> tuple[Standing, Answer]:
    """The standing and answer with as few of these purchases completed as the room that came free allows.

    A purchase that was cut off is completed in its own group, since the cloud may have heard more of it than it shows.
    Nothing is bought elsewhere instead: claims are given up only for what is there, or on its way for nobody.
    """
    unbought = _unbought(standing)
    if not unbought:
        return standing, best
    before, waits = _growth(standing, best), _left_out(best)
    count = len(unbought)
    while count > 0:
        without = _without(standing, unbought[-count:])
        other = ask(without)
        after = _growth(without, other)
        homeless = after.total() - (before.total() - count)
        if homeless <= 0 and after <= before and _left_out(other) <= waits:
            return without, other
        count -= max(1, homeless)
    return standing, best


def _unbought(standing: Standing) -> list[Slot]:
    """Open slots beyond what each group was asked for, the last of all at the end."""
    found = [
        slot
        for state in standing.groups.values()
        for slot in state.open[len(state.open) - max(0, min(len(state.open), state.needed - state.asked)) :]
    ]
    return sorted(found, key=lambda slot: slot.order)


def _growth(standing: Standing, answer: Answer) -> Counter[str]:
    """How many nodes more the cloud is asked for, by group."""
    resizes = scale_up(standing, answer, "").resizes
    return Counter({each.group: max(0, each.target_nodes - each.current_nodes) for each in resizes})


def _left_out(answer: Answer) -> int:
    return len(answer.placed.pending) + sum(each.count for each in answer.homeless)


def _without(standing: Standing, slots: Sequence[Slot]) -> Standing:
    """The standing when these slots are given up, and their pods wait like any others."""
    gone = {slot.id for slot in slots}
    pods = (*standing.waiting, *(pod for slot in slots for pod in slot.pods))
    reason = Reason(Code.FITS_EXISTING, "there is room for them by now", SOURCE)
    return replace(
        standing,
        groups={
            id_: replace(state, open=tuple(slot for slot in state.open if slot.id not in gone))
            for id_, state in standing.groups.items()
        },
        slots=tuple(slot for slot in standing.slots if slot.id not in gone),
        room={id_: room for id_, room in standing.room.items() if id_ not in gone},
        waiting=tuple(sorted(pods, key=lambda p: (p.created_at_s, p.namespace, p.name, p.uid))),
        actions=(*standing.actions, *(Unclaim(slot.id, refs(slot.pods), reason) for slot in slots)),
    )
