"""The embedded API server answers as the real one does, as far as this project asks."""

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from autoscale.sim.cluster import EmbeddedCluster

MERGE, STRATEGIC, JSON = (f"application/{kind}+json" for kind in ("merge-patch", "strategic-merge-patch", "json-patch"))
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main"}]}}
PODS, P = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/pods/p"


class Client:
    """Speaks HTTP with it: status and body."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool = urllib3.PoolManager(retries=False)

    def __call__(self, method: str, path: str, body: Any = None, content_type: str = MERGE) -> tuple[int, Any]:
        """One request."""
        headers = {"Content-Type": content_type}
        answer = self.pool.request(method, self.url + path, json=body, headers=headers if body is not None else None)
        return answer.status, answer.json()


@pytest.fixture
def embedded() -> Iterator[EmbeddedCluster]:
    """Nothing happens in it by itself."""
    with EmbeddedCluster(scheduler=False, kubelets=False) as cluster:
        yield cluster


@pytest.fixture
def call(embedded: EmbeddedCluster) -> Iterator[Client]:
    """A client of it."""
    client = Client(embedded.url)
    yield client
    client.pool.clear()


def test_an_object_is_created_read_and_deleted(call: Client) -> None:
    """It gets uid, version, time and defaults; twice is a Conflict; gone is not found."""
    status, pod = call("POST", PODS, POD)
    assert status == 201
    assert pod["metadata"].keys() == {"name", "namespace", "uid", "creationTimestamp", "resourceVersion"}
    assert [t["key"] for t in pod["spec"]["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert pod["status"] == {"phase": "Pending"}
    assert call("GET", P) == (200, pod)
    assert call("POST", PODS, POD)[0] == 409
    assert call("DELETE", P)[0] == 200
    assert call("GET", P)[0] == 404
    assert call("DELETE", P)[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status"),
    [
        ("GET", "/api/v1/secrets", None, "", 404),
        ("GET", "/nonsense", None, "", 404),
        ("PUT", P, {}, MERGE, 501),
        ("POST", P, {}, MERGE, 405),
        ("POST", PODS, {"metadata": {"name": "q"}}, MERGE, 422),
        ("POST", PODS, {"spec": {"containers": [{}]}}, MERGE, 422),
        ("POST", "/api/v1/namespaces/nowhere/pods", POD, MERGE, 404),
        ("PATCH", P, {}, "text/plain", 415),
        ("PATCH", P, {"metadata": {"uid": "other"}}, MERGE, 422),
        ("PATCH", P, {"metadata": {"resourceVersion": "1"}}, MERGE, 409),
        ("PATCH", P, {"spec": {"nodeName": "n"}}, MERGE, 422),
        ("PATCH", P, {"spec": {"tolerations": []}}, MERGE, 422),
        ("PATCH", P, [{"op": "test", "path": "/metadata/name", "value": "q"}], JSON, 422),
        ("PATCH", P, [{"op": "remove", "path": "/metadata/labels/a"}], JSON, 422),
        ("PATCH", P, {"op": "remove"}, JSON, 400),
        ("GET", f"{PODS}?fieldSelector=spec.unknown%3D1", None, "", 400),
    ],
)
def test_what_is_wrong_is_refused_with_the_right_status(
    call: Client, *, method: str, path: str, body: Any, content_type: str, status: int
) -> None:
    """Every refusal has the real server's HTTP status, and nothing changes."""
    before = call("POST", PODS, POD)[1]
    answer = call.pool.request(
        method, call.url + path, json=body, headers={"Content-Type": content_type} if content_type else None
    )
    assert answer.status == status
    assert call("GET", P)[1] == before


