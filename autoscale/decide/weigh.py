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
from autoscale.decide.what_if import pending
from autoscale.demand.wording import amount
from autoscale.model.explanation import Weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscale.decide.what_if import Case
    from autoscale.model.plan import Plan
    from autoscale.model.problem import Binding, Problem, Rule
    from autoscale.model.snapshot import Snapshot
    from autoscale.ports import Policy, Question

LIMIT = "limit"  # the source of bindings that are a group's own maximum
_NEW = "new:"
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
    """What binds in the case's plan, by rank of its duals; limits that turn out to cost nothing are left out.

    Each takes a few plans, so whoever is short of time takes the first ones. Differences within the plan's own gap are
    luck, and are not said.
    """
    ours = {policy.name for policy in case.policies}
    rules = {rule.key: rule for rule in _rules(case) if rule.source in ours}
    for binding in _one_each(plan.bindings):
        if binding.key in rules:
            weight = _of_rule(case, plan, rules[binding.key])
        elif binding.source == LIMIT and binding.key.startswith(_NEW):
            weight = _of_group(case, plan, binding.key.removeprefix(_NEW).rstrip(":"))
        else:
            continue
        if weight.costs_microusd_per_hour or weight.saves_microusd_per_hour or weight.runs or weight.more_run:
            yield weight


def _one_each(bindings: Sequence[Binding]) -> Iterator[Binding]:
    """Dearest first, each key once."""
    seen: set[str] = set()
    for binding in sorted(bindings, key=lambda b: (-b.value_microusd_per_hour, b.key)):
        if binding.key not in seen:
            seen.add(binding.key)
            yield binding


def _rules(case: Case) -> Sequence[Rule]:
    fleet, standing = case.stand()
    pods = [pod for pod in ours_of(standing, case.settings) if not (pod.shape.unmodelled or pod.shape.blocked)]
    return shaped(build(fleet, standing, pods), case.snapshot, case.policies).rules


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
