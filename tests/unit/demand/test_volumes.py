"""Claims on volumes as node affinity, as a resource, or as the reason why no node would help."""

from dataclasses import replace

import pytest

from autoscale.demand.sites import Site
from autoscale.demand.volumes import ATTACHED, NO_LIMIT, group_with_limits, total_requests, unshared, with_volumes
from autoscale.demand.world import World
from autoscale.model.resources import Resources
from autoscale.model.rules import Requirement
from autoscale.model.snapshot import ClusterView
from autoscale.model.storage import (
    AttachLimits,
    Attachment,
    Storage,
    StorageCapacity,
    StorageClass,
    Volume,
    VolumeClaim,
)
from autoscale.model.workload import ClaimUse, NodeSelectorTerm, PodShape
from tests.builders import group, node, pod, shape

ZONE = "topology.kubernetes.io/zone"
IN_Z1 = NodeSelectorTerm((Requirement(ZONE, "In", ("z1",)),))
SSD = StorageClass("ssd", "ebs.csi.aws.com", delayed=True)


def term(key: str, *values: str) -> NodeSelectorTerm:
    """One expression."""
    return NodeSelectorTerm((Requirement(key, "In", values),))


def resolved(
    of: PodShape, *claims: VolumeClaim, volumes: tuple[Volume, ...] = (), classes: tuple[StorageClass, ...] = (SSD,)
) -> PodShape:
    """The shape of a pod called p with these claims there."""
    storage = Storage({c.ref: c for c in claims}, {v.name: v for v in volumes}, {c.name: c for c in classes})
    return with_volumes(ClusterView(pods=(pod("p", of),), storage=storage)).pods[0].shape


def using(*names: str) -> PodShape:
    """A shape that mounts claims."""
    return shape(claims=tuple(ClaimUse(name) for name in names))


def test_a_bound_volume_keeps_the_pod_where_it_is() -> None:
    """Its node affinity is the pod's, each of its terms with each of the pod's own."""
    volume = Volume("pv", (term(ZONE, "z1"), term(ZONE, "z2")), driver="ebs.csi.aws.com")
    own = replace(using("data"), node_affinity=(term("gpu", "a100"),))
    bound = VolumeClaim("default", "data", "pv", bound=True)
    assert resolved(own, bound, volumes=(volume,)).node_affinity == tuple(
        NodeSelectorTerm((Requirement("gpu", "In", ("a100",)), Requirement(ZONE, "In", (zone,))))
        for zone in ("z1", "z2")
    )


def test_the_labels_of_an_old_volume_name_its_zones() -> None:
    """A node that says nothing of zones is no less fit, as to the scheduler."""
    volume = Volume("pv", zones=((ZONE, ("z1", "z2")),))
    found = resolved(using("data"), VolumeClaim("default", "data", "pv", bound=True), volumes=(volume,)).node_affinity
    assert found is not None
    assert found[1] == term(ZONE, "z1", "z2")
    assert {each.operator for each in found[0].expressions} == {"DoesNotExist"}


def test_a_volume_that_waits_for_the_pod_is_made_where_its_class_can() -> None:
    """Allowed topologies are an affinity; claims made with the pod count as well; and the classes are one again."""
    class_ = replace(SSD, topologies=(IN_Z1,))
    waiting = VolumeClaim("default", "data", storage_class="ssd")
    mine = shape(claims=(ClaimUse("scratch", ephemeral=True, storage_class="ssd"),))
    made = shape(claims=(ClaimUse("data-web-0", made=True, storage_class="ssd"),))
    results = {
        resolved(using("data"), waiting, classes=(class_,)),
        resolved(mine, classes=(class_,)),
        resolved(made, classes=(class_,)),
    }
    assert results == {replace(shape(), node_affinity=(IN_Z1,), affinity_without_volumes=(None,))}


def test_a_node_that_the_scheduler_chose_for_a_volume_is_the_only_one() -> None:
    """The claim says so while the volume is being made."""
    claim = VolumeClaim("default", "data", storage_class="ssd", selected_node="n1")
    fields = (Requirement("metadata.name", "In", ("n1",)),)
    assert resolved(using("data"), claim).node_affinity == (NodeSelectorTerm(fields=fields),)


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        (None, "does not exist"),
        (VolumeClaim("default", "data", lost=True), "has lost its volume"),
        (VolumeClaim("default", "data", deleting=True), "is being deleted"),
        (VolumeClaim("default", "data", "pv"), "waits for the volume pv"),
        (VolumeClaim("default", "data", "gone", bound=True), "the volume gone of its claim data does not exist"),
        (VolumeClaim("default", "data", storage_class="none"), "no storage class that exists"),
        (VolumeClaim("default", "data", storage_class="now"), "is not bound yet, and now does not wait"),
        (VolumeClaim("default", "data", storage_class="local"), "nobody makes"),
    ],
)
def test_a_claim_that_no_node_would_help(claim: VolumeClaim | None, why: str) -> None:
    """The reason names it."""
    classes = (SSD, StorageClass("now", "x"), StorageClass("local", "kubernetes.io/no-provisioner", delayed=True))
    assert why in resolved(using("data"), *filter(None, [claim]), classes=classes).blocked


def test_a_claim_for_one_pod_at_a_time() -> None:
    """The pod that runs with it has it; else the eldest."""
    claim = VolumeClaim("default", "data", storage_class="ssd", one_pod=True)
    storage = Storage({claim.ref: claim}, {}, {"ssd": SSD})
    same = using("data")
    waiting = (pod("a", same, created_at_s=1), pod("b", same, created_at_s=2))
    there = pod("c", same, node_name="n1", created_at_s=3)
    seen = [with_volumes(ClusterView(pods=pods, storage=storage)).pods for pods in (waiting, (*waiting, there))]
    assert [[each.name for each in pods if each.shape.blocked] for pods in seen] == [["b"], ["a", "b"]]


