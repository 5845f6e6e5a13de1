"""Faults at random, in random order, while needs come and go: nothing is bought twice, nothing is lost, and all ends well.

`SCHEDULES=N` tries N schedules of each provider, `SCHEDULES_FROM=SEED` begins elsewhere; a failure names its seed.
"""

import os
import random
from contextlib import suppress

import pytest

from autoscale.errors import ProviderError
from autoscale.model.supply import InstanceState

from .clouds import Cloud
from .conftest import CLOUDS

# How many in `make test`: those that are in this process are cheap, those behind a server of others are not.
USUAL = {"fake": 200, "racks": 200, "gce": 20, "aws": 12, "capi": 6, "kwok": 12}
FROM = int(os.environ.get("SCHEDULES_FROM", "0"))
MOST = 8
STEPS = 14
DEFINITE = ("denied", "out of stock", "over quota")


class Run:
    """One group, what is needed of it, and what we know to be ours."""

    def __init__(self, cloud: Cloud, seed: int) -> None:
        self.random = random.Random(seed)
        self.cloud = cloud
        self.need = self.random.randrange(4)
        self.group = cloud.create(f"gpu{seed}", nodes=self.need, high=40)
        self.provider = cloud.provider
        self.allowed = self.need  # the most that anybody ever asked for
        self.removed: set[str] = set()
        self.seen: set[str] = set()
        self.frozen = False
        self.story = [f"need {self.need}"]

    def step(self) -> None:
        """Something happens, or the engine does its work."""
        event = self.random.choice(("need", "tick", "tick", "tick", "refuse", "lose", "news", "person"))
        faults = DEFINITE if self.provider.name == "aws" else (*DEFINITE, "throttled", "broken")
        verb = self.random.choice(("resize", "remove"))
        if event == "need":
            self.need = self.random.randrange(MOST)
            self.allowed = max(self.allowed, self.need)
        elif event == "refuse":
            self.cloud.fail(verb, self.random.choice(faults), after=self.random.randrange(2))
        elif event == "lose":
            self.cloud.lose(verb)
        elif event == "news":
            self.frozen = not self.frozen
            (self.cloud.freeze if self.frozen else self.cloud.thaw)()
        elif event == "person" and not self.frozen:
            target = self.cloud.truth(self.group)[0] + 1
            self.cloud.set_by_hand(self.group, target)
            self.allowed = max(self.allowed, target)
        self.story.append(f"{event} {verb} need {self.need}")
        if event == "tick":
            self.tick()
            if self.random.random() < 0.5:
                self.cloud.mend()

    def tick(self) -> None:
        """What the engine would do about the need, on the news that it has."""
        found = [each for each in self.provider.observe().groups if each.id == self.group]
        if not found:
            return
        there = sorted(each.id for each in found[0].instances if each.state != InstanceState.TERMINATING)
        with suppress(ProviderError):
            if self.need < len(there):
                gone = self.random.sample(there, len(there) - self.need)
                self.removed.update(gone)
                self.provider.remove(self.group, gone, request_id=f"plan-{len(self.story)}")
            elif self.need != found[0].target_nodes:
                self.provider.resize(self.group, target_nodes=self.need, request_id=f"plan-{len(self.story)}")

    def check(self) -> None:
        """Never more than anybody asked for; never an instance gone that nobody removed."""
        target, ids = self.cloud.truth(self.group)
        assert target <= self.allowed, (target, self.story)
        assert not self.seen - set(ids) - self.removed, self.story
        self.seen |= set(ids)


@pytest.mark.parametrize("cloud", CLOUDS, indirect=True)
def test_random_faults_buy_nothing_twice_lose_nothing_and_end_well(
    cloud: Cloud, request: pytest.FixtureRequest
) -> None:
    """When all is mended the group has exactly what is needed within five ticks a minute apart."""
    name = request.node.callspec.params["cloud"]
    for seed in range(FROM, FROM + int(os.environ.get("SCHEDULES", USUAL[name]))):
        run = Run(cloud, seed)
        for _ in range(STEPS):
            run.step()
            run.check()
        cloud.mend()
        for _ in range(5):
            cloud.thaw()
            run.tick()
            run.check()
        target, ids = cloud.truth(run.group)
        assert (target, len(ids)) == (run.need, run.need), (seed, run.story)
        cloud.delete_by_hand(run.group)
