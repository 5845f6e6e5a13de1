"""What a group's nodes turned out to be: real nodes beat what the provider predicted, also once they are gone.

A label that only appears after boot, a taint that an agent takes off, memory that the kubelet keeps for itself: a group at
zero is planned with as predicted, then with what its nodes had. A node says that it lacks something only when it has been
up for long enough that it would have it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from heapq import nlargest
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from autoscale.demand.fit import keys_read
from autoscale.demand.volumes import ATTACHED
from autoscale.demand.wording import amount, few, labelled, taint_text
from autoscale.model.names import SLOT
from autoscale.model.plan import Announce
from autoscale.model.resources import Resources
from autoscale.model.supply import Learnt
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from autoscale.model.snapshot import Ledger
    from autoscale.model.supply import Node, NodeGroup
    from autoscale.model.workload import Pod, Taint

SOURCE = "learning"
_HOSTNAME = "kubernetes.io/hostname"
_SETTLED_S = 120  # after its devices are there: discovery daemons have labelled it, agents have opened it
_OLD_S = 900  # since it was made, where nobody saw it become ready
_PASSING = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "gpu-autoscale.dev/", "karpenter.sh/")
_PASSING_KEYS = frozenset({"ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler"})
_MANY_TYPES = "|"
_NEWEST = 20  # nodes of a group that are looked at: they are most like those to come


class Lesson(NamedTuple):
    """A group as its nodes show it, what of that is to be remembered, and where the prediction was wrong.

    `news` is what of that is so since this look.
    """

    group: NodeGroup
    learnt: Learnt | None = None
    wrong: tuple[Reason, ...] = ()
    news: tuple[Reason, ...] = ()


def learn(group: NodeGroup, nodes: Sequence[Node], ledger: Ledger, now_s: int) -> Lesson:
    """The group as its nodes that are up show it, else as they did when there were some."""
    up = [node for node in nodes if node.ready and all(node.allocatable[device] > 0 for device in group.devices)]
    up = nlargest(_NEWEST, up, key=lambda node: (node.created_at_s, node.name))
    known = ledger.learnt.get(group.id)
    if known is not None and known.predicted != _digest(group):
        known = None  # it is made otherwise by now
    if not up:
        if known is None:
            return Lesson(group)
        learnt = known
    else:
        settled = [node for node in up if _settled(node, ledger, now_s)]
        learnt = Learnt(
            group.id,
            _digest(group),
            tuple(sorted(_labels(group, up, settled).items())),
            _taints(group, settled),
            _room(group, up),
        )
    found = _as_learnt(group, learnt)
    wrong = tuple(_wrong(group, found))
    if not wrong or learnt == known:
        return Lesson(found, learnt, wrong)
    old = set(_wrong(group, _as_learnt(group, known))) if known is not None else set()
    return Lesson(found, learnt, wrong, tuple(reason for reason in wrong if reason not in old))


def _as_learnt(group: NodeGroup, learnt: Learnt) -> NodeGroup:
    attached = {name: group.allocatable[name] for name in group.allocatable if name.startswith(ATTACHED)}
    return replace(
        group,
        labels=MappingProxyType(dict(learnt.labels)),
        taints=learnt.taints,
        allocatable=learnt.allocatable + Resources(attached),
    )


def corrections(
    news: Mapping[str, Sequence[Reason]], groups: Mapping[str, NodeGroup], members: Mapping[str, Sequence[Node]]
) -> Iterator[Announce]:
    """An Event for each group whose prediction has just turned out to be wrong, about its newest node."""
    for id_, reasons in news.items():
        name = max(members[id_], key=lambda node: (node.ready, node.created_at_s, node.name)).name
        text = f"group {groups[id_].name}: {few(reason.text for reason in reasons)}; planned with as they are"
        yield Announce(name, name, Code.PREDICTION.value, text, id_)


def learning_notes(
    wrong: Mapping[str, Sequence[Reason]], groups: Mapping[str, NodeGroup], pods: Iterable[Pod]
) -> Iterator[Reason]:
    """One note for each group whose prediction was wrong in what pods that wait ask about."""
    shapes = {id(pod.shape): pod.shape for pod in pods}.values()
    read = {key for shape in shapes for key in keys_read(shape)} | {name for shape in shapes for name in shape.requests}
    for id_, reasons in wrong.items():
        told = [reason.text for reason in reasons if reason.hint in read or not reason.hint]
        if told and shapes:
            yield Reason(Code.PREDICTION, f"group {groups[id_].name}: {few(told)}", SOURCE)


def _digest(group: NodeGroup) -> str:
    room = {name: group.allocatable[name] for name in sorted(group.allocatable) if not name.startswith(ATTACHED)}
    text = repr((group.offering.instance_type, sorted(group.labels.items()), group.taints, room))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _settled(node: Node, ledger: Ledger, now_s: int) -> bool:
    ready = ledger.ready_since_s.get(node.name)
    return (ready is not None and now_s - ready >= _SETTLED_S) or now_s - node.created_at_s >= _OLD_S


def _labels(group: NodeGroup, up: Sequence[Node], settled: Sequence[Node]) -> dict[str, str]:
    """Predicted labels that no node contradicts alone; then what all nodes have in common, if it is the group's and not theirs."""
    labels: dict[str, str] = {}
    for key, value in group.labels.items():
        there = [node.labels[key] for node in up if key in node.labels]
        lacking = any(key not in node.labels for node in settled)
        if value in there or not (there or lacking):
            labels[key] = value
        elif there and len(set(there)) == 1 and not lacking:
            labels[key] = there[0]
    if not settled or _MANY_TYPES in group.offering.instance_type:
        return labels
    first = settled[0]
    for key, value in first.labels.items():
        common = key not in group.labels and all(node.labels.get(key) == value for node in settled)
        if common and not _own(key, value, first) and (group.offering.zone or "zone" not in key):
            labels[key] = value
    return labels


