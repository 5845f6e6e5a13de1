"""The whole engine on a provider and its wire: the real tick, a cluster in memory, machines that join, a scheduler."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from autoscale.model.snapshot import Ledger
from autoscale.model.supply import NodeGroup
from autoscale.model.workload import Toleration
from autoscale.ports import Provider
from autoscale.testing import Stage
from tests.builders import pod, shape
from tests.scenarios.world import World

from .clock import StageClock

_JOIN_S, _DEVICES_S, _REST_S = 20, 4, 6
_IMPATIENT = {"idle_after_s": 60, "backoff_first_s": 20, "backoff_max_s": 60}  # so that five minutes are long
_WORLDS = itertools.count()


class EngineStage(Stage, Protocol):
    """A stage for a whole engine: it has the engine's clock, and a group that is second choice."""

    @property
    def clock(self) -> StageClock:
        """The time of provider and engine."""

    def dear(self, name: str) -> str:
        """Create an empty group elsewhere that costs more than those of `create`, give its id."""


class StageWorld(World):
    """A world whose machines are those of a stage's groups, `cheap` and `dear`. Every pod wants a node of its own."""

    def __init__(self, stage: EngineStage, **settings: int) -> None:
        self.stage = stage
        number = next(_WORLDS)
        self.cheap, self.dear = stage.create(f"a{number}"), stage.dear(f"b{number}")
        provider = stage.provider
        self._templates = {each.id: each for each in provider.observe().groups}
        super().__init__(
            (),
            provider=provider,
            clock=stage.clock,
            join_s=_JOIN_S,
            devices_s=_DEVICES_S,
            **(_IMPATIENT | settings),  # type: ignore[arg-type]  # all of them are numbers
        )
        self._names = itertools.count()
        self.bare: set[str] = set()  # groups whose nodes never show a device

    def groups(self) -> Sequence[NodeGroup]:
        """Both, as the cloud has them."""
        return [self._group(id_) for id_ in (self.cheap, self.dear)]

    @property
    def need(self) -> int:
        """Pods that there are, bound or not: a node for each."""
        return len(self.kube.pods)

    def want(self, count: int) -> None:
        """So many more pods."""
        each = shape(cpu=1, memory_gi=1, tolerations=(Toleration(key="kwok.x-k8s.io/node", operator="Exists"),))
        self.submit(*(pod(f"p{next(self._names)}", each) for _ in range(count)))

    def finish(self, count: int) -> None:
        """So many of those that run come to their end, the oldest first."""
        for uid in [uid for uid, each in self.kube.pods.items() if each.node_name][:count]:
            del self.kube.pods[uid]

    def use(self, provider: Provider) -> None:
        """The engine goes on with a provider of other settings."""
        self.engine = replace(self.engine, providers=(provider,))

    def forget(self) -> None:
        """The engine is started anew, with nothing to go by but cluster and cloud."""
        self.ledger = Ledger()

    def go_on(self, seconds: int) -> None:
        """Let time pass, the engine ticking: often while nodes or pods are on their way, as `run` does."""
        while seconds > 0:
            pause_s = _REST_S if self.turns and not self.turns[-1].busy else self.tick_s
            seconds -= pause_s
            self.clock.sleep(pause_s)
            self.step()
            self.tick()

    def close(self) -> None:
        """Leave the stage as it was."""
        self.stage.mend()
        self.stage.thaw()
        for group in (self.cheap, self.dear):
            self.stage.delete_by_hand(group)

    def _come_up(self, name: str, group: NodeGroup) -> None:
        if group.id not in self.bare:
            super()._come_up(name, group)

    def _group(self, id_: str) -> NodeGroup:
        target, ids = self.stage.truth(id_)
        instances = tuple(self.stage.running(each) for each in sorted(ids))
        return replace(self._templates[id_], target_nodes=target, instances=instances)
