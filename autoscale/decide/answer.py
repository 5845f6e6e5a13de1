"""Ask the solver, with the policies' rules; where it helps, let new pods and those still without a node share anew."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoscale.decide.build import build
from autoscale.decide.obey import obey
from autoscale.decide.placing import Placed, keep_coming_nodes_full, place
from autoscale.decide.reservations import Phase
from autoscale.decide.wishes import heed
from autoscale.demand.world import ZONES
from autoscale.model.frozen import empty
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autoscale.decide.build import Built
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.promises import Broken
    from autoscale.decide.question import Asked
    from autoscale.model.problem import Problem, Solution
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.workload import DemandClass, Pod
    from autoscale.ports import Policy, Solver


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked, shaped by the policies, what came back, and who goes where.

    `replanned` says that pods of slots without a node were part of the question. `homeless` are classes that no place
    takes. `notes` say which policy changed something. `kept_off` says, by class key, what rules between pods hold against
    those that stay pending. `lost` are claims that rules between pods no longer let be kept. `spread_out` is as `Built` has it.
    """

    question: Asked
    problem: Problem
    solution: Solution | None
    placed: Placed
    homeless: tuple[DemandClass, ...]
    notes: tuple[Reason, ...] = ()
    replanned: bool = False
    kept_off: Mapping[str, tuple[Reason, ...]] = field(default_factory=empty)
    lost: tuple[Broken, ...] = ()
    spread_out: bool = False

    @property
    def cost_microusd_per_hour(self) -> int:
        """Price of the nodes newly bought."""
        return sum(one.berth.price_microusd_per_hour for one in self.placed.placements if one.berth.kind == "new")

    @property
    def bound_microusd_per_hour(self) -> int:
        """What the nodes newly bought must cost at least, the same pods left pending."""
        if self.solution is None:
            return 0
        slack = self.solution.objective_microusd_per_hour - self.solution.bound_microusd_per_hour
        proven = self.solution.cost_microusd_per_hour - max(0, slack)
        return max(0, min(self.cost_microusd_per_hour, proven))


def answer(fleet: Fleet, standing: Standing, pods: Sequence[Pod], policies: Sequence[Policy], solver: Solver) -> Answer:
    """The cheapest homes for the pods.

    Claims stay as they are when that buys nothing and leaves nobody out. Otherwise pods whose nodes have not joined are
    asked about together with the new ones, and move only if that is strictly better.
    """
    left_out: frozenset[str] | None = frozenset()
    fixed = _ask(fleet, build(fleet, standing, pods), fleet.snapshot, policies, solver)
    for fewer in _narrower(fixed):
        other = _ask(fleet, build(fleet, standing, pods, left_out=fewer), fleet.snapshot, policies, solver)
        if _merit(other)[0] < _merit(fixed)[0]:
            fixed, left_out = other, fewer
        if not fixed.placed.pending:
            break
    movable = [slot for slot in standing.slots if slot.phase is Phase.OPEN and slot.group in fleet.groups]
    if not movable or fixed.solution is None or _merit(fixed) == ((), 0):
        return fixed
    built = build(fleet, standing, pods, replan=True, left_out=left_out)
    joint = _ask(fleet, built, _unclaimed(fleet.snapshot, standing), policies, solver)
    if joint.solution is None:
        return fixed
    placed = place(joint.question, joint.solution, movable)
    if built.ground is None:  # what no rule between pods ties to its place
        placed = keep_coming_nodes_full(joint.question, placed, movable)
    elif sum(one.berth.kind == "joining" and not one.berth.names for one in placed.placements) < len(movable):
        return fixed  # a node that comes for nobody is open to all, and who is where matters here
    joint = replace(joint, placed=placed, replanned=True)
    return joint if _merit(joint) < _merit(fixed) else fixed


