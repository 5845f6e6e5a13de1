"""What the pages of the scenarios leave out: rules between pods, rules that nobody models, and values of documents."""

from dataclasses import replace

from autoscale.decide.explain_pod import explain_pod
from autoscale.decide.what_if import Case
from autoscale.model.explanation import Fate, Place, PodStory, Remedy
from autoscale.model.rules import PodRules, PodTerm, Requirement
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Snapshot
from autoscale.model.storage import Storage, Volume, VolumeClaim
from autoscale.model.workload import ClaimUse, Code
from autoscale.solve import solve
from tests.builders import GPU, USD, group, node, pod, shape, snapshot

ZONE = "topology.kubernetes.io/zone"
ZONED = {ZONE: "z1"}


def story(world: Snapshot, name: str, settings: DecideSettings | None = None) -> PodStory:
    """The story of one pod."""
    case = Case(world, (), lambda problem: solve(problem, time_limit_s=0.2), settings or DecideSettings())
    return explain_pod(case, next(p for p in world.cluster.pods if p.name == name))


def test_a_rule_between_pods() -> None:
    """Anti-affinity in the only zone: what holds it back is said, and that without the rule it would run."""
    apart = PodRules(anti_affinity=(PodTerm(ZONE, (Requirement("app", "In", ("web",)),)),))
    of = replace(shape(gpus=8), rules=apart)
    web = {"app": "web"}
    there = (pod("first", shape(gpus=8), node_name="g8-0", labels=web), pod("second", of, labels=web))
    world = snapshot(
        pods=there, nodes=(node("g8-0", labels=ZONED),), groups=(group("g8", usd=10, running=1, labels=ZONED),)
    )
    found = story(world, "second")
    assert (found.fate, found.takers, [reason.code for reason in found.held]) == (
        Fate.STAYS,
        ("g8",),
        [Code.POD_ANTI_AFFINITY],
    )
    assert found.remedies == (Remedy(("without its required pod anti-affinity",), "g8", "type-g8", 10 * USD),)


def test_others_who_would_stay_pending_in_its_place_are_counted() -> None:
    """The last node that the group may have goes to it; a change that lets it run is not for nothing, though it costs nothing."""
    full = group("g8", usd=10, max_nodes=1)
    there = (pod("a", shape(gpus=8)), pod("b", shape(gpus=8)), pod("huge", shape(gpus=16)))
    found = story(snapshot(pods=there, groups=(full,)), "a")
    assert (found.fate, found.cost_microusd_per_hour, found.displaced) == (Fate.BOUGHT, 0, 1)
    first = Remedy((f"ask for 8 {GPU} instead of 16: no node has more",), "g8", "type-g8", 0, displaced=1)
    important = replace(there[2], shape=replace(there[2].shape, priority=1))
    assert story(snapshot(pods=(there[0], important), groups=(full,)), "huge").remedies == (first,)


def test_a_rule_that_is_not_planned_yet() -> None:
    """It is named, and what would happen without it is known."""
    of = replace(shape(), unmodelled=("persistent volume claim",))
    found = story(snapshot(pods=(pod("a", of),), groups=(group("g8", usd=10),)), "a")
    assert [(reason.code, reason.text) for reason in found.because] == [
        (Code.UNMODELLED, "its rule is not planned yet: persistent volume claim")
    ]
    assert found.remedies == (
        Remedy(("without persistent volume claim, which is not planned yet",), "g8", "type-g8", 10 * USD),
    )


def test_a_volume_in_another_zone() -> None:
    """The volume's zone excludes the group; nobody is told to change an affinity that is not written in the pod."""
    there = Volume("disk", zones=((ZONE, ("z9",)),))
    found = story(
        claiming(Storage({"default/data": VolumeClaim("default", "data", "disk", bound=True)}, {"disk": there})), "a"
    )
    assert [(each.code, each.names) for each in found.excluded] == [(Code.NODE_AFFINITY, ("g8",))]
    assert found.remedies == (Remedy(("without its volume claims",), "g8", "type-g8", 10 * USD),)


def test_a_volume_claim_that_does_not_exist() -> None:
    """No node would help, which is said before anything else."""
    found = story(claiming(Storage()), "a")
    assert [(reason.code, reason.text) for reason in found.because] == [
        (Code.VOLUME, "its volume claim data does not exist")
    ]
    assert found.remedies == (Remedy(("without its volume claims",), "g8", "type-g8", 10 * USD),)


def claiming(storage: Storage) -> Snapshot:
    """A pod with a claim, and a group in one zone."""
    of = replace(shape(), claims=(ClaimUse("data"),))
    world = snapshot(pods=(pod("a", of),), groups=(group("g8", usd=10, labels={ZONE: "z1"}),))
    return replace(world, cluster=replace(world.cluster, storage=storage))


def test_a_running_pods_share() -> None:
    """Of the resource that it takes most of; on a node of no group nobody knows the price."""
    there = (pod("a", shape(gpus=2, cpu=48), node_name="g8-0"), pod("b", shape(gpus=1), node_name="own"))
    nodes = (node("g8-0"), node("own", provider_id="", labels={ZONE: "z9"}))
    world = snapshot(pods=there, nodes=nodes, groups=(group("g8", usd=10, running=1),))
    found = story(world, "a")
    assert (found.place, found.cost_microusd_per_hour) == (
        Place("g8-0", "g8", "type-g8", "z1", "on-demand", 10 * USD, 0.5),
        5 * USD,
    )
    own = story(world, "b")
    assert (own.place, own.cost_microusd_per_hour) == (Place("own", "", "", "z9", "", 0, 0.125), 0)


def test_pods_that_are_left_to_others() -> None:
    """With `pods: gpu`, a pod without devices; and pods of DaemonSets, static pods, those on their way out."""
    plain = pod("plain", shape(gpus=0))
    world = snapshot(pods=(plain,), groups=(group(),))
    found = story(world, "plain", replace(DecideSettings(), gpu_pods_only=True))
    assert (found.fate, [reason.code for reason in found.because]) == (Fate.IGNORED, [Code.NOT_OURS])
    for each, text in (
        (replace(plain, deleting=True), "it is being deleted"),
        (
            replace(plain, owner="DaemonSet/d"),
            "a DaemonSet made it: it belongs to one node, and no node is bought for it",
        ),
        (replace(plain, mirror=True), "it is a static pod of its node"),
    ):
        (reason,) = story(snapshot(pods=(each,), groups=(group(),)), "plain").because
        assert reason.text == text


def test_there_is_no_group_at_all() -> None:
    """Nothing excludes it, and nothing would help."""
    found = story(snapshot(pods=(pod("a"),)), "a")
    assert (found.fate, found.excluded, found.held, found.remedies) == (Fate.STAYS, (), (), ())


def test_a_claim_whose_node_is_held() -> None:
    """The node is named."""
    claimed = pod("a", shape(gpus=8), claim=("p-000", "g8"))
    world = snapshot(
        pods=(claimed,), nodes=(node("g8-0", slot="p-000", phase="held"),), groups=(group("g8", usd=10, running=1),)
    )
    found = story(world, "a")
    assert (found.fate, [reason.text for reason in found.because]) == (
        Fate.COMING,
        ["node g8-0 is held for it, slot p-000"],
    )
    assert found.place == Place("g8-0", "g8", "type-g8", "z1", "on-demand", 10 * USD, 1.0)
    assert found.requests[GPU] == 8
