"""KubeCluster on the real API server: what it reads, what it writes, and what it says when refused."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autoscale.errors import Conflict, NotFound, Unreachable
from autoscale.model.supply import NodeReservation
from autoscale.model.workload import Claim, Taint
from autoscale.observe.kube import KubeCluster
from autoscale.observe.kube_events import EventSettings, EventWriter

from .controlplane import Api, ControlPlane, Json, wait_until
from .engine import grant_shipped_role
from .manifests import daemon_set, pod

pytestmark = pytest.mark.cluster

SLOT = "plan-0"
OTHERS_TAINT = {"key": "example.test/other", "value": "x", "effect": "NoExecute", "timeAdded": "2026-01-02T03:04:05Z"}


@pytest.fixture
def api(control_plane: ControlPlane) -> Api:
    """The admin's client."""
    return control_plane.api()


@pytest.fixture(scope="module")
def kubeconfig(control_plane: ControlPlane) -> str:
    """The kubeconfig of a user with exactly the shipped rights."""
    grant_shipped_role(control_plane)
    return str(control_plane.kubeconfig("autoscaler"))


@pytest.fixture
def cluster(kubeconfig: str) -> Iterator[KubeCluster]:
    """The cluster as the engine sees it."""
    with KubeCluster.connect(kubeconfig, None) as found:
        yield found


def add_pod(api: Api, name: str, **about: object) -> tuple[str, str]:
    """Create a pod; its uid and namespace/name."""
    made = api.create("/api/v1/namespaces/default/pods", pod(name, **about))  # type: ignore[arg-type]  # keywords of `pod`
    return made["metadata"]["uid"], f"default/{name}"


def read_pod(api: Api, ref: tuple[str, str]) -> Json:
    """The pod as it is."""
    return api.get(f"/api/v1/namespaces/default/pods/{ref[1].partition('/')[2]}")


def add_node(api: Api, name: str, *taints: Json) -> None:
    """Create a node that has room for nothing."""
    body = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {"taints": list(taints)},
    }
    api.create("/api/v1/nodes", body)


def test_what_the_api_server_has_is_observed_and_followed(cluster: KubeCluster, api: Api) -> None:
    """Nodes, pods and DaemonSets are listed, and changes by others are seen without listing again."""
    add_node(api, "seen-1")
    first = add_pod(api, "seen-1", gpus=2)
    api.create("/apis/apps/v1/namespaces/kube-system/daemonsets", daemon_set("agent"))
    view = cluster.observe()
    assert "seen-1" in {n.name for n in view.nodes}
    assert {p.uid: p.shape.requests["nvidia.com/gpu"] for p in view.pods}[first[0]] == 2
    assert "agent" in {d.name for d in view.daemon_sets}
    wait_until("two looks at an unchanged cluster are one", lambda: cluster.observe() is cluster.observe())

    generation = cluster.generation
    second = add_pod(api, "seen-2")
    assert cluster.wait_for_change(generation, 60)
    wait_until("the pod is seen", lambda: second[0] in {p.uid for p in cluster.observe().pods})
    api.delete("/api/v1/namespaces/default/pods/seen-2", grace_s=0)
    wait_until("the pod is gone", lambda: second[0] not in {p.uid for p in cluster.observe().pods})


def test_a_claim_is_written_seen_at_once_and_taken_back(cluster: KubeCluster, api: Api) -> None:
    """Claim and unclaim leave exactly the annotations they mean, however often they are repeated."""
    ref = add_pod(api, "claimed", annotations={"example.test/kept": "yes"})
    cluster.observe()
    for _ in range(2):
        cluster.claim(ref, slot=SLOT, group="g", at_s=7)
        assert {p.uid: p.claim for p in cluster.observe().pods}[ref[0]] == Claim(SLOT, "g", 7)
    cluster.unclaim(ref, slot="another-1")
    assert read_pod(api, ref)["metadata"]["annotations"] == {
        "example.test/kept": "yes",
        "gpu-autoscale.dev/slot": SLOT,
        "gpu-autoscale.dev/group": "g",
        "gpu-autoscale.dev/claimed-at": "7",
    }
    for _ in range(2):
        cluster.unclaim(ref, slot=SLOT)
        assert read_pod(api, ref)["metadata"]["annotations"] == {"example.test/kept": "yes"}
        assert {p.uid: p.claim for p in cluster.observe().pods}[ref[0]] is None


