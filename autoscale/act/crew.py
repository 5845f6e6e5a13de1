"""Calls side by side, started in order: what a crash leaves done is a beginning of the list, give or take the crew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from autoscale.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def side_by_side(call: Callable[[_Item], _Result], items: Sequence[_Item], threads: int) -> list[_Result]:
    """`[call(item) for item in items]`, up to `threads` at once. One thread means none beside this one."""
    if threads <= 1 or len(items) <= 1:
        return [call(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items)), "act") as pool:
        return list(pool.map(call, items))


def failure(call: Callable[[], None]) -> ClusterError | None:
    """What the cluster said against a call, if anything."""
    try:
        call()
    except ClusterError as error:
        return error
    return None
