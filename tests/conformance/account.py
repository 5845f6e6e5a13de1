"""What the engine said and what came of it: who is due on which node, who is not there, and what was bought for nobody.

A pod is due on the first node that took the slot which it claimed at the time; if the claim is taken back after that, and
the pod ends on another node, it counts as missed. A pod whose slot has no node yet may be planned anew.

A plan says how many pods of each kind go to a node, and pods of a kind can't be told apart: one that is bound elsewhere and
whose claim goes to another just like it is not missed, as long as that one is bound where it was due.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from autoscale.loop import Turn
from autoscale.model.plan import Assign, ClaimPods, Hold, Resize, Unclaim
from autoscale.model.workload import Pod, PodShape

from .story import story


class Account:
    """Kept turn by turn. `exchanged` counts places that a pod left to one just like it. `again` counts nodes bought that no pod without a node asked for, with what was said of them."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.due: dict[str, tuple[str, str, str]] = {}  # uid -> node, slot, namespace/name
        self.exchanged = 0
        self.again = 0
        self.again_for: list[str] = []
        self.twice: set[str] = set()  # uids of pods whose node came and that another was bought for, them alone
        self._planned: dict[str, tuple[str, str]] = {}  # uid -> slot, namespace/name
        self._bound: dict[str, str] = {}

    def note(self, turn: Turn) -> None:
        """One more turn."""
        self.turns.append(turn)
        self._bound = {pod.uid: pod.node_name for pod in turn.snapshot.cluster.pods if pod.node_name}
        seats = {n.reservation.slot: n.name for n in turn.snapshot.cluster.nodes if n.reservation}
        self._due(seats)  # as it stood before this turn
        self._count_again(turn)
        self._exchange(turn)
        for action in turn.plan.actions:
            match action:
                case Unclaim(_, pods):
                    for uid, _ in pods:
                        self._planned.pop(uid, None)
                case ClaimPods(slot, _, pods):
                    self._planned |= {uid: (slot, ref) for uid, ref in pods}
                case Assign(node, slot) | Hold(node, slot):
                    seats[slot] = node
        self._due(seats)

    def missed(self, where: Mapping[str, str]) -> list[str]:
        """Pods whose node came and that are not on it. `where`: uid -> node."""
        return [
            f"{ref} is on {where.get(uid) or 'no node'}, planned on {node}"
            for uid, (node, _, ref) in sorted(self.due.items())
            if where.get(uid) != node
        ]

    def kept(self, where: Mapping[str, str]) -> int:
        """How many due pods the plan's nodes have, pods that are just alike being one as good as the other."""
        pods = {pod.uid: pod for turn in self.turns for pod in turn.snapshot.cluster.pods}
        planned = Counter((node, _likeness(pods[uid])) for uid, (node, _, _) in self.due.items())
        there = Counter((node, _likeness(pods[uid])) for uid, node in where.items() if node and uid in pods)
        return (planned & there).total()

    def homeless(self, where: Mapping[str, str]) -> list[str]:
        """Pods whose node came and that are nowhere, or only on one bought for them after that."""
        return [
            f"{ref} is on {where.get(uid) or 'no node'}, planned on {node}, and another was bought"
            if uid in self.twice
            else f"{ref} is on no node, planned on {node}"
            for uid, (node, _, ref) in sorted(self.due.items())
            if uid in self.twice or not where.get(uid)
        ]

    def strays(self, where: Mapping[str, str]) -> list[str]:
        """Pods that were bound before a node came for them, though one was bought."""
        return [
            f"{ref} is on {where[uid]}, planned for slot {slot}, which no node has"
            for uid, (slot, ref) in sorted(self._planned.items())
            if uid not in self.due and where.get(uid)
        ]

    def stories(self, where: Mapping[str, str]) -> Iterator[str]:
        """What happened to those that were missed."""
        for uid, (node, slot, ref) in sorted(self.due.items()):
            if where.get(uid) != node:
                yield f"{ref}:\n      " + "\n      ".join(story(self.turns, uid, slot))
        for uid, (slot, ref) in sorted(self._planned.items()):
            if uid not in self.due and where.get(uid):
                yield f"{ref}, astray:\n      " + "\n      ".join(story(self.turns, uid, slot))

    def _due(self, seats: Mapping[str, str]) -> None:
        for uid, (slot, ref) in self._planned.items():
            if uid not in self.due and slot in seats:
                self.due[uid] = seats[slot], slot, ref

    def _exchange(self, turn: Turn) -> None:
        """Whoever is bound elsewhere is not due if its claim goes to a pod that waits and is just like it."""
        pods = {pod.uid: pod for pod in turn.snapshot.cluster.pods}
        heirs = {a.slot: list(a.pods) for a in turn.plan.actions if isinstance(a, ClaimPods)}
        for action in turn.plan.actions:
            if not isinstance(action, Unclaim):
                continue
            for uid, _ in action.pods:
                if uid not in self.due or self._bound.get(uid, self.due[uid][0]) == self.due[uid][0]:
                    continue
                gone, new = pods[uid], heirs.get(action.slot, [])
                alike = [
                    each for each in new if each[0] not in self._bound and _likeness(gone) == _likeness(pods[each[0]])
                ]
                if alike:
                    new.remove(alike[0])
                    node, slot, _ = self.due.pop(uid)
                    self.due[alike[0][0]] = node, slot, alike[0][1]
                    self.exchanged += 1

    def _count_again(self, turn: Turn) -> None:
        """A purchase is due for every slot opened now for a pod that has no node yet; whatever is beyond is a second one."""
        opened: dict[str, int] = {}
        known = {slot for slot, _ in self._planned.values()}
        known |= {n.reservation.slot for n in turn.snapshot.cluster.nodes if n.reservation}
        for action in turn.plan.actions:
            if (
                isinstance(action, ClaimPods)
                and action.slot not in known
                and any(u not in self.due for u, _ in action.pods)
            ):
                opened[action.group] = opened.get(action.group, 0) + 1
        growing = {a.group for a in turn.plan.actions if isinstance(a, Resize) and a.target_nodes > a.current_nodes}
        for action in turn.plan.actions:
            if isinstance(action, ClaimPods) and action.slot not in known and action.group in growing:
                mine = {uid for uid, _ in action.pods}
                self.twice |= mine if mine <= self.due.keys() else set()
            if isinstance(action, Resize):
                more = max(0, action.target_nodes - action.current_nodes - opened.get(action.group, 0))
                if more:
                    self.again += more
                    self.again_for.append(
                        f"tick {len(self.turns) - 1}: {more} of {action.group} beyond need, from {action.current_nodes} to "
                        f"{action.target_nodes}: {action.reasons[0].text}"
                    )


def _likeness(pod: Pod) -> tuple[str, PodShape, frozenset[tuple[str, str]]]:
    """All there is to a pod but its name and what the API server copied from its node."""
    labels = {key: value for key, value in pod.labels.items() if not key.startswith("topology.kubernetes.io/")}
    return pod.namespace, pod.shape, frozenset(labels.items())
