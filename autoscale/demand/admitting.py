"""What LimitRanges and ResourceQuotas make of a pod, as the API server's admission does: LimitRanger, then ResourceQuota."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.demand.fit import holds
from autoscale.demand.wording import amount, few
from autoscale.model.admission import ContainerAsk
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from autoscale.model.admission import Ask, LimitItem, Quota
    from autoscale.model.rules import Requirement

SOURCE = "admission"
_PLAIN = ("cpu", "memory", "ephemeral-storage")  # a quota may name these without `requests.`
_TO_BE_SAID = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
_SCOPES = {
    "Terminating": "pods with a deadline",
    "NotTerminating": "pods without a deadline",
    "BestEffort": "pods that ask for no cpu and memory",
    "NotBestEffort": "pods that ask for cpu or memory",
    "CrossNamespacePodAffinity": "pods with affinity to other namespaces",
}


def completed(ask: Ask, items: Iterable[LimitItem]) -> Ask:
    """With the defaults of the namespace's limit ranges; the first that says something of a resource has it."""
    limits: dict[str, int] = {}
    requests: dict[str, int] = {}
    for item in items:
        if item.per == "Container":
            default = {**item.most, **item.default}  # as the API server completes a LimitRange
            limits = {**default, **limits}
            requests = {**item.least, **default, **item.default_request, **requests}
    if not limits and not requests:
        return ask

    def complete(one: ContainerAsk) -> ContainerAsk:
        return replace(one, requests={**requests, **one.requests}, limits={**limits, **one.limits})

    return replace(ask, containers=tuple(complete(each) for each in ask.containers), whole=_settled(ask))


def _settled(ask: Ask) -> ContainerAsk | None:
    """The pod-level resources as the API server completes them first: of what only their limit says, what containers ask for."""
    if ask.whole is None:
        return None
    asked = _total(ask, "requests")
    missing = {n: limit if _huge(n) else asked.get(n, limit) for n, limit in ask.whole.limits.items()}
    return replace(ask.whole, requests={**missing, **ask.whole.requests})


def totals(ask: Ask) -> ContainerAsk:
    """What the pod as a whole requests and limits itself to: sums of containers, or the largest step of the start."""
    said = _settled(ask) or ContainerAsk("")
    requests = {**_total(ask, "requests"), **said.requests}
    limits = {**_total(ask, "limits"), **said.limits}
    for total in (requests, limits):
        for name, more in ask.overhead.items():
            if name in total:
                total[name] += more
    return ContainerAsk("", requests, limits)


def _total(ask: Ask, kind: str) -> dict[str, int]:
    total: dict[str, int] = {}
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for one in ask.containers:
        mine: Mapping[str, int] = getattr(one, kind)
        for name, asked in mine.items():
            if one.start == "init":
                peak[name] = max(peak.get(name, 0), asked + sidecars.get(name, 0))
                continue
            total[name] = total.get(name, 0) + asked
            if one.start == "sidecar":
                sidecars[name] = sidecars.get(name, 0) + asked
                peak[name] = max(peak.get(name, 0), sidecars[name])
    return {name: max(total.get(name, 0), peak.get(name, 0)) for name in {**total, **peak}}


def usage(ask: Ask) -> dict[str, int]:
    """What one such pod takes of a quota, by the quota's keys."""
    of = totals(ask)
    found = {"pods": 1, "count/pods": 1}
    for name, asked in of.requests.items():
        found[f"requests.{name}"] = asked
        if name in _PLAIN or _huge(name):
            found[name] = asked
    return found | {f"limits.{name}": most for name, most in of.limits.items()}


def _huge(name: str) -> bool:
    return name.startswith("hugepages-")


def in_scope(quota: Quota, ask: Ask) -> bool:
    """Whether the quota counts such a pod."""
    return all(_holds(scope, ask) for scope in quota.scopes)