def test_another_claim_that_we_have_not_seen_is_not_taken_off(kubeconfig: str, api: Api) -> None:
    """The API server itself checks whose claim it is, so a stale store takes nothing off."""
    ref = add_pod(api, "contended", annotations={"gpu-autoscale.dev/slot": "another-1"})
    with KubeCluster.connect(kubeconfig, None) as blind:
        blind.unclaim(ref, slot=SLOT)
        assert read_pod(api, ref)["metadata"]["annotations"] == {"gpu-autoscale.dev/slot": "another-1"}
        blind.unclaim(ref, slot="another-1")
        assert "annotations" not in read_pod(api, ref)["metadata"]


def test_a_pod_that_is_gone_or_another_is_not_found(cluster: KubeCluster, api: Api) -> None:
    """A name that another pod has by now is as good as gone, for every verb, and that pod is left alone."""
    ref = add_pod(api, "replaced")
    api.delete("/api/v1/namespaces/default/pods/replaced", grace_s=0)
    gone = [lambda: cluster.claim(ref, slot=SLOT, group="g", at_s=1), lambda: cluster.unclaim(ref, slot=SLOT)]
    gone.append(lambda: cluster.tolerate(ref, slot=SLOT))
    for verb in gone:
        with pytest.raises(NotFound):
            verb()  # type: ignore[no-untyped-call]  # lambdas have no types
    heir = add_pod(api, "replaced")
    before = read_pod(api, heir)
    for verb in gone:
        with pytest.raises(NotFound):
            verb()
    after = read_pod(api, heir)
    assert after["spec"] == before["spec"]
    assert "annotations" not in after["metadata"]


def test_a_bound_pod_can_not_be_claimed(cluster: KubeCluster, api: Api) -> None:
    """A pod that the scheduler was faster with is a Conflict; to tolerate is done."""
    add_node(api, "bound-1")
    ref = add_pod(api, "bound")
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "bound"},
        "target": {"kind": "Node", "name": "bound-1"},
    }
    api.create("/api/v1/namespaces/default/pods/bound/binding", binding)
    cluster.observe()
    with pytest.raises(Conflict, match="bound to bound-1"):
        cluster.claim(ref, slot=SLOT, group="g", at_s=1)
    before = read_pod(api, ref)["spec"]
    cluster.tolerate(ref, slot=SLOT)
    assert read_pod(api, ref)["spec"] == before


@pytest.mark.parametrize(
    "own", [[], [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}]]
)
def test_a_toleration_is_added_once_and_others_are_kept(cluster: KubeCluster, api: Api, own: list[Json]) -> None:
    """Tolerations that were there stay with all their fields; ours comes once, in any state of our store."""
    name = f"tolerant-{len(own)}"
    ref = add_pod(api, name, tolerations=own)
    before = read_pod(api, ref)["spec"]["tolerations"]
    ours = {"key": "gpu-autoscale.dev/slot", "operator": "Equal", "value": SLOT, "effect": "NoSchedule"}
    cluster.observe()
    for _ in range(2):
        cluster.tolerate(ref, slot=SLOT)
        assert read_pod(api, ref)["spec"]["tolerations"] == [*before, ours]
        assert {p.uid: p.tolerated_slots for p in cluster.observe().pods}[ref[0]] == (SLOT,)


