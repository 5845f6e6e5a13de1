"""What KubeCluster writes: exactly that, once, visible at once, and nobody else's work undone."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscale.errors import Conflict, NotFound, Unreachable
from autoscale.model.supply import NodeReservation
from autoscale.model.workload import Claim
from autoscale.observe.kube import KubeCluster
from autoscale.sim.cluster import EmbeddedCluster
from autoscale.sim.faults import HANG_UP

from .helpers import OTHERS_TAINT, Json, add_node, add_pod, eventually

SLOT = "plan-0"
TOLERATION = {"key": "gpu-autoscale.dev/slot", "operator": "Equal", "value": SLOT, "effect": "NoSchedule"}
CLAIM = {
    "gpu-autoscale.dev/slot": SLOT,
    "gpu-autoscale.dev/group": "g",
    "gpu-autoscale.dev/claimed-at": "7",
}


def seen(cluster: KubeCluster, name: str) -> Claim | None:
    """The claim that the engine sees on a pod."""
    return next(pod.claim for pod in cluster.observe().pods if pod.name == name)


def test_claim_and_unclaim_write_their_annotations_and_no_others(
    embedded: EmbeddedCluster, cluster: KubeCluster
) -> None:
    """Repeated or not, a claim is three annotations, seen at once; unclaim takes exactly these off."""
    ref = add_pod(embedded, "p", annotations={"own": "kept"})
    cluster.observe()
    for _ in range(2):
        cluster.claim(ref, slot=SLOT, group="g", at_s=7)
        assert embedded.get("Pod", ref[1])["metadata"]["annotations"] == {"own": "kept", **CLAIM}
        assert seen(cluster, "p") == Claim(SLOT, "g", 7)
    cluster.unclaim(ref, slot="another-0")
    assert seen(cluster, "p") == Claim(SLOT, "g", 7)
    for _ in range(2):
        cluster.unclaim(ref, slot=SLOT)
        assert embedded.get("Pod", ref[1])["metadata"]["annotations"] == {"own": "kept"}
        assert seen(cluster, "p") is None


def test_a_claim_may_be_replaced_by_one_for_another_slot(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """A void claim is overwritten by the next one."""
    ref = add_pod(embedded, "p", annotations=CLAIM)
    cluster.observe()
    cluster.claim(ref, slot="next-1", group="h", at_s=9)
    assert seen(cluster, "p") == Claim("next-1", "h", 9)


def test_another_claim_is_not_taken_off_by_a_stale_store(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Who has not seen the new claim yet can't remove it: the server compares."""
    ref = add_pod(embedded, "p", annotations={**CLAIM, "gpu-autoscale.dev/slot": "another-0"})
    cluster.unclaim(ref, slot=SLOT)  # nothing was observed so far
    assert embedded.get("Pod", ref[1])["metadata"]["annotations"]["gpu-autoscale.dev/slot"] == "another-0"


