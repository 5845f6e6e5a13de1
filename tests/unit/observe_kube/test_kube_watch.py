"""What KubeCluster reads, and that nothing that happens on the wire makes it wrong."""

from dataclasses import replace

import pytest

from autoscale.errors import Unreachable
from autoscale.observe.kube import KubeCluster
from autoscale.sim.cluster import EmbeddedCluster
from autoscale.sim.faults import HANG_UP

from .helpers import add_node, add_pod, eventually


def pods(cluster: KubeCluster) -> set[str]:
    """The names of all pods that are seen."""
    return {pod.name for pod in cluster.observe().pods}


def lists(embedded: EmbeddedCluster, path: str = "/api/v1/pods") -> int:
    """How often a list was begun."""
    return sum(
        1 for _, at in embedded.requests if at.startswith(path + "?") and "watch=" not in at and "continue" not in at
    )


def watches(embedded: EmbeddedCluster) -> int:
    """How often the pods were begun to be watched."""
    return sum(1 for _, path in embedded.requests if path.startswith("/api/v1/pods?watch=1"))


def test_what_is_there_is_listed_and_what_comes_is_followed(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Nodes, pods and DaemonSets are seen; a change is seen without another list."""
    add_node(embedded, "n1")
    add_pod(embedded, "p1")
    template = {"spec": {"containers": [{"name": "main"}]}}
    embedded.create(
        {"kind": "DaemonSet", "metadata": {"name": "agent", "namespace": "kube-system"}, "spec": {"template": template}}
    )
    view = cluster.observe()
    assert [n.name for n in view.nodes] == ["n1"]
    assert [p.name for p in view.pods if not p.daemon] == ["p1"]
    assert [d.name for d in view.daemon_sets] == ["agent"]
    add_pod(embedded, "p2")
    eventually("p2 is seen", lambda: "p2" in pods(cluster))
    embedded.delete("Pod", "default/p1")
    eventually("p1 is gone", lambda: "p1" not in pods(cluster))
    assert lists(embedded) == 1


def test_the_view_is_made_anew_only_when_something_changed(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Two looks at an unchanged cluster give the very same object."""
    add_pod(embedded, "p1")
    assert cluster.observe() is cluster.observe()


def test_a_long_list_comes_in_pages(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Eight pods in pages of three are eight pods in three requests."""
    for i in range(8):
        add_pod(embedded, f"p{i}")
    assert len(cluster.observe().pods) == 8
    pages = [path for _, path in embedded.requests if path.startswith("/api/v1/pods") and "limit=3" in path]
    assert len(pages) == 3


def test_a_list_whose_version_runs_out_between_pages_is_taken_at_once(
    embedded: EmbeddedCluster, cluster: KubeCluster
) -> None:
    """A 410 on a further page leads to one list without pages, and nothing is missing."""
    for i in range(8):
        add_pod(embedded, f"p{i}")
    first = embedded._server.page

    def expire(*args: object) -> object:
        found = first(*args)  # type: ignore[arg-type]  # passed on as they come
        embedded.store.compact()
        return found

    embedded._server.page = expire  # type: ignore[assignment,method-assign]
    assert pods(cluster) == {f"p{i}" for i in range(8)}
    assert any("limit" not in path and "watch" not in path for _, path in embedded.requests)


def test_finished_pods_are_left_out(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """A pod that has ended is not listed, and vanishes when it ends while watched."""
    add_pod(embedded, "ended")
    add_pod(embedded, "ends")
    embedded.finish("default/ended")
    assert pods(cluster) == {"ends"}
    embedded.finish("default/ends")
    eventually("it vanishes", lambda: pods(cluster) == set())


def test_a_version_too_old_at_reconnect_leads_to_a_new_list(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """HTTP 410: everything is listed again, what was deleted meanwhile is gone and what came is there."""
    add_pod(embedded, "old")
    assert pods(cluster) == {"old"}
    with embedded.faults.outage():
        embedded.delete("Pod", "default/old")
        add_pod(embedded, "new")
        embedded.store.compact()
    eventually("the new list is in", lambda: lists(embedded) >= 2 and pods(cluster) == {"new"})


def test_an_error_event_with_code_410_leads_to_a_new_list(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """ERROR with code 410 on an open watch: everything is listed again."""
    add_pod(embedded, "old")
    assert pods(cluster) == {"old"}
    add_node(embedded, "n1")
    last = embedded.store.version
    eventually("a bookmark shows that the watch is open", lambda: cluster._pods.version >= last)
    with embedded.store.changed:  # the watch has no chance to see these before they are forgotten
        embedded.delete("Pod", "default/old")
        add_pod(embedded, "new")
        embedded.store.compact()
    eventually("the new list is in", lambda: lists(embedded) >= 2 and pods(cluster) == {"new"})


def test_a_watch_that_breaks_off_goes_on_where_it_was(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """A connection cut in the middle of an event loses nothing and needs no list."""
    assert pods(cluster) == set()
    for i in range(3):
        embedded.faults.cut_watches()
        add_pod(embedded, f"p{i}")
        eventually("the pod is seen", lambda i=i: f"p{i}" in pods(cluster))  # type: ignore[misc]  # mypy can't tell a default's type
    assert lists(embedded) == 1
    assert watches(embedded) >= 3


def test_bookmarks_keep_a_quiet_watch_from_getting_too_old() -> None:
    """A watch of pods that nothing happens to survives a reconnect after much happened to nodes."""
    with (
        EmbeddedCluster(scheduler=False, kubelets=False, history=10, bookmark_s=0.02) as embedded,
        KubeCluster.connect(embedded.kubeconfig_path) as cluster,
    ):
        cluster.observe()
        eventually("the watch is open", lambda: watches(embedded) == 1)
        for i in range(30):
            add_node(embedded, f"n{i}")
            last = embedded.store.version
            eventually("a bookmark came", lambda last=last: cluster._pods.version >= last)  # type: ignore[misc]  # mypy can't tell a default's type
        embedded.faults.cut_watches()
        add_pod(embedded, "late")
        eventually("the pod is seen", lambda: "late" in pods(cluster))
        assert lists(embedded) == 1


def test_watches_end_and_go_on_when_their_time_is_over(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """A watch that the server ends is opened again from where it was."""
    for watcher in cluster._watchers:
        watcher._settings = replace(watcher._settings, watch_s=1)
    assert pods(cluster) == set()
    eventually("it was opened again", lambda: watches(embedded) >= 2)
    add_pod(embedded, "p1")
    eventually("the pod is seen", lambda: "p1" in pods(cluster))
    assert lists(embedded) == 1


def test_a_store_that_can_not_follow_is_not_trusted(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """A long outage makes observe raise Unreachable rather than show what was; it heals by itself."""
    add_pod(embedded, "p1")
    assert pods(cluster) == {"p1"}

    def cut_off() -> bool:
        try:
            cluster.observe()
        except Unreachable:
            return True
        return False

    def failing() -> bool:
        return all(watcher._failing_since is not None for watcher in cluster._watchers)

    def trust_for(seconds: float) -> None:
        for watcher in cluster._watchers:
            watcher._settings = replace(watcher._settings, stale_after_s=seconds)

    with embedded.faults.outage():
        trust_for(3600)
        eventually("the watches fail", failing)
        assert not cut_off()  # a short outage is borne
        trust_for(0)
        assert cut_off()
        with pytest.raises(Unreachable, match="could not follow /api"):
            cluster.observe()
        add_pod(embedded, "p2")
    eventually("it heals", lambda: not cut_off())
    assert pods(cluster) == {"p1", "p2"}


def test_a_cluster_that_can_not_be_listed_is_unreachable(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """The first look fails with the reason, and the next one works when the server does."""
    embedded.faults.refuse(403, path="/apis/apps/v1/daemonsets")
    with pytest.raises(Unreachable, match="daemonsets: the API server refused our credentials"):
        cluster.observe()
    eventually("it works later", lambda: cluster._watchers[2]._synced)
    assert cluster.observe().pods == ()


def test_busy_answers_and_broken_connections_are_tried_again(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """429, 503 and a hung-up connection are passing troubles of a list."""
    add_pod(embedded, "p1")
    for code in (429, 503, HANG_UP):
        embedded.faults.refuse(code, method="GET", path="/api/v1/pods")
    assert pods(cluster) == {"p1"}


def test_without_a_watch_every_look_is_a_list(embedded: EmbeddedCluster) -> None:
    """For a single plan nothing is followed: no threads, no watches, and always what is there now."""
    with KubeCluster.connect(embedded.kubeconfig_path, watch=False) as cluster:
        assert pods(cluster) == set()
        add_pod(embedded, "p1")
        assert pods(cluster) == {"p1"}
    assert watches(embedded) == 0


def test_heartbeats_and_own_writes_wake_nobody(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """The generation stays when a kubelet reports, a pod starts or we write; the view shows it all the same."""
    add_node(embedded, "n1")
    ref = add_pod(embedded, "p1")
    cluster.observe()
    generation = cluster.generation
    node = embedded.get("Node", "n1")
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:05:00Z"}
    embedded.update({**node, "status": {**node["status"], "conditions": [ready]}})
    pod = embedded.get("Pod", ref[1])
    embedded.update({**pod, "status": {**pod["status"], "phase": "Running"}})
    cluster.claim(ref, slot="s-0", group="g", at_s=1)
    cluster.hold("n1", slot="s-0", at_s=1)
    version = embedded.store.version
    eventually("all is seen", lambda: min(cluster._pods.version, cluster._nodes.version) >= version)
    assert cluster.generation == generation
    assert not cluster.wait_for_change(generation, 0.05)
    (seen,) = cluster.observe().pods
    assert (seen.phase, seen.claim is not None) == ("Running", True)


@pytest.mark.parametrize(
    "change",
    [
        lambda embedded: add_pod(embedded, "p2"),
        lambda embedded: embedded.delete("Pod", "default/p1"),
        lambda embedded: embedded.delete("Node", "n1"),
        lambda embedded: embedded.store.update(
            "nodes", "n1", lambda n: {**n, "status": {**n["status"], "allocatable": {"cpu": "9"}}}
        ),
        lambda embedded: embedded.store.update("nodes", "n1", lambda n: {**n, "spec": {"unschedulable": True}}),
        lambda embedded: embedded.store.update(
            "pods", "default/p1", lambda p: {**p, "spec": {**p["spec"], "nodeName": "n1"}}
        ),
    ],
    ids=["pod comes", "pod goes", "node goes", "devices come", "node is cordoned", "pod is bound"],
)
def test_what_matters_wakes_whoever_waits(embedded: EmbeddedCluster, cluster: KubeCluster, change: object) -> None:
    """Every change that a plan may rest on raises the generation."""
    add_node(embedded, "n1")
    add_pod(embedded, "p1")
    cluster.observe()
    generation = cluster.generation
    change(embedded)  # type: ignore[operator]  # a parameter of the test
    assert cluster.wait_for_change(generation, 20)
    assert cluster.generation > generation
