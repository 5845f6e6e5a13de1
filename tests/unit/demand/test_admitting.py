"""What LimitRanges and ResourceQuotas make of a pod."""

from __future__ import annotations

from typing import Any

import pytest

from autoscale.demand.admitting import completed, in_scope, out_of_bounds, scope_text, totals, unsaid, usage
from autoscale.model.admission import Ask, ContainerAsk, LimitItem, Quota
from autoscale.model.rules import Requirement
from tests.builders import GPU

MAIN = ContainerAsk("main", {"cpu": 2000, GPU: 4}, {GPU: 4})
SIDE = ContainerAsk("side", {"cpu": 500}, {"cpu": 4000}, "sidecar")
TWO = Ask((MAIN, SIDE))


def item(per: str = "Container", **more: Any) -> LimitItem:
    """A bound of the limit range `l`."""
    return LimitItem("default", "l", per, **more)


def told(bound: LimitItem, ask: Ask = TWO) -> list[tuple[str, str]]:
    """Texts and hints."""
    return [(reason.text, reason.hint) for reason in out_of_bounds(bound, ask)]


def test_defaults_are_filled_in_for_each_container() -> None:
    """The limit's own default, else the most; the request's, else that of the limit, else the least; what is said stays."""
    first = item(most={"cpu": 8000}, least={"memory": 1}, default={"memory": 2**30}, default_request={"cpu": 100})
    second = item(most={"cpu": 1}, default={GPU: 1})
    of_pods = item("Pod", default={"cpu": 1})
    assert completed(Ask((MAIN, SIDE)), (of_pods, first, second)).containers == (
        ContainerAsk("main", {"cpu": 2000, "memory": 2**30, GPU: 4}, {"cpu": 8000, "memory": 2**30, GPU: 4}),
        ContainerAsk("side", {"cpu": 500, "memory": 2**30, GPU: 1}, {"cpu": 4000, "memory": 2**30, GPU: 1}, "sidecar"),
    )
    assert completed(TWO, (of_pods,)) is TWO


def test_a_pod_is_the_sum_of_its_containers_or_the_largest_step_of_its_start() -> None:
    """As the scheduler sums requests; limits alike, and what the pod itself says comes first."""
    init = ContainerAsk("first", {"cpu": 3000}, {"memory": 7}, "init")
    of = Ask((MAIN, SIDE, init), ContainerAsk("", {"memory": 5}), {"cpu": 10, "memory": 1, "other": 1})
    assert totals(of) == ContainerAsk("", {"cpu": 3510, GPU: 4, "memory": 6}, {"cpu": 4010, GPU: 4, "memory": 8})


def test_a_pod_level_limit_is_a_request_only_of_what_no_container_asks_for() -> None:
    """As the API server completes it, before a limit range gives containers more."""
    of = Ask((SIDE,), ContainerAsk("", {}, {"cpu": 9000, "memory": 7}))
    assert totals(of).requests == {"cpu": 500, "memory": 7}
    assert totals(completed(of, (item(default_request={"memory": 5}),))).requests == {"cpu": 500, "memory": 7}


def test_bounds_of_each_container() -> None:
    """By name when there are several: too much, too little, nothing said, a limit too far above the request."""
    assert told(item(most={GPU: 2}, least={"cpu": 1000})) == [
        (
            "limit range l: at most 2 nvidia.com/gpu a container, container main asks for 4",
            "ask for 2 nvidia.com/gpu or less",
        ),
        ("limit range l: at least 1 cpu a container, container side asks for 500m", "ask for 1 cpu or more"),
        (
            "limit range l: at most 2 nvidia.com/gpu a container, container side has no limit",
            "ask for 2 nvidia.com/gpu or less",
        ),
    ]
    assert told(item(most={"cpu": 3000}), Ask((SIDE,))) == [
        ("limit range l: at most 3 cpu a container, it has a limit of 4", "ask for 3 cpu or less")
    ]
    assert told(item(least={"memory": 2**30}), Ask((SIDE,))) == [
        ("limit range l: at least 1Gi memory a container, it asks for none", "ask for 1Gi memory or more")
    ]
    assert told(item(most_ratio={"cpu": 1500}), Ask((SIDE,))) == [
        (
            (
                "limit range l: a container's limit of cpu at most 1.5 times its request, "
                "it has a limit of 4 and a request of 500m"
            ),
            "bring limit and request of cpu closer together",
        )
    ]
    assert not told(
        item(most={GPU: 4}, most_ratio={"cpu": 8000}),
        Ask((ContainerAsk("c", {"cpu": 500, GPU: 1}, {"cpu": 4000, GPU: 1}),)),
    )


