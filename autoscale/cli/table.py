"""A plan as text for a terminal, in columns that fit its width."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from autoscale.cli.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscale.cli.moves import MoveView
    from autoscale.cli.view import GroupView, PendingView, PlanView

_SIGNS = {"+": "green", "-": "red", "=": "cyan"}
_FEW_GROUPS = 25  # beyond this, one line of packing a group
_LINES, _CLASSES, _REASONS, _MOVES = 6, 30, 3, 20
_NAME, _TYPE = 16, 20  # columns that a group's name is to have, and that its type has at most
_LEAST = 8  # what a name has on the narrowest terminal


@dataclass(frozen=True, slots=True)
class Paper:
    """What is written on: its width, and whether it takes colours."""

    width: int = 120
    colours: bool = False

    @classmethod
    def of_stdout(cls) -> Paper:
        """The terminal's, or 120 columns without colours when it is none. NO_COLOR is respected."""
        if not sys.stdout.isatty():
            return cls()
        colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(max(60, shutil.get_terminal_size().columns), colours)

    def paint(self, text: str, colour: str, *, bold: bool = False) -> str:
        """Coloured, if it takes colours."""
        return click.style(text, fg=colour, bold=bold) if self.colours else text

    def dim(self, text: str) -> str:
        """In the background."""
        return click.style(text, dim=True) if self.colours else text


def table(view: PlanView, *, cluster: str, paper: Paper) -> str:
    """The whole page."""
    head = [cluster, view.title] + ([view.fleet] if view.fleet else [])
    blocks = [["   ".join(head)]]
    if view.groups:
        blocks.append(list(_groups(view.groups, paper)))
    if view.pending:
        blocks.append(["  stays pending", *_pending(view.pending, paper)])
    if view.moves:
        blocks.append(["  moves", *_moves(view.moves, paper)])
    if view.facts:
        blocks.append(list(_facts(view.facts, paper)))
    blocks.append([view.summary])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _groups(groups: Sequence[GroupView], paper: Paper) -> Iterator[str]:
    columns = _columns(groups, paper.width)
    widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
    lines = _LINES if len(groups) <= _FEW_GROUPS else 1
    for group, row in zip(groups, columns, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        cells.append(row[-1].rjust(widths[-1]))
        yield f"  {paper.paint(group.sign, _SIGNS[group.sign], bold=True)} {'  '.join(cells)}".rstrip()
        yield from _packing(group, lines, paper)


def _columns(groups: Sequence[GroupView], width: int) -> list[list[str]]:
    """A row of cells a group: all of them, or the most that leave room for a name: without `each`, without the zone."""
    rest = [[_cut(g.instance_type, _TYPE), g.capacity_type, g.zone, _change(g), g.price] for g in groups]
    short = [[*row[:-1], row[-1].removesuffix(" each")] for row in rest]
    room = 0
    for cells in (rest, short, [[*row[:2], *row[3:]] for row in short]):
        taken = sum(max(map(len, column)) + 2 for column in zip(*cells, strict=True)) + len("  + ")
        room = width - taken
        if room >= _NAME:
            break
    return [[_cut(g.name, max(_LEAST, room)), *row] for g, row in zip(groups, cells, strict=True)]


def _change(group: GroupView) -> str:
    if not group.instance_type:
        return ""
    if group.current_nodes == group.target_nodes:
        return f"{group.current_nodes}"
    return f"{group.now} -> {group.target_nodes}"


def _packing(group: GroupView, lines: int, paper: Paper) -> Iterator[str]:
    indent = " " * 6
    shown = group.packing if len(group.packing) <= lines else group.packing[:lines]
    for holds, fullness in shown:
        left = paper.width - len(indent) - len(fullness) - 2
        if len(holds) <= left:
            yield f"{indent}{holds.ljust(min(left, 76))}  {paper.dim(fullness)}".rstrip()
            continue
        first, *rest = textwrap.wrap(holds, paper.width - len(indent) - 4, break_on_hyphens=False)
        yield indent + first
        yield from (f"{indent}    {line}" for line in rest)
        if fullness:
            yield f"{indent}    {paper.dim(fullness)}"
    if len(shown) < len(group.packing):
        more = counted(len(group.packing) - len(shown), "more way")
        yield f"{indent}{paper.dim(f'and {more} to fill a node (-o json has all)')}"


def _pending(pending: Sequence[PendingView], paper: Paper) -> Iterator[str]:
    for each in pending[:_CLASSES]:
        yield f"  {paper.paint('!', 'yellow', bold=True)} {each.name}"
        for why in each.why[:_REASONS]:
            yield from _wrapped(why, paper)
        if len(each.why) > _REASONS:
            more = counted(len(each.why) - _REASONS, "more reason")
            yield f"      {paper.dim(f'and {more} (-o json has all)')}"
        if each.hint:
            yield from _wrapped(f"-> {each.hint}", paper)
    if len(pending) > _CLASSES:
        yield f"  {paper.dim(f'and {len(pending) - _CLASSES} more shapes (-o json has all)')}"


def _moves(moves: Sequence[MoveView], paper: Paper) -> Iterator[str]:
    for each in moves[:_MOVES]:
        first, *rest = textwrap.wrap(each.text, paper.width - 6, break_on_hyphens=False)
        yield f"  {paper.paint('>' if each.begins else '~', 'cyan', bold=True)} {first}"
        yield from (f"        {line}" for line in rest)
        for line in each.lines:
            yield from _wrapped(line, paper)
    if len(moves) > _MOVES:
        yield f"  {paper.dim(f'and {len(moves) - _MOVES} more (-o json has all)')}"


def _facts(facts: Sequence[tuple[str, str]], paper: Paper) -> Iterator[str]:
    width = max(len(label) for label, _ in facts)
    for label, text in facts:
        first, *rest = textwrap.wrap(text, paper.width - width - 4, break_on_hyphens=False) or [""]
        yield f"  {paper.paint(label.ljust(width), 'blue')}  {first}"
        yield from (" " * (width + 4) + line for line in rest)


def _wrapped(text: str, paper: Paper) -> Iterator[str]:
    yield from textwrap.wrap(
        text, paper.width, initial_indent=" " * 6, subsequent_indent=" " * 8, break_on_hyphens=False
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
