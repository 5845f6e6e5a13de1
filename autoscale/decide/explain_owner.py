"""Why pods do not come to be: what the API server does not let in, told from Events, conditions, quotas and limits."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.explain_pod import explain_pod
from autoscale.demand.admitting import SOURCE, completed, in_scope, out_of_bounds, scope_text, unsaid, usage
from autoscale.demand.classes import classes
from autoscale.demand.wording import amount, few
from autoscale.model.admission import Ask, ContainerAsk
from autoscale.model.explanation import OwnerStory
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from autoscale.decide.what_if import Case
    from autoscale.model.admission import Admission, LimitItem, Quota, Workload
    from autoscale.model.workload import Pod

_MOST_TRIED = 1000  # missing pods that are planned for; more of the same say nothing new
_QUOTA = re.compile(r"exceeded quota: (?P<name>[^,]+)")
_LIMITS = re.compile(
    r"(maximum|minimum) .* usage per (Container|Pod)|must be less than or equal to|limit to request ratio"
)
_REFUSALS = (
    (re.compile(r'admission webhook "(?P<name>[^"]+)" denied'), "the admission webhook {name} refuses it"),
    (re.compile(r"violates PodSecurity \"(?P<name>[^\"]+)\""), "it violates the namespace's Pod Security level {name}"),
    (re.compile(r'serviceaccount "(?P<name>[^"]+)" not found'), "its service account {name} does not exist"),
    (re.compile(r"no PriorityClass with name (?P<name>\S+) was found"), "its PriorityClass {name} does not exist"),
)
_FORBIDDEN = re.compile(
    r'^(?:(?:Error creating: |Create Pod .* error: )?pods? "[^"]*" is forbidden: |Error creating: )'
)


def explain_owner(case: Case, admission: Admission, workload: Workload) -> OwnerStory:
    """The story of a workload; a Deployment's ReplicaSets are part of it."""
    chain = (workload, *_children(workload, admission))
    missing = max(0, workload.wanted - workload.made)
    template = next((one.template for one in reversed(chain) if one.template is not None), None)
    if workload.suspended:
        because: tuple[Reason, ...] = (Reason(Code.NOT_MADE, "it is suspended: it makes no pods now", SOURCE),)
    elif not missing or template is None:
        because = ()
    else:
        because = tuple(_why_missing(case, admission, chain, template))
    once_made = None
    if missing and template is not None:
        pods = [
            replace(template, uid=f"{template.uid}-{i}", name=f"{workload.name}-new-{i}")
            for i in range(min(missing, _MOST_TRIED))
        ]
        once_made = explain_pod(case.with_pods((), pods), pods[0], alike=missing)
    return OwnerStory(workload.ref, workload.wanted, workload.made, because, once_made)


def _children(workload: Workload, admission: Admission) -> Iterator[Workload]:
    for other in admission.workloads:
        if other.namespace == workload.namespace and other.owner == f"{workload.kind}/{workload.name}":
            yield other


def _why_missing(case: Case, admission: Admission, chain: Sequence[Workload], template: Pod) -> Iterator[Reason]:
    """What Events and conditions say, with the numbers where we can count them ourselves."""
    ask = next((one.ask for one in reversed(chain) if one.ask is not None), None)
    counted = [*refused(admission, case.snapshot.cluster.pods, template, ask)]
    yield from counted
    codes = {reason.code for reason in counted}
    names = {(one.kind, one.name) for one in chain}
    said = [e.message for e in admission.refusals if e.namespace == template.namespace and (e.kind, e.name) in names]
    said += [c.message for one in chain for c in one.conditions if c.type == "ReplicaFailure" and c.status == "True"]
    reasons = {reason.text: reason for reason in map(_read, said) if reason.code not in codes}
    yield from reasons.values()
    if not counted and not reasons:
        yield Reason(Code.NOT_MADE, "its controller has not made them, and no Event says why", SOURCE)


def _read(message: str) -> Reason:
    """A controller's message as a reason; the API server's own words stay."""
    text = _FORBIDDEN.sub("", " ".join(message.split())) or "no message"
    if quota := _QUOTA.search(text):
        return Reason(Code.QUOTA, text, SOURCE, f"raise quota {quota['name']}, or end what uses it")
    if _LIMITS.search(text):
        return Reason(Code.LIMIT_RANGE, text, SOURCE, "ask for less, or change the namespace's LimitRange")
    for pattern, said in _REFUSALS:
        if found := pattern.search(text):
            return Reason(Code.REFUSED, f"{said.format(name=found['name'])}: {text}", SOURCE)
    return Reason(Code.REFUSED, text, SOURCE)


