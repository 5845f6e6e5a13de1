"""What rooms can hold at most, by value: the pricing problem of the whole fleet's linear program."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from autoscale.solve import native

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[Any]

_D = ctypes.POINTER(ctypes.c_double)
_I = ctypes.POINTER(ctypes.c_int)
_B = ctypes.POINTER(ctypes.c_ubyte)


@dataclass(slots=True)
class Rooms:
    """Rooms that differ: `capacity` [B, R], `admits` [B, C]; pods: `request` [C, R], at most `most` [C] in a room.

    `library` is the compiled kernel, None without; `warm` is what the last pricing learnt.
    """

    request: Matrix
    capacity: Matrix
    admits: Matrix
    most: Matrix
    library: ctypes.CDLL | None = field(default_factory=native.library)
    warm: Matrix = field(init=False)

    def __post_init__(self) -> None:
        self.warm = np.zeros_like(self.capacity, dtype=np.float64)

    def price(self, value: Matrix, goal: Matrix, *, exact: int, seconds: float) -> tuple[Matrix, list[Matrix | None]]:
        """A bound on what a filling of each room is worth, at least the goal; and a filling that is worth more, if one is found.

        `exact` from 0, multipliers and a short search, to 2.
        """
        if self.library is None or not hasattr(self.library, "autoscale_rooms"):
            return self._bounded(value, goal)
        return self._in_kernel(self.library, value, goal, exact, seconds)

    def _in_kernel(
        self, library: ctypes.CDLL, value: Matrix, goal: Matrix, exact: int, seconds: float
    ) -> tuple[Matrix, list[Matrix | None]]:
        rooms, classes = self.admits.shape
        bound = np.zeros(rooms + 1)
        better = np.zeros(rooms + 1, dtype=np.int32)
        count = np.zeros((rooms + 1, classes), dtype=np.int32)
        call = library.autoscale_rooms
        call.restype = None
        call.argtypes = [
            *([ctypes.c_int] * 3), _D, _D, _B, _D, _D, _D, _D, ctypes.c_int, ctypes.c_double, _D, _I, _I,
        ]  # fmt: skip
        arrays = [np.ascontiguousarray(each, dtype=np.float64) for each in (self.request, self.capacity)]
        admits = np.ascontiguousarray(self.admits, dtype=np.uint8)
        more = [np.ascontiguousarray(each, dtype=np.float64) for each in (self.most, value, goal)]
        call(
            self.request.shape[1],
            classes,
            rooms,
            *(array.ctypes.data_as(_D) for array in arrays),
            admits.ctypes.data_as(_B),
            *(array.ctypes.data_as(_D) for array in more),
            self.warm.ctypes.data_as(_D),
            exact,
            seconds,
            bound.ctypes.data_as(_D),
            better.ctypes.data_as(_I),
            count.ctypes.data_as(_I),
        )
        return bound[:rooms], [count[b] if better[b] else None for b in range(rooms)]

    def _bounded(self, value: Matrix, goal: Matrix) -> tuple[Matrix, list[Matrix | None]]:
        """Without the kernel: the best of the bounds that count one resource only, and fillings by value per room used."""
        bound = np.array(goal, dtype=np.float64)
        fillings: list[Matrix | None] = [None] * len(goal)
        for b, capacity in enumerate(self.capacity):
            items = np.flatnonzero((self.admits[b] > 0) & (value > 0) & (self.request <= capacity).all(axis=1))
            if not len(items):
                continue
            bound[b] = max(goal[b], _one_resource(self.request[items], capacity, value[items], self.most[items]))
            filling = self._filled(b, items, value)
            if value @ filling > goal[b] * (1 + 1e-7) + 1e-7:
                fillings[b] = filling
        return bound, fillings

    def _filled(self, b: int, items: Matrix, value: Matrix) -> Matrix:
        left = self.capacity[b].astype(np.float64)
        share = (self.request[items] / np.maximum(left, 1)).max(axis=1)
        filling = np.zeros(len(value), dtype=np.int32)
        for i in items[np.argsort(-value[items] / np.maximum(share, 1e-9), kind="stable")]:
            asked = self.request[i]
            used = asked > 0
            fits = (left[used] // asked[used]).min() if used.any() else self.most[i]
            filling[i] = min(fits, self.most[i])
            left -= filling[i] * asked
        return filling


def _one_resource(request: Matrix, capacity: Matrix, value: Matrix, most: Matrix) -> float:
    """The least, over resources, of the value that a room holds when only that one is counted and pods can be divided."""
    best = float((value * most).sum())
    for r in range(request.shape[1]):
        free = request[:, r] == 0
        total = float((value[free] * most[free]).sum())
        left = float(capacity[r])
        asked = request[~free, r]
        for i in np.argsort(-value[~free] / asked, kind="stable"):
            count = min(float(most[~free][i]), left / asked[i])
            total += count * float(value[~free][i])
            left -= count * asked[i]
            if left <= 0:
                break
        best = min(best, total)
    return best * (1 + 1e-9)
