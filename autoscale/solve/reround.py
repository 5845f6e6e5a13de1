"""From the linear program of a fleet to whole nodes: rooms are filled as it says, then what is left, then nodes are bought."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autoscale.model.problem import PackedNode, Solution, Status
from autoscale.solve.engine import solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autoscale.model.problem import Problem
    from autoscale.solve.relinear import Fleet, Relaxed

    Matrix = NDArray[Any]

HALF = 0.5


@dataclass(slots=True)
class Draft:
    """Nodes that take pods in, one a row: what they have `left` [N, R], what they `take` [N, C], and of which supply they are.

    `kept` are nodes kept by movable resident, `whole` [C] pods that have no place yet. `tenant` [N] is the movable resident
    whose room it is, or -1.
    """

    fleet: Fleet
    kept: Matrix
    whole: Matrix
    supply: Matrix
    tenant: Matrix
    left: Matrix
    take: Matrix
    bought: int = 0
    method: str = ""
    room: Matrix = field(default_factory=lambda: np.zeros(0, dtype=int))

    @property
    def emptied(self) -> tuple[int, ...]:
        """By resident of the question."""
        out = [0] * len(self.fleet.question.residents)
        for i, j in enumerate(self.fleet.movable):
            out[j] = int(self.fleet.count[i] - self.kept[i])
        return tuple(out)

    @property
    def cost(self) -> float:
        """What the draft costs when everybody has a place."""
        price = float(self.fleet.price[self.supply[self.take.any(axis=1)]].sum()) if len(self.supply) else 0.0
        return float(self.fleet.question.decided(self.emptied)) + price


def draft(fleet: Fleet, kept: Matrix) -> Draft:
    """The room there is when so many nodes of each resident are kept, all of it free."""
    supply: list[int] = []
    tenant: list[int] = []
    stock = fleet.lasting
    for s in np.flatnonzero((fleet.room_of >= 0) & (fleet.price == 0) & (stock > 0)).tolist():
        supply += [s] * int(stock[s])
        tenant += [-1] * int(stock[s])
    for i in np.flatnonzero((fleet.at >= 0) & (kept > 0)).tolist():
        if fleet.room_of[fleet.at[i]] >= 0:
            supply += [int(fleet.at[i])] * int(kept[i])
            tenant += [i] * int(kept[i])
    at = np.array(supply, dtype=int)
    room = fleet.room_of[at]
    return Draft(
        fleet,
        kept,
        (fleet.count - kept) @ fleet.content,
        at,
        np.array(tenant, dtype=int),
        fleet.rooms.capacity[room].astype(float),
        np.zeros((len(at), len(fleet.demand))),
        room=room,
    )


def follow(made: Draft, relaxed: Relaxed) -> None:
    """Fill rooms as the linear program does where it says so for most of a node."""
    free: dict[int, list[int]] = {}
    for n in range(len(made.supply) - 1, -1, -1):
        free.setdefault(int(made.room[n]), []).append(n)
    for r, filling, amount in relaxed.used:
        for _ in range(int(amount + HALF)):
            if not free.get(r):
                break
            pods = np.minimum(filling, made.whole)
            if pods.any():
                _put(made, free[r].pop(), pods)


def fill(made: Draft, value: Matrix) -> None:
    """Pods that have no place yet into what room is left, the most valuable first, into the tightest room."""
    request, admits, most = made.fleet.rooms.request, made.fleet.rooms.admits, made.fleet.rooms.most
    for c in np.argsort(-value, kind="stable").tolist():
        if not made.whole[c] or not len(made.supply):
            continue
        fits = how_many(made.left, request[c]) * admits[made.room, c]
        fits = np.minimum(fits, most[c] - made.take[:, c])
        open_ = np.flatnonzero(fits >= 1)
        slack = (made.left[open_] / np.maximum(made.fleet.rooms.capacity.max(axis=0), 1.0)).sum(axis=1)
        for n in open_[np.argsort(slack, kind="stable")].tolist():
            pods = np.zeros(len(value))
            pods[c] = min(fits[n], made.whole[c])
            _put(made, n, pods)
            if not made.whole[c]:
                break


def how_many(left: Matrix, request: Matrix) -> Matrix:
    """How many pods with this request fit what each node has left."""
    used = request > 0
    if not used.any():
        return np.full(len(left), 1e9)
    found: Matrix = np.floor(left[:, used] / request[used]).min(axis=1)
    return found


def _put(made: Draft, n: int, pods: Matrix) -> None:
    made.take[n] += pods
    made.left[n] -= pods @ made.fleet.rooms.request
    made.whole -= pods


def buy(made: Draft, *, seconds: float, seed: int) -> Solution | None:
    """The whole answer: nodes are bought for all that have no place yet. None when there is none for some."""
    problem = made.fleet.question.emptied(made.emptied)
    placed = _packed(made)
    bought = solve(_rest(problem, made, placed), time_limit_s=seconds, seed=seed) if made.whole.any() else None
    if bought is not None and bought.pending:
        return None
    nodes = Counter({(each.supply, each.pods): each.count for each in placed})
    for each in bought.nodes if bought is not None else ():
        nodes[each.supply, each.pods] += each.count
    packed = tuple(PackedNode(supply, pods, count) for (supply, pods), count in sorted(nodes.items()))
    cost = sum(problem.supplies[each.supply].price_microusd_per_hour * each.count for each in packed)
    return Solution(
        status=Status.FEASIBLE,
        nodes=packed,
        pending={},
        cost_microusd_per_hour=cost,
        objective_microusd_per_hour=sum(problem.price_of(each.supply) * each.count for each in packed),
        bound_microusd_per_hour=0,
        method=bought.method if bought is not None else "nothing to buy",
    )


def _packed(made: Draft) -> list[PackedNode]:
    rows = Counter(
        (int(made.supply[n]), tuple((c, int(made.take[n, c])) for c in np.flatnonzero(made.take[n]).tolist()))
        for n in np.flatnonzero(made.take.any(axis=1)).tolist()
    )
    return [PackedNode(supply, pods, count) for (supply, pods), count in sorted(rows.items())]


def _rest(problem: Problem, made: Draft, placed: list[PackedNode]) -> Problem:
    """What is left to buy for: no room but on new nodes, and the rules less what is placed."""
    rules = []
    for rule in problem.rules:
        spent = 0
        for node in placed:
            each = rule.per_node.get(node.supply, 0)
            each += sum(rule.per_pod.get((c, node.supply), 0) * pods for c, pods in node.pods)
            spent += each * node.count
        rules.append(replace(rule, limit=rule.limit - spent))
    return replace(
        problem,
        demands=tuple(
            replace(demand, count=int(count)) for demand, count in zip(problem.demands, made.whole, strict=True)
        ),
        supplies=tuple(
            each if problem.price_of(s) else replace(each, limit=0) for s, each in enumerate(problem.supplies)
        ),
        rules=tuple(rules),
    )