def test_a_node_is_assigned_held_and_released_without_touching_what_others_wrote(
    cluster: KubeCluster, api: Api
) -> None:
    """The reservation goes its three phases; the other taint stays, its time included; repeating changes nothing."""
    add_node(api, "reserved", OTHERS_TAINT)
    cluster.observe()

    def seen() -> tuple[NodeReservation | None, tuple[Taint, ...]]:
        (node,) = (n for n in cluster.observe().nodes if n.name == "reserved")
        return node.reservation, tuple(t for t in node.taints if "kubernetes.io" not in t.key)

    other = Taint("example.test/other", "x", "NoExecute")
    for _ in range(2):
        cluster.assign("reserved", slot=SLOT, at_s=1)
        assert seen() == (NodeReservation(SLOT, "assigned", 1), (other,))
    for at_s in (2, 3):
        cluster.hold("reserved", slot=SLOT, at_s=at_s)
        assert seen() == (
            NodeReservation(SLOT, "held", 2),
            (other, Taint("gpu-autoscale.dev/slot", SLOT, "NoSchedule")),
        )
    cluster.assign("reserved", slot=SLOT, at_s=9)
    assert seen()[0] == NodeReservation(SLOT, "held", 2)
    for verb in (cluster.assign, cluster.hold):
        with pytest.raises(Conflict, match="held for slot plan-0, not plan-1"):
            verb("reserved", slot="plan-1", at_s=4)
    for at_s in (5, 6):
        cluster.release("reserved", slot=SLOT, at_s=at_s)
        assert seen() == (NodeReservation(SLOT, "released", 5), (other,))
    assert OTHERS_TAINT in api.get("/api/v1/nodes/reserved")["spec"]["taints"]
    with pytest.raises(Conflict, match="released"):
        cluster.hold("reserved", slot=SLOT, at_s=7)


def test_holds_and_others_taints_do_not_overwrite_each_other(cluster: KubeCluster, api: Api) -> None:
    """Eight nodes are held while somebody else rewrites their labels: each ends with both, nothing is lost."""
    names = [f"busy-{i}" for i in range(8)]
    for name in names:
        add_node(api, name, OTHERS_TAINT)
    stop = threading.Event()

    def meddle() -> None:
        for i in range(10_000):
            if stop.is_set():
                return
            api.patch(f"/api/v1/nodes/{names[i % 8]}", {"metadata": {"labels": {"example.test/count": str(i)}}})

    meddler = threading.Thread(target=meddle)
    meddler.start()
    try:
        with ThreadPoolExecutor(8) as side_by_side:
            list(side_by_side.map(lambda name: cluster.hold(name, slot=f"s-{name}", at_s=1), names))
    finally:
        stop.set()
        meddler.join()
    for name in names:
        taints = api.get(f"/api/v1/nodes/{name}")["spec"]["taints"]
        assert {"key": "gpu-autoscale.dev/slot", "value": f"s-{name}", "effect": "NoSchedule"} in taints
        assert OTHERS_TAINT in taints


def test_a_node_is_cordoned_and_opened_again(cluster: KubeCluster, api: Api) -> None:
    """Cordoning is seen at once and can be taken back; a node that is not there is not found."""
    add_node(api, "cordoned")
    cluster.observe()
    for on in (True, True, False, False):
        cluster.cordon("cordoned", on=on)
        assert {n.name: n.unschedulable for n in cluster.observe().nodes}["cordoned"] is on
    with pytest.raises(NotFound):
        cluster.cordon("nowhere", on=True)
    with pytest.raises(NotFound):
        cluster.assign("nowhere", slot=SLOT, at_s=1)


def test_events_are_written_and_never_raise(cluster: KubeCluster, api: Api) -> None:
    """An Event names the pod, the reason and the text, cut to what the API takes; a hopeless one is let go."""
    ref = add_pod(api, "announced")
    cluster.announce(ref, event="TriggeredScaleUp", text="pod goes to g: 1 -> 2 " + "é" * 2000)
    cluster.announce(("uid", "no-such-namespace/x"), event="NotTriggerScaleUp", text="nothing fits")
    assert cluster.events.flush(20)
    events = api.items("/api/v1/namespaces/default/events", fieldSelector="involvedObject.name=announced")
    (event,) = (e for e in events if e.get("reportingComponent") == "gpu-autoscale")
    assert (event["type"], event["reason"], event["involvedObject"]["uid"]) == ("Normal", "TriggeredScaleUp", ref[0])
    assert event["message"].startswith("pod goes to g: 1 -> 2 é")


