"""What the solver's indexes stand for: demand classes, and berths, the places where their pods may go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.resources import Resources
    from autoscale.model.workload import DemandClass, Taint
    from autoscale.ports import Home, Question


@dataclass(frozen=True, slots=True)
class Berth:
    """A place for pods, `limit` times (`ports.Home`).

    `names` are the nodes (`existing`) or slots (`joining`) that are equal in everything that counts; a berth of `joining`
    nodes without names is for those on their way for nobody. `labels` and `taints` decide which pods may go there.
    `paid_by` names the commitment that nodes to buy are paid by already.
    """

    kind: str
    group: str
    room: Resources
    limit: int
    price_microusd_per_hour: int = 0
    names: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)
    taints: tuple[Taint, ...] = ()
    paid_by: str = ""

    @property
    def node(self) -> str:
        """Name of the node or slot when there is exactly one."""
        return self.names[0] if len(self.names) == 1 else ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question (`ports.Question`): `classes[c]` is `problem.demands[c]`, `homes[o]` is `problem.supplies[o]`."""

    classes: tuple[DemandClass, ...]
    homes: tuple[Berth, ...]


if TYPE_CHECKING:

    def _is_home(x: Berth) -> Home:
        return x

    def _is_question(x: Asked) -> Question:
        return x
