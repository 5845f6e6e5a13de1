"""The compiled kernel behind plain functions over arrays; absent when nobody compiled it."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoscale.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.solve.reduce import Matrix, Reduced

KERNEL_ABI = 5
"""What a compiled kernel must answer to be used: the number in kernel/core.h."""

NO_PLAN = 1e299
"""Objectives from here on mean that nothing was found."""

_D = ctypes.POINTER(ctypes.c_double)
_I = ctypes.POINTER(ctypes.c_int)
_B = ctypes.POINTER(ctypes.c_ubyte)


class _Instance(ctypes.Structure):
    """The C struct of the same name in kernel/core.h."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("R", "C", "B", "K", "G")),
        *((name, _D) for name in ("demand", "penalty", "most", "request", "capacity", "price", "limit")),
        ("admits", _B),
        ("whole", _B),
        *((name, _D) for name in ("rule_limit", "rule_node", "rule_pod")),
        ("group_start", _I),
        ("group_bin", _I),
        ("unit", ctypes.c_double),
    ]


class _Start(ctypes.Structure):
    """The C struct of the same name."""

    _fields_ = [("n", ctypes.c_int), *((name, _I) for name in ("bin", "begin", "class_of", "count_of"))]


class _Blend(ctypes.Structure):
    """The C struct of the same name."""

    _fields_ = [
        ("rows", ctypes.c_int),
        *((name, _I) for name in ("begin", "row")),
        *((name, _D) for name in ("coef", "rhs", "fine", "guess")),
    ]


Node = tuple[int, tuple[tuple[int, int], ...], int]
"""(bin, pods by class, how many such nodes)."""


@dataclass(frozen=True, slots=True)
class Guide:
    """What leads a search: a value of a pod of each class, and nodes to begin with."""

    y: Matrix
    nodes: list[Node]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a master that classes share: row r asks for sum_c coef_rc x_c >= rhs_r; a unit of it is worth `most` at most.

    Those of class c are row[begin[c]:begin[c + 1]] with their coefficients. `guess` says what a pod of each class may be
    worth: the first patterns are made for that.
    """

    begin: Matrix
    row: Matrix
    coef: Matrix
    rhs: Matrix
    most: Matrix
    guess: Matrix


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine found for a reduced problem: nodes as (bin, pods by class, how many such nodes).

    `bound` is proven for the objective; `y`, `limit_price` and `rule_price` are the duals of classes, limits, rules.
    """

    nodes: list[Node]
    pending: list[int]
    bound: int
    y: list[float]
    limit_price: list[float]
    rule_price: list[float]
    method: str
    numbers: dict[str, float] = field(default_factory=dict)


_NUMBERS = (
    "objective",
    "bound",
    "patterns",
    "root_bound",
    "root_seconds",
    "rounds",
    "dives",
    "tries",
    "tree_nodes",
    "columns",
    "pool",
    "improved",
    "first_seconds",
)  # fmt: skip - the order of autoscale_number


class Cancel:
    """Set from another thread, it ends a solve early; the answer so far is complete."""

    def __init__(self) -> None:
        self.flag = ctypes.c_int(0)

    def set(self) -> None:
        """Ends the solve that was given this object."""
        self.flag.value = 1


class Cost:
    """What the best plan costs that one solve has found so far, in micro-US$/h, for another of the same pods beside it."""

    def __init__(self) -> None:
        self.value = ctypes.c_double(inf)


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """The compiled kernel, or None."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_kernel{suffix}")
        if path.exists():
            return _loaded(path)
    return None


def _loaded(path: Path) -> ctypes.CDLL | None:
    """The kernel in that file; None when it was built for another machine or from other sources: as good as none."""
    try:
        lib = ctypes.CDLL(str(path))
        abi = lib.autoscale_abi
        abi.argtypes, abi.restype = [], ctypes.c_int
        return _typed(lib) if abi() == KERNEL_ABI else None
    except (OSError, AttributeError):  # AttributeError: a function is missing
        return None


@lru_cache(maxsize=1)
def threads() -> int:
    """How many threads the kernel may use: two where this process may run on two processors."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 if min(allowed, _quota()) >= 2 else 1


