"""Line plots as SVG, small and plain, that follow the reader's light or dark setting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 500, 46, 346  # the plotting area; the key stands to its right
LIGHT = ("#0b6bcb", "#c2410c", "#b45309", "#15803d", "#7e22ce", "#64748b")
DARK = ("#5fb0ff", "#ff8a5b", "#e8b04a", "#5fd38d", "#c792ea", "#a3b1c6")
DASHES = ("", "", "6 3", "", "2 3", "8 3 2 3")


@dataclass(frozen=True, slots=True)
class Line:
    """One engine's points, (x, y), in order of x."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float
    log: bool

    def place(self, value: float) -> float:
        low, high, at = (self.low, self.high, value)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return self.start + (at - low) / (high - low) * (self.end - self.start)


def line_plot(
    title: str, x_label: str, y_label: str, lines: Sequence[Line], *, log_y: bool, y_top: float | None = None
) -> str:
    """Draw lines over a logarithmic x axis. Points above `y_top` are cut off at the frame's top edge."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    top = min(max(ys), y_top or math.inf)
    if log_y:
        y_axis = _Axis(
            10.0 ** math.floor(math.log10(min(ys))), 10.0 ** math.ceil(math.log10(top)), BOTTOM, TOP, log=True
        )
        y_ticks = [10.0**k for k in range(round(math.log10(y_axis.low)), round(math.log10(y_axis.high)) + 1)]
    else:
        step = _nice(top / 5)
        y_axis = _Axis(0, math.ceil(top / step) * step, BOTTOM, TOP, log=False)
        y_ticks = [step * i for i in range(round(y_axis.high / step) + 1)]
    x_axis = _Axis(min(xs) / 1.15, max(xs) * 1.15, LEFT, RIGHT, log=True)
    body = [_text(LEFT, 24, title, "title"), _text((LEFT + RIGHT) / 2, BOTTOM + 40, x_label, "label", anchor="middle")]
    body.append(
        f'<text class="label" transform="translate(18 {(TOP + BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
    )
    for tick in y_ticks:
        y = y_axis.place(tick)
        body.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>')
        body.append(_text(LEFT - 8, y + 4, f"{tick:g}", "tick", anchor="end"))
    for x_value in sorted(set(xs)):
        x = x_axis.place(x_value)
        body.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{BOTTOM}"/>')
        body.append(_text(x, BOTTOM + 18, f"{x_value:,.0f}", "tick", anchor="middle"))
    for i, line in enumerate(lines):
        body += _drawn(i, line, x_axis, y_axis)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">\n'
        f"<style>\n{_style()}</style>\n"
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="6"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _drawn(i: int, line: Line, x_axis: _Axis, y_axis: _Axis) -> list[str]:
    dash = f' stroke-dasharray="{DASHES[i]}"' if DASHES[i] else ""
    placed = [(x_axis.place(x), max(TOP, y_axis.place(y))) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    row = TOP + 12 + 24 * i
    return [
        f'<polyline class="line c{i}" points="{path}"{dash}/>',
        *(f'<circle class="dot d{i}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>' for x, y in placed),
        f'<line class="line c{i}" x1="{RIGHT + 20}" y1="{row}" x2="{RIGHT + 46}" y2="{row}"{dash}/>',
        f'<circle class="dot d{i}" cx="{RIGHT + 33}" cy="{row}" r="3.2"/>',
        _text(RIGHT + 54, row + 4, line.label, "key"),
    ]


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _nice(step: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step)


def _style() -> str:
    def colours(palette: Sequence[str], paper: str, ink: str, grid: str) -> str:
        lines = "".join(f".c{i}{{stroke:{c}}}.d{i}{{fill:{c}}}" for i, c in enumerate(palette))
        return f".paper{{fill:{paper}}}text{{fill:{ink}}}.grid{{stroke:{grid}}}{lines}"

    return (
        "text{font:13px system-ui,sans-serif}.title{font-size:15px;font-weight:600}.tick{font-size:11px}\n"
        ".line{fill:none;stroke-width:2}.grid{stroke-width:1}\n"
        f"{colours(LIGHT, '#ffffff', '#1f2937', '#e5e7eb')}\n"
        f"@media (prefers-color-scheme: dark){{{colours(DARK, '#0d1117', '#d7dee8', '#2b3440')}}}\n"
    )
