"""Sections of a page for a terminal: labelled lines and items, wrapped to its width."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscale.cli.streams import plain
from autoscale.cli.table import Paper

if TYPE_CHECKING:
    from collections.abc import Iterable

_INDENT = "  "


@dataclass(slots=True)
class Page:
    """Lines as they are added. Every text is shown plainly, whatever file it came from."""

    paper: Paper = field(default_factory=Paper)
    lines: list[str] = field(default_factory=list)

    def title(self, *parts: str) -> None:
        """The first line of a story; an empty line before it unless it is the first."""
        self.gap()
        self.lines.append("   ".join(plain(part) for part in parts if part))

    def gap(self) -> None:
        """An empty line, if there is anything above."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def section(self, text: str) -> None:
        """The head of a section."""
        self.gap()
        self._wrapped(text, _INDENT, _INDENT)

    def say(self, text: str) -> None:
        """A paragraph."""
        self._wrapped(text, _INDENT, _INDENT)

    def item(self, sign: str, colour: str, text: str, details: Iterable[str] = ()) -> None:
        """A marked line, and what belongs to it in the background."""
        mark = self.paper.paint(sign, colour, bold=True)
        first, *rest = self._split(text, 4, 4)
        self.lines.append(f"{_INDENT}{mark} {first}")
        self.lines += [f"{_INDENT}  {line}" for line in rest]
        for detail in details:
            self.lines += [f"{_INDENT}    {self.paper.dim(line)}" for line in self._split(detail, 6, 6)]

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Labelled lines in two columns."""
        there = [(label, text) for label, text in facts if text]
        width = max((len(label) for label, _ in there), default=0)
        for label, text in there:
            indent = width + 4
            first, *rest = self._split(text, indent, indent)
            self.lines.append(f"{_INDENT}{self.paper.paint(label.ljust(width), 'blue')}  {first}")
            self.lines += [" " * indent + line for line in rest]

    def text(self) -> str:
        """All of it."""
        return "\n".join(line.rstrip() for line in self.lines) + "\n"

    def _wrapped(self, text: str, first: str, then: str) -> None:
        lines = self._split(text, len(first), len(then))
        self.lines += [first + lines[0], *(then + line for line in lines[1:])]

    def _split(self, text: str, first: int, then: int) -> list[str]:
        """The text in lines that fit after so many columns of indent."""
        indent = [" " * first, " " * then]
        lines = textwrap.wrap(
            plain(text), self.paper.width, initial_indent=indent[0], subsequent_indent=indent[1], break_on_hyphens=False
        ) or [indent[0]]
        return [lines[0][first:], *(line[then:] for line in lines[1:])]