def _narrower(found: Answer) -> Iterator[frozenset[str] | None]:
    """Zones not to count though they are offered, when that may find a place for those that are left: used up ones, then all."""
    if not found.spread_out or not found.placed.pending or found.solution is None:
        return
    bought = Counter({node.supply: 0 for node in found.solution.nodes})
    for node in found.solution.nodes:
        bought[node.supply] += node.count
    more: set[str] = set()
    offered: set[str] = set()
    for o, (home, supply) in enumerate(zip(found.question.homes, found.problem.supplies, strict=True)):
        zones = {home.labels[key] for key in ZONES if key in home.labels} if home.kind == "new" else set()
        offered |= zones
        if supply.limit is None or bought[o] < supply.limit:
            more |= zones
    if more and more != offered:
        yield frozenset(offered - more)
    yield None


def _ask(fleet: Fleet, built: Built, snapshot: Snapshot, policies: Sequence[Policy], solver: Solver) -> Answer:
    problem = built.problem
    if not problem.demands:
        return Answer(built.question, problem, None, Placed((), ()), built.homeless, kept_off=built.kept_off)
    problem = shaped(built, snapshot, policies)
    first = solver(problem)
    solution = heed(fleet, built.question, problem, first)
    notes = _notes(built.problem, problem, solution)
    kept_off = dict(built.kept_off)
    lost: tuple[Broken, ...] = ()
    if built.ground is not None:
        obeyed = obey(built.ground, built.question, problem, solution)
        if solution is not first:  # what pods wish may be what their rules forbid
            plain = obey(built.ground, built.question, problem, first)
            extra = solution.cost_microusd_per_hour - first.cost_microusd_per_hour
            most = plain.solution.objective_microusd_per_hour + max(0, extra)
            obeyed = obeyed if obeyed.solution.objective_microusd_per_hour <= most else plain
        solution, lost = obeyed.solution, obeyed.lost
        kept_off |= {built.question.classes[c].key: reasons for c, reasons in obeyed.broken.items()}
    return Answer(
        question=built.question,
        problem=problem,
        solution=solution,
        placed=place(built.question, solution),
        homeless=built.homeless,
        notes=notes,
        kept_off=kept_off,
        lost=lost,
        spread_out=built.spread_out,
    )


def shaped(built: Built, snapshot: Snapshot, policies: Sequence[Policy]) -> Problem:
    """The problem with every policy's rules."""
    problem = built.problem
    for policy in policies:
        problem = policy.shape(problem, built.question, snapshot)
    return problem


def _merit(answer: Answer) -> tuple[tuple[tuple[int, int], ...], int]:
    """Less is better: pods left pending, the highest priority first, then what is bought."""
    pending = Counter(-pod.shape.priority for pod in answer.placed.pending)
    bought = sum(one.berth.kind == "new" for one in answer.placed.placements)
    cost = answer.cost_microusd_per_hour + bought * answer.problem.node_cost_microusd_per_hour
    return tuple(sorted(pending.items())), cost


def _unclaimed(snapshot: Snapshot, standing: Standing) -> Snapshot:
    """The snapshot as policies should see it when open slots' pods are asked about: as pods with no claim."""
    movable = {pod.uid for slot in standing.slots if slot.phase is Phase.OPEN for pod in slot.pods}
    pods = tuple(replace(pod, claim=None) if pod.uid in movable else pod for pod in snapshot.cluster.pods)
    return replace(snapshot, cluster=replace(snapshot.cluster, pods=pods))


def _notes(before: Problem, after: Problem, solution: Solution) -> tuple[Reason, ...]:
    """Which policy changed something: rules that bind, one note each."""
    mine = {rule.key for rule in before.rules}
    texts = {rule.key: (rule.source, rule.text or rule.key) for rule in after.rules if rule.key not in mine}
    binding = {b.key for b in solution.bindings if b.value_microusd_per_hour > 0 and b.key in texts}
    return tuple(Reason(Code.POLICY, texts[key][1], source=texts[key][0]) for key in sorted(binding))