def _quota() -> float:
    """Processors that the control group allows, infinite without a limit."""
    try:
        most, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return inf if most == "max" else int(most) / int(period)
    except (OSError, ValueError):
        return inf


def _typed(lib: ctypes.CDLL) -> ctypes.CDLL:
    solver = ctypes.c_void_p
    lib.autoscale_new.argtypes = [ctypes.POINTER(_Instance), ctypes.c_uint64, ctypes.POINTER(ctypes.c_int)]
    lib.autoscale_new.restype = solver
    lib.autoscale_run.argtypes = [solver, ctypes.c_double, ctypes.c_int]
    lib.autoscale_run.restype = None
    lib.autoscale_share.argtypes = [solver, _D, ctypes.c_int]
    lib.autoscale_share.restype = None
    lib.autoscale_bound.argtypes = [solver, ctypes.c_double, ctypes.POINTER(_Blend)]
    lib.autoscale_bound.restype = None
    lib.autoscale_search.argtypes = [solver, ctypes.c_double, _D, ctypes.POINTER(_Start)]
    lib.autoscale_search.restype = None
    lib.autoscale_number.argtypes = [solver, ctypes.c_int]
    lib.autoscale_number.restype = ctypes.c_double
    lib.autoscale_entries.argtypes = [solver]
    lib.autoscale_entries.restype = ctypes.c_int
    lib.autoscale_answer.argtypes = [solver, _I, _D, _I, _I, _I, _D, _D, _D, _D]
    lib.autoscale_answer.restype = None
    lib.autoscale_free.argtypes = [solver]
    lib.autoscale_free.restype = None
    return lib


@contextmanager
def _solver(reduced: Reduced, seed: int, cancel: Cancel) -> Iterator[tuple[ctypes.CDLL, int]]:
    """The kernel and a solver in it, which is gone afterwards."""
    lib = library()
    if lib is None:
        raise RuntimeError("no compiled kernel")
    instance, _keep = _instance(reduced)
    solver = lib.autoscale_new(ctypes.byref(instance), seed, ctypes.byref(cancel.flag))
    try:
        yield lib, solver
    finally:
        lib.autoscale_free(solver)


def run(reduced: Reduced, seconds: float, *, seed: int, cancel: Cancel, workers: int | None = None) -> Answer:
    """Solves in the kernel, on so many threads (`threads()`). The GIL is free meanwhile."""
    with _solver(reduced, seed, cancel) as (lib, solver):
        lib.autoscale_run(solver, seconds, workers or threads())
        return _answer(lib, solver, reduced)


def bound(
    reduced: Reduced, seconds: float, *, rows: Rows | None = None, seed: int, cancel: Cancel, known: Cost | None = None
) -> Answer:
    """A bound alone, on one thread, from a master with a row for each class, or with these rows instead.

    What is found of a plan on the way is not worth anything. `known` is the cost of a plan for pods that ask for no less:
    the search for a bound ends there.
    """
    keep: list[Matrix] = []
    blend = _blend(rows, keep) if rows else None
    with _solver(reduced, seed, cancel) as (lib, solver):
        if known:
            lib.autoscale_share(solver, ctypes.byref(known.value), 0)
        lib.autoscale_bound(solver, seconds, ctypes.byref(blend) if blend else None)
        return _answer(lib, solver, reduced)


def search(
    reduced: Reduced, seconds: float, *, guide: Guide, seed: int, cancel: Cancel, known: Cost | None = None
) -> Answer:
    """Neighbourhood search alone, led by what was found for a problem much like it; `known` is told what its plans cost."""
    keep: list[Matrix] = []
    y, start = guide.y.astype(np.float64), _start(guide.nodes, keep)
    with _solver(reduced, seed, cancel) as (lib, solver):
        if known:
            lib.autoscale_share(solver, ctypes.byref(known.value), 1)
        lib.autoscale_search(solver, seconds, y.ctypes.data_as(_D), ctypes.byref(start))
        return _answer(lib, solver, reduced)


