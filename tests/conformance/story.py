"""What became of one pod of a plan, tick by tick: who claimed it for what, when the node came, where it was bound and how open that was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoscale.loop import Turn
from autoscale.model.plan import Action, Assign, ClaimPods, Hold, Release, Resize, Unclaim


def story(turns: Sequence[Turn], uid: str, slot: str) -> list[str]:
    """The lines of one pod, with those of the node that has its slot."""
    return [
        f"tick {number}: {line}"
        for number, turn in enumerate(turns)
        for line in _lines(turn, turns[number - 1] if number else None, uid, slot)
    ]


def purchases(turns: Sequence[Turn]) -> list[str]:
    """Every resize, with what it was for."""
    return [
        f"tick {number}: {a.group} from {a.current_nodes} to {a.target_nodes} for {len(a.slots)} slots, because {a.reasons[0].text}"
        for number, turn in enumerate(turns)
        for a in turn.plan.actions
        if isinstance(a, Resize)
    ]


@dataclass(frozen=True, slots=True)
class _Seat:
    name: str
    phase: str
    slot: str


def _lines(turn: Turn, before: Turn | None, uid: str, slot: str) -> Iterator[str]:
    where = _bound(turn, uid)
    if before is not None and where != _bound(before, uid):
        yield f"seen bound to {where or 'no node'}, which is {_phase(turn, where)} and was {_phase(before, where)}"
    seat = _seat(turn, slot)
    if seat != (before and _seat(before, slot)):
        yield f"its node is {seat}"
    nodes = {
        where,
        *(node.name for node in turn.snapshot.cluster.nodes if node.reservation and node.reservation.slot == slot),
    }
    for action in turn.plan.actions:
        told = _told(action, uid, slot, nodes)
        if told:
            yield told


def _told(action: Action, uid: str, slot: str, nodes: set[str]) -> str:
    match action:
        case ClaimPods(to, group, pods) if any(pod == uid for pod, _ in pods):
            return f"claimed for {to} of {group}"
        case Unclaim(of, pods, reason) if any(pod == uid for pod, _ in pods):
            return f"claim on {of} taken back: {reason.text}"
        case Assign(node, to) if to == slot or node in nodes:
            return f"{node} is given {to}"
        case Hold(node, of, _) if of == slot or node in nodes:
            return f"{node} is held for {of}"
        case Release(node, of, reason) if of == slot or node in nodes:
            return f"{node} is released from {of}: {reason.text}"
    return ""


def _bound(turn: Turn, uid: str) -> str:
    return next((pod.node_name for pod in turn.snapshot.cluster.pods if pod.uid == uid), "")


def _phase(turn: Turn, name: str) -> str:
    for node in turn.snapshot.cluster.nodes:
        if node.name == name:
            said = node.reservation
            taints = [t.value for t in node.taints if t.key.endswith("/slot")]
            return f"{said.phase} for {said.slot} (taints {taints})" if said else f"nobody's (taints {taints})"
    return "not there"


def _seat(turn: Turn, slot: str) -> str:
    for node in turn.snapshot.cluster.nodes:
        if node.reservation and node.reservation.slot == slot:
            return f"{node.name}, {node.reservation.phase}"
    return "not there"
