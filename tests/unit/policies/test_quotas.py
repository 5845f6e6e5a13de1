"""`quota`: what a cloud allows several groups together is a limit on their sum."""

from dataclasses import replace
from typing import Any

import pytest

from autoscale.model.plan import Resize
from autoscale.model.problem import Rule
from autoscale.model.snapshot import Backoff, Ledger, Snapshot
from autoscale.model.supply import FaultKind, NodeGroup, Quota
from autoscale.model.workload import Code, Reason
from policies.quotas import Quotas
from tests.builders import NOW, fault, group, pods, snapshot
from tests.unit.decide.test_decide import plan_for

from .asked import ask, plan

BIG, SMALL, OTHER = group("g8", running=1), group("g1", gpus=1, running=2, target_nodes=3), group("cpu", gpus=0)
QUOTA = Quota("L-1", "Running G instances", "vCPUs", 400, {"g8": 96, "g1": 4}, used_elsewhere=20)


def world(quota: Quota = QUOTA, *groups: NodeGroup, **more: Any) -> Snapshot:
    """These groups, or three of which two are under the quota."""
    made = snapshot(groups=groups or (BIG, SMALL, OTHER), **more)
    return replace(made, clouds=tuple(replace(cloud, quotas=(quota,)) for cloud in made.clouds))


def rules(of: Snapshot) -> tuple[Rule, ...]:
    """What is added to a question about all three."""
    problem, question = ask((BIG, SMALL, OTHER))
    return Quotas().shape(problem, question, of).rules


def test_what_runs_elsewhere_runs_here_and_is_on_its_way_counts() -> None:
    """20 of others, 96 and 3 times 4 of ours: 272 are left for both groups together, none for the third."""
    text = "quota L-1: 128 of 400 vCPUs, Running G instances"
    assert rules(world()) == (Rule("quota/L-1", "quota", 272, {0: 96, 1: 4}, text=text, of="vCPUs"),)


@pytest.mark.parametrize("how", ["just now", "a moment ago"])
def test_a_purchase_refused_for_want_of_quota_bounds_the_sum(how: str) -> None:
    """Whatever we count, the cloud knows better: nothing more of all that the quota is about, until the back-off ends."""
    no = fault("g1", FaultKind.QUOTA, offering=SMALL.offering.key)
    if how == "just now":
        seen = world(QUOTA, BIG, replace(SMALL, faults=(no,)), OTHER)
    else:
        seen = world(ledger=Ledger(backoffs={no.offering: Backoff(no, NOW + 1)}))
    (rule,) = rules(seen)
    assert rule.limit == 0
    assert rule.text == "quota L-1: 128 of 400 vCPUs; the cloud says that it is used up, Running G instances"


@pytest.mark.parametrize(
    ("kind", "offering", "until_s"),
    [
        (FaultKind.NO_CAPACITY, SMALL.offering.key, NOW + 60),
        (FaultKind.QUOTA, "", NOW + 60),
        (FaultKind.QUOTA, SMALL.offering.key, NOW),
    ],
    ids=["a stock-out", "a quota of something else", "long ago"],
)
def test_other_noes_leave_the_sum_as_it_is(kind: FaultKind, offering: str, until_s: int) -> None:
    """They are about one offering, one group, or the past."""
    no = fault("g1", kind, offering=offering)
    (rule,) = rules(world(ledger=Ledger(backoffs={offering or "g1": Backoff(no, until_s)})))
    assert rule.limit == 272


def test_a_quota_that_is_passed_is_said() -> None:
    """It was lowered, or others took more."""
    seen = world(replace(QUOTA, limit=100))
    text = "quota L-1: 128 of 100 vCPUs, Running G instances: nothing more is bought"
    assert rules(seen)[0].limit == 0
    assert Quotas().review(plan(), seen) == plan(notes=(Reason(Code.QUOTA, text, "quota"),))
    assert Quotas().review(plan(), world()) == plan()


def test_a_plan_buys_what_is_left_and_names_the_quota_that_binds() -> None:
    """Two nodes of 96 are within 212, a third is not: its pods stay pending and the plan says why."""
    made = plan_for(world(replace(QUOTA, limit=212), group("g8"), pods=pods("a", 24)), Quotas())
    assert [action.target_nodes for action in made.actions if isinstance(action, Resize)] == [2]
    assert [len(unmet.pods) for unmet in made.unmet] == [8]
    assert made.notes == (Reason(Code.POLICY, "quota L-1: 20 of 212 vCPUs, Running G instances", "quota"),)
