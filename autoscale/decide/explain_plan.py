"""A plan, explained: what binds and what it costs, and what would be bought in place of each purchase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.decide.what_if import grown, pending
from autoscale.model.explanation import Alternative

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from autoscale.decide.what_if import Case
    from autoscale.model.plan import Plan


def alternatives(case: Case, plan: Plan) -> Iterator[Alternative]:
    """The next best plan without each group that the plan grows, and without its instance type; dearest purchase first."""
    groups = {group.id: group for group in case.snapshot.groups}
    bought = grown(plan)
    spent = {
        id_: nodes * groups[id_].offering.price_microusd_per_hour for id_, nodes in bought.items() if id_ in groups
    }
    told: set[str] = set()
    for id_ in sorted(spent, key=lambda each: (-spent[each], each)):
        group, kind = groups[id_], groups[id_].offering.instance_type
        alike = {other.id for other in groups.values() if other.offering.instance_type == kind}
        yield _without(case, plan, {id_}, group.name)
        if len(alike) > 1 and kind not in told:
            told.add(kind)
            yield _without(case, plan, alike, f"{kind} of any zone or capacity type")


def _without(case: Case, plan: Plan, ids: Collection[str], name: str) -> Alternative:
    other = case.without_buying(ids).plan()
    before = grown(plan)
    names = {group.id: group.name for group in case.snapshot.groups}
    more = {id_: nodes - before.get(id_, 0) for id_, nodes in grown(other).items()}
    return Alternative(
        without=name,
        instead=tuple(f"{nodes} x {names[id_]}" for id_, nodes in sorted(more.items()) if nodes > 0),
        more_microusd_per_hour=other.cost_microusd_per_hour - plan.cost_microusd_per_hour,
        pending=len(pending(other) - pending(plan)),
    )