def _own(key: str, value: str, node: Node) -> bool:
    """Whether a label is about this very node."""
    machine = node.provider_id.rpartition("/")[2]
    return key == _HOSTNAME or key.startswith("gpu-autoscale.dev/") or value in (node.name, node.provider_id, machine)


def _taints(group: NodeGroup, settled: Sequence[Node]) -> tuple[Taint, ...]:
    """What all nodes have, but for what comes and goes; what was predicted, as long as no node has been up for long."""
    if not settled:
        return group.taints
    common = [taint for taint in settled[0].taints if all(taint in node.taints for node in settled[1:])]
    lasting = [t for t in common if t.key != SLOT and t.key not in _PASSING_KEYS and not t.key.startswith(_PASSING)]
    kept = [taint for taint in group.taints if any(taint in node.taints for node in settled)]
    return tuple(dict.fromkeys((*kept, *lasting)))


def _room(group: NodeGroup, up: Sequence[Node]) -> Resources:
    """The most that a node has had; of a group with several types, no more than each of them has."""
    seen = up[0].allocatable
    for node in up[1:]:
        seen = seen.max(node.allocatable)
    if _MANY_TYPES in group.offering.instance_type:
        seen = group.allocatable
        for node in up:
            seen = seen.min(node.allocatable)
    return Resources({name: seen[name] for name in seen if not name.startswith(ATTACHED)})


def _wrong(predicted: NodeGroup, found: NodeGroup) -> Iterator[Reason]:
    """Where nodes are less, or other, than was predicted. `hint` is the label's key or the resource."""
    for key, value in predicted.labels.items():
        now = found.labels.get(key)
        if now != value:
            text = f"its nodes have {labelled(now)} for {key}, not {value or 'an empty one'} as predicted"
            yield Reason(Code.PREDICTION, text, SOURCE, key)
    for taint in predicted.taints:
        if taint not in found.taints:
            yield Reason(Code.PREDICTION, f"its nodes don't have the taint {taint_text(taint)} as predicted", SOURCE)
    for taint in found.taints:
        if taint not in predicted.taints:
            yield Reason(
                Code.PREDICTION, f"its nodes have the taint {taint_text(taint)}, which was not predicted", SOURCE
            )
    for name in predicted.allocatable:
        asked, now_there = predicted.allocatable[name], found.allocatable[name]
        if now_there < asked:
            text = f"its nodes have {amount(name, now_there)} {name}, not {amount(name, asked)} as predicted"
            yield Reason(Code.PREDICTION, text, SOURCE, name)
