"""What the engine learns of a group from its nodes, and what it does when the prediction was wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from autoscale.act.ledger import remember
from autoscale.decide import decide
from autoscale.decide.explain_node import explain_node
from autoscale.decide.learning import learn
from autoscale.decide.what_if import Case
from autoscale.model.plan import Announce, Resize
from autoscale.model.settings import DecideSettings
from autoscale.model.workload import Code
from autoscale.solve import solve
from tests.builders import GPU, NOW, Ledger, Taint, group, node, pod, resources, shape, snapshot

if TYPE_CHECKING:
    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem, Solution
    from autoscale.model.snapshot import Snapshot
    from autoscale.model.supply import Node

PRODUCT = "nvidia.com/gpu.product"
PREDICTED = {"group": "g8", PRODUCT: "A100"}


def solver(problem: Problem) -> Solution:
    """The real one."""
    return solve(problem, time_limit_s=5, seed=0)


def there(name: str = "g8-0", **more: Any) -> Node:
    """A node of g8, an hour old unless said otherwise, with what was predicted unless said otherwise."""
    more.setdefault("labels", PREDICTED)
    return node(name, **more)


def labels(*nodes: Node, ledger: Ledger | None = None, **more: Any) -> dict[str, str]:
    """What a node of g8 is expected to be labelled with."""
    found = learn(group(running=len(nodes), labels=PREDICTED, **more), nodes, ledger or Ledger(), NOW)
    return dict(found.group.labels)


def test_a_group_at_zero_is_as_predicted() -> None:
    """Nothing learnt, nothing wrong."""
    of = group(labels=PREDICTED)
    assert learn(of, (), Ledger(), NOW) == (of, None, (), ())


def test_a_label_that_is_otherwise_is_put_right_at_once() -> None:
    """A young node that has another value shows that the prediction was wrong; one where it is missing may yet get it."""
    assert labels(there(labels={**PREDICTED, PRODUCT: "A100-80GB"}, created_at_s=NOW)) == {
        **PREDICTED,
        PRODUCT: "A100-80GB",
    }
    assert labels(there(labels={"group": "g8"}, created_at_s=NOW)) == PREDICTED
    assert labels(there(labels={"group": "g8"})) == {"group": "g8"}
    seen = Ledger(ready_since_s={"g8-0": NOW - 120})
    assert labels(there(labels={"group": "g8"}, created_at_s=NOW - 300), ledger=seen) == {"group": "g8"}
    just = Ledger(ready_since_s={"g8-0": NOW - 119})
    assert labels(there(labels={"group": "g8"}, created_at_s=NOW - 300), ledger=just) == PREDICTED


def test_nodes_that_disagree_promise_nothing_but_what_was_predicted() -> None:
    """One that has the predicted value is enough to keep it; two others that differ are no promise."""
    a, b = there(labels={**PREDICTED, PRODUCT: "X"}), there("g8-1", labels={**PREDICTED, PRODUCT: "Y"})
    assert labels(a, there("g8-1")) == PREDICTED
    assert labels(a, b) == {"group": "g8"}


def test_labels_that_nobody_predicted_are_learnt_if_they_are_the_groups() -> None:
    """Not a node's own, not a zone's where the group has several, not one type's where it has several."""
    more = {**PREDICTED, "team": "red", "kubernetes.io/hostname": "g8-0", "machine": "g8-0", "x/zone": "z1"}
    assert labels(there(labels=more)) == {**PREDICTED, "team": "red", "x/zone": "z1"}
    assert labels(there(labels=more), there("g8-1")) == PREDICTED
    of = group(running=1, labels=PREDICTED)
    anywhere = replace(of, offering=replace(of.offering, zone=""))
    assert dict(learn(anywhere, (there(labels=more),), Ledger(), NOW).group.labels) == {**PREDICTED, "team": "red"}
    mixed = replace(of, offering=replace(of.offering, instance_type="a|b"))
    assert dict(learn(mixed, (there(labels=more),), Ledger(), NOW).group.labels) == PREDICTED


def test_taints_and_room_are_learnt() -> None:
    """What comes and goes is none of the group's; what an agent took off for good is not expected again."""
    boot, lasting = Taint("boot.example/agent"), Taint("team", "red")
    passing = (Taint("node.kubernetes.io/unreachable"), Taint("gpu-autoscale.dev/slot", "a-1"))
    small = resources(cpu=90, memory_gi=700, gpus=8, pods=58)
    of = group(running=1, labels=PREDICTED, taints=(boot,))
    found = learn(of, (there(taints=(lasting, *passing), allocatable=small),), Ledger(), NOW)
    assert (found.group.taints, found.group.allocatable) == ((lasting,), small)
    assert [reason.text for reason in found.wrong] == [
        "its nodes don't have the taint boot.example/agent:NoSchedule as predicted",
        "its nodes have the taint team=red:NoSchedule, which was not predicted",
        "its nodes have 90 cpu, not 96 as predicted",
        "its nodes have 700Gi memory, not 768Gi as predicted",
        "its nodes have 58 pods, not 110 as predicted",
    ]
    young = there(taints=(), created_at_s=NOW)
    assert learn(of, (young,), Ledger(), NOW).group.taints == (boot,)


