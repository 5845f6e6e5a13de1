"""Questions for the rules: classes of pods and homes, and the problem that goes with them."""

from autoscale.decide.question import Asked, Berth
from autoscale.demand.classes import classes
from autoscale.model.plan import Plan
from autoscale.model.problem import Demand, Problem, Supply
from autoscale.model.supply import NodeGroup
from autoscale.model.workload import Pod


def ask(groups: tuple[NodeGroup, ...], pods: tuple[Pod, ...] = ()) -> tuple[Problem, Asked]:
    """New nodes of every group, each open to every class."""
    homes = tuple(Berth("new", g.id, g.allocatable, 20, g.offering.price_microusd_per_hour) for g in groups)
    found = classes(pods)
    every = frozenset(range(len(homes)))
    demands = tuple(Demand(c.key, (1,), c.count, every, 10**9) for c in found)
    supplies = tuple(Supply(h.group, (8,), h.price_microusd_per_hour, h.limit) for h in homes)
    return Problem(("nvidia.com/gpu",), demands, supplies), Asked(found, homes)


def plan(**more: object) -> Plan:
    """A plan that does nothing, unless told otherwise."""
    return Plan(id="p1", made_at_s=0, fingerprint="f", **{"actions": (), **more})  # type: ignore[arg-type]  # the test's own fields
