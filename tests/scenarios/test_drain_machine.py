"""Anything may happen at any time: the real tick against a world in memory, with pods, notices, faults and crashes by chance.

After every step: nothing that must not be moved was moved to save money, no budget of pods was broken, no more nodes go at once
than the budget lets, and no need was bought for twice. When the world stands still, so does the engine: all pods run
that can, nothing is idle, no node is closed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autoscale.decide.protection import protected
from autoscale.model.supply import FaultKind
from autoscale.model.units import Part
from autoscale.model.workload import Pod, Taint
from policies.disruption import Budget, Disruption
from policies.expire import Expire
from tests.builders import fault, group, pod, shape
from tests.scenarios.world import World

SPOT = Taint("aws-node-termination-handler/spot-itn")
REBALANCE = Taint("aws-node-termination-handler/rebalance-recommendation")
KEPT = {"karpenter.sh/do-not-disrupt": "true"}
AT_ONCE = 2
OWNERS = ("ReplicaSet/a", "ReplicaSet/b")
NODE_GPUS = {"g8": 8, "g4": 4}
LONG_S = 1200


class Drains(RuleBasedStateMachine):
    """One world; what it was made of is told by Hypothesis when something is found."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(
            (group("g8", gpus=8, usd=10, max_nodes=8), group("g4", gpus=4, usd=6, cpu=48, max_nodes=8)),
            join_s=8,
            devices_s=4,
            policies=(Expire(after_s=LONG_S), Disruption(budgets=(Budget(nodes=Part(AT_ONCE)),), per_hour=Part(99))),
            idle_after_s=40,
            backoff_first_s=10,
            backoff_max_s=30,
            provision_timeout_s=120,
            hold_timeout_s=60,
        )
        self.number = 0
        self.checked = 0
        self.known: dict[str, Pod] = {}
        self.told: set[str] = set()

    # ---- what happens

    @rule(gpus=st.sampled_from((1, 2, 4)), count=st.integers(1, 4), owner=st.sampled_from(OWNERS))
    def come(self, gpus: int, count: int, owner: str) -> None:
        """Pods of a controller."""
        for _ in range(count):
            self._submit(gpus, owner=owner)

    @rule(gpus=st.sampled_from((2, 4)), bare=st.booleans())
    def come_to_stay(self, gpus: int, *, bare: bool) -> None:
        """A pod that must not be moved."""
        if bare:
            self._submit(gpus)
        else:
            self._submit(gpus, owner=OWNERS[0], annotations=KEPT)

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """A pod that runs ends well."""
        one = data.draw(st.sampled_from(sorted(self._running())))
        self.world.kube.pods[one] = replace(self.world.kube.pods[one], phase="Succeeded")

    @precondition(lambda self: self.world.kube.nodes)
    @rule(data=st.data(), said=st.sampled_from((SPOT, REBALANCE)))
    def notice(self, data: st.DataObject, said: Taint) -> None:
        """A node is said to end."""
        name = data.draw(st.sampled_from(sorted(self.world.kube.nodes)))
        node = self.world.kube.nodes[name]
        self.world.kube.nodes[name] = replace(node, taints=(*(t for t in node.taints if t.key != said.key), said))
        if said == SPOT:
            self.told.add(name)

    @precondition(lambda self: self.told & self.world.kube.nodes.keys())
    @rule(data=st.data())
    def take_away(self, data: st.DataObject) -> None:
        """A machine that was said to end does."""
        name = data.draw(st.sampled_from(sorted(self.told & self.world.kube.nodes.keys())))
        self.world.cloud.reclaim(name.removeprefix("node-"))

    @rule()
    def all_is_well(self) -> None:
        """What was recommended is taken back."""
        for name, node in self.world.kube.nodes.items():
            self.world.kube.nodes[name] = replace(node, taints=tuple(t for t in node.taints if t != REBALANCE))

    @rule(needed=st.integers(0, 3), owner=st.sampled_from(OWNERS))
    def budget(self, needed: int, owner: str) -> None:
        """So many of a controller's pods have to be there from now on."""
        self.world.kube.budgets[f"default/{owner}"] = needed

    @rule(id_=st.sampled_from(("g8", "g4")), out=st.booleans())
    def stock(self, id_: str, *, out: bool) -> None:
        """A group is out of stock, or no longer."""
        self.world.cloud.starve(id_, fault(id_, FaultKind.NO_CAPACITY, at_s=self.world.time.now) if out else None)

    @rule(verb=st.sampled_from(("resize", "remove", "observe")), applied=st.booleans())
    def trouble(self, verb: str, *, applied: bool) -> None:
        """The next call fails, with or without effect."""
        self.world.cloud.fail_next(verb, fault(kind=FaultKind.OTHER, at_s=self.world.time.now), applied=applied)

    @rule(writes=st.integers(0, 12))
    def crash(self, writes: int) -> None:
        """The process ends before one of its next writes."""
        self.world.fuse.blows_at = self.world.fuse.count + writes

    @rule(frozen=st.booleans())
    def freeze(self, *, frozen: bool) -> None:
        """Somebody freezes it, or ends that."""
        self.world.kube.frozen = "by somebody" if frozen else ""

    @rule(seconds=st.sampled_from((2, 4, 10, 30)))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        for _ in range(seconds):
            self._remember()
            self.world.run(1)
            self._check()

    # ---- what has to hold

    @invariant()
    def holds(self) -> None:
        """Whatever happens."""
        self._check()

    def _check(self) -> None:
        world = self.world
        for name, on in world.kube.evicted[self.checked :]:
            gone = self.known[name]
            assert on in self.told or protected(gone, world.time.now) is None, f"{name} was moved"
        self.checked = len(world.kube.evicted)
        waiting = [n for n in world.kube.nodes.values() if n.disruption and n.disruption.code == "Expired"]
        for id_ in NODE_GPUS:
            assert sum(n.labels.get("group") == id_ for n in waiting) <= AT_ONCE
        assert all(on in self.told for _, on in world.kube.lost), f"{world.kube.lost} ended unasked"

    def teardown(self) -> None:
        """The world stands still: the engine comes to rest, with everybody served."""
        world = self.world
        world.fuse.blows_at = None
        world.kube.frozen = ""
        world.kube.budgets.clear()
        for id_ in NODE_GPUS:
            world.cloud.starve(id_, None)
        self.all_is_well()
        for _ in range(40):
            self._remember()
            world.run(10)
            self._check()
        assert world.unbound() == [] or self._full()
        assert world.empty_nodes() == []

    def _full(self) -> bool:
        """Whether every group is at its maximum."""
        return all(self.world.cloud.group(id_).target_nodes == 8 for id_ in NODE_GPUS)

    def _submit(self, gpus: int, **more: Any) -> None:
        self.number += 1
        self.world.submit(pod(f"p{self.number}", shape(gpus=gpus, cpu=1, memory_gi=1), **more))

    def _running(self) -> list[str]:
        return [p.uid for p in self.world.kube.pods.values() if p.node_name and not p.deleting and not p.finished]

    def _remember(self) -> None:
        self.known |= {p.name: p for p in self.world.kube.pods.values()}


TestDrains = Drains.TestCase
TestDrains.settings = hypothesis_settings(
    max_examples=60, stateful_step_count=30, deadline=None, phases=[Phase.generate], derandomize=True
)
