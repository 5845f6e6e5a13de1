"""The engine as a user runs it: `autoscale run` in a process of its own, under the shipped ClusterRole."""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from .controlplane import ControlPlane, Json, wait_until
from .controlplane.process import Process

ROOT = Path(__file__).parents[2]
ROLE = "gpu-autoscale"
SLOT = "gpu-autoscale.dev/slot"


def grant_shipped_role(plane: ControlPlane) -> None:
    """Give the user `autoscaler` what `deploy/` grants, and nothing else."""
    for document in yaml.safe_load_all((ROOT / "deploy/base/rbac.yaml").read_text()):
        if document["kind"] == "ClusterRole":
            plane.apply(document)
    plane.grant(ROLE)


def environment(aws_url: str) -> dict[str, str]:
    """Give the environment of a process whose cloud is a moto server."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws_url,
        "NO_COLOR": "1",
    }


class Engine:
    """A context manager around `autoscale run`; its log is JSON lines."""

    def __init__(
        self, plane: ControlPlane, aws_url: str, *, settings: Mapping[str, Any] | None = None, cluster: str = "test"
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="engine-")
        folder = Path(self._folder.name)
        config = {
            "apiVersion": "gpu-autoscale.dev/v1alpha1",
            "kind": "Autoscaler",
            "cluster": cluster,
            "providers": {"aws": {"region": "us-east-1", "quotas": False}},
            **(settings or {}),
        }
        (folder / "autoscaler.yaml").write_text(yaml.safe_dump(config))
        self._log = folder / "log"
        self._log.touch()
        self.command = [
            sys.executable, "-m", "autoscale", "run", "--metrics-port", "0",
            "--config", str(folder / "autoscaler.yaml"), "--kubeconfig", str(plane.kubeconfig("autoscaler")),
        ]  # fmt: skip
        self._environment = environment(aws_url)
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.kill()
        if error is not None:
            error.add_note("the engine's log:\n" + "\n".join(self._log.read_text().splitlines()[-60:]))
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, or start it again after it was killed; the log goes on."""
        self._process = Process("autoscale", self.command, log=self._log, env=self._environment)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Ask it to end as Kubernetes does, with SIGTERM, and wait until it has."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGTERM)
        self.wait_dead()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.alive

    def wait_dead(self) -> None:
        """Wait until the process has ended."""
        wait_until("the engine has ended", lambda: not self.alive)

    def log(self) -> list[Json]:
        """Give the log's lines, in order; one that is half written is not there yet."""
        lines = []
        whole, _, _ = self._log.read_text().rpartition("\n")
        for line in whole.splitlines():
            assert line.startswith("{"), f"not a log line: {line}"
            lines.append(json.loads(line))
        return lines

    def events(self, name: str) -> list[Json]:
        """Give the log's lines of one event."""
        return [line for line in self.log() if line.get("event") == name]


def slots(pods: list[Json]) -> dict[str, list[str]]:
    """Give the names of the pods that claim each slot."""
    found: dict[str, list[str]] = {}
    for pod in pods:
        slot = pod["metadata"].get("annotations", {}).get(SLOT)
        if slot:
            found.setdefault(slot, []).append(pod["metadata"]["name"])
    return {slot: sorted(names) for slot, names in sorted(found.items())}


def nodes_by_slot(nodes: list[Json]) -> dict[str, str]:
    """Give the node that each slot was given."""
    return {
        node["metadata"]["annotations"][SLOT]: node["metadata"]["name"]
        for node in nodes
        if SLOT in node["metadata"].get("annotations", {})
    }
