"""`limits`: hard ceilings that count what runs."""

from dataclasses import replace

from autoscale.model.problem import Rule
from autoscale.model.workload import Code, Reason
from policies.limits import Ceiling, Limits
from tests.builders import GI, GPU, group, node, pod, snapshot

from .asked import ask, plan

BIG = group("g8", gpus=8, running=2)
SMALL = group("g1", gpus=1, running=3, target_nodes=5)


def test_every_limit_is_a_rule_over_what_is_bought() -> None:
    """Nodes and resources, in all and per group, less what runs or is on its way (5 by target, though 3 run)."""
    problem, question = ask((BIG, SMALL))
    rules = Limits(nodes=10, resources={GPU: 40}, groups={"g1*": Ceiling(nodes=6)})
    assert rules.shape(problem, question, snapshot(groups=(BIG, SMALL))).rules == (
        Rule(
            "limits/nodes",
            "limits",
            3,
            {0: 1, 1: 1},
            text="10 nodes at most in all groups, 7 there already: 3 more",
            of="nodes",
        ),
        Rule(
            "limits/nvidia.com/gpu",
            "limits",
            19,
            {0: 8, 1: 1},
            text="40 nvidia.com/gpu at most in all groups, 21 there already: 19 more",
            of="nvidia.com/gpu",
        ),
        Rule(
            "limits/g1*/nodes",
            "limits",
            1,
            {1: 1},
            text="6 nodes at most in groups g1*, 5 there already: 1 more",
            of="nodes",
        ),
    )


def test_bytes_are_divided_without_loss() -> None:
    """Memory is counted in the largest unit that divides every node's, so that numbers stay small."""
    problem, question = ask((BIG,))
    (rule,) = Limits(resources={"memory": 4000 * GI}).shape(problem, question, snapshot(groups=(BIG,))).rules
    assert (rule.limit, rule.per_node) == ((4000 - 2 * 768) // 768, {0: 1})
    assert (rule.unit, rule.of) == (768 * GI, "memory")


def test_open_slots_count() -> None:
    """Nodes that were bought for pods and have not joined count, even when the cloud's target does not show them yet."""
    waiting = tuple(pod(f"w{i}", claim=(f"p-{i}", "g8")) for i in range(3))
    nodes = (node("g8-0"), node("g8-1"))
    problem, question = ask((BIG,))
    (rule,) = Limits(nodes=6).shape(problem, question, snapshot(groups=(BIG,), pods=waiting, nodes=nodes)).rules
    assert rule.limit == 1


def test_our_own_target_counts() -> None:
    """What we asked for counts while the cloud still shows less."""
    world = snapshot(groups=(BIG,))
    world = replace(world, ledger=replace(world.ledger, targets={"g8": 5}))
    problem, question = ask((BIG,))
    (rule,) = Limits(nodes=6).shape(problem, question, world).rules
    assert rule.limit == 1


def test_a_limit_that_is_passed_buys_nothing_and_says_so() -> None:
    """Below what runs: the rule leaves nothing, the plan keeps its actions and gains a note."""
    problem, question = ask((BIG,))
    world = snapshot(groups=(BIG,))
    rules = Limits(nodes=1)
    text = "1 node at most in all groups, 2 there already: nothing more is bought, nothing is removed"
    assert rules.shape(problem, question, world).rules == (
        Rule("limits/nodes", "limits", 0, {0: 1}, text=text, of="nodes"),
    )
    assert rules.review(plan(), world) == plan(notes=(Reason(Code.LIMIT, text, "limits"),))


def test_a_limit_that_is_kept_says_nothing() -> None:
    """No note when there is room."""
    assert Limits(nodes=2).review(plan(), snapshot(groups=(BIG,))) == plan()
