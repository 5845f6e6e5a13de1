"""The machinery itself: a real control plane, machines that boot late, and rights that hold."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from .aws import MotoServer
from .controlplane import Api, ApiError, ControlPlane, Json, wait_until
from .kubelet import CloudBoot
from .manifests import daemon_set, pod

pytestmark = pytest.mark.cluster

CAPACITY = {"g5.2xlarge": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}}
STARTING = {"key": "example.test/starting", "value": "true", "effect": "NoSchedule"}
EVERYWHERE = [{"operator": "Exists"}]


def nodes(api: Api) -> dict[str, Json]:
    """Give all nodes by name."""
    return {node["metadata"]["name"]: node for node in api.items("/api/v1/nodes")}


def test_a_group_becomes_nodes_that_run_pods_and_a_terminated_instance_takes_its_node(
    control_plane: ControlPlane, moto: MotoServer
) -> None:
    """Instances join as nodes, get GPUs once the device plugin ran, run a GPU pod, and leave when terminated."""
    api = control_plane.api()
    moto.create_group(
        "gpu", instance_type="g5.2xlarge", labels={"pool": "gpu"}, taints={"nvidia.com/gpu": "true:NoSchedule"}
    )
    control_plane.apply(daemon_set("device-plugin", tolerations=EVERYWHERE))
    control_plane.apply(pod("train", gpus=1, tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}]))
    boot = CloudBoot(
        api,
        moto.url,
        capacity=CAPACITY,
        device_plugin="device-plugin",
        device_delay_s=3.0,
        startup_taints=[STARTING],
    )
    with boot:
        moto.set_nodes("gpu", 2)
        joined = wait_until("two nodes join", lambda: len(found := nodes(api)) == 2 and found)
        instances = sorted(moto.instances("gpu"))
        assert sorted(node["spec"]["providerID"] for node in joined.values()) == [
            f"aws:///us-east-1a/{instance}" for instance in instances
        ]
        for node in joined.values():
            assert "nvidia.com/gpu" not in node["status"]["allocatable"]
            assert STARTING in node["spec"]["taints"]
            labels = node["metadata"]["labels"]
            assert (labels["node.kubernetes.io/instance-type"], labels["pool"]) == ("g5.2xlarge", "gpu")

        train = wait_until("the GPU pod runs", lambda: running(api, "/api/v1/namespaces/default/pods/train"))
        assert train["spec"]["nodeName"] in joined
        ready = wait_until("start-up taints are gone", lambda: none_starting(found := nodes(api)) and found)
        assert {node["status"]["allocatable"]["nvidia.com/gpu"] for node in ready.values()} == {"1"}
        plugins = api.items("/api/v1/namespaces/kube-system/pods")
        assert {plugin["spec"]["nodeName"] for plugin in plugins} == set(joined)

        moto.terminate(train["spec"]["nodeName"].split(".")[0])
        wait_until("its node is gone", lambda: train["spec"]["nodeName"] not in nodes(api))
        wait_until("its pod is gone", lambda: api.find("/api/v1/namespaces/default/pods/train") is None)
        assert len(moto.instances("gpu")) == 1


def test_an_evicted_pod_ends_and_a_disruption_budget_is_kept(control_plane: ControlPlane, moto: MotoServer) -> None:
    """An eviction ends a pod for good, and one that a PodDisruptionBudget forbids is refused with 429."""
    api = control_plane.api()
    moto.create_group("evict", instance_type="g5.2xlarge", nodes=1)
    guarded = "/api/v1/namespaces/default/pods/guarded"
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "one", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "guarded"}}},
    }
    control_plane.apply(budget)
    slow = pod("free", gpus=0)
    slow["spec"]["terminationGracePeriodSeconds"] = 30
    control_plane.apply(slow)
    control_plane.apply(pod("guarded", labels={"app": "guarded"}))
    with CloudBoot(api, moto.url, capacity=CAPACITY):
        wait_until("guarded runs", lambda: running(api, guarded))
        wait_until("free runs", lambda: running(api, "/api/v1/namespaces/default/pods/free"))
        evict(api, "free")
        wait_until("free is gone", lambda: api.find("/api/v1/namespaces/default/pods/free") is None)
        wait_until(
            "the budget counts the pod",
            lambda: api.get("/apis/policy/v1/namespaces/default/poddisruptionbudgets/one")["status"]["currentHealthy"],
        )
        with pytest.raises(ApiError) as refused:
            evict(api, "guarded")
        assert refused.value.status == 429


def test_a_user_may_do_what_rbac_grants_and_nothing_else(control_plane: ControlPlane) -> None:
    """The autoscaler's token is refused until a ClusterRole is bound, and then may do just what the role says."""
    autoscaler = control_plane.api("autoscaler")
    with pytest.raises(ApiError) as refused:
        autoscaler.get("/api/v1/nodes")
    assert refused.value.status == 403

    control_plane.apply(
        textwrap.dedent("""
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRole
            metadata: {name: node-reader}
            rules: [{apiGroups: [""], resources: [nodes], verbs: [list]}]
        """)
    )
    control_plane.grant("node-reader")

    assert isinstance(wait_until("the grant holds", lambda: allowed(autoscaler, "/api/v1/nodes")), dict)
    for path in ("/api/v1/pods", "/api/v1/secrets"):
        with pytest.raises(ApiError) as refused:
            autoscaler.get(path)
        assert refused.value.status == 403
    with pytest.raises(ApiError) as refused:
        autoscaler.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "forged"}})
    assert refused.value.status == 403


