"""What a limit costs in money. The solver's duals say which limits bind; how much they cost is planned again.

A dual holds for the smallest of changes and counts the penalty of pods that stay pending, which is nobody's money. So each
limit with a dual is left out once and raised once, by what one node uses, and the plans are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.decide.answer import shaped
from autoscale.decide.build import build
from autoscale.decide.decision import ours_of
from autoscale.decide.explain import takes
from autoscale.decide.what_if import grown, pending
from autoscale.demand.wording import amount
from autoscale.model.explanation import Weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autoscale.decide.build import Built
    from autoscale.decide.fleet import Fleet
    from autoscale.decide.lifecycle import Standing
    from autoscale.decide.what_if import Case
    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem, Rule
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.workload import DemandClass
    from autoscale.ports import Policy, Question

LIMIT = "limit"  # the source of bindings that are a group's own maximum
_NEW = "new:"
_FULL = 5
_NO_END = 2**40  # beyond what any rule allows, and small enough to calculate with


@dataclass(frozen=True, slots=True)
class Eased:
    """A policy with one of its rules raised by `more`, or left out."""

    policy: Policy
    key: str
    more: int | None

    @property
    def name(self) -> str:
        """The policy's own."""
        return self.policy.name

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:
        """As the policy, but for the rule."""
        after = self.policy.shape(problem, question, snapshot)
        mine = len(problem.rules)
        return replace(after, rules=(*after.rules[:mine], *self._eased(after.rules[mine:])))

    def _eased(self, rules: Sequence[Rule]) -> Iterator[Rule]:
        for rule in rules:
            if rule.key != self.key:
                yield rule
            elif self.more is not None:
                yield replace(rule, limit=rule.limit + self.more)

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """As the policy."""
        return self.policy.review(plan, snapshot)


def weigh(case: Case, plan: Plan) -> Iterator[Weight]:
    """What may bind in the case's plan, by rank of its duals; of some it turns out that they cost nothing.

    After these come limits that the plan uses up, which whole nodes may be held by where fractions of them are not, and
    groups that are full already. Each takes a few plans, so whoever is short of time takes the first ones. Differences
    within the plan's own gap are luck, and are not said.
    """
    for limit in _in_the_way(case, plan):
        yield _of_group(case, plan, limit) if isinstance(limit, str) else _of_rule(case, plan, limit)


def _in_the_way(case: Case, plan: Plan) -> Iterator[Rule | str]:
    """Rules of policies, and ids of groups whose maximum may be in the way; each once."""
    fleet, standing = case.stand()
    pods = [pod for pod in ours_of(standing, case.settings) if pod.shape.plannable]
    built = build(fleet, standing, pods)
    ours = {policy.name for policy in case.policies}
    rules = {rule.key: rule for rule in shaped(built, case.snapshot, case.policies).rules if rule.source in ours}
    found: dict[str, Rule | str] = {}
    for binding in sorted(plan.bindings, key=lambda b: (-b.value_microusd_per_hour, b.key)):
        if binding.key in rules:
            found[binding.key] = rules[binding.key]
        elif binding.source == LIMIT and binding.key.startswith(_NEW):
            id_ = binding.key.removeprefix(_NEW).rstrip(":")
            found.setdefault(f"{_NEW}{id_}", id_)
    bought = grown(plan)
    if bought or plan.unmet:
        found |= {key: rule for key, rule in rules.items() if key not in found and _used_up(rule, built, bought)}
        asked = [*built.question.classes, *built.homeless]
        found |= {f"{_NEW}{id_}": id_ for id_ in _full(fleet, standing, asked, bought) if f"{_NEW}{id_}" not in found}
    yield from found.values()


def _used_up(rule: Rule, built: Built, bought: Mapping[str, int]) -> bool:
    """Whether not one node more of any kind would be within the rule."""
    uses = [weight for weight in rule.per_node.values() if weight > 0]
    used = sum(rule.per_node.get(o, 0) * bought.get(home.group, 0) for o, home in enumerate(built.question.homes))
    return bool(uses) and rule.limit - used < min(uses)


def _full(fleet: Fleet, standing: Standing, asked: Sequence[DemandClass], bought: Mapping[str, int]) -> Iterator[str]:
    """Groups that are at their maximum, or get there, and would take somebody; the cheapest few."""
    full = [
        state
        for id_, state in standing.groups.items()
        if state.closed is None
        and state.target + bought.get(id_, 0) >= state.group.max_nodes
        and any(takes(fleet, state, each) for each in asked)
    ]
    full.sort(key=lambda state: (state.group.offering.price_microusd_per_hour, state.group.id))
    yield from (state.group.id for state in full[:_FULL])


def _of_rule(case: Case, plan: Plan, rule: Rule) -> Weight:
    costs, runs = _gain(plan, _eased(case, rule, None).plan())
    saves, more_run, text = 0, 0, ""
    for step in _steps(rule):
        saves, more_run = _gain(plan, _eased(case, rule, step).plan())
        if saves or more_run:
            text = _pieces(rule, step)
            break
    return Weight(rule.key, rule.source, rule.text or rule.key, text, saves, more_run, costs, runs)


def _eased(case: Case, rule: Rule, more: int | None) -> Case:
    policies = [Eased(each, rule.key, more) if each.name == rule.source else each for each in case.policies]
    return replace(case, policies=policies)


def _steps(rule: Rule) -> list[int]:
    """What one node uses of it: of the smallest kind, else of the largest. Money and shares are no pieces."""
    uses = sorted({weight for weight in rule.per_node.values() if weight > 0})
    return [] if rule.of in ("", "money") else list(dict.fromkeys(uses[:1] + uses[-1:]))


def _pieces(rule: Rule, step: int) -> str:
    """So many more, in words."""
    pieces = step * rule.unit
    if rule.of == "nodes":
        return f"{pieces} more node{'s' if pieces != 1 else ''}"
    return f"{amount(rule.of, pieces)} more {rule.of}"


def _of_group(case: Case, plan: Plan, id_: str) -> Weight:
    """A group's maximum, which is a limit like any other."""
    group = next(group for group in case.snapshot.groups if group.id == id_)
    costs, runs = _gain(plan, case.with_room({id_: _NO_END}).plan())
    saves, more_run = _gain(plan, case.with_room({id_: 1}).plan())
    text = f"at most {group.max_nodes} nodes of group {group.name}"
    return Weight(f"max/{id_}", LIMIT, text, "1 more node", saves, more_run, costs, runs)


def _gain(before: Plan, after: Plan) -> tuple[int, int]:
    """By how much the plan got cheaper, and how many pods more run; the latter may well cost something."""
    runs = len(pending(before)) - len(pending(after))
    saves = before.cost_microusd_per_hour - after.cost_microusd_per_hour
    gap = before.cost_microusd_per_hour - before.bound_microusd_per_hour
    if runs > 0:
        return saves, runs
    return (saves, 0) if runs == 0 and saves > gap else (0, 0)
