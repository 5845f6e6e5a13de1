"""A plan as Markdown, for a pull request or an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.cli.view import PlanView


def markdown(view: PlanView, *, cluster: str) -> str:
    """The whole page."""
    return "\n".join(_lines(view, cluster)) + "\n"


def _lines(view: PlanView, cluster: str) -> Iterator[str]:
    yield f"## {_safe(cluster)}: {view.title}"
    yield ""
    if view.groups:
        yield "| | Group | Type | Capacity | Zone | Nodes | Price/h | Holds |"
        yield "|---|---|---|---|---|---|---|---|"
        for group in view.groups:
            change = f"{group.now} → {group.target_nodes}" if group.instance_type else ""
            holds = "<br>".join(_safe(f"{text} [{full}]" if full else text) for text, full in group.packing)
            cells = (group.sign, group.name, group.instance_type, group.capacity_type, group.zone)
            yield f"| {' | '.join(map(_safe, cells))} | {change} | {group.price} | {holds} |"
        yield ""
    if view.pending:
        yield "**Stays pending**"
        yield ""
        for each in view.pending:
            hint = f" **→ {_safe(each.hint)}**" if each.hint else ""
            yield f"- {_safe(each.name)}: {'; '.join(map(_safe, each.why))}{hint}"
        yield ""
    if view.moves:
        yield "**Moves**"
        yield ""
        for move in view.moves:
            yield f"- {_safe(move.text)}: {'; '.join(map(_safe, move.lines))}"
        yield ""
    for label, text in view.facts:
        yield f"- **{label}**: {_safe(text)}"
    if view.facts:
        yield ""
    yield view.summary


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