def _blend(rows: Rows, keep: list[Matrix]) -> _Blend:
    ints = [np.ascontiguousarray(a, dtype=np.int32) for a in (rows.begin, rows.row)]
    doubles = [np.ascontiguousarray(a, dtype=np.float64) for a in (rows.coef, rows.rhs, rows.most, rows.guess)]
    keep += [*ints, *doubles]
    return _Blend(len(rows.rhs), *(a.ctypes.data_as(_I) for a in ints), *(a.ctypes.data_as(_D) for a in doubles))


def _start(nodes: list[Node], keep: list[Matrix]) -> _Start:
    lists = (
        [b for b, _, _ in nodes],
        np.cumsum([0, *(len(pods) for _, pods, _ in nodes)]),
        [c for _, pods, _ in nodes for c, _ in pods],
        [count for _, pods, _ in nodes for _, count in pods],
    )
    arrays = [np.array([*values, 0], dtype=np.int32) for values in lists]
    keep += arrays
    return _Start(len(nodes), *(array.ctypes.data_as(_I) for array in arrays))


def _instance(reduced: Reduced) -> tuple[_Instance, list[Matrix]]:
    keep: list[Matrix] = []

    def pointer(array: Any, dtype: type, kind: Any) -> Any:
        flat: Matrix = np.ascontiguousarray(array, dtype=dtype)
        if not flat.size:
            flat = np.zeros(1, dtype=dtype)
        keep.append(flat)
        return flat.ctypes.data_as(kind)

    def doubles(array: Any) -> Any:
        return pointer(array, np.float64, _D)

    starts = np.cumsum([0, *(len(group) for group in reduced.groups)])
    flat_groups = [b for group in reduced.groups for b in group]
    instance = _Instance(
        R=reduced.request.shape[1],
        C=len(reduced.demand),
        B=len(reduced.price),
        K=len(reduced.rule_limit),
        G=len(reduced.groups),
        demand=doubles(reduced.demand),
        penalty=doubles(reduced.penalty),
        most=doubles(reduced.most),
        request=doubles(reduced.request),
        capacity=doubles(reduced.capacity),
        price=doubles(reduced.price),
        limit=doubles(reduced.limit),
        admits=pointer(reduced.admits, np.uint8, _B),
        whole=pointer(reduced.whole, np.uint8, _B),
        rule_limit=doubles(reduced.rule_limit),
        rule_node=doubles(reduced.rule_node),
        rule_pod=None if reduced.rule_pod is None else doubles(reduced.rule_pod),
        group_start=pointer(starts, np.int32, _I),
        group_bin=pointer(flat_groups, np.int32, _I),
        unit=float(reduced.unit),
    )
    return instance, keep


def _answer(lib: ctypes.CDLL, solver: int, reduced: Reduced) -> Answer:
    numbers = {name: lib.autoscale_number(solver, i) for i, name in enumerate(_NUMBERS)}
    if numbers["objective"] >= NO_PLAN:
        raise BadInput("no plan was found that keeps every rule", expected="rules and limits that can hold together")
    n, entries = int(numbers["patterns"]), lib.autoscale_entries(solver)
    ints = [np.zeros(size + 1, dtype=np.int32) for size in (n, n + 1, entries, entries)]
    sizes = (n, len(reduced.demand), len(reduced.demand), len(reduced.price), len(reduced.rule_limit))
    doubles = [np.zeros(size + 1, dtype=np.float64) for size in sizes]
    bins, begin, classes, counts = (array.ctypes.data_as(_I) for array in ints)
    count, pending, y, limit, rule = (array.ctypes.data_as(_D) for array in doubles)
    lib.autoscale_answer(solver, bins, count, begin, classes, counts, pending, y, limit, rule)
    bins, begin, classes, counts = (array.tolist() for array in ints)
    count, pending, y, limit, rule = (array[:-1].tolist() for array in doubles)
    nodes = []
    for i in range(n):
        span = slice(begin[i], begin[i + 1])
        nodes.append((bins[i], tuple(zip(classes[span], counts[span], strict=True)), int(count[i])))
    method = f"column generation, {int(numbers['dives'])} dives, {int(numbers['tree_nodes'])} tree nodes"
    return Answer(nodes, [int(p) for p in pending], int(numbers["bound"]), y, limit, rule, method, numbers)
