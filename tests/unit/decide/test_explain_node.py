"""What the pages of the scenarios leave out: documents' values, and nodes in odd states."""

from dataclasses import replace

from autoscale.decide.explain_node import explain_node
from autoscale.decide.what_if import Case
from autoscale.model.explanation import Move, NodeStory, Tenant
from autoscale.model.rules import DisruptionBudget, Requirement
from autoscale.model.settings import Consolidation, DecideSettings
from autoscale.model.snapshot import Snapshot
from autoscale.model.supply import Disruption
from autoscale.model.workload import Code, Reason, Taint
from autoscale.solve import solve
from tests.builders import GPU, NOW, group, instance, node, pod, pods, resources, shape, snapshot

SOURCE = "explain"
REBALANCE = Taint("aws-node-termination-handler/rebalance-recommendation")


def story(world: Snapshot, name: str, settings: DecideSettings | None = None) -> NodeStory:
    """The story of one node."""
    case = Case(world, (), lambda problem: solve(problem, time_limit_s=5), settings or DecideSettings())
    return explain_node(case, next(n for n in world.cluster.nodes if n.name == name))


def test_who_is_on_it_and_where_else_they_would_be() -> None:
    """Owners with the most pods first, DaemonSets apart, and the move as numbers."""
    there = (
        *pods(
            "web",
            2,
            shape(gpus=1),
            owner="ReplicaSet/web-7d4",
            labels={"pod-template-hash": "7d4"},
            node_name="g8-0",
        ),
        pod("train", shape(gpus=4), owner="Job/train", node_name="g8-0"),
        pod("agent", shape(gpus=0, cpu=1, memory_gi=1), owner="DaemonSet/agent", node_name="g8-0"),
    )
    groups = (group("g8", gpus=8, usd=10, running=1), group("g2", gpus=2, usd=1), group("g4", gpus=4, usd=5))
    found = story(snapshot(pods=there, nodes=(node("g8-0"),), groups=groups), "g8-0")
    assert found.tenants == (
        Tenant("default/web", 2, resources(cpu=8, memory_gi=32, gpus=2, pods=2).amounts),
        Tenant("default/train", 1, resources(cpu=4, memory_gi=16, gpus=4, pods=1).amounts),
    )
    assert found.daemons == ("agent",)
    assert (GPU, 6, 8) in found.used
    assert found.move == Move(("1 x g2", "1 x g4"), 6_000_000, 4_000_000)
    assert (found.kept, found.because) == (True, (Reason(Code.BUSY, "3 pods work on it", SOURCE),))


def test_with_consolidation_a_cheaper_home_says_what_moving_costs() -> None:
    """Two GPUs of eight of a node of 10 US$/h for two minutes, a cent, and five minutes of the node that is bought."""
    there = (pod("web", shape(gpus=2), owner="ReplicaSet/web", node_name="g8-0"),)
    groups = (group("g8", gpus=8, usd=10, running=1), group("g2", gpus=2, usd=1.2))
    wish = DecideSettings(consolidation=Consolidation())
    found = story(snapshot(pods=there, nodes=(node("g8-0"),), groups=groups), "g8-0", wish)
    once = 10_000_000 * 120 // 3600 // 4 + 10_000 + 100_000
    assert found.move == Move(("1 x g2",), 1_200_000, 8_800_000, once_microusd=once, horizon_s=3600)
    bare = snapshot(pods=(replace(there[0], owner=""),), nodes=(node("g8-0"),), groups=groups)
    moved = story(bare, "g8-0", wish).move
    assert moved is not None
    assert moved.protected == "default/web: no controller would make it anew"


def test_what_else_waits_does_not_count() -> None:
    """A move's cost is beyond what is bought anyway."""
    there = (pod("here", shape(gpus=2), node_name="g8-0"), pod("waits", shape(gpus=8)))
    world = snapshot(pods=there, nodes=(node("g8-0"),), groups=(group("g8", gpus=8, usd=10, running=1),))
    found = story(world, "g8-0")
    assert found.move == Move(("1 x g8",), 10_000_000, 0)


def test_a_protected_instance_and_a_reserved_node() -> None:
    """The cloud's protection, and pods that are about to be bound."""
    mine = group("g8", gpus=8, usd=10, instances=(instance("g8-0", protected=True),))
    claimed = pod("early", shape(gpus=8), claim=("p-000", "g8"))
    world = snapshot(pods=(claimed,), nodes=(node("g8-0", slot="p-000", phase="held"),), groups=(mine,))
    found = story(world, "g8-0")
    assert [(reason.code, reason.text) for reason in found.because] == [
        (Code.PROTECTED, "its instance g8-0 is protected from scale-in"),
        (Code.STARTING, "pods that claim it are about to be bound to it"),
    ]
    assert found.origin[0].text == (
        "plan p bought it as slot p-000, held now; of the pods that claimed it 0 run on it, 1 do not"
    )
    assert found.move is None


def test_idle_nodes_may_be_kept() -> None:
    """A configuration that removes nothing says so."""
    world = snapshot(nodes=(node("g8-0"),), groups=(group("g8", running=1),))
    found = story(world, "g8-0", replace(DecideSettings(), idle_after_s=None))
    assert found.because == (
        Reason(Code.POLICY, "it has no work; idle nodes are kept, says the configuration", SOURCE),
    )


def test_a_node_that_is_drained_says_what_each_pod_waits_for() -> None:
    """A finalizer, a budget, what protects a pod, and one that nothing keeps."""
    there = (
        pod("a", owner="ReplicaSet/a", node_name="n", labels={"app": "a"}),
        pod("b", owner="ReplicaSet/b", node_name="n", deleting=True, deletion_at_s=NOW - 40, finalizers=("x/keep",)),
        pod("c", node_name="n"),
        pod("d", owner="ReplicaSet/d", node_name="n"),
    )
    closed = node("n", disruption=Disruption("RebalanceRecommended", NOW - 420), taints=(REBALANCE,))
    world = snapshot(pods=there, nodes=(closed,), groups=(group("g8", instances=(instance("n"),)),))
    budget = DisruptionBudget("default", "a-budget", (Requirement("app", "In", ("a",)),))
    found = story(replace(world, cluster=replace(world.cluster, budgets=(budget,))), "n")
    assert (found.kept, found.drained) == (True, True)
    assert [reason.text for reason in found.because][:5] == [
        "it has been closed to new pods for 7 min (RebalanceRecommended)",
        (
            "default/a, of ReplicaSet/a: PodDisruptionBudget a-budget lets no pod go now; "
            "give its owner more ready replicas, or the budget more room"
        ),
        (
            "default/b, of ReplicaSet/b should have ended 40 s ago, finalizer x/keep keeps it; "
            "whoever set the finalizer has to take it off"
        ),
        "default/c: no controller would make it anew",
        "default/d waits until its place is ready, or for its turn",
    ]
