"""Why pods do not come to be: what the API server does not let in, told from Events, conditions, quotas and limits."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.decide.explain_pod import explain_pod
from autoscale.demand.classes import classes
from autoscale.demand.wording import amount, few
from autoscale.model.explanation import OwnerStory
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from autoscale.decide.what_if import Case
    from autoscale.model.admission import Admission, LimitItem, Quota, Workload
    from autoscale.model.workload import Pod

SOURCE = "admission"
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
    counted = [*refused(admission, case.snapshot.cluster.pods, template, containers=chain[-1].containers)]
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


def refused(admission: Admission, pods: Iterable[Pod], pod: Pod, *, containers: int = 1) -> Iterator[Reason]:
    """Quotas and limit ranges that one more pod like this would break, by how much, and who uses the quota.

    A quota that nobody has counted is compared with what all pods of the namespace ask for together, this one included.
    """
    mine = [p for p in pods if p.namespace == pod.namespace and not p.finished]
    for quota in admission.quotas:
        if quota.namespace == pod.namespace and not quota.scoped:
            yield from _over_quota(quota, mine, pod)
    for item in admission.limits:
        if item.namespace == pod.namespace and (item.per == "Pod" or (item.per == "Container" and containers == 1)):
            yield from _out_of_bounds(item, pod)


def _over_quota(quota: Quota, pods: Sequence[Pod], pod: Pod) -> Iterator[Reason]:
    asks = pod.shape.requests.amounts
    for key, hard in quota.hard.items():
        name = _resource(key)
        one = asks.get(name, 0)
        if not one:
            continue
        by = _users(pods, name)
        if quota.counted:
            used = quota.used.get(key, 0)
            text = f"quota {quota.name}: {amount(name, used)} of {amount(name, hard)} {name} used{_by(name, by)}"
            text += f", one more pod asks for {amount(name, one)}"
            total = used + one
        else:
            total = sum(by.values()) + (one if not any(p.uid == pod.uid for p in pods) else 0)
            text = f"quota {quota.name} allows {amount(name, hard)} {name}, all pods ask for {amount(name, total)}"
            text += _by(name, by)
        if total > hard:
            hint = f"raise quota {quota.name} to {amount(name, total)} {name}, or end what uses it"
            yield Reason(Code.QUOTA, text, SOURCE, hint)


def _resource(key: str) -> str:
    """What a quota's key counts of a pod's requests; empty when it counts something else."""
    if key.startswith("requests."):
        return key.removeprefix("requests.")
    return {"count/pods": "pods"}.get(key, key if key in ("cpu", "memory", "ephemeral-storage", "pods") else "")


def _users(pods: Sequence[Pod], name: str) -> Counter[str]:
    """How much of a resource the pods of each workload ask for."""
    by_owner: Counter[str] = Counter()
    one_of: dict[str, Pod] = {}
    for pod in pods:
        owner = pod.owner or pod.name
        by_owner[owner] += pod.shape.requests[name]
        one_of.setdefault(owner, pod)
    users: Counter[str] = Counter()
    for owner, used in by_owner.items():
        (alone,) = classes([one_of[owner]])  # which knows what a person calls the workload
        users[alone.key.partition("/")[2]] += used
    return +users


def _by(name: str, users: Mapping[str, int]) -> str:
    ranked = sorted(users.items(), key=lambda user: (-user[1], user[0]))
    return f" ({few(f'{user} {amount(name, used)}' for user, used in ranked)})" if ranked else ""


def _out_of_bounds(item: LimitItem, pod: Pod) -> Iterator[Reason]:
    for name, asked in sorted(pod.shape.requests.amounts.items()):
        most, least = item.most.get(name), item.least.get(name)
        per = item.per.lower()
        head = f"limit range {item.name}"
        if most is not None and asked > most:
            text = f"{head}: at most {amount(name, most)} {name} a {per}, it asks for {amount(name, asked)}"
            yield Reason(Code.LIMIT_RANGE, text, SOURCE, f"ask for {amount(name, most)} {name} or less")
        if least is not None and asked < least:
            text = f"{head}: at least {amount(name, least)} {name} a {per}, it asks for {amount(name, asked)}"
            yield Reason(Code.LIMIT_RANGE, text, SOURCE, f"ask for {amount(name, least)} {name} or more")
