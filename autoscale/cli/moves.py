"""Moves of pods to save money, as a person looks at them: what each saves, costs and endangers, and why it waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.cli import words
from autoscale.demand.wording import few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.model.plan import Relocation, Reoptimum

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class MoveView:
    """One move: what goes where, then a line each for what it saves, whom it stops, and why it does not begin now."""

    text: str
    lines: tuple[str, ...]
    begins: bool


def moves(found: Reoptimum | None) -> tuple[MoveView, ...]:
    """Those that were found, what begins now first."""
    if found is None:
        return ()
    ordered = sorted(found.relocations, key=lambda each: bool(each.held))
    return tuple(MoveView(_text(each), tuple(_lines(each)), not each.held) for each in ordered)


def fleet_line(found: Reoptimum) -> str:
    """What the whole fleet costs and could cost, with the proof."""
    before, after, bound = (
        words.per_hour(each)
        for each in (found.before_microusd_per_hour, found.after_microusd_per_hour, found.bound_microusd_per_hour)
    )
    if found.after_microusd_per_hour >= found.before_microusd_per_hour:
        return (
            f"no move pays back within {words.seconds(found.horizon_s)}: the nodes that may be emptied cost {before}; "
            f"proven: no way below {bound}"
        )
    return (
        f"the nodes that may be emptied cost {before}; {after} with all moves and without empty nodes, moving spread over "
        f"{words.seconds(found.horizon_s)}; proven: no way below {bound}"
    )


def _text(each: Relocation) -> str:
    pods = words.counted(each.pods, "pod")
    return f"{few(each.nodes)} {'is' if len(each.nodes) == 1 else 'are'} emptied: {pods} to {', '.join(each.homes)}"


def _lines(each: Relocation) -> Iterator[str]:
    back = f", back in {words.seconds(_back_s(each))}" if each.saves_microusd_per_hour > 0 else ""
    once = words.money(each.costs_microusd)
    yield f"saves {words.per_hour(each.saves_microusd_per_hour)}, costs {once} once{back}"
    if each.endangers:
        yield "; ".join(each.endangers)
    if each.held:
        yield f"waits: {each.held}"


def _back_s(each: Relocation) -> int:
    return max(1, -(-each.costs_microusd * _HOUR_S // each.saves_microusd_per_hour))
