"""`autoscale demo --cluster` on a real control plane: it asks, plays, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .controlplane import ControlPlane, Json, wait_until

pytestmark = pytest.mark.cluster

NAMESPACE = "gpu-autoscale-demo"
STRANGER: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "stranger"},
    "spec": {
        "automountServiceAccountToken": False,
        "containers": [{"name": "main", "image": "example.test/x:1", "resources": {"limits": {"nvidia.com/gpu": "1"}}}],
    },
}


@pytest.fixture(scope="module")
def plane(binaries: Path) -> Iterator[ControlPlane]:
    """A control plane with a pod of somebody's that waits for a GPU."""
    with ControlPlane(binaries) as started:
        started.api().create("/api/v1/namespaces/default/pods", STRANGER)
        yield started


def start(plane: ControlPlane, *options: str) -> subprocess.Popen[str]:
    """The command, without a terminal."""
    command = [
        sys.executable,
        "-m",
        "autoscale",
        "demo",
        "--cluster",
        "--kubeconfig",
        str(plane.kubeconfig()),
        *options,
    ]
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def left(plane: ControlPlane) -> tuple[list[str], list[str]]:
    """Namespaces and nodes that there are beside those of every cluster."""
    api = plane.api()
    spaces = [each["metadata"]["name"] for each in api.items("/api/v1/namespaces")]
    nodes = [each["metadata"]["name"] for each in api.items("/api/v1/nodes")]
    return [name for name in spaces if name == NAMESPACE], nodes


def test_it_plays_to_the_end_and_leaves_nothing_behind(plane: ControlPlane) -> None:
    """Every pod is bound by the real scheduler where it was planned; the stranger's pod is not touched."""
    before = plane.api().get("/api/v1/namespaces/default/pods/stranger")
    process = start(plane, "--yes")
    out, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (0, "")
    assert "12 of 12 pods are on the very node that was planned for them" in out
    assert "pods bound 12/12" in out
    assert left(plane) == ([], [])
    after = plane.api().get("/api/v1/namespaces/default/pods/stranger")
    for key in ("annotations", "labels"):
        assert after["metadata"].get(key) == before["metadata"].get(key)
    assert after["spec"] == before["spec"]


def test_without_a_terminal_it_wants_a_yes_and_changes_nothing(plane: ControlPlane) -> None:
    """One sentence, status 2."""
    process = start(plane)
    _, err = process.communicate(timeout=120)
    sentence = "demo --cluster: it writes to the cluster, and there is no terminal to ask on, expected --yes"
    assert (process.returncode, sentence in err, left(plane)) == (2, True, ([], []))


def test_a_pod_that_would_end_up_on_a_simulated_node_stops_it(plane: ControlPlane) -> None:
    """It tolerates everything and waits; on a simulated node it would never run."""
    metadata, spec = {"name": "easy"}, {**STRANGER["spec"], "tolerations": [{"operator": "Exists"}]}
    plane.api().create("/api/v1/namespaces/default/pods", {**STRANGER, "metadata": metadata, "spec": spec})
    process = start(plane, "--yes")
    _, err = process.communicate(timeout=120)
    plane.api().delete("/api/v1/namespaces/default/pods/easy", grace_s=0)
    assert (process.returncode, "default/easy would tolerate" in err, left(plane)) == (2, True, ([], []))


def test_it_takes_everything_away_when_it_is_interrupted_however_often(plane: ControlPlane) -> None:
    """Ctrl-C once there is something to take away, and again while it is being taken away."""
    process = start(plane, "--yes")
    wait_until("the demo has written something", lambda: left(plane)[0] == [NAMESPACE], within_s=60)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert any("Taking everything away" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert (process.returncode, left(plane)) == (130, ([], []))


def test_a_namespace_of_that_name_is_left_alone(plane: ControlPlane) -> None:
    """It may be somebody's; how to take away what an earlier demo left is said."""
    plane.api().create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    process = start(plane, "--yes")
    _, err = process.communicate(timeout=120)
    assert (process.returncode, "is there already" in err, left(plane)[0]) == (2, True, [NAMESPACE])
