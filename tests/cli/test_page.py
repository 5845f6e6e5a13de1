"""The page of a plan: what is rare, many, narrow or coloured; and saved plans come back as they were."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from autoscale.cli import planfile
from autoscale.cli.facts import gather
from autoscale.cli.planfile import SavedPlan, document
from autoscale.cli.table import Paper, table
from autoscale.cli.view import view
from autoscale.model.explanation import Weight
from autoscale.model.plan import (
    Action,
    Announce,
    Assign,
    ClaimPods,
    DeleteGroup,
    Hold,
    Plan,
    PlannedNode,
    Release,
    RemoveNode,
    Resize,
    Unclaim,
    Unmet,
)
from autoscale.model.problem import WITHOUT_KERNEL, Binding
from autoscale.model.supply import CapacityType, Offering
from autoscale.model.workload import Code, Reason
from tests.builders import GPU, USD, fault, group, node, pod, pods, shape, snapshot

WHY = Reason(Code.COST, "cheapest", "scale_up", "none")
GROUPS = (group("g1", gpus=1, usd=1.25), group("g8", running=2))
WORLD = snapshot(groups=GROUPS, nodes=(node("g8-0"), node("g8-1")), pods=(*pods("web", 3), pod("big", shape(gpus=16))))
REFS = (("uid-web-0", "default/web-0"),)
ACTIONS: tuple[Action, ...] = (
    Unclaim("p0-0", REFS, WHY),
    Assign("g8-0", "p0-1"),
    Hold("g8-0", "p0-1", REFS, tainted=True),
    Release("g8-1", "p0-2", WHY),
    ClaimPods("p1-000", "g1", REFS),
    Resize("g1", 0, 1, ("p1-000",), (WHY,)),
    RemoveNode("g8", "g8-1", "g8-1", WHY),
    Announce("uid-big", "default/big", "NotTriggerScaleUp", "too big"),
)
PLAN = Plan(
    id="p1",
    made_at_s=1,
    fingerprint="f",
    actions=ACTIONS,
    packing=(PlannedNode("g1", "new", 1, (("default/web", 1),), ((GPU, 1, 1), ("memory", 1, 4))),),
    unmet=(Unmet("default/big", ("default/big",), (Reason(Code.LIMIT, "no room", "x", "less"),)),),
    notes=(Reason(Code.LIMIT, "full", "limits"),),
    bindings=(Binding("limits/nodes", "limits", 2 * USD), Binding("new:g1:", "limit", USD), Binding("budget/hard", "budget", 1)),
    cost_microusd_per_hour=1_250_000,
    bound_microusd_per_hour=1_000_000,
    fleet_before_microusd_per_hour=20 * USD,
    pending_pods=4,
    pending_classes=2,
    oldest_pending_s=90,
    faults=(fault(),),
)  # fmt: skip


def saved(plan: Plan = PLAN) -> SavedPlan:
    """The plan with what it rests on."""
    weights = (
        Weight("limits/nodes", "limits", "3 nodes at most, 3 there", "1 more node", 2 * USD, 0, 5 * USD, 0),
        Weight("max/g1", "limit", "at most 1 nodes of group g1", "1 more node", -USD, 1, -USD, 1),
    )
    notes = (Reason(Code.FAULT, "slow", "aws"),)
    return SavedPlan("prod", "", "a.yaml", "d", plan, gather(plan, WORLD), notes, weights)


def test_a_saved_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every kind of action, reason, fault and fact."""
    plan = replace(PLAN, actions=(*ACTIONS, DeleteGroup("g1", WHY)), empty=("g1",))
    planfile.write(saved(plan), str(tmp_path / "plan.json"))
    again = planfile.load(str(tmp_path / "plan.json"))
    assert again.plan == plan
    assert document(again) == document(saved(plan)) == json.loads((tmp_path / "plan.json").read_text())


def test_all_of_it() -> None:
    """Growing and shrinking, gap, policy notes, what binds and what is under way."""
    assert table(view(saved()), cluster="prod", paper=Paper()) == (
        "prod   4 pending pods in 2 shapes, oldest 90 s   2 nodes, $ 20.00/h\n"
        "\n"
        "  + g1  type-g1  on-demand  z1  0 -> 1   $ 1.250 each\n"
        "      1 node: 1 x default/web (1 GPU)                                               100 % GPU, 25 % memory\n"
        "  - g8  type-g8  on-demand  z1  2 -> 1  $ 10.000 each\n"
        "      1 node removed\n"
        "\n"
        "  stays pending\n"
        "  ! default/big (16 GPU)\n"
        "      no room\n"
        "      -> less\n"
        "\n"
        "  cost       $ 1.25/h more ($ 912 a month); proven: nothing under $ 1.00/h does it (gap 20.00 %)\n"
        "  limits     full\n"
        "  aws        slow\n"
        "  binds      limits: 3 nodes at most; costs $ 5.00/h, 1 more node would save $ 2.00/h\n"
        "  binds      at most 1 nodes of group g1; keeps 1 pod pending, whose nodes would cost $ 1.00/h, 1 more node would let 1\n"
        "             more pod run for $ 1.00/h\n"
        "  under way  1 node assigned to pods, 1 node held for its pods, 1 node released, 1 claim taken back\n"
        "\n"
        "1 group grows by 1 node, 1 group shrinks, 1 pod stays pending. Plan p1.\n"
    )


