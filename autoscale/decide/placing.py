"""The solver's answer, pod by pod: which pods go to which node or slot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscale.decide.reservations import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscale.decide.question import Asked, Berth
    from autoscale.decide.reservations import Slot
    from autoscale.model.problem import PackedNode, Solution
    from autoscale.model.workload import Pod

_MOST_PAIRS = 20_000  # beyond, looking for the best exchange takes longer than it saves claims

Contents = tuple[tuple[int, int], ...]  # (class, how many), as the solver says it


@dataclass(slots=True)
class Placement:
    """One node of a berth and the pods that go there. `name` is the node or slot, empty for a slot to be opened."""

    berth: Berth
    contents: Contents
    name: str = ""
    pods: list[Pod] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Placed:
    """All placements in the order of berths, and the pods that stay pending."""

    placements: tuple[Placement, ...]
    pending: tuple[Pod, ...]


def place(question: Asked, solution: Solution, slots: Iterable[Slot] = ()) -> Placed:
    """Hand the pods out: oldest first, to nodes that are there before those on their way before those to buy.

    `slots` are open slots whose pods are part of the question: each node on its way is matched with the slot that it
    resembles most, and keeps the slot's pods that it has room for.
    """
    placements = [one for packed in _in_order(solution.nodes) for one in _spread(question, packed)]
    _name_existing(placements)
    class_of = {pod.uid: c for c, found in enumerate(question.classes) for pod in found.pods}
    kept = _keep(placements, slots, class_of)
    queues = [iter([pod for pod in found.pods if pod.uid not in kept]) for found in question.classes]
    for one in placements:
        have = Counter(class_of[pod.uid] for pod in one.pods)
        for c, count in one.contents:
            for _ in range(count - have[c]):
                pod = next(queues[c], None)
                if pod is not None:
                    one.pods.append(pod)
    return Placed(tuple(one for one in placements if one.pods), tuple(pod for queue in queues for pod in queue))


def _in_order(nodes: Iterable[PackedNode]) -> list[PackedNode]:
    return sorted(nodes, key=lambda n: (n.supply, n.pods))


def _spread(question: Asked, packed: PackedNode) -> list[Placement]:
    return [Placement(question.homes[packed.supply], packed.pods) for _ in range(packed.count)]


def _name_existing(placements: Sequence[Placement]) -> None:
    """Equal nodes and slots are taken in the order of their names."""
    taken: Counter[int] = Counter()
    for one in placements:
        if one.berth.names:
            one.name = one.berth.names[taken[id(one.berth)]]
            taken[id(one.berth)] += 1


def _keep(placements: Sequence[Placement], slots: Iterable[Slot], class_of: Mapping[str, int]) -> set[str]:
    """Match placements on coming nodes with open slots so that few pods move; the pods that stay where they are."""
    kept: set[str] = set()
    by_group: dict[str, list[Slot]] = {}
    for slot in slots:
        if slot.phase is Phase.OPEN:
            by_group.setdefault(slot.group, []).append(slot)
    for group, mine in by_group.items():
        unnamed = [one for one in placements if one.berth.group == group and not one.name]
        coming = [one for one in unnamed if one.berth.kind == "joining"]
        _exchange(coming, [one for one in unnamed if one.berth.kind == "new"], mine, class_of)
        for one, slot in _match(coming, mine, class_of):
            one.name = slot.id
            left = Counter(dict(one.contents))
            for pod in slot.pods:
                c = class_of[pod.uid]
                if left[c]:
                    left[c] -= 1
                    one.pods.append(pod)
                    kept.add(pod.uid)
    return kept


def _exchange(
    coming: Sequence[Placement], new: Sequence[Placement], slots: Sequence[Slot], class_of: Mapping[str, int]
) -> None:
    """Nodes on their way and new ones of a group are alike: the former get the contents that slots hold more of already.

    Whatever the answer gives to which of them, the cost is the same; pods that stay where they are need no new claim.
    """
    coming = [one for one in coming if all(one.berth.room == other.berth.room for other in new)]
    if not new or (len(coming) + len(new)) * len(slots) > _MOST_PAIRS:
        return
    holds = [Counter(class_of[pod.uid] for pod in slot.pods) for slot in slots]
    everything = (*coming, *new)
    shared = sorted(
        (-(Counter(dict(one.contents)) & held).total(), i, s)
        for i, one in enumerate(everything)
        for s, held in enumerate(holds)
    )
    chosen: list[int] = []
    used: set[int] = set()
    for less, i, s in shared:
        if less < 0 and len(chosen) < len(coming) and i not in chosen and s not in used:
            chosen.append(i)
            used.add(s)
    leaving = [one for i, one in enumerate(coming) if i not in chosen]
    for i in sorted(chosen):
        if i >= len(coming) and leaving:
            one = leaving.pop(0)
            one.contents, everything[i].contents = everything[i].contents, one.contents


def _match(
    coming: Sequence[Placement], slots: Sequence[Slot], class_of: Mapping[str, int]
) -> list[tuple[Placement, Slot]]:
    """Pairs of placement and slot: equal contents first, then those that share most, lowest slot first."""
    holds = {slot.id: Counter(class_of[pod.uid] for pod in slot.pods) for slot in slots}
    free = {slot.id: slot for slot in slots}
    exact: dict[Contents, list[Slot]] = {}
    for slot in reversed(slots):
        exact.setdefault(tuple(sorted(holds[slot.id].items())), []).append(slot)
    pairs: list[tuple[Placement, Slot]] = []
    others: list[Placement] = []
    for one in coming:
        alike = exact.get(tuple(sorted(one.contents)))
        if alike:
            slot = alike.pop()
            pairs.append((one, slot))
            del free[slot.id]
        else:
            others.append(one)
    for one in others:
        if not free:
            break
        want = Counter(dict(one.contents))
        best = max(free.values(), key=lambda s: ((want & holds[s.id]).total(), -s.claimed_at_s, _descending(s.id)))
        pairs.append((one, best))
        del free[best.id]
    return pairs


def _descending(text: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in text)


def keep_coming_nodes_full(question: Asked, placed: Placed, slots: Iterable[Slot]) -> Placed:
    """Give slots that the answer left empty their pods back, where no other coming node is emptied by it.

    The answer has no reason to use what costs nothing; a node that joins empty is a waste all the same. A new node that
    loses its last pod this way is not bought.
    """
    coming = {b.group: b for b in question.homes if b.kind == "joining" and not b.names}
    at = {pod.uid: one for one in placed.placements for pod in one.pods}
    used = {one.name for one in placed.placements}
    restored: list[Placement] = []
    for slot in slots:
        if slot.phase is not Phase.OPEN or slot.id in used or slot.group not in coming:
            continue
        back = [pod for pod in slot.pods if pod.uid in at]
        if not back or _empties_a_coming_node(back, at):
            continue
        for pod in back:
            at[pod.uid].pods.remove(pod)
        restored.append(Placement(coming[slot.group], (), slot.id, back))
    return Placed((*(one for one in placed.placements if one.pods), *restored), placed.pending)


def _empties_a_coming_node(pods: Sequence[Pod], at: Mapping[str, Placement]) -> bool:
    losses = Counter(id(at[pod.uid]) for pod in pods)
    return any(at[p.uid].berth.kind == "joining" and losses[id(at[p.uid])] >= len(at[p.uid].pods) for p in pods)
