"""What KubeCluster writes when a node goes: the taint, the claims for those who come after, evictions."""

import pytest

from autoscale.errors import Disallowed, NotFound
from autoscale.model.supply import Disruption
from autoscale.model.workload import Claim
from autoscale.observe.kube import KubeCluster
from autoscale.sim.cluster import EmbeddedCluster
from autoscale.sim.rules import bind

from .helpers import OTHERS_TAINT, Json, add_node, add_pod, eventually

OURS = {"key": "gpu-autoscale.dev/disrupted", "value": "Interrupted", "effect": "NoSchedule"}


def running(embedded: EmbeddedCluster, name: str, **meta: object) -> tuple[str, str]:
    """A pod that runs on node n."""
    ref = add_pod(embedded, name, **meta)
    bind(embedded.store, ref[1], "n")
    embedded.store.update("pods", ref[1], lambda pod: {**pod, "status": {**pod["status"], "phase": "Running"}})
    return ref


def budget(embedded: EmbeddedCluster, name: str, needed: int) -> None:
    """A budget of pods labelled app=a."""
    spec: Json = {"minAvailable": needed, "selector": {"matchLabels": {"app": "a"}}}
    embedded.create({"kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec})


def test_a_node_is_closed_and_given_back(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """One taint and two annotations, whoever else has tainted it; repeating changes nothing."""
    add_node(embedded, "n", OTHERS_TAINT)
    before = embedded.get("Node", "n")
    cluster.observe()
    for _ in range(2):
        cluster.disrupt("n", code="Interrupted", at_s=7)
        assert embedded.get("Node", "n")["spec"]["taints"] == [OTHERS_TAINT, OURS]
        assert cluster.observe().nodes[0].disruption == Disruption("Interrupted", 7)
    cluster.disrupt("n", code="Expired", at_s=9)
    assert cluster.observe().nodes[0].disruption == Disruption("Expired", 9)
    for _ in range(2):
        cluster.restore("n")
        after = embedded.get("Node", "n")
        assert (after["spec"], after["metadata"].get("annotations")) == (before["spec"], None)
        assert cluster.observe().nodes[0].disruption is None


def test_the_claim_for_whoever_comes_after(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """It stands beside the pod's own, which stays; it is taken off by its slot."""
    add_node(embedded, "n")
    own = {"gpu-autoscale.dev/slot": "p-0", "gpu-autoscale.dev/group": "g", "gpu-autoscale.dev/claimed-at": "1"}
    ref = running(embedded, "a", annotations=own)
    cluster.observe()
    cluster.claim_next(ref, slot="q-0", group="h", at_s=7)
    (pod,) = cluster.observe().pods
    assert (pod.claim, pod.next_claim) == (Claim("p-0", "g", 1), Claim("q-0", "h", 7))
    cluster.unclaim(ref, slot="another")
    assert cluster.observe().pods == (pod,)
    for _ in range(2):
        cluster.unclaim(ref, slot="q-0")
        assert embedded.get("Pod", ref[1])["metadata"]["annotations"] == own


def test_a_pod_is_evicted_with_its_own_grace(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """It is marked, and ends when its kubelet says so; asking again asks nobody."""
    add_node(embedded, "n")
    ref = running(embedded, "a")
    cluster.evict(ref)
    assert embedded.get("Pod", ref[1])["metadata"]["deletionGracePeriodSeconds"] == 30
    cluster.observe()
    eventually("the mark is seen", lambda: cluster.observe().pods[0].deleting)
    asked = len(embedded.requests)
    cluster.evict(ref)
    assert len(embedded.requests) == asked


def test_a_budget_that_says_no_is_named_and_asked_once(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Its own words are the error's; a refusal by a budget is no busy server that would be asked again."""
    add_node(embedded, "n")
    budget(embedded, "web", 1)
    ref = running(embedded, "a", labels={"app": "a"})
    with pytest.raises(Disallowed, match=r"^The disruption budget web needs 1 healthy pods and has 1 currently$"):
        cluster.evict(ref)
    assert [path for method, path in embedded.requests if method == "POST"] == [
        "/api/v1/namespaces/default/pods/a/eviction"
    ]
    assert "deletionTimestamp" not in embedded.get("Pod", ref[1])["metadata"]
    running(embedded, "b", labels={"app": "a"})
    cluster.evict(ref)


def test_another_pod_of_the_name_is_left_alone(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """The uid decides."""
    add_node(embedded, "n")
    old = running(embedded, "a")
    embedded.store.delete("pods", "default/a")
    running(embedded, "a")
    for ref in (old, ("uid", "default/none")):
        with pytest.raises(NotFound):
            cluster.evict(ref)
    assert "deletionTimestamp" not in embedded.get("Pod", "default/a")["metadata"]


def test_frozen_by_an_annotation_on_a_namespace(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Whoever wrote it: seen with its reason, and no more when it is taken off."""
    assert cluster.observe().frozen == ""
    cluster.freeze("a release")
    eventually("it is seen", lambda: cluster.observe().frozen == "a release")
    cluster.freeze("")
    eventually("it is seen without a reason", lambda: cluster.observe().frozen == "no reason given")
    cluster.freeze(None)
    eventually("it is over", lambda: cluster.observe().frozen == "")


def test_what_is_said_of_a_node_is_an_alarm(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """A taint of others and a condition are; a heartbeat, a label and our own taint are not."""
    add_node(embedded, "n")
    cluster.observe()
    before = cluster.alarms

    def change(**status: object) -> None:
        embedded.store.update("nodes", "n", lambda n: {**n, "status": {**n["status"], **status}})
        version = embedded.store.version
        eventually("it is seen", lambda: cluster._nodes.version >= version)

    ready: Json = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:01:00Z"}
    change(conditions=[ready])
    cluster.disrupt("n", code="Expired", at_s=1)
    change(images=[])
    assert cluster.alarms == before
    change(conditions=[ready, {"type": "GpuXidError", "status": "True"}])
    assert cluster.alarms == before + 1
    taint = lambda n: {**n, "spec": {"taints": [*n["spec"]["taints"], OTHERS_TAINT]}}  # noqa: E731 - short
    embedded.store.update("nodes", "n", taint)
    eventually("it is seen", lambda: cluster.alarms == before + 2)
