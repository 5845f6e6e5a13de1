"""Why pods do not come to be."""

from dataclasses import replace

import pytest

from autoscale.decide.explain_owner import explain_owner, refused
from autoscale.decide.what_if import Case
from autoscale.model.admission import (
    Admission,
    Ask,
    Condition,
    ContainerAsk,
    LimitItem,
    Quota,
    Refusal,
    Workload,
)
from autoscale.model.explanation import Fate
from autoscale.model.rules import Requirement
from autoscale.model.settings import DecideSettings
from autoscale.model.workload import Code, Pod, Reason
from autoscale.solve import solve
from tests.builders import GPU, group, pod, pods, shape, snapshot

SOURCE = "admission"
TEMPLATE = pod("train-new", shape(gpus=4), owner="Job/train")
JOB = Workload("Job", "default", "train", wanted=2, template=TEMPLATE)
EXCEEDED = (
    'Error creating: pods "train-x" is forbidden: exceeded quota: team-a, requested: requests.nvidia.com/gpu=4, '
    "used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8"
)


def case(*there: Pod) -> Case:
    """A group of eight GPUs, and pods."""
    world = snapshot(pods=there, groups=(group("g8", gpus=8, usd=10),))
    return Case(world, (), lambda problem: solve(problem, time_limit_s=5), DecideSettings())


def event(message: str, name: str = "train") -> Refusal:
    """A FailedCreate Event about the Job."""
    return Refusal("Job", "default", name, message)


def test_a_full_quota_says_who_has_it() -> None:
    """By how much, used by whom, and what would become of the pods once they are let in."""
    quota = Quota("default", "team-a", {"requests.nvidia.com/gpu": 8}, {"requests.nvidia.com/gpu": 8}, counted=True)
    there = (*pods("web", 6, owner="ReplicaSet/web"), *pods("lab", 2))
    found = explain_owner(case(*there), Admission((JOB,), (quota,), refusals=(event(EXCEEDED),)), JOB)
    assert (found.owner, found.wanted, found.made) == ("default/job/train", 2, 0)
    assert found.because == (
        Reason(
            Code.QUOTA,
            "quota team-a: 8 of 8 nvidia.com/gpu used (web 6 and lab 2), one more pod asks for 4",
            SOURCE,
            "raise quota team-a to 12 nvidia.com/gpu, or end what uses it",
        ),
    )
    assert found.once_made is not None
    assert (found.once_made.fate, found.once_made.alike) == (Fate.BOUGHT, 2)
    assert (found.once_made.pod, found.once_made.place and found.once_made.place.group) == ("default/train-new-0", "g8")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (EXCEEDED, (Code.QUOTA, EXCEEDED.partition("forbidden: ")[2])),
        (
            'pods "a" is forbidden: maximum nvidia.com/gpu usage per Container is 1, but limit is 4',
            (Code.LIMIT_RANGE, "maximum nvidia.com/gpu usage per Container is 1, but limit is 4"),
        ),
        (
            'admission webhook "guard.example.com" denied the request: no team label',
            (
                Code.REFUSED,
                (
                    "the admission webhook guard.example.com refuses it: "
                    'admission webhook "guard.example.com" denied the request: no team label'
                ),
            ),
        ),
        (
            'pods "a" is forbidden: error looking up service account default/x: serviceaccount "x" not found',
            (
                Code.REFUSED,
                (
                    "its service account x does not exist: "
                    'error looking up service account default/x: serviceaccount "x" not found'
                ),
            ),
        ),
        (
            'Create Pod a-0 in StatefulSet a failed error: pods "a-0" is forbidden: no PriorityClass with name big was found',
            (Code.REFUSED, "its PriorityClass big does not exist: no PriorityClass with name big was found"),
        ),
        ("something\n else", (Code.REFUSED, "something else")),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_event_is_read(message: str, expected: tuple[Code, str]) -> None:
    """The API server's own words stay, behind what they mean."""
    (reason,) = explain_owner(case(), Admission((JOB,), refusals=(event(message),)), JOB).because
    assert (reason.code, reason.text) == expected


