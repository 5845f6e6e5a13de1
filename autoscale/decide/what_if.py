"""A decision with its arguments at hand, so that it can be made again with one of them changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.decide.decision import decide
from autoscale.decide.fleet import survey
from autoscale.decide.lifecycle import stand
from autoscale.model.plan import ClaimPods, Resize

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.model.plan import Plan
    from autoscale.model.settings import DecideSettings
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import NodeGroup
    from autoscale.model.workload import Pod
    from autoscale.ports import Policy, Solver


@dataclass(frozen=True, slots=True)
class Case:
    """The arguments of `decide`."""

    snapshot: Snapshot
    policies: Sequence[Policy]
    solver: Solver
    settings: DecideSettings

    def plan(self) -> Plan:
        """Decide."""
        return decide(self.snapshot, self.policies, self.solver, self.settings)

    def stand(self) -> tuple[Fleet, Standing]:
        """Where everything stands before anything is bought."""
        fleet = survey(self.snapshot, self.settings)
        return fleet, stand(fleet)

    def with_pods(self, gone: Collection[str], come: Iterable[Pod] = ()) -> Case:
        """Without the pods of these uids, and with others."""
        view = self.snapshot.cluster
        kept = tuple(pod for pod in view.pods if pod.uid not in gone)
        return replace(self, snapshot=replace(self.snapshot, cluster=replace(view, pods=(*kept, *come))))

    def with_groups(self, change: Callable[[NodeGroup], NodeGroup]) -> Case:
        """With every group as `change` makes it."""
        clouds = tuple(
            replace(cloud, groups=tuple(change(group) for group in cloud.groups)) for cloud in self.snapshot.clouds
        )
        return replace(self, snapshot=replace(self.snapshot, clouds=clouds))

    def without_buying(self, groups: Collection[str]) -> Case:
        """With groups that may not grow."""
        return self.with_groups(
            lambda g: replace(g, max_nodes=min(g.max_nodes, g.target_nodes)) if g.id in groups else g
        )

    def with_room(self, more: Mapping[str, int]) -> Case:
        """With groups that may have so many more nodes than they may now."""
        return self.with_groups(
            lambda g: replace(g, max_nodes=max(g.max_nodes, g.target_nodes) + more[g.id]) if g.id in more else g
        )

    def without_node(self, name: str, instance: str) -> Case:
        """Without a node and its instance."""
        view = self.snapshot.cluster
        nodes = tuple(node for node in view.nodes if node.name != name)

        def change(group: NodeGroup) -> NodeGroup:
            kept = tuple(each for each in group.instances if each.id != instance)
            lost = len(group.instances) - len(kept)
            return replace(group, instances=kept, target_nodes=max(0, group.target_nodes - lost))

        case = self.with_groups(change)
        return replace(case, snapshot=replace(case.snapshot, cluster=replace(view, nodes=nodes)))


def pending(plan: Plan) -> frozenset[str]:
    """`namespace/name` of every pod that stays pending."""
    return frozenset(ref for unmet in plan.unmet for ref in unmet.pods)


def home_of(plan: Plan, uid: str) -> str:
    """Id of the group whose coming node the plan claims for the pod; empty when it claims none."""
    for action in plan.actions:
        if isinstance(action, ClaimPods) and any(each == uid for each, _ in action.pods):
            return action.group
    return ""


def grown(plan: Plan) -> dict[str, int]:
    """Group id -> nodes more."""
    return {
        a.group: a.target_nodes - a.current_nodes
        for a in plan.actions
        if isinstance(a, Resize) and a.target_nodes > a.current_nodes
    }
