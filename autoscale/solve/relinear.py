"""The linear program of a whole fleet's re-optimisation, by column generation, and the bound that its duals prove.

    minimise   sum_j (keep_j - empty_j) y_j + sum_s price_s x_s
    subject to sum_j a_jc y_j + sum_q q_c x_q >= sum_j a_jc k_j      every pod of the residents is where it was, or elsewhere
               x in rooms like r  <= sum of y_j that have such a room, and rooms that stay
               0 <= y_j <= k_j                                      y_j: nodes of resident j that are kept

For any values v >= 0 of pods the cost is at least (Lagrange; `reverify` has the same sum in whole numbers)

    sum_c v_c D_c + sum_j k_j (empty_j + min(0, keep_j - empty_j - a_j.v - V(room_j))) + sum_s limit_s min(0, price_s - V(s))

with V(s) the most that pods in s can be worth. V grows in proportion with v, so the best of a few multiples is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from autoscale.solve.rooms import Rooms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autoscale.model.reoptimisation import Reoptimisation

    Matrix = NDArray[Any]

MICRO = 1e6
NOTHING = 1e-6
ENOUGH = 1e-3  # the program is as good as solved when the bound is that near
NEAR = 8e-3  # from here on rooms are worth a longer search
EXACT = 2
MANY = 1e8  # as good as without end
SCALES = 1 - np.concatenate(([0.0], np.geomspace(1e-7, 0.5, 40)))


@dataclass(frozen=True, slots=True)
class Fleet:
    """The question in arrays. Residents that cost less to keep than to empty stay: nothing is better with them gone.

    `movable` are the others; `content` [J, C], `worth` [J] keep - empty, `count` [J], `at` [J] the supply that is their room
    or -1. `room_of` [S] says which of the distinct rooms a supply is; -1: of no use.
    """

    question: Reoptimisation
    movable: list[int]
    content: Matrix
    worth: Matrix
    count: Matrix
    at: Matrix
    demand: Matrix
    price: Matrix
    limit: Matrix
    room_of: Matrix
    rooms: Rooms
    constant: float

    @staticmethod
    def of(question: Reoptimisation) -> Fleet:
        """The arrays of a question."""
        problem, residents = question.problem, question.residents
        classes, supplies = len(problem.demands), len(problem.supplies)
        movable = [j for j, r in enumerate(residents) if r.keep_microusd_per_hour > r.empty_microusd_per_hour]
        content = np.zeros((len(movable), classes))
        for i, j in enumerate(movable):
            for c, pods in residents[j].pods:
                content[i, c] = pods
        mine = [residents[j] for j in movable]
        count = np.array([r.count for r in mine], dtype=float)
        demand = count @ content if mine else np.zeros(classes)
        request = np.array([d.request for d in problem.demands], dtype=float).reshape(classes, len(problem.resources))
        capacity = np.array([s.capacity for s in problem.supplies], dtype=float).reshape(supplies, request.shape[1])
        limit = np.array([MANY if s.limit is None else s.limit for s in problem.supplies], dtype=float)
        room_of, rooms = _distinct(question, request, capacity, demand, limit)
        return Fleet(
            question=question,
            movable=movable,
            content=content,
            worth=np.array([r.keep_microusd_per_hour - r.empty_microusd_per_hour for r in mine], dtype=float),
            count=count,
            at=np.array([-1 if r.supply is None else r.supply for r in mine], dtype=int),
            demand=demand,
            price=np.array([problem.price_of(s) for s in range(supplies)], dtype=float),
            limit=limit,
            room_of=room_of,
            rooms=rooms,
            constant=float(question.decided([r.count if j in set(movable) else 0 for j, r in enumerate(residents)])),
        )

    @property
    def lasting(self) -> Matrix:
        """[S] How many of each supply there are whatever becomes of residents."""
        left = self.limit.copy()
        here = self.at >= 0
        np.subtract.at(left, self.at[here], self.count[here])
        return np.maximum(left, 0.0)

    def bound(self, value: Matrix, most: Matrix) -> float:
        """What these values of pods prove. `most` [room]: V, or more."""
        worth_of = np.where(self.room_of >= 0, most[self.room_of], 0.0) if len(most) else np.zeros(len(self.price))
        own = np.where(self.at >= 0, worth_of[self.at], 0.0) + self.content @ value
        kept = np.minimum(0.0, self.worth - own) @ self.count
        elsewhere = np.minimum(0.0, self.price - worth_of) @ self.lasting
        return self.constant + float(value @ self.demand) + float(kept) + float(elsewhere)


def _distinct(
    question: Reoptimisation, request: Matrix, capacity: Matrix, demand: Matrix, limit: Matrix
) -> tuple[Matrix, Rooms]:
    """Rooms that hold different things, and which of them each supply is."""
    problem = question.problem
    admits = np.zeros((len(problem.supplies), len(problem.demands)), dtype=bool)
    for c, each in enumerate(problem.demands):
        if demand[c] and each.offerings and each.max_per_node != 0:
            homes = list(each.offerings)
            admits[homes, c] = (capacity[homes] >= request[c]).all(axis=1)
    admits &= (limit > 0)[:, None]
    unit = np.maximum(1, np.gcd.reduce(request[demand > 0].astype(np.int64), axis=0)) if demand.any() else 1
    request, capacity = request / unit, capacity // unit
    clipped = np.minimum(capacity, admits @ (request * demand[:, None]))
    most = np.array([1e9 if d.max_per_node is None else d.max_per_node for d in problem.demands])
    numbers: dict[bytes, int] = {}
    first: list[int] = []
    room_of = np.full(len(problem.supplies), -1)
    for s in np.flatnonzero(admits.any(axis=1)):
        key = clipped[s].tobytes() + admits[s].tobytes()
        if key not in numbers:
            numbers[key] = len(first)
            first.append(int(s))
        room_of[s] = numbers[key]
    return room_of, Rooms(request, clipped[first], admits[first], np.minimum(most, demand))


@dataclass(slots=True)
class Relaxed:
    """What the linear program says.

    `kept`: nodes kept by movable resident. `used`: how often (distinct room, filling) is used. `value` of a pod of each
    class, in whole micro-US$/h: it proves the bound, as no room holds more than `most`.
    """

    kept: Matrix
    value: Matrix
    most: Matrix
    bound: float
    rounds: int = 0
    solved: bool = False
    used: list[tuple[int, Matrix, float]] = field(default_factory=list)


def relax(fleet: Fleet, *, seconds: float) -> Relaxed:
    """Generate columns until none is worth its price, or time is up; the bound holds either way."""
    until = perf_counter() + seconds
    master = _Master(fleet)
    value = _guess(fleet)
    none = np.zeros(len(fleet.rooms.capacity))
    most, fillings = fleet.rooms.price(value, none, exact=0, seconds=seconds)
    best = Relaxed(fleet.count.copy(), value, most, -np.inf)
    _raise(fleet, best, value, most)
    master.extend(fillings)
    exact = 0
    while perf_counter() < until:
        duals = master.solve(until - perf_counter())
        if duals is None:
            break
        best.kept, best.used, best.rounds = master.kept(), master.used(), best.rounds + 1
        value, goal = duals
        most, fillings = fleet.rooms.price(value, goal, exact=exact, seconds=max(0.01, until - perf_counter()))
        _raise(fleet, best, value, most)
        new = master.extend(fillings)
        gap = (master.objective - best.bound) / max(1.0, abs(master.objective))
        if gap <= ENOUGH or (not new and exact == EXACT):
            best.solved = True
            break
        exact = min(EXACT, exact + 1) if not new or (gap <= NEAR and not exact) else exact
    return best


def _raise(fleet: Fleet, best: Relaxed, value: Matrix, most: Matrix) -> None:
    """Take the bound that these values prove, if it is better."""
    scale = max(SCALES, key=lambda each: fleet.bound(value * each, most * each))
    whole = np.floor(value * scale)
    bound = fleet.bound(whole, most * scale)
    if bound > best.bound:
        best.bound, best.value, best.most = bound, whole, most * scale


def _guess(fleet: Fleet) -> Matrix:
    """About what a pod is worth: its share of the cheapest node that could be bought for it, else of its own."""
    rooms, price = fleet.rooms, np.full(len(fleet.rooms.capacity), np.inf)
    bought = (fleet.room_of >= 0) & (fleet.price > 0)
    np.minimum.at(price, fleet.room_of[bought], fleet.price[bought])
    value = np.full(len(fleet.demand), np.inf)
    for b in np.flatnonzero(np.isfinite(price)):
        share = (rooms.request / np.maximum(rooms.capacity[b], 1.0)).max(axis=1)
        value = np.where(rooms.admits[b], np.minimum(value, price[b] * share), value)
    return np.where(np.isfinite(value), value, 0.0)


class _Master:
    """The linear program over the columns so far; money in US$."""

    def __init__(self, fleet: Fleet) -> None:
        from ortools.linear_solver import pywraplp

        self.fleet = fleet
        self.lp: Any = pywraplp.Solver.CreateSolver("GLOP")
        self.endless = self.lp.infinity()
        self.lp.SetSolverSpecificParametersAsString("use_preprocessing:false")
        self.objective_of = self.lp.Objective()
        self.objective_of.SetMinimization()
        self.cover = [self.lp.Constraint(float(d), self.endless) for d in fleet.demand]
        rooms = len(fleet.rooms.capacity)
        self.room: list[Any] = [self.lp.Constraint(-self.endless, 0.0) for _ in range(rooms)]
        self.objective = np.inf
        self.columns: list[tuple[int, Matrix, Any]] = []
        self.seen: set[tuple[int, bytes]] = set()
        self.stays: list[Any] = []
        for j in range(len(fleet.movable)):
            kept = self._variable(float(fleet.count[j]), float(fleet.worth[j]))
            for c in np.flatnonzero(fleet.content[j]).tolist():
                self.cover[c].SetCoefficient(kept, float(fleet.content[j, c]))
            if fleet.at[j] >= 0 and (r := fleet.room_of[fleet.at[j]]) >= 0:
                self.room[r].SetCoefficient(kept, -1.0)
            self.stays.append(kept)
        lasting = fleet.lasting
        for s in np.flatnonzero((fleet.room_of >= 0) & (lasting > 0)).tolist():
            had = self._variable(min(float(lasting[s]), float(fleet.demand.sum())), float(fleet.price[s]))
            self.room[int(fleet.room_of[s])].SetCoefficient(had, -1.0)

    def _variable(self, most: float, cost: float) -> Any:
        variable = self.lp.NumVar(0.0, most, "")
        self.objective_of.SetCoefficient(variable, cost / MICRO)
        return variable

    def extend(self, fillings: list[Matrix | None]) -> int:
        """New fillings of rooms; how many were not known."""
        new = 0
        for r, filling in enumerate(fillings):
            if filling is None or (key := (r, filling.tobytes())) in self.seen:
                continue
            self.seen.add(key)
            new += 1
            used = self.lp.NumVar(0.0, self.endless, "")
            self.columns.append((r, filling, used))
            self.room[r].SetCoefficient(used, 1.0)
            for c in np.flatnonzero(filling).tolist():
                self.cover[c].SetCoefficient(used, float(filling[c]))
        return new

    def solve(self, seconds: float) -> tuple[Matrix, Matrix] | None:
        """Values of pods, and what each room must be worth for a filling to be of use; micro-US$/h."""
        self.lp.SetTimeLimit(max(10, int(seconds * 1000)))
        if self.lp.Solve() != self.lp.OPTIMAL:
            return None
        self.objective = float(self.objective_of.Value()) * MICRO + self.fleet.constant
        value = np.array([max(0.0, row.dual_value()) for row in self.cover]) * MICRO
        goal = np.array([max(0.0, -row.dual_value()) for row in self.room]) * MICRO
        return value, goal

    def kept(self) -> Matrix:
        """Nodes kept by movable resident."""
        return np.array([variable.solution_value() for variable in self.stays])

    def used(self) -> list[tuple[int, Matrix, float]]:
        """How often each filling of a room is used, the most first."""
        found = [(r, filling, variable.solution_value()) for r, filling, variable in self.columns]
        return sorted(
            (each for each in found if each[2] > NOTHING), key=lambda each: (-each[2], each[0], each[1].tobytes())
        )