def _holds(scope: Requirement, ask: Ask) -> bool:
    match scope.key:
        case "PriorityClass":
            return holds(scope, ask.priority_class or None)
        case "Terminating" | "NotTerminating":
            return ask.deadline == (scope.key == "Terminating")
        case "BestEffort" | "NotBestEffort":
            said = [one for one in (*ask.containers, ask.whole) if one is not None]
            some = any(each.get(name) for one in said for each in (one.requests, one.limits) for name in _PLAIN[:2])
            return some == (scope.key == "NotBestEffort")
        case "CrossNamespacePodAffinity":
            return ask.crosses
    return False  # a scope of claims, not of pods


def scope_text(quota: Quota) -> str:
    """Whom it counts, in words, when not everybody."""
    return " and ".join(_scope_text(each) for each in quota.scopes)


def _scope_text(scope: Requirement) -> str:
    if scope.key != "PriorityClass":
        return _SCOPES.get(scope.key, scope.key)
    match scope.operator:
        case "In":
            return f"pods of priority class {few(scope.values)}"
        case "NotIn":
            return f"pods not of priority class {few(scope.values)}"
        case "Exists":
            return "pods with a priority class"
    return "pods without a priority class"


def unsaid(quota: Quota, ask: Ask) -> Iterator[Reason]:
    """What each container has to say because the quota counts it, and one does not; not where the pod itself says anything."""
    if ask.whole is not None:
        return
    for key in (each for each in _TO_BE_SAID if each in quota.hard):
        kind, _, name = key.rpartition(".")
        silent = [one.name for one in ask.containers if name not in (one.limits if kind == "limits" else one.requests)]
        if silent:
            what = "limit" if kind == "limits" else "request"
            text = f"quota {quota.name} counts {key}: every container has to have a {what} of {name}, {few(silent)} {'has' if len(silent) == 1 else 'have'} none"
            yield Reason(
                Code.QUOTA, text, SOURCE, f"give it a {what} of {name}, or the namespace a LimitRange with a default"
            )


def out_of_bounds(item: LimitItem, ask: Ask) -> Iterator[Reason]:
    """What of the pod, or of its containers, a limit range does not allow."""
    several = len(ask.containers) > 1
    said = [(f"container {one.name}" if several else "it", one) for one in ask.containers]
    if item.per == "Pod":
        said = [("it", totals(ask))]
    if item.per not in ("Pod", "Container"):
        return
    head, per = f"limit range {item.name}", item.per.lower()
    for who, one in said:
        for name in sorted({*item.most, *item.least, *item.most_ratio}):
            asked, limit = one.requests.get(name), one.limits.get(name)
            most, least, ratio = item.most.get(name), item.least.get(name), item.most_ratio.get(name)
            if most is not None and (found := _beyond(name, most, asked, limit, known=bool(ask.containers))):
                text = f"{head}: at most {amount(name, most)} {name} a {per}, {who} {found}"
                yield Reason(Code.LIMIT_RANGE, text, SOURCE, f"ask for {amount(name, most)} {name} or less")
            if least is not None and (found := _below(name, least, asked, limit, known=bool(ask.containers))):
                text = f"{head}: at least {amount(name, least)} {name} a {per}, {who} {found}"
                yield Reason(Code.LIMIT_RANGE, text, SOURCE, f"ask for {amount(name, least)} {name} or more")
            if ratio is not None and (not asked or not limit or limit * 1000 > ratio * asked):
                shown = [amount(name, each) if each else "none" for each in (limit, asked)]
                text = (
                    f"{head}: a {per}'s limit of {name} at most {ratio / 1000:g} times its request, "
                    f"{who} has a limit of {shown[0]} and a request of {shown[1]}"
                )
                yield Reason(Code.LIMIT_RANGE, text, SOURCE, f"bring limit and request of {name} closer together")


def _beyond(name: str, most: int, asked: int | None, limit: int | None, *, known: bool) -> str:
    if asked is not None and asked > most:
        return f"asks for {amount(name, asked)}"
    if limit is not None and limit > most:
        return f"has a limit of {amount(name, limit)}"
    return "has no limit" if limit is None and known else ""


def _below(name: str, least: int, asked: int | None, limit: int | None, *, known: bool) -> str:
    if asked is not None and asked < least:
        return f"asks for {amount(name, asked)}"
    if limit is not None and limit < least:
        return f"has a limit of {amount(name, limit)}"
    return "asks for none" if asked is None and known else ""