def test_a_solver_without_its_kernels_is_told() -> None:
    """Plans may be dearer without them, which nobody would notice otherwise."""
    page = table(view(saved(replace(PLAN, method=f"greedy, {WITHOUT_KERNEL}"))), cluster="prod", paper=Paper())
    assert (
        "  solver     no compiled kernel: plans may be dearer and proofs weaker -> install a C compiler, then make clean "
        "install\n" in page
    )


def test_groups_made_now_and_empty_ones_deleted() -> None:
    """A group that is made for the purchase was nothing before; one that goes says why."""
    new, old = (group(name, gpus=1, usd=1, template="gpu", made=name != "new-g") for name in ("new-g", "old-g"))
    gone = DeleteGroup("old-g", Reason(Code.IDLE, "empty for 2 h", "template"))
    plan = Plan(id="p", made_at_s=0, fingerprint="f", actions=(Resize("new-g", 0, 3, ()), gone))
    shown = view(SavedPlan("prod", "", "", "", plan, gather(plan, snapshot(groups=(new, old)))))
    assert table(shown, cluster="prod", paper=Paper()).splitlines()[2:] == [
        "  + new-g  type-new-g  on-demand  z1  new -> 3  $ 1.000 each",
        "  - old-g  type-old-g  on-demand  z1  0         $ 1.000 each",
        "      group deleted: empty for 2 h",
        "",
        "1 group grows by 3 nodes, 1 empty group is deleted. Plan p.",
    ]


def test_a_narrow_coloured_terminal() -> None:
    """No line is wider than the terminal, names are cut, and colours are only there when asked for."""
    long = group("a-node-group-with-a-name-that-goes-on-and-on", gpus=1)
    world = snapshot(groups=(long,), pods=pods("web", 3))
    packing = (PlannedNode(long.id, "new", 3, (("default/web", 1),), ((GPU, 1, 1),)),)
    plan = Plan(id="p", made_at_s=0, fingerprint="f", actions=(Resize(long.id, 0, 3, ()),), packing=packing)
    shown = view(SavedPlan("prod", "", "", "", plan, gather(plan, world)))
    page = table(shown, cluster="prod", paper=Paper(width=80))
    assert max(map(len, page.splitlines())) <= 80
    assert "a-node-group-wi…" in page
    assert "\x1b[" not in page
    assert "\x1b[32m\x1b[1m+\x1b[0m" in table(shown, cluster="prod", paper=Paper(width=80, colours=True))


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (120, "  + p4de.24xlarge/us-east-1f/on-demand  p4de.24xlarge  on-demand  us-east-1f  0 -> 13  $ 27.447 each"),
        (80, "  + p4de.24xlarge/us-e…  p4de.24xlarge  on-demand  us-east-1f  0 -> 13  $ 27.447"),
        (60, "  + p4de.24xla…  p4de.24xlarge  on-demand  0 -> 13  $ 27.447"),
    ],
)
def test_what_a_terminal_has_no_room_for_is_left_out(width: int, line: str) -> None:
    """First that a price is for each, then the zone; a plan's groups are one line each at any width."""
    offering = Offering("p4de.24xlarge", "us-east-1f", CapacityType.ON_DEMAND, 27_447_000)
    dear = replace(group("p4de.24xlarge/us-east-1f/on-demand"), offering=offering)
    plan = Plan(id="p", made_at_s=0, fingerprint="f", actions=(Resize(dear.id, 0, 13, ()),))
    shown = view(SavedPlan("prod", "", "", "", plan, gather(plan, snapshot(groups=(dear,)))))
    assert table(shown, cluster="prod", paper=Paper(width=width)).splitlines()[2] == line


def test_a_hundred_groups_stay_readable() -> None:
    """Two lines a group: what changes, and the first way in which its nodes are filled."""
    groups = tuple(group(f"g{i:03}", gpus=1) for i in range(100))
    world = snapshot(groups=groups, pods=pods("web", 3))
    packing = tuple(PlannedNode(g.id, "new", n, (("default/web", 1),), ((GPU, 1, 1),)) for g in groups for n in (1, 2))
    actions = tuple(Resize(g.id, 0, 3, ()) for g in groups)
    plan = Plan(id="p", made_at_s=0, fingerprint="f", actions=actions, packing=packing)
    page = table(view(SavedPlan("prod", "", "", "", plan, gather(plan, world))), cluster="prod", paper=Paper())
    assert len(page.splitlines()) == 2 + 100 * 3 + 2
    assert page.splitlines()[3].startswith("      1 node: 1 x default/web (1 GPU)")
    assert page.splitlines()[4] == "      and 1 more way to fill a node (-o json has all)"


def test_every_code_is_documented() -> None:
    """`docs/reasons.md` explains each code."""
    text = (Path(__file__).parents[2] / "docs/reasons.md").read_text()
    assert [code for code in Code if f"| `{code}` |" not in text] == []