def refused(admission: Admission, pods: Iterable[Pod], pod: Pod, ask: Ask | None = None) -> Iterator[Reason]:
    """Quotas and limit ranges that one more pod like this would break, by how much, and who uses the quota.

    A quota that nobody has counted is compared with what all pods of the namespace ask for together, this one included.
    `ask` is what the pod says container by container; without it, only what it asks for as a whole is known.
    """
    limits = [item for item in admission.limits if item.namespace == pod.namespace]
    asks = _Asks(admission, limits)
    mine = asks.of(pod) if ask is None else completed(ask, limits)
    there = [p for p in pods if p.namespace == pod.namespace and not p.finished]
    for quota in admission.quotas:
        if quota.namespace == pod.namespace and in_scope(quota, mine):
            yield from unsaid(quota, mine)
            yield from _over_quota(quota, [p for p in there if asks.counts(quota, p)], pod, asks, usage(mine))
    for item in limits:
        yield from out_of_bounds(item, mine)


class _Asks:
    """What pods that are there, or in the same files, ask for."""

    def __init__(self, admission: Admission, limits: Sequence[LimitItem]) -> None:
        self._limits = limits
        self._pods = admission.asks
        self._usage: dict[str, Mapping[str, int]] = {}
        self._made = {
            f"{w.namespace}/{kind}/{w.name}": w.ask
            for w in admission.workloads
            for kind in ({w.kind, "ReplicaSet"} if w.kind == "Deployment" else {w.kind})
        }

    def _known(self, pod: Pod) -> Ask | None:
        return self._pods.get(pod.ref) or self._made.get(f"{pod.namespace}/{pod.owner}")

    def of(self, pod: Pod) -> Ask:
        """As far as it is known, defaults of limit ranges included."""
        known = self._known(pod)
        if known is None:
            asked = {name: amount for name, amount in pod.shape.requests.amounts.items() if name != "pods"}
            return Ask(whole=ContainerAsk("", asked))
        return completed(known, self._limits)

    def usage(self, pod: Pod) -> Mapping[str, int]:
        """What the pod takes of a quota, by the quota's keys."""
        found = self._usage.get(pod.uid)
        if found is None:
            found = self._usage[pod.uid] = usage(self.of(pod))
        return found

    def counts(self, quota: Quota, pod: Pod) -> bool:
        """Whether the quota counts the pod; of a pod of which too little is known it is taken not to."""
        return not quota.scopes or (self._known(pod) is not None and in_scope(quota, self.of(pod)))


def _over_quota(quota: Quota, pods: Sequence[Pod], pod: Pod, asks: _Asks, mine: Mapping[str, int]) -> Iterator[Reason]:
    whom = scope_text(quota)
    head = f"quota {quota.name}{f', of {whom}' if whom else ''}"
    for key, hard in quota.hard.items():
        one = mine.get(key, 0)
        if not one:
            continue
        name = key.removeprefix("requests.").removeprefix("count/")
        resource = name.removeprefix("limits.")
        by = _users(pods, key, asks)
        if quota.counted:
            used = quota.used.get(key, 0)
            text = f"{head}: {amount(resource, used)} of {amount(resource, hard)} {name} used{_by(resource, by)}"
            text += f", one more pod asks for {amount(resource, one)}"
            total = used + one
        else:
            total = sum(by.values()) + (one if not any(p.uid == pod.uid for p in pods) else 0)
            text = f"{head}{',' if whom else ''} allows {amount(resource, hard)} {name}, "
            text += f"{'they' if whom else 'all pods'} ask for {amount(resource, total)}{_by(resource, by)}"
        if total > hard:
            hint = f"raise quota {quota.name} to {amount(resource, total)} {name}, or end what uses it"
            yield Reason(Code.QUOTA, text, SOURCE, hint)


def _users(pods: Sequence[Pod], key: str, asks: _Asks) -> Counter[str]:
    """How much of what a quota counts the pods of each workload ask for."""
    by_owner: Counter[str] = Counter()
    one_of: dict[str, Pod] = {}
    for pod in pods:
        owner = pod.owner or pod.name
        by_owner[owner] += asks.usage(pod).get(key, 0)
        one_of.setdefault(owner, pod)
    users: Counter[str] = Counter()
    for owner, used in by_owner.items():
        (alone,) = classes([one_of[owner]])  # which knows what a person calls the workload
        users[alone.key.partition("/")[2]] += used
    return +users


def _by(name: str, users: Mapping[str, int]) -> str:
    ranked = sorted(users.items(), key=lambda user: (-user[1], user[0]))
    return f" ({few(f'{user} {amount(name, used)}' for user, used in ranked)})" if ranked else ""
