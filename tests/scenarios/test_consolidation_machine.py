"""Pods moved to save money while anything may happen: what holds for drains holds, and at rest there is nothing left to gain."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from autoscale.loop import changes
from autoscale.model.units import Part
from autoscale.wiring import Careful
from policies.consolidation import Consolidation
from policies.disruption import Budget, Disruption
from tests.builders import USD
from tests.scenarios.test_drain_machine import AT_ONCE, NODE_GPUS, OWNERS, Drains

QUIET_S = 20


class Consolidates(Drains):
    """The same world, and prices that move."""

    def __init__(self) -> None:
        super().__init__()
        wish = Consolidation(after_s=QUIET_S, node_start_s=60, pod_start_s=30)
        budget = Disruption(budgets=(Budget(nodes=Part(AT_ONCE)),), per_hour=Part(99))
        engine = self.world.engine
        self.world.engine = replace(
            engine,
            policies=(wish, budget),
            settings=wish.adjust(engine.settings),
            solver=Careful(engine.solver),
        )
        self.come(2, 4, OWNERS[0])
        self.come(1, 4, OWNERS[1])
        self.world.run(30)
        for uid in sorted(self.world.kube.pods)[::2]:  # every other one ends: there is something to gain
            del self.world.kube.pods[uid]
        self._remember()

    @rule(id_=st.sampled_from(sorted(NODE_GPUS)), usd=st.sampled_from((3, 5, 6, 10, 14)))
    def reprice(self, id_: str, usd: int) -> None:
        """A price is another one from now on."""
        found = self.world.cloud.group(id_)
        self.world.cloud.add(replace(found, offering=replace(found.offering, price_microusd_per_hour=usd * USD)))

    def _check(self) -> None:
        super()._check()
        for id_ in NODE_GPUS:
            going = [n for n in self.world.kube.nodes.values() if n.disruption and n.disruption.code == "Underutilized"]
            assert sum(n.labels.get("group") == id_ for n in going) <= AT_ONCE

    def teardown(self) -> None:
        """What is left to gain at rest is nothing."""
        super().teardown()
        world = self.world
        for _ in range(60):
            if self._rests():
                break
            self._remember()
            world.run(10)
            self._check()
        assert self._rests()
        assert world.unbound() == [] or self._full()

    def _rests(self) -> bool:
        looks = [turn.plan for turn in self.world.turns[-2 * QUIET_S :]]
        found = [plan.reoptimum for plan in looks if plan.reoptimum is not None]
        return not any(changes(plan) for plan in looks) and all(not each.relocations for each in found)


TestConsolidates = Consolidates.TestCase
TestConsolidates.settings = hypothesis_settings(
    max_examples=15, stateful_step_count=20, deadline=None, phases=[Phase.generate], derandomize=True
)