def test_attached_volumes_are_a_resource() -> None:
    """A node has as many as its CSINode says; one that says nothing has no limit; a group as few as its kind has."""
    claims = tuple(VolumeClaim("default", name, storage_class="ssd") for name in ("one", "two"))
    storage = Storage({c.ref: c for c in claims}, {}, {"ssd": SSD}, {"n1": AttachLimits("n1", {SSD.provisioner: 25})})
    view = with_volumes(ClusterView((node("n1"), node("n2")), (pod("p", using("one", "two")),), storage=storage))
    name = ATTACHED + SSD.provisioner
    assert view.pods[0].shape.requests[name] == 2
    assert [each.allocatable[name] for each in view.nodes] == [25, NO_LIMIT]
    assert group_with_limits(group(), view.nodes).allocatable[name] == 25


def test_nobody_with_a_claim_changes_nothing() -> None:
    """The same object, however many limits there are."""
    storage = Storage(limits={"n1": AttachLimits("n1", {"x": 1})})
    view = ClusterView((node("n1"),), (pod("p"),), storage=storage)
    assert with_volumes(view) is view


def test_a_volume_that_several_pods_of_a_node_have_counts_once() -> None:
    """In the world as to the scheduler; leaving counts as coming does."""
    claim = VolumeClaim("default", "one", storage_class="ssd")
    storage = Storage({claim.ref: claim}, {}, {"ssd": SSD}, {"n1": AttachLimits("n1", {SSD.provisioner: 1})})
    both = (pod("a", using("one")), pod("b", using("one")))
    view = with_volumes(ClusterView((node("n1"),), both, storage=storage))
    world, site = World(), Site("n1", {}, (), view.nodes[0].allocatable)
    world.open(site)
    first, second = map(world.kind_of, view.pods)
    world.put(first, site)
    assert (site.room[ATTACHED + SSD.provisioner], world.takes(second, site)) == (0, True)
    assert world.why_not(second, site) == ()
    world.put(second, site)
    world.put(first, site, -1)
    assert site.room[ATTACHED + SSD.provisioner] == 0
    world.put(second, site, -1)
    assert (site.room[ATTACHED + SSD.provisioner], site.volumes) == (1, {})


def test_volumes_that_are_attached_and_not_used_take_a_place() -> None:
    """As long as no pod of the node has them; those that are no CSI volumes, or gone, count nothing."""
    claims = (VolumeClaim("default", "one", "pv-1", bound=True), VolumeClaim("default", "two", "pv-2", bound=True))
    volumes = {name: Volume(name, driver=SSD.provisioner) for name in ("pv-1", "pv-2", "pv-3")} | {"nfs": Volume("nfs")}
    attached = tuple(Attachment(f"a{v}", "n1", SSD.provisioner, v) for v in ("pv-1", "pv-3", "nfs", "gone"))
    storage = Storage(
        {c.ref: c for c in claims}, volumes, {}, {"n1": AttachLimits("n1", {SSD.provisioner: 9})}, attached
    )
    runs, waits = pod("a", using("one"), node_name="n1"), pod("b", using("two"))
    view = with_volumes(ClusterView((node("n1"),), (runs, waits), storage=storage))
    assert view.nodes[0].allocatable[ATTACHED + SSD.provisioner] == 8


def room(name: str, *values: str, size: int | None = 100) -> StorageCapacity:
    """As much as this in these zones."""
    return StorageCapacity("kube-system", name, "ssd", (Requirement(ZONE, "In", values),) if values else (), size)


@pytest.mark.parametrize(
    ("asked", "capacities", "affinity", "blocked"),
    [
        (100, (room("a", "z1"), room("b", "z2", size=99)), (term(ZONE, "z1"),), ""),
        (100, (room("a", "z1"), room("b", "z2")), (term(ZONE, "z1"), term(ZONE, "z2")), ""),
        (100, (room("a"),), None, ""),
        (None, (), None, ""),
        (100, (replace(room("a", "z1"), storage_class="other"), room("b", "z1", size=None)), (),
         "ebs.csi.aws.com has nowhere as much room as its volume claim data asks for"),
        (100, (replace(room("a"), nodes=None),), (),
         "ebs.csi.aws.com has nowhere as much room as its volume claim data asks for"),
    ],
)  # fmt: skip
def test_a_volume_is_made_where_its_driver_says_that_there_is_room(
    asked: int | None, capacities: tuple[StorageCapacity, ...], affinity: object, blocked: str
) -> None:
    """Of a driver that tells; a claim that does not say how much fits anywhere."""
    claim = VolumeClaim("default", "data", storage_class="ssd", size_bytes=asked)
    storage = Storage({claim.ref: claim}, {}, {"ssd": SSD}, {}, (), capacities, frozenset({SSD.provisioner}))
    found = with_volumes(ClusterView(pods=(pod("p", using("data")),), storage=storage)).pods[0].shape
    assert (found.node_affinity, found.blocked) == (affinity, blocked)
    untold = replace(storage, measured=frozenset())
    assert (
        with_volumes(ClusterView(pods=(pod("p", using("data")),), storage=untold)).pods[0].shape.node_affinity is None
    )


def test_what_pods_of_a_node_share_counts_once_in_their_sum() -> None:
    """Their own volumes each."""
    resource = "attachable-volumes-csi-x"
    of = replace(shape(), requests=shape().requests + Resources({resource: 2}), shared_volumes=((resource, "both"),))
    assert total_requests((pod("a", of), pod("b", of)))[resource] == 3
    assert unshared(of)[resource] == 1
    assert unshared(shape()) is not None