def test_the_three_kinds_of_patch(call: Client) -> None:
    """Merge, JSON and strategic merge patches do what they say."""
    call("POST", PODS, POD)
    pod = call("PATCH", P, {"metadata": {"annotations": {"a": "1", "b": "2"}}})[1]
    assert pod["metadata"]["annotations"] == {"a": "1", "b": "2"}
    pod = call("PATCH", P, {"metadata": {"annotations": {"a": None}}})[1]
    assert pod["metadata"]["annotations"] == {"b": "2"}
    steps = [
        {"op": "test", "path": "/metadata/annotations/b", "value": "2"},
        {"op": "remove", "path": "/metadata/annotations/b"},
    ]
    pod = call("PATCH", P, [*steps, {"op": "add", "path": "/spec/tolerations/-", "value": {"key": "k"}}], JSON)[1]
    assert "annotations" not in pod["metadata"]
    assert pod["spec"]["tolerations"][-1] == {"key": "k"}
    for condition in (
        {"type": "A", "status": "True"},
        {"type": "B", "status": "True"},
        {"type": "A", "status": "False"},
    ):
        pod = call("PATCH", f"{P}/status", {"status": {"conditions": [condition]}}, STRATEGIC)[1]
    assert pod["status"]["conditions"] == [{"type": "A", "status": "False"}, {"type": "B", "status": "True"}]


def test_a_patch_that_changes_nothing_makes_no_new_version(call: Client) -> None:
    """As the real server, so that nobody is woken for nothing."""
    pod = call("POST", PODS, POD)[1]
    assert call("PATCH", P, {"metadata": {"uid": pod["metadata"]["uid"]}}) == (200, pod)


def test_status_and_spec_are_written_apart(call: Client) -> None:
    """A patch of the object leaves the status, a patch of the status leaves the rest."""
    call("POST", PODS, POD)
    assert call("PATCH", P, {"status": {"phase": "Running"}})[1]["status"]["phase"] == "Pending"
    pod = call("PATCH", f"{P}/status", {"status": {"phase": "Running"}, "metadata": {"labels": {"a": "b"}}})[1]
    assert pod["status"]["phase"] == "Running"
    assert "labels" not in pod["metadata"]


def test_a_pod_is_bound_once(call: Client) -> None:
    """The binding sets the node; a second one is a Conflict."""
    call("POST", PODS, POD)
    binding = {"target": {"kind": "Node", "name": "n1"}}
    assert call("POST", f"{P}/binding", binding)[0] == 201
    assert call("GET", P)[1]["spec"]["nodeName"] == "n1"
    assert call("POST", f"{P}/binding", binding)[0] == 409


def test_a_running_pod_is_marked_before_it_ends(call: Client) -> None:
    """Deleting a bound pod leaves it to its kubelet, unless no grace is given."""
    call("POST", PODS, POD)
    call("POST", f"{P}/binding", {"target": {"name": "n1"}})
    assert call("DELETE", P)[0] == 200
    assert "deletionTimestamp" in call("GET", P)[1]["metadata"]
    assert call("DELETE", P, {"gracePeriodSeconds": 0})[0] == 200
    assert call("GET", P)[0] == 404


def test_selectors_choose(call: Client, embedded: EmbeddedCluster) -> None:
    """Field and label selectors and the namespace in the path narrow a list."""
    for name, namespace, color in (("a", "x", "red"), ("b", "x", "blue"), ("c", "y", "red")):
        embedded.create(
            {"kind": "Pod", **POD, "metadata": {"name": name, "namespace": namespace, "labels": {"color": color}}}
        )

    def names(path: str) -> list[str]:
        return [item["metadata"]["name"] for item in call("GET", path)[1]["items"]]

    assert names("/api/v1/pods") == ["a", "b", "c"]
    assert names("/api/v1/namespaces/x/pods") == ["a", "b"]
    assert names("/api/v1/pods?labelSelector=color%3Dred") == ["a", "c"]
    assert names("/api/v1/pods?labelSelector=color!%3Dred") == ["b"]
    assert names("/api/v1/pods?fieldSelector=metadata.name%3Dc,status.phase!%3DFailed") == ["c"]


def test_everything_has_ended_when_it_has_ended() -> None:
    """After the cluster nobody listens, and its folder is gone."""
    from pathlib import Path

    with EmbeddedCluster() as cluster:
        url, config = cluster.url, Path(cluster.kubeconfig_path)
        assert config.exists()
    assert not config.parent.exists()
    with urllib3.PoolManager(retries=False) as pool, pytest.raises(urllib3.exceptions.HTTPError):
        pool.request("GET", url)
