"""Errors of a configuration: one sentence each, all of them at once."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from autoscale.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class BadConfig(BadInput):
    """A configuration with at least one error. Its own text is the first error; `problems` has them all."""

    def __init__(self, problems: Sequence[BadInput]) -> None:
        first = problems[0]
        self.problems = tuple(problems)
        more = len(problems) - 1
        super().__init__(first.what, where=first.where, expected=first.expected, found=first.found)
        if more:
            rest = "1 more error" if more == 1 else f"{more} more errors"
            self.args = (f"{first} (and {rest}; `autoscale validate` lists all)",)


def nearest(word: str, known: Iterable[str]) -> str:
    """What was probably meant: the nearest known word in quotes, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return repr(close[0])
    return f"one of {', '.join(names)}" if names else "none"
