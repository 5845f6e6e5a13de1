"""Waiting for something to come true, with a limit."""

import time
from collections.abc import Callable
from typing import Literal, TypeVar

T = TypeVar("T")


def wait_until(
    what: str, probe: Callable[[], T | Literal[False] | None], *, within_s: float = 60.0, every_s: float = 0.1
) -> T:
    """Give the first true answer of `probe`; raise TimeoutError naming `what` and the last answer when none comes."""
    deadline = time.monotonic() + within_s
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s:g} s: {what} (last answer: {answer!r})")
        time.sleep(every_s)
