"""A re-optimisation's answer in words: nodes that are emptied together, where their pods go, what that saves and costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.decide.moving import lost_s
from autoscale.demand.wording import few
from autoscale.model.plan import Relocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscale.decide.fleet import Fleet
    from autoscale.decide.question import Berth
    from autoscale.decide.residents import Lodging
    from autoscale.model.reoptimisation import Reoptimised
    from autoscale.model.settings import Consolidation
    from autoscale.model.workload import Pod

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Moves:
    """What the answer comes to: cost before, after, and the least possible, in micro-US$/h over the horizon."""

    before: int
    after: int
    bound: int
    relocations: tuple[Relocation, ...]


@dataclass(slots=True)
class _Home:
    """A node that takes pods in; `name` is empty for one to buy."""

    berth: Berth
    name: str
    pods: list[Pod]


def relocations(fleet: Fleet, lodged: Lodging, answer: Reoptimised, settings: Consolidation) -> Moves:
    """Hand the pods out, and group the nodes whose pods share new homes."""
    question = lodged.question
    emptied = [name for names, count in zip(lodged.names, answer.emptied, strict=True) for name in _last(names, count)]
    gone = set(emptied)
    homes = _homes(lodged, answer, gone)
    at = {pod.uid: pod.node_name for pod in fleet.snapshot.cluster.pods}
    origin: dict[str, str] = {}
    queues: list[Iterator[Pod]] = []
    for pods in lodged.pods:
        mine = []
        for pod in pods:
            if at[pod.uid] in gone:
                origin[pod.uid] = at[pod.uid]
                mine.append(pod)
        queues.append(iter(sorted(mine, key=lambda pod: (origin[pod.uid], pod.ref))))
    for home, contents in homes:
        for c, count in contents:
            home.pods += [pod for _, pod in zip(range(count), queues[c], strict=False)]
    found = [
        _relocation(
            fleet,
            nodes,
            [home for home, _ in homes if any(origin[p.uid] in nodes for p in home.pods)],
            lodged,
            settings,
        )
        for nodes in _together(emptied, [[origin[pod.uid] for pod in home.pods] for home, _ in homes])
    ]
    return Moves(
        question.decided(question.staying),
        answer.cost_microusd_per_hour,
        answer.bound_microusd_per_hour,
        tuple(
            sorted((each for each in found if each.pods), key=lambda each: (-each.saves_microusd_per_hour, each.nodes))
        ),
    )


def _last(names: Sequence[str], count: int) -> Sequence[str]:
    return names[len(names) - count :]


def _homes(lodged: Lodging, answer: Reoptimised, gone: set[str]) -> list[tuple[_Home, tuple[tuple[int, int], ...]]]:
    """Every node that takes pods in, those that are there first, with how many of each class."""
    names = {s: iter([name for name in there if name not in gone]) for s, there in enumerate(lodged.at)}
    out = [
        (_Home(lodged.berths[node.supply], next(names[node.supply], ""), []), node.pods)
        for node in answer.solution.nodes
        for _ in range(node.count)
    ]
    out.sort(key=lambda each: (not each[0].name, each[0].name, each[0].berth.group))
    return out


def _together(nodes: Sequence[str], shared: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Nodes that share a home, directly or through others, as one."""
    root = {name: name for name in nodes}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for mine in shared:
        for name in mine[1:]:
            root[find(name)] = find(mine[0])
    found: dict[str, list[str]] = {}
    for name in nodes:
        found.setdefault(find(name), []).append(name)
    return [tuple(sorted(each)) for each in found.values()]


def _relocation(
    fleet: Fleet, nodes: tuple[str, ...], homes: Sequence[_Home], lodged: Lodging, settings: Consolidation
) -> Relocation:
    pods = [pod for home in homes for pod in home.pods]
    bought = Counter(home.berth.group for home in homes if not home.name)
    price = {id_: fleet.groups[id_].offering.price_microusd_per_hour for id_ in bought}
    before = sum(fleet.groups[fleet.group_of[name]].offering.price_microusd_per_hour for name in nodes)
    new = sum(price[id_] * count for id_, count in bought.items())
    there = [home.name for home in homes if home.name]
    return Relocation(
        nodes=nodes,
        pods=len(pods),
        homes=(
            *(f"{count} new x {fleet.groups[id_].name}" for id_, count in sorted(bought.items())),
            *([f"room on {few(there)}"] if there else []),
        ),
        saves_microusd_per_hour=before - new,
        costs_microusd=sum(lodged.moving[pod.uid] for pod in pods) + new * settings.node_start_s // _HOUR_S,
        endangers=tuple(_endangered(fleet, pods, settings)),
    )


def _endangered(fleet: Fleet, pods: Sequence[Pod], settings: Consolidation) -> Iterator[str]:
    """Who is stopped for it, the largest first, and how much work is done again."""
    owners = Counter(f"{pod.namespace}/{pod.owner}" for pod in pods)
    for owner, count in sorted(owners.items(), key=lambda item: (-item[1], item[0])):
        lost = max(lost_s(pod, settings, fleet.now_s) for pod in pods if f"{pod.namespace}/{pod.owner}" == owner)
        again = f", up to {lost // 60} min of work again" if lost else ""
        yield f"{count} pod{'s' if count != 1 else ''} of {owner} restart{'s' if count == 1 else ''}{again}"
