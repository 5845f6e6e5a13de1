"""What `autoscale demo` came to: what it costs, what could not be cheaper, and what others would have paid."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale import wiring
from autoscale.cli import words
from autoscale.cli.demo_cast import GPU
from autoscale.decide import decide
from autoscale.model.snapshot import Snapshot
from autoscale.solve import largest_node_first, one_node_per_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscale.cli.demo_world import DemoWorld
    from autoscale.cli.table import Paper
    from autoscale.model.plan import Plan, Unmet
    from autoscale.model.problem import Problem, Solution
    from autoscale.model.workload import Pod


@dataclass(frozen=True, slots=True)
class Bill:
    """How many nodes, and what they cost."""

    nodes: int
    microusd_per_hour: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures. `hindsight` is the plan for all pods at once; `homed` are GPU pods that nodes were bought for.

    `where_planned` of them run on the very node they were promised; `roomed` went to room that was left on others.
    `told` are the pods with an Event that says why nothing was bought for them.
    """

    paid: Bill
    hindsight: Plan
    one_each: Bill
    largest_first: Bill
    homed: int
    where_planned: int
    roomed: int
    bound: int
    pods: int
    unmet: tuple[Unmet, ...]
    told: frozenset[str]


def _bill(solution: Solution) -> Bill:
    return Bill(sum(node.count for node in solution.nodes), solution.cost_microusd_per_hour)


def summarise(world: DemoWorld) -> Summary:
    """Look at everything once more."""
    cloud = world.provider.observe()
    view = world.kube.observe()
    pods = [pod for pod in view.pods if not pod.daemon]
    slots = {node.name: node.reservation.slot for node in view.nodes if node.reservation}
    with_gpu = [pod for pod in pods if pod.node_name and pod.shape.requests[GPU]]
    promised = world.diary.promised
    homed = [pod for pod in with_gpu if pod.uid in promised]
    empty = replace(cloud, groups=tuple(replace(g, target_nodes=0, instances=(), faults=()) for g in cloud.groups))
    waiting = replace(view, nodes=(), pods=tuple(_waiting(pod) for pod in pods))
    hindsight, problem = _at_once(world, Snapshot(wiring.clock().now_s(), waiting, (empty,)))
    nodes = sum(group.target_nodes for group in cloud.groups)
    cost = sum(group.target_nodes * group.offering.price_microusd_per_hour for group in cloud.groups)
    latest = world.diary.latest
    return Summary(
        paid=Bill(nodes, cost),
        hindsight=hindsight,
        one_each=_bill(one_node_per_pod(problem)),
        largest_first=_bill(largest_node_first(problem)),
        homed=len(homed),
        where_planned=sum(1 for pod in homed if slots.get(pod.node_name) == promised[pod.uid]),
        roomed=len(with_gpu) - len(homed),
        bound=sum(1 for pod in pods if pod.node_name),
        pods=len(pods),
        unmet=latest.plan.unmet if latest else (),
        told=frozenset(_refs_told(world)),
    )


def _refs_told(world: DemoWorld) -> Iterator[str]:
    for event in world.cluster.events():
        if event.get("reason") == "NotTriggerScaleUp":
            about = event["involvedObject"]
            yield f"{about['namespace']}/{about['name']}"


def _waiting(pod: Pod) -> Pod:
    """The pod as it came."""
    return replace(pod, node_name="", phase="Pending", claim=None, tolerated_slots=())


def _at_once(world: DemoWorld, snapshot: Snapshot) -> tuple[Plan, Problem]:
    """The plan for all pods at once on empty groups, and the question that the solver was asked."""
    asked: list[Problem] = []
    solve = wiring.solver(world.settings)

    def solver(problem: Problem) -> Solution:
        asked.append(problem)
        return solve(problem)

    plan = decide(snapshot, world.settings.policies, solver, world.settings.decide)
    return plan, asked[0]


def lines(summary: Summary, paper: Paper) -> Iterator[str]:
    """The figures as text."""
    yield from _pods(summary, paper)
    yield ""
    yield from _bills(summary, paper)
    for unmet in summary.unmet:
        yield ""
        why = unmet.reasons[0] if unmet.reasons else None
        event = ", and its Event says why" if summary.told.issuperset(unmet.pods) else ""
        yield f"  {paper.paint('!', 'yellow', bold=True)} {', '.join(unmet.pods)} stays pending{event}:"
        if why is not None:
            yield from _wrapped(why.text, paper)
            if why.hint:
                yield from _wrapped(f"-> {why.hint}", paper)


def _pods(summary: Summary, paper: Paper) -> Iterator[str]:
    tick = paper.paint("✓", "green", bold=True)
    cross = paper.paint("✗", "red", bold=True)
    sign = tick if summary.where_planned == summary.homed else cross
    yield f"  {tick} {summary.bound} of {summary.pods} pods run"
    yield f"  {sign} {summary.where_planned} of {summary.homed} GPU pods that nodes were bought for run on the very node planned"
    if summary.roomed:
        run = "runs" if summary.roomed == 1 else "run"
        more = words.counted(summary.roomed, "more GPU pod")
        yield f"  {tick} {more} {run} in room that was left, on nodes already paid for"


def _bills(summary: Summary, paper: Paper) -> Iterator[str]:
    paid, plan = summary.paid, summary.hindsight
    bound = plan.bound_microusd_per_hour
    bought = sum(node.count for node in plan.packing)
    yield paper.dim(f"  {'':<40}{'nodes':>5}{'per hour':>11}{'per month':>13}{'ratio':>8}")
    rows = (
        ("autoscale, two waves as they came", paid),
        ("autoscale, had all pods come at once", Bill(bought, plan.cost_microusd_per_hour)),
        ("proven bound: all at once costs no less", Bill(0, bound)),
        ("one node per pod, the cheapest for each", summary.one_each),
        ("largest node first, filled up", summary.largest_first),
    )
    for index, (name, bill) in enumerate(rows):
        text = _row(name, bill, paid)
        yield paper.paint(text, "green", bold=True) if index == 0 else text
    yield ""
    if bound >= plan.cost_microusd_per_hour:
        yield "  The bound is the price of the plan for all pods at once: nothing is cheaper."
    else:
        gap = (plan.cost_microusd_per_hour - bound) / plan.cost_microusd_per_hour * 100
        yield f"  The plan for all pods at once is within {gap:.2f} % of the bound."


def _row(name: str, bill: Bill, paid: Bill) -> str:
    cost = bill.microusd_per_hour
    nodes = str(bill.nodes or "")
    hour, month = words.per_hour(cost).removesuffix("/h"), words.per_month(cost).removesuffix(" a month")
    return f"  {name:<40}{nodes:>5}{hour:>11}{month:>13}{f'x {cost / paid.microusd_per_hour:.2f}':>8}"


def _wrapped(text: str, paper: Paper) -> Iterator[str]:
    yield from textwrap.wrap(
        text, paper.width, initial_indent=" " * 6, subsequent_indent=" " * 8, break_on_hyphens=False
    )