def test_a_deployment_has_its_replica_sets_reasons() -> None:
    """Conditions and Events of what the Deployment made; the same words are said once, other workloads' not at all."""
    top = Workload("Deployment", "default", "web", wanted=1, template=TEMPLATE)
    failed = Condition("ReplicaFailure", "True", "FailedCreate", "no room")
    below = replace(top, kind="ReplicaSet", name="web-1", owner="Deployment/web", conditions=(failed,))
    events = (Refusal("ReplicaSet", "default", "web-1", "no room"), event("other", "job"))
    found = explain_owner(case(), Admission((top, below), refusals=events), top)
    assert found.because == (Reason(Code.REFUSED, "no room", SOURCE),)


@pytest.mark.parametrize(
    ("workload", "because"),
    [
        (replace(JOB, made=2), ()),
        (replace(JOB, wanted=0, suspended=True), ("it is suspended: it makes no pods now",)),
        (JOB, ("its controller has not made them, and no Event says why",)),
    ],
)
def test_nothing_is_missing_or_nothing_is_known(workload: Workload, because: tuple[str, ...]) -> None:
    """All are made; none are meant to be; or nobody says why."""
    found = explain_owner(case(), Admission((workload,)), workload)
    assert tuple(reason.text for reason in found.because) == because


def test_quotas_that_nobody_counted() -> None:
    """From manifests: all pods of the namespace together, this one once."""
    there = pods("web", 3, shape(gpus=4))
    quota = Quota("default", "team", {GPU: 99, "requests.nvidia.com/gpu": 8, "pods": 3, "limits.cpu": 0})
    found = list(refused(Admission(quotas=(quota,)), there, there[0]))
    assert [(r.text, r.hint) for r in found] == [
        (
            "quota team allows 8 nvidia.com/gpu, all pods ask for 12 (web 12)",
            "raise quota team to 12 nvidia.com/gpu, or end what uses it",
        )
    ]
    assert not list(refused(Admission(quotas=(replace(quota, namespace="other"),)), there, there[0]))


def test_limit_ranges() -> None:
    """Bounds of pods; of their containers only where it is known what each asks for."""
    item = LimitItem("default", "l", "Pod", {GPU: 2, "cpu": 8000}, {"memory": 2**40})
    found = list(refused(Admission(limits=(item,)), (), TEMPLATE))
    assert [(r.code, r.text) for r in found] == [
        (Code.LIMIT_RANGE, "limit range l: at least 1Ti memory a pod, it asks for 16Gi"),
        (Code.LIMIT_RANGE, "limit range l: at most 2 nvidia.com/gpu a pod, it asks for 4"),
    ]
    assert not list(refused(Admission(limits=(replace(item, per="Container"),)), (), TEMPLATE))


def test_several_quotas_each_for_some_pods() -> None:
    """One counts a priority class, one pods without a deadline, one those with one; each says whom it counts and who has it."""
    gold = Quota(
        "default", "gold", {"requests.nvidia.com/gpu": 4}, scopes=(Requirement("PriorityClass", "In", ("gold",)),)
    )
    lasting = Quota("default", "lasting", {"pods": 2}, {"pods": 2}, True, (Requirement("NotTerminating", "Exists"),))
    brief = Quota("default", "brief", {"pods": 0}, {"pods": 0}, True, (Requirement("Terminating", "Exists"),))
    ask = Ask((ContainerAsk("main", {GPU: 4}, {GPU: 4}),), priority_class="gold")
    there = (*pods("train", 2, shape(gpus=4), owner="Job/train"), *pods("web", 1, shape(gpus=4), owner="Job/web"))
    job = replace(JOB, ask=ask)
    found = refused(Admission((job,), (gold, lasting, brief)), there, there[0])
    assert [(r.text, r.hint) for r in found] == [
        (
            "quota gold, of pods of priority class gold, allows 4 nvidia.com/gpu, they ask for 8 (train 8)",
            "raise quota gold to 8 nvidia.com/gpu, or end what uses it",
        ),
        (
            "quota lasting, of pods without a deadline: 2 of 2 pods used (train 2), one more pod asks for 1",
            "raise quota lasting to 3 pods, or end what uses it",
        ),
    ]
