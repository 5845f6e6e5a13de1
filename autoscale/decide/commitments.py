"""Nodes that are paid for already: bought first, at no price, as many as a commitment still covers.

A group counts for the first commitment, of the overlay or else of its cloud, that means it. What its nodes, there or on their way, take of it is
used up; what is left is a second place to buy from the same group, at the least price there is. Where several groups share a
commitment, rules keep their sum within what is left, and each group within what it may grow.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

from autoscale.model.problem import Rule
from autoscale.model.units import MICRO
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.question import Berth
    from autoscale.model.overlay import Commitment

SOURCE = "commitment"
PAID_MICROUSD_PER_HOUR = 1  # 0 would say that the node is there


@dataclass(frozen=True, slots=True)
class Cover:
    """What is left of a commitment: `left` of it, of which a node of group `g` takes `per_node[g]`."""

    commitment: Commitment
    left: int
    per_node: Mapping[str, int]

    def nodes(self, group: str) -> int:
        """How many more nodes of the group it pays for."""
        weight = self.per_node.get(group, 0)
        return self.left // weight if weight else 0


def covers(fleet: Fleet) -> tuple[Cover, ...]:
    """Every commitment with what is left of it, in the order of the overlay, then those that clouds tell of."""
    taken: set[str] = set()
    out = []
    told = (each for cloud in fleet.snapshot.clouds for each in cloud.commitments)
    for each in (*fleet.settings.commitments, *told):
        meant = {id_: group for id_, group in fleet.groups.items() if id_ not in taken and each.selector.matches(group)}
        taken |= meant.keys()
        per_node = {id_: each.takes_of(group.offering) for id_, group in meant.items()}
        used = sum(per_node[id_] * fleet.target(group) for id_, group in meant.items() if not group.catalogued)
        out.append(Cover(each, max(0, each.size - used), per_node))
    return tuple(out)


def cover_of(found: Sequence[Cover], group: str) -> Cover | None:
    """The commitment that pays for more nodes of the group, if one does."""
    return next((each for each in found if each.nodes(group)), None)


def rules(found: Sequence[Cover], homes: Sequence[Berth]) -> tuple[Rule, ...]:
    """What keeps the places of a commitment within it, and the two places of a group within the group."""
    out = []
    for each in found:
        name = each.commitment.name
        paid = {o: each.per_node[home.group] for o, home in enumerate(homes) if home.paid_by == name}
        if not paid:
            continue
        unit = gcd(*paid.values())
        text = f"{name}: what is left of it pays for {_size(each)}"
        per_node = {o: weight // unit for o, weight in paid.items()}
        out.append(Rule(f"{SOURCE}/{name}", SOURCE, each.left // unit, per_node, text=text))
        for o in paid:
            both = [p for p, home in enumerate(homes) if home.kind == "new" and home.group == homes[o].group]
            if len(both) > 1:
                most = max(homes[p].limit for p in both)
                text = f"{homes[o].group}: at most {most} nodes more"
                out.append(Rule(f"{SOURCE}/{homes[o].group}", SOURCE, most, dict.fromkeys(both, 1), text=text))
    return tuple(out)


def notes(bought: Iterable[Berth]) -> tuple[Reason, ...]:
    """How many of the nodes bought are paid for already, and by what."""
    count = Counter(berth.paid_by for berth in bought if berth.paid_by)
    return tuple(
        Reason(Code.POLICY, f"{name} pays for {nodes} of the new nodes already", source=SOURCE)
        for name, nodes in sorted(count.items())
    )


def _size(cover: Cover) -> str:
    if cover.commitment.nodes is not None:
        return f"{cover.left} nodes"
    return f"$ {cover.left / MICRO:,.2f}/h"
