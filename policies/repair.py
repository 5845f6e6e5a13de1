"""`repair`: nodes that are sick, or whose devices are, are drained and replaced, a few at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from autoscale.model.disruption import Going
from autoscale.model.units import Part
from autoscale.model.workload import Code, Reason
from policies.option import duration, option
from policies.pools import pools

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Condition, Node, NodeGroup
    from autoscale.ports import Question

CONDITIONS: Mapping[str, int | None] = MappingProxyType(
    {
        "Ready": 1800,
        "AcceleratedHardwareReady": 600,
        "StorageReady": 1800,
        "NetworkingReady": 1800,
        "KernelReady": 1800,
        "ContainerRuntimeReady": 1800,
        "*Xid*": 300,
        "*XID*": 300,
        "Gpu*": 600,
        "GPU*": 600,
        "SysLogs*": 600,
    }
)
"""EKS's node monitoring agent, then Node Problem Detector's and NVSentinel's ways to name what ails a GPU."""
TAINTS = ("*xid*", "*XID*", "nvidia.com/gpu.unhealthy", "nvsentinel*")
_DEAD_S = 300  # so long the pods of a node whose kubelet is silent may take to be seen as gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """How long a condition may be bad, by patterns of its type, None never counting; taints count at once.

    A condition whose type ends with `Ready` is bad when it is not True, any other when it is. `fewer_devices_s`: how long a node
    may show fewer devices than its group promises. Of a group at most `at_once` go; each is kept `keep_s` for inspection.
    """

    name: ClassVar[str] = "repair"
    conditions: Mapping[str, int | None] = option(
        "conditions", ("by group", "duration or never"), default_factory=lambda: CONDITIONS
    )
    taints: tuple[str, ...] = option("taints", "words", default=TAINTS)
    fewer_devices_s: int | None = option("fewerDevices", "duration or never", default=1800)
    at_once: Part = option("atOnce", "count or share", default=Part(ppm=200_000))  # noqa: RUF009 - a Part is a value
    keep_s: int = option("keepFor", "duration", default=0)

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:  # noqa: ARG002 - a port's shape
        """Nothing to add."""
        return problem

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:  # noqa: ARG002 - a port's shape
        """Nothing to add."""
        return plan

    def propose(self, snapshot: Snapshot) -> Sequence[Going]:
        """Sick nodes, those that go already first."""
        found = pools(snapshot)
        sick = [(name, why) for name, node in found.nodes.items() if (why := self._ails(node, snapshot))]
        sick.sort(key=lambda item: (found.nodes[item[0]].disruption is None, item[0]))
        going: Counter[str] = Counter()
        out = []
        for name, why in sick:
            group, node = found.group_of[name], found.nodes[name]
            going[group.id] += 1
            if going[group.id] > max(1, self._limit(group, found.sizes)) and node.disruption is None:
                continue
            out.append(self._going(node, why, snapshot.now_s))
        return out

    def _limit(self, group: NodeGroup, sizes: Counter[str]) -> int:
        """A share of a group is rounded down here: more sick ones than that is more likely a mistake."""
        return self.at_once.number + sizes[group.id] * self.at_once.ppm // 1_000_000

    def _going(self, node: Node, why: str, now_s: int) -> Going:
        begun = node.disruption
        since_s = begun.since_s if begun and begun.code == Code.UNHEALTHY else now_s
        keep_s = since_s + self.keep_s if self.keep_s else 0
        reason = Reason(Code.UNHEALTHY, why, self.name)
        if node.ready:
            return Going(node.name, reason, keep_until_s=keep_s)
        return Going(node.name, reason, urgent=True, end_s=max(since_s + _DEAD_S, keep_s), keep_until_s=keep_s)

    def _ails(self, node: Node, snapshot: Snapshot) -> str:
        """What ails the node for too long; empty when nothing does."""
        for taint in node.taints:
            if any(fnmatchcase(taint.key, pattern) for pattern in self.taints):
                return f"it is tainted {taint.key}"
        for condition in node.conditions:
            after_s = self._patience(condition)
            bad = (condition.status != "True") if condition.type.endswith("Ready") else condition.status == "True"
            for_s = snapshot.now_s - condition.since_s
            if after_s is not None and bad and condition.since_s and for_s >= after_s:
                because = f" ({condition.reason})" if condition.reason else ""
                return f"its condition {condition.type} has been {condition.status}{because} for {duration(for_s)}"
        short_s = snapshot.now_s - snapshot.ledger.short_since_s.get(node.name, snapshot.now_s)
        if self.fewer_devices_s is not None and short_s >= self.fewer_devices_s:
            return f"it has shown fewer devices than its group promises for {duration(short_s)}"
        return ""

    def _patience(self, condition: Condition) -> int | None:
        if condition.type in self.conditions:
            return self.conditions[condition.type]
        return next((s for pattern, s in self.conditions.items() if fnmatchcase(condition.type, pattern)), None)