def test_a_node_without_its_devices_teaches_nothing() -> None:
    """It is not up yet."""
    of = group(running=1, labels=PREDICTED)
    assert learn(of, (there(gpus=0, labels={}),), Ledger(), NOW) == (of, None, (), ())


def test_what_was_learnt_is_kept_when_the_group_is_at_zero_again() -> None:
    """Through the ledger, until the provider predicts otherwise."""
    of = group(running=1, labels=PREDICTED)
    before = snapshot(nodes=(there(labels={**PREDICTED, PRODUCT: "A100-80GB"}),), groups=(of,))
    plan = decide(before, (), solver, DecideSettings())
    ledger = remember(before.ledger, plan, (), before, settings=DecideSettings(), now_s=NOW)
    empty = group(labels=PREDICTED)
    assert dict(learn(empty, (), ledger, NOW).group.labels)[PRODUCT] == "A100-80GB"
    other = group(labels={**PREDICTED, PRODUCT: "H100"})
    assert learn(other, (), ledger, NOW) == (other, None, (), ())


def bought(before: Snapshot) -> tuple[Plan, list[str]]:
    """The plan and the groups that grow."""
    plan = decide(before, (), solver, DecideSettings())
    return plan, [a.group for a in plan.actions if isinstance(a, Resize)]


@pytest.mark.parametrize(("wanted", "grows"), [("A100", []), ("A100-80GB", ["g8"])])
def test_a_wrong_prediction_buys_no_second_useless_node(wanted: str, grows: list[str]) -> None:
    """A pod gets a node by what nodes have, and the plan says what was wrong, if somebody asks about it."""
    asks = pod("p", shape(node_selector=((PRODUCT, wanted),), gpus=8))
    busy = pod("b", shape(gpus=8), node_name="g8-0", phase="Running")
    wrong = there(labels={**PREDICTED, PRODUCT: "A100-80GB"})
    plan, groups = bought(snapshot(pods=(asks, busy), nodes=(wrong,), groups=(group(running=1, labels=PREDICTED),)))
    assert groups == grows
    (note,) = plan.notes
    assert (note.code, note.text) == (
        Code.PREDICTION, f"group g8: its nodes have A100-80GB for {PRODUCT}, not A100 as predicted"
    )  # fmt: skip
    nobody, _ = bought(snapshot(pods=(busy,), nodes=(wrong,), groups=(group(running=1, labels=PREDICTED),)))
    assert nobody.notes == ()


def test_a_corrected_prediction_is_told_once() -> None:
    """An Event about the newest node when it turns out, and none as long as no more does."""
    of = group(running=2, labels=PREDICTED)
    wrong = {**PREDICTED, PRODUCT: "A100-80GB"}
    nodes = (there(labels=wrong), there("g8-1", labels=wrong, created_at_s=NOW - 60))
    before = snapshot(nodes=nodes, groups=(of,))
    first = decide(before, (), solver, DecideSettings())
    text = f"group g8: its nodes have A100-80GB for {PRODUCT}, not A100 as predicted; planned with as they are"
    told = Announce("g8-1", "g8-1", "PredictionCorrected", text, "g8")
    assert first.actions == (told,)
    ledger = remember(before.ledger, first, (), before, settings=DecideSettings(), now_s=NOW)
    assert decide(replace(before, ledger=ledger), (), solver, DecideSettings()).actions == ()
    more = tuple(replace(each, taints=(Taint("team", "red"),)) for each in nodes)
    again = decide(snapshot(nodes=more, groups=(of,), ledger=ledger, now_s=NOW + 3600), (), solver, DecideSettings())
    assert [action.text for action in again.actions if isinstance(action, Announce)] == [
        "group g8: its nodes have the taint team=red:NoSchedule, which was not predicted; planned with as they are"
    ]


def test_explain_node_says_what_was_predicted_wrongly() -> None:
    """Beside why the node exists."""
    wrong = there(slot="abc-000", phase="released", labels={**PREDICTED, PRODUCT: "L4"})
    before = snapshot(nodes=(wrong,), groups=(group(running=1, labels=PREDICTED),))
    story = explain_node(Case(before, (), solver, DecideSettings()), wrong)
    assert story.origin[1].text == f"its nodes have L4 for {PRODUCT}, not A100 as predicted"
    assert GPU in wrong.allocatable