def test_bounds_of_the_whole_pod() -> None:
    """All its containers together; claims' bounds are not about pods."""
    assert told(item("Pod", most={"cpu": 2000})) == [
        ("limit range l: at most 2 cpu a pod, it asks for 2500m", "ask for 2 cpu or less")
    ]
    assert not told(item("PersistentVolumeClaim", most={"cpu": 1}))


@pytest.mark.parametrize(
    ("scope", "of", "counted", "text"),
    [
        (("PriorityClass", "In", ("a", "b")), {"priority_class": "b"}, True, "pods of priority class a and b"),
        (("PriorityClass", "In", ("a",)), {}, False, "pods of priority class a"),
        (("PriorityClass", "NotIn", ("a",)), {}, True, "pods not of priority class a"),
        (("PriorityClass", "Exists"), {"priority_class": "b"}, True, "pods with a priority class"),
        (("PriorityClass", "DoesNotExist"), {}, True, "pods without a priority class"),
        (("Terminating", "Exists"), {"deadline": True}, True, "pods with a deadline"),
        (("NotTerminating", "Exists"), {"deadline": True}, False, "pods without a deadline"),
        (("BestEffort", "Exists"), {}, True, "pods that ask for no cpu and memory"),
        (("NotBestEffort", "Exists"), {"containers": (SIDE,)}, True, "pods that ask for cpu or memory"),
        (("CrossNamespacePodAffinity", "Exists"), {"crosses": True}, True, "pods with affinity to other namespaces"),
        (("VolumeAttributesClass", "Exists"), {}, False, "VolumeAttributesClass"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_scoped_quota_counts_some_pods(scope: Any, of: dict[str, Any], counted: bool, text: str) -> None:  # noqa: FBT001 - a case
    """All scopes have to hold; a quota of nothing else says whom it counts."""
    quota = Quota("default", "q", {}, scopes=(Requirement(*scope),))
    ask = Ask(**{"containers": (ContainerAsk("gpu", {GPU: 1}),), **of})
    assert (in_scope(quota, ask), scope_text(quota)) == (counted, text)


def test_what_a_pod_takes_of_a_quota() -> None:
    """By all names that a quota may have for it."""
    assert usage(Ask((ContainerAsk("c", {"cpu": 500, "hugepages-2Mi": 4, GPU: 1}, {"cpu": 700, GPU: 1}),))) == {
        "pods": 1, "count/pods": 1, "cpu": 500, "requests.cpu": 500, "limits.cpu": 700, f"requests.{GPU}": 1,
        f"limits.{GPU}": 1, "hugepages-2Mi": 4, "requests.hugepages-2Mi": 4,
    }  # fmt: skip


def test_a_quota_of_cpu_or_memory_has_every_container_say_its_own() -> None:
    """Or the pod as a whole; devices need not be said."""
    quota = Quota("default", "q", {"limits.cpu": 1, "memory": 1, "requests.nvidia.com/gpu": 1})
    assert [reason.text for reason in unsaid(quota, TWO)] == [
        "quota q counts memory: every container has to have a request of memory, main and side have none",
        "quota q counts limits.cpu: every container has to have a limit of cpu, main has none",
    ]
    assert not list(unsaid(quota, Ask(TWO.containers, ContainerAsk("", {"memory": 1}))))