def test_the_kubernetes_package_works_with_the_kubeconfig(control_plane: ControlPlane) -> None:
    """The official client reads the kubeconfig, trusts the server's certificate and parses its version."""
    from kubernetes import client, config

    new_client: Any = config.new_client_from_config  # the package gives it no types
    with new_client(str(control_plane.kubeconfig())) as api_client:
        version = client.VersionApi(api_client).get_code()
    assert (version.major, version.minor) == ("1", "36")


def test_the_api_server_comes_back_with_all_data(binaries: Path, moto: MotoServer) -> None:
    """After a crash of the API server its data is there, and machines that started meanwhile still join."""
    with ControlPlane(binaries, scheduler=False) as plane:
        api = plane.api()
        plane.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "b"}})
        moto.create_group("late", instance_type="g5.2xlarge")
        with CloudBoot(api, moto.url, capacity=CAPACITY):
            plane.stop_apiserver()
            moto.set_nodes("late", 1)
            plane.start_apiserver()
            assert api.get("/api/v1/namespaces/default/configmaps/kept")["data"] == {"a": "b"}
            wait_until("the node joins", lambda: nodes(api))


def test_nothing_outlives_a_killed_test_run(binaries: Path, tmp_path: Path) -> None:
    """The control plane's processes end with the process that started them, even when that one is killed."""
    script = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from {__package__}.controlplane import ControlPlane
        plane = ControlPlane(Path({str(binaries)!r}))
        with plane:
            Path({str(tmp_path / "folder")!r}).write_text(str(plane.folder))
            pids = " ".join(str(p.pid) for p in plane._processes.values())
            Path({str(tmp_path / "pids")!r}).write_text(pids + " end")
            time.sleep(600)
    """)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", script], env=env) as run:
        *pids, _ = wait_until(
            "the plane is up", lambda: (told := text(tmp_path / "pids").split())[-1:] == ["end"] and told
        )
        run.send_signal(signal.SIGKILL)
    assert len(pids) == 4
    wait_until("all four have ended", lambda: not any(lives(int(pid)) for pid in pids))
    subprocess.run(["rm", "-r", text(tmp_path / "folder")], check=True)


def running(api: Api, path: str) -> Json | None:
    """Give the pod when it runs."""
    found = api.get(path)
    return found if found["status"]["phase"] == "Running" else None


def none_starting(found: dict[str, Json]) -> bool:
    """Say whether no node has the start-up taint."""
    return all(STARTING not in node["spec"].get("taints", ()) for node in found.values())


def evict(api: Api, name: str) -> None:
    """Ask for the eviction of a pod in the default namespace."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    api.create(f"/api/v1/namespaces/default/pods/{name}/eviction", body)


def allowed(api: Api, path: str) -> Json | None:
    """Give the answer, or None while the user may not ask."""
    try:
        return api.get(path)
    except ApiError as error:
        if error.status == 403:
            return None
        raise


def text(path: Path) -> str:
    """Give a file's text, empty while there is no file."""
    return path.read_text() if path.exists() else ""


def lives(pid: int) -> bool:
    """Say whether a process runs; a zombie that nobody has collected does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