def test_an_event_about_the_same_is_counted_up(cluster: KubeCluster, api: Api) -> None:
    """Also by an engine that was started again; not before its time."""
    ref = add_pod(api, "counted")
    for again_s, text in ((300, "first"), (300, "too early"), (-10, "again")):
        writer = EventWriter(cluster._http, EventSettings(again_s=again_s))
        writer.add(ref, event="NotTriggerScaleUp", text=text, about="LimitReached")
        writer.close()
    events = api.items("/api/v1/namespaces/default/events", fieldSelector="involvedObject.name=counted")
    assert [(e["message"], e["count"]) for e in events if e["reason"] == "NotTriggerScaleUp"] == [("again", 2)]


def test_long_lists_come_in_pages_and_finished_pods_stay_out(kubeconfig: str, api: Api) -> None:
    """A list without a watch reads all pages, each time anew, and leaves out pods that ended."""
    kept = {add_pod(api, f"paged-{i}")[0] for i in range(30)}
    add_pod(api, "paged-done")
    api.patch("/api/v1/namespaces/default/pods/paged-done/status", {"status": {"phase": "Succeeded"}})
    with KubeCluster.connect(kubeconfig, None, watch=False) as once:
        for watcher in once._watchers:
            object.__setattr__(watcher, "_settings", type(watcher._settings)(page=7))
        assert {p.uid for p in once.observe().pods if p.name.startswith("paged-")} == kept
        late = add_pod(api, "paged-late")
        assert late[0] in {p.uid for p in once.observe().pods}


def test_a_pod_signs_in_with_its_service_account(
    kubeconfig: str, control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any kubeconfig, the token and the authority that Kubernetes mounts into every pod are used."""
    from kubernetes.config import incluster_config

    (tmp_path / "token").write_text(control_plane.token("autoscaler"))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(control_plane.ca))
    host, port = control_plane.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    add_node(control_plane.api(), "seen-from-a-pod")
    with KubeCluster.connect(None, None, watch=False) as cluster:
        assert "seen-from-a-pod" in {node.name for node in cluster.observe().nodes}
    (tmp_path / "token").write_text("nonsense")
    with pytest.raises(
        Unreachable, match=r"^the pod's service account: the API server refused our credentials \(401\)"
    ):
        KubeCluster.connect(None, None)


def test_a_token_that_the_server_does_not_know_is_refused_in_one_sentence(kubeconfig: str, tmp_path: Path) -> None:
    """Wrong credentials are told from a server that does not answer."""
    config = json.loads(Path(kubeconfig).read_text())
    config["users"][0]["user"]["token"] = "nonsense"
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    with pytest.raises(Unreachable, match=r"refused our credentials \(401\): Unauthorized"):
        KubeCluster.connect(str(path), None)


def test_the_api_server_may_crash_and_come_back(binaries: Path) -> None:
    """What happened while it was away and after is seen, writes go on, and nothing is listed wrongly."""
    with ControlPlane(binaries, scheduler=False, controller_manager=False) as plane:
        grant_shipped_role(plane)
        kept = add_pod(plane.api(), "kept")
        with KubeCluster.connect(str(plane.kubeconfig("autoscaler")), None) as cluster:
            assert {p.uid for p in cluster.observe().pods} == {kept[0]}
            plane.stop_apiserver()
            with pytest.raises(Unreachable):
                cluster.cordon("n", on=True)
            plane.start_apiserver()
            late = add_pod(plane.api(), "late")
            wait_until("the pod is seen", lambda: observed(cluster) == {kept[0], late[0]})
            cluster.claim(late, slot=SLOT, group="g", at_s=1)
            assert [p.claim for p in cluster.observe().pods if p.uid == late[0]] == [Claim(SLOT, "g", 1)]


def observed(cluster: KubeCluster) -> set[str]:
    """The uids of the pods that are seen, none while the cluster is out of reach."""
    try:
        return {pod.uid for pod in cluster.observe().pods}
    except Unreachable:
        return set()
