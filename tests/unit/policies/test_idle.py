"""`idle`: removals that come too early for their group."""

from autoscale.model.plan import RemoveNode
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Ledger
from autoscale.model.workload import Code, Reason
from policies.idle import Idle
from tests.builders import NOW, group, snapshot

from .asked import ask, plan

IDLE = Reason(Code.IDLE, "without work")
GROUPS = (group("h100"), group("keep"), group("l4"))
LEDGER = Ledger(idle_since_s={"h": NOW - 400, "k": NOW - 9999, "l": NOW - 400})
REMOVALS = tuple(RemoveNode(g, n, f"i-{n}", IDLE) for g, n in (("h100", "h"), ("keep", "k"), ("l4", "l")))


def test_each_group_has_its_own_time() -> None:
    """The shortest goes through; a longer one and `never` hold the node, and it is said."""
    rule = Idle(after_s=300, groups={"h100": 1800, "keep": None})
    world = snapshot(groups=GROUPS, ledger=LEDGER)
    assert rule.review(plan(actions=REMOVALS), world) == plan(
        actions=REMOVALS[2:],
        notes=(
            Reason(Code.POLICY, "1 idle node of h100 stays until idle for 30 m", "idle"),
            Reason(Code.POLICY, "1 idle node of keep stays, its nodes are never removed", "idle"),
        ),
    )


def test_other_removals_pass() -> None:
    """A node that goes for another reason, or an instance that never became a node, is none of its business."""
    others = (RemoveNode("keep", "k", "i-k", Reason(Code.TIMEOUT, "never came")), RemoveNode("keep", "", "i-x", IDLE))
    world = snapshot(groups=GROUPS, ledger=LEDGER)
    assert Idle(after_s=None).review(plan(actions=others), world) == plan(actions=others)


def test_the_decision_starts_from_the_shortest_time() -> None:
    """`never` everywhere turns removal off."""
    assert Idle(after_s=600, groups={"l4": 60}).adjust(DecideSettings()) == DecideSettings(idle_after_s=60)
    assert Idle(after_s=None).adjust(DecideSettings()) == DecideSettings(idle_after_s=None)


def test_it_shapes_nothing() -> None:
    """What is bought is not idle."""
    problem, question = ask(GROUPS)
    assert Idle().shape(problem, question, snapshot()) == problem