def test_a_stale_event_does_not_undo_what_we_wrote(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """An event from before our write that arrives after it changes nothing in the store."""
    ref = add_pod(embedded, "p")
    cluster.observe()
    with embedded.faults.held_events():
        embedded.store.update("pods", ref[1], lambda p: {**p, "status": {**p["status"], "message": "older"}})
        cluster.claim(ref, slot=SLOT, group="g", at_s=7)
        assert seen(cluster, "p") == Claim(SLOT, "g", 7)
        views = {cluster.observe()}
    last = embedded.store.version
    eventually("the old events came", lambda: cluster._pods.version >= last)
    assert seen(cluster, "p") == Claim(SLOT, "g", 7)
    assert cluster.observe() in views


def test_a_late_answer_does_not_bring_back_a_deleted_pod(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """The answer to a write that is taken in after the deletion was seen is dropped."""
    ref = add_pod(embedded, "p")
    cluster.observe()
    answer = cluster._http.get("/api/v1/namespaces/default/pods/p")
    embedded.delete("Pod", ref[1])
    eventually("the deletion is seen", lambda: not cluster.observe().pods)
    cluster._pods.put_own(answer)
    assert not cluster.observe().pods


def test_a_pod_that_is_gone_or_replaced_is_not_found(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """A name that another pod has is as good as gone for every verb, and that pod is left alone."""
    ref = add_pod(embedded, "p")
    cluster.observe()
    embedded.delete("Pod", ref[1])
    verbs = [
        lambda: cluster.claim(ref, slot=SLOT, group="g", at_s=1),
        lambda: cluster.unclaim(ref, slot=SLOT),
        lambda: cluster.tolerate(ref, slot=SLOT),
    ]
    eventually("the deletion is seen", lambda: not cluster.observe().pods)
    for verb in verbs:
        with pytest.raises(NotFound):
            verb()  # type: ignore[no-untyped-call]  # lambdas have no types
    add_pod(embedded, "p")
    before = embedded.get("Pod", ref[1])
    for verb in verbs:
        with pytest.raises(NotFound, match="another has its name"):
            verb()
    assert embedded.get("Pod", ref[1]) == before


def test_a_bound_pod_is_not_claimed_and_needs_no_toleration(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Bound already: a claim is a Conflict, a toleration is done."""
    ref = add_pod(embedded, "p")
    embedded.store.update("pods", ref[1], lambda p: {**p, "spec": {**p["spec"], "nodeName": "n1"}})
    cluster.observe()
    with pytest.raises(Conflict, match="pod default/p is bound to n1 already"):
        cluster.claim(ref, slot=SLOT, group="g", at_s=1)
    before = embedded.get("Pod", ref[1])
    cluster.tolerate(ref, slot=SLOT)
    assert embedded.get("Pod", ref[1]) == before


def test_a_toleration_is_added_once_behind_the_others(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Tolerations that are there keep all their fields; repeating adds none."""
    ref = add_pod(embedded, "p")
    before = embedded.get("Pod", ref[1])["spec"]["tolerations"]
    cluster.observe()
    for _ in range(2):
        cluster.tolerate(ref, slot=SLOT)
        assert embedded.get("Pod", ref[1])["spec"]["tolerations"] == [*before, TOLERATION]
    assert [p.tolerated_slots for p in cluster.observe().pods] == [(SLOT,)]


def test_a_pod_without_tolerations_gets_its_first(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Where no admission plugin gave the pod a list of tolerations, one is made."""
    ref = add_pod(embedded, "p")
    embedded.store.update(
        "pods", ref[1], lambda p: {**p, "spec": {k: v for k, v in p["spec"].items() if k != "tolerations"}}
    )
    for _ in range(2):
        cluster.tolerate(ref, slot=SLOT)
        assert embedded.get("Pod", ref[1])["spec"]["tolerations"] == [TOLERATION]


def test_a_node_goes_through_the_phases_of_its_reservation(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Assigned, held with the taint, released without it; repeating changes nothing, others' taints stay whole."""
    add_node(embedded, "n", OTHERS_TAINT)
    cluster.observe()

    def state() -> tuple[NodeReservation | None, list[Json]]:
        (node,) = cluster.observe().nodes
        return node.reservation, embedded.get("Node", "n")["spec"].get("taints", [])

    ours = {"key": "gpu-autoscale.dev/slot", "value": SLOT, "effect": "NoSchedule"}
    for at_s in (1, 2):
        cluster.assign("n", slot=SLOT, at_s=at_s)
        assert state() == (NodeReservation(SLOT, "assigned", 1), [OTHERS_TAINT])
    for at_s in (3, 4):
        cluster.hold("n", slot=SLOT, at_s=at_s)
        assert state() == (NodeReservation(SLOT, "held", 3), [OTHERS_TAINT, ours])
    cluster.assign("n", slot=SLOT, at_s=5)
    assert state()[0] == NodeReservation(SLOT, "held", 3)
    cluster.release("n", slot="another-0", at_s=6)
    assert state() == (NodeReservation(SLOT, "held", 3), [OTHERS_TAINT, ours])
    for at_s in (7, 8):
        cluster.release("n", slot=SLOT, at_s=at_s)
        assert state() == (NodeReservation(SLOT, "released", 7), [OTHERS_TAINT])
    cluster.assign("n", slot="next-1", at_s=9)
    assert state()[0] == NodeReservation("next-1", "assigned", 9)


def test_a_node_of_one_slot_is_not_given_to_another(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Assigning or holding for another slot is a Conflict, and so is holding again after the release."""
    add_node(embedded, "n")
    cluster.hold("n", slot=SLOT, at_s=1)
    for verb in (cluster.assign, cluster.hold):
        with pytest.raises(Conflict, match="node n is held for slot plan-0, not other-1"):
            verb("n", slot="other-1", at_s=2)
    cluster.release("n", slot=SLOT, at_s=3)
    with pytest.raises(Conflict, match="released"):
        cluster.hold("n", slot=SLOT, at_s=4)


def test_a_node_that_others_change_meanwhile_is_read_and_written_again(
    embedded: EmbeddedCluster, cluster: KubeCluster
) -> None:
    """A 409 is not the caller's trouble, unless it never ends."""
    add_node(embedded, "n")
    embedded.faults.refuse(409, method="PATCH", times=3)
    cluster.hold("n", slot=SLOT, at_s=1)
    assert embedded.get("Node", "n")["spec"]["taints"][0]["value"] == SLOT
    embedded.faults.refuse(409, method="PATCH", times=100)
    with pytest.raises(Conflict):
        cluster.release("n", slot=SLOT, at_s=2)


def test_a_node_is_closed_and_opened(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Cordoning is seen at once and can be taken back; a node that is gone is not found."""
    add_node(embedded, "n")
    cluster.observe()
    for on in (True, True, False, False):
        cluster.cordon("n", on=on)
        assert [n.unschedulable for n in cluster.observe().nodes] == [on]
    assert "unschedulable" not in embedded.get("Node", "n")["spec"]
    for verb in (lambda: cluster.cordon("gone", on=True), lambda: cluster.release("gone", slot=SLOT, at_s=1)):
        with pytest.raises(NotFound):
            verb()  # type: ignore[no-untyped-call]  # lambdas have no types


def test_an_event_is_written_about_the_pod(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Kind, pod, reason and text are in it, the text cut to what the API takes."""
    ref = add_pod(embedded, "p")
    cluster.announce(ref, event="TriggeredScaleUp", text="g: 1 -> 2, " + "é" * 1000)
    assert cluster.events.flush(10)
    (event,) = embedded.events()
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "default",
        "name": "p",
        "uid": ref[0],
    }
    assert (event["type"], event["reason"], event["reportingComponent"]) == (
        "Normal",
        "TriggeredScaleUp",
        "gpu-autoscale",
    )
    assert event["message"].startswith("g: 1 -> 2, é")
    assert len(event["message"].encode()) <= 1024


@pytest.mark.parametrize("code", [403, 404, 409, 422, 500, HANG_UP])
def test_an_event_that_can_not_be_written_is_let_go(embedded: EmbeddedCluster, cluster: KubeCluster, code: int) -> None:
    """Announcing never raises, whatever the server says."""
    embedded.faults.refuse(code, method="POST", times=100)
    cluster.announce(add_pod(embedded, "p"), event="NotTriggerScaleUp", text="nothing fits")
    assert cluster.events.flush(20)
    assert embedded.events() == []


def test_sixteen_pods_are_claimed_side_by_side(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Sixteen threads claim two hundred pods; each claim is there and seen."""
    refs = [add_pod(embedded, f"p{i}") for i in range(200)]
    cluster.observe()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda ref: cluster.claim(ref, slot=f"s-{ref[1]}", group="g", at_s=1), refs))
    assert {pod.claim.slot for pod in cluster.observe().pods if pod.claim} == {f"s-{ref[1]}" for ref in refs}


def test_a_broken_connection_is_tried_again_and_then_unreachable(
    embedded: EmbeddedCluster, cluster: KubeCluster
) -> None:
    """A write that got no answer is sent again, as it is harmless; after some tries the cluster is unreachable."""
    ref = add_pod(embedded, "p")
    embedded.faults.refuse(HANG_UP, method="PATCH", times=2)
    cluster.claim(ref, slot=SLOT, group="g", at_s=1)
    assert embedded.get("Pod", ref[1])["metadata"]["annotations"]["gpu-autoscale.dev/slot"] == SLOT
    for code in (HANG_UP, 503, 401, 403):
        embedded.faults.refuse(code, method="PATCH", times=4 if code in (HANG_UP, 503) else 1)
        with pytest.raises(Unreachable):
            cluster.cordon("n", on=True)
