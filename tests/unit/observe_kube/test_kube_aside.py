"""Claims kept in a ConfigMap: pods stay as they are, and whoever looks sees what was claimed for them."""

from collections.abc import Iterator

import pytest

from autoscale.errors import ClusterError, Conflict, NotFound
from autoscale.model.supply import NodeReservation
from autoscale.model.workload import Claim
from autoscale.observe.kube_aside import KubeClusterAside
from autoscale.observe.kube_connect import connect
from autoscale.sim.cluster import EmbeddedCluster
from autoscale.sim.rules import bind

from .conftest import SETTINGS
from .helpers import OTHERS_TAINT, Json, add_node, add_pod

SLOT = "plan-0"
TAINT = {"key": "gpu-autoscale.dev/slot", "value": SLOT, "effect": "NoSchedule"}


@pytest.fixture
def aside(embedded: EmbeddedCluster) -> Iterator[KubeClusterAside]:
    """An engine that keeps its claims in default/claims."""
    with another(embedded) as found:
        yield found


def another(embedded: EmbeddedCluster) -> KubeClusterAside:
    """One more engine."""
    return KubeClusterAside(connect(embedded.kubeconfig_path, None), name="default/claims", settings=SETTINGS)


def claims(cluster: KubeClusterAside) -> dict[str, Claim | None]:
    """What the engine sees on each pod."""
    return {pod.name: pod.claim for pod in cluster.observe().pods}


def kept(embedded: EmbeddedCluster) -> Json:
    """What the ConfigMap says."""
    found: Json = embedded.get("ConfigMap", "default/claims").get("data") or {}
    return found


def test_claims_are_kept_aside_and_pods_stay_as_they_are(embedded: EmbeddedCluster, aside: KubeClusterAside) -> None:
    """Repeated or not, seen at once, by an engine that starts anew as well; unclaim takes exactly its own off."""
    refs = [add_pod(embedded, name) for name in ("p", "q")]
    before = [embedded.get("Pod", ref[1]) for ref in refs]
    aside.observe()
    for ref in (*refs, *refs):
        aside.claim(ref, slot=SLOT, group="g", at_s=7)
    both = {"p": Claim(SLOT, "g", 7), "q": Claim(SLOT, "g", 7)}
    assert claims(aside) == both
    assert kept(embedded) == {
        SLOT: f'{{"group":"g","claimedAt":7,"pods":["{min(refs)[0]}","{max(refs)[0]}"]}}',
    }
    with another(embedded) as second:
        assert claims(second) == both
    aside.unclaim(refs[0], slot="another-0")
    aside.unclaim(refs[0], slot=SLOT)
    assert claims(aside) == {"p": None, "q": Claim(SLOT, "g", 7)}
    aside.unclaim(refs[1], slot=SLOT)
    assert kept(embedded) == {}
    assert [embedded.get("Pod", ref[1]) for ref in refs] == before


def test_a_claim_for_whoever_takes_a_pods_place_is_kept_as_well(
    embedded: EmbeddedCluster, aside: KubeClusterAside
) -> None:
    """Beside the pod's own, in the same ConfigMap."""
    ref = add_pod(embedded, "p")
    aside.observe()
    aside.claim_next(ref, slot=SLOT, group="g", at_s=7)
    assert [(pod.claim, pod.next_claim) for pod in aside.observe().pods] == [(None, Claim(SLOT, "g", 7))]
    with another(embedded) as second:
        assert [pod.next_claim for pod in second.observe().pods] == [Claim(SLOT, "g", 7)]


def test_what_another_wrote_meanwhile_is_not_overwritten(embedded: EmbeddedCluster, aside: KubeClusterAside) -> None:
    """The write is refused, and the next look sees what is there."""
    mine, others = add_pod(embedded, "p"), add_pod(embedded, "q")
    aside.observe()
    aside.claim(mine, slot=SLOT, group="g", at_s=7)
    with another(embedded) as second:
        second.observe()
        second.claim(others, slot="other-0", group="g", at_s=8)
    with pytest.raises(Conflict):
        aside.unclaim(mine, slot=SLOT)
    assert claims(aside) == {"p": Claim(SLOT, "g", 7), "q": Claim("other-0", "g", 8)}


def test_a_pod_that_is_bound_or_gone_can_not_be_claimed_and_loses_its_claim(
    embedded: EmbeddedCluster, aside: KubeClusterAside
) -> None:
    """Bound to its node or to another: the claim has done what it was for."""
    add_node(embedded, "n")
    ref = add_pod(embedded, "p")
    aside.observe()
    aside.claim(ref, slot=SLOT, group="g", at_s=7)
    bind(embedded.store, ref[1], "n")
    with another(embedded) as second:
        assert claims(second) == {"p": None}
        with pytest.raises(Conflict):
            second.claim(ref, slot="other-0", group="g", at_s=8)
        with pytest.raises(NotFound):
            second.claim(("uid-gone", "default/gone"), slot=SLOT, group="g", at_s=8)


def test_a_pod_is_let_in_by_nomination_and_its_node_by_opening_it(
    embedded: EmbeddedCluster, aside: KubeClusterAside
) -> None:
    """Only the pod's status names the node; the node loses our taint alone, and stays held from now on."""
    add_node(embedded, "n", OTHERS_TAINT)
    ref = add_pod(embedded, "p")
    before = embedded.get("Pod", ref[1])
    aside.observe()
    aside.hold("n", slot=SLOT, at_s=5)
    aside.claim(ref, slot=SLOT, group="g", at_s=5)
    assert TAINT in embedded.get("Node", "n")["spec"]["taints"]
    for _ in range(2):
        aside.tolerate(ref, slot=SLOT)
        aside.admit("n", slot=SLOT, at_s=9)
    after = embedded.get("Pod", ref[1])
    assert after["spec"] == before["spec"]
    assert after["status"] == {**before["status"], "nominatedNodeName": "n"}
    assert embedded.get("Node", "n")["spec"]["taints"] == [OTHERS_TAINT]
    assert [node.reservation for node in aside.observe().nodes] == [NodeReservation(SLOT, "held", 9)]
    aside.unclaim(ref, slot=SLOT)
    assert "nominatedNodeName" not in embedded.get("Pod", ref[1])["status"]


def test_a_node_that_is_not_held_for_the_slot_is_not_opened(embedded: EmbeddedCluster, aside: KubeClusterAside) -> None:
    """Somebody else's reservation keeps its taint; a pod of a slot without a node is nominated nowhere."""
    add_node(embedded, "n")
    ref = add_pod(embedded, "p")
    aside.observe()
    aside.hold("n", slot=SLOT, at_s=5)
    aside.admit("n", slot="other-0", at_s=9)
    aside.tolerate(ref, slot="other-0")
    assert embedded.get("Node", "n")["spec"]["taints"] == [TAINT]
    assert "nominatedNodeName" not in embedded.get("Pod", ref[1])["status"]


def test_a_config_map_that_can_not_be_read_is_an_error(embedded: EmbeddedCluster, aside: KubeClusterAside) -> None:
    """Without it the engine would take all pods for demand."""
    embedded.faults.refuse(403, method="GET", path="/api/v1/namespaces/default/configmaps/claims", times=20)
    with pytest.raises(ClusterError):
        aside.observe()
