"""`plan`, `apply` and `run` against an API server and a cloud: the embedded cluster, and moto as a process."""

import json
import os
import pty
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autoscale.sim.cluster import EmbeddedCluster
from tests.cluster.aws import MotoServer

from .conftest import Run, environment, started

SLOT = "gpu-autoscale.dev/slot"


@dataclass
class World:
    """A cluster with three pending GPU pods and one group that could take them."""

    cluster: EmbeddedCluster
    moto: MotoServer
    folder: Path

    @property
    def words(self) -> list[str]:
        """Where the cluster and the configuration are."""
        return ["--kubeconfig", self.cluster.kubeconfig_path, "--config", str(self.folder / "autoscaler.yaml")]

    @property
    def env(self) -> dict[str, str]:
        """How the cloud is reached."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.moto.url,
        }

    def pod(self, name: str, gpus: int = 1) -> dict[str, Any]:
        """Create a pending pod."""
        requests = {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": str(gpus)}
        containers = [{"name": "main", "resources": {"requests": requests}}]
        return self.cluster.create({"kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers}})

    def slots(self) -> dict[str, str]:
        """Which slot each pod claims."""
        found = {p["metadata"]["name"]: p["metadata"].get("annotations", {}).get(SLOT, "") for p in self.cluster.pods()}
        return {name: slot for name, slot in found.items() if slot}

    @property
    def nodes(self) -> int:
        """How many instances the group has."""
        return len(self.moto.instances("l4"))


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    """One server for all; each test starts with an empty account."""
    with MotoServer() as server:
        yield server


@pytest.fixture
def world(moto: MotoServer, tmp_path: Path) -> Iterator[World]:
    """Three pods, one group of g6.xlarge (one L4 each) with none running."""
    moto.reset()
    moto.create_group("l4", instance_type="g6.xlarge", max_nodes=10)
    config = "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\ncluster: test\nproviders: {aws: {quotas: false}}\n"  # moto knows none
    (tmp_path / "autoscaler.yaml").write_text(config)
    with EmbeddedCluster() as cluster:
        found = World(cluster, moto, tmp_path)
        for number in range(3):
            found.pod(f"web-{number}")
        yield found


def plan(run: Run, world: World) -> Path:
    """Save a plan."""
    said = run("plan", *world.words, "--out", "plan.json", env=world.env)
    assert (said.returncode, said.stderr) == (0, "")
    return world.folder / "plan.json"


def test_a_plan_is_shown_saved_and_carried_out(run: Run, world: World) -> None:
    """`plan` changes nothing and says how to go on; `apply` claims the pods and sets the target; again, it is stale."""
    said = run("plan", *world.words, "--out", "plan.json", "--detailed-exitcode", env=world.env)
    assert (said.returncode, said.stderr) == (2, "")
    assert "  + l4  g6.xlarge  on-demand  us-east-1a  0 -> 3  $ 0.805 each\n" in said.stdout
    assert said.stdout.endswith("Nothing was changed. To carry it out: autoscale apply plan.json\n")
    assert (world.slots(), world.nodes) == ({}, 0)
    done = run("apply", "plan.json", "--auto-approve", *world.words, env=world.env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  done     aws:l4  0 -> 3\n" in done.stdout
    assert len(set(world.slots().values())) == world.nodes == 3
    again = run("apply", "plan.json", "--auto-approve", *world.words, env=world.env)
    assert (again.returncode, again.stdout, world.nodes) == (2, "", 3)
    assert again.stderr.startswith(
        "autoscale: plan.json: the plan no longer holds, pod default/web-0 waits for another node"
    )


def test_nothing_to_do(run: Run, world: World) -> None:
    """With no pod pending there is no change: status 0, and `apply` does nothing."""
    for number in range(3):
        world.cluster.delete("Pod", f"default/web-{number}")
    said = run("plan", *world.words, "--out", "plan.json", "--detailed-exitcode", env=world.env)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("test   no pending pods   0 nodes, $ 0.00/h\n\nNothing to change.")
    done = run("apply", "plan.json", "--auto-approve", *world.words, env=world.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Nothing to do.\n", "")


def test_a_plan_that_still_holds(run: Run, world: World) -> None:
    """A pod that came later changes the fingerprint, and nothing that the plan rests on: it is carried out, and said."""
    plan(run, world)
    world.pod("late")
    said = run("apply", "plan.json", "--auto-approve", *world.words, env=world.env)
    assert (said.returncode, said.stderr) == (0, "")
    assert "it still holds" in said.stdout
    assert sorted(world.slots()) == ["web-0", "web-1", "web-2"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("pod", "pod default/web-1 is gone"),
        ("target", "group l4 has a target of 1 nodes, not 0"),
        ("maximum", "group l4 may have 0 to 5 nodes, not 0 to 10"),
        ("configuration", ""),
    ],
)
def test_a_plan_that_no_longer_holds(run: Run, world: World, change: str, expected: str) -> None:
    """It is refused with what has changed, status 2, and nothing is written."""
    file = plan(run, world)
    autoscaling = world.moto.client("autoscaling")
    if change == "pod":
        world.cluster.delete("Pod", "default/web-1")
    elif change == "target":
        world.moto.set_nodes("l4", 1)
    elif change == "maximum":
        autoscaling.update_auto_scaling_group(AutoScalingGroupName="l4", MaxSize=5)
    else:
        with (world.folder / "autoscaler.yaml").open("a") as config:
            config.write("pods: gpu\n")
    before = world.nodes
    said = run("apply", file.name, "--auto-approve", *world.words, env=world.env)
    assert (said.returncode, said.stdout, world.slots(), world.nodes) == (2, "", {}, before)
    assert said.stderr.count("\n") == 1
    start = (
        "the plan was made with another configuration" if change == "configuration" else "the plan no longer holds, "
    )
    assert said.stderr.startswith(f"autoscale: plan.json: {start}{expected}")


def test_asking_needs_a_terminal(run: Run, world: World) -> None:
    """Without one, and without --auto-approve, nothing happens."""
    plan(run, world)
    said = run("apply", "plan.json", *world.words, env=world.env)
    expected = "autoscale: plan.json: there is no terminal to ask on, so --auto-approve is needed\n"
    assert (said.returncode, said.stdout, said.stderr, world.nodes) == (2, "", expected, 0)


def test_one_tick(run: Run, world: World) -> None:
    """`run --once` buys, and its log is JSON lines; with --dry-run nothing is written."""
    dry = run("run", "--once", "--dry-run", *world.words, env=world.env)
    assert (dry.returncode, world.slots(), world.nodes) == (0, {}, 0)
    said = run("run", "--once", *world.words, env=world.env)
    assert (said.returncode, said.stdout, world.nodes) == (0, "", 3)
    lines = [json.loads(line) for line in said.stderr.splitlines()]
    assert [line["event"] for line in lines if line["event"] in ("started", "tick", "stopped")] == [
        "started",
        "tick",
        "stopped",
    ]
    (tick,) = [line for line in lines if line["event"] == "tick"]
    assert {key: tick[key] for key in ("actions", "pending", "unmet")} == {"actions": 4, "pending": 3, "unmet": 0}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(world: World, tmp_path: Path, number: signal.Signals) -> None:
    """The loop serves metrics and health while it runs, and ends well within a tick of the signal."""
    with started("run", "--metrics-port", "0", *world.words, folder=tmp_path, env=world.env) as process:
        assert process.stderr is not None
        events: dict[str, dict[str, Any]] = {}
        while "tick" not in events:
            line = json.loads(process.stderr.readline())
            events[line["event"]] = line
        url = f"http://127.0.0.1:{events['started']['metrics_port']}"
        with urllib.request.urlopen(f"{url}/healthz") as health:
            assert (health.status, health.read()) == (200, b"ok\n")
        with urllib.request.urlopen(f"{url}/metrics") as metrics:
            assert b'gpu_autoscale_bought_nodes_total{group="aws:l4"} 3.0' in metrics.read()
        os.kill(process.pid, number)
        _, rest = process.communicate(timeout=10)
        assert process.returncode == 0
        assert json.loads(rest.splitlines()[-1])["event"] == "stopped"


def test_no_credentials(run: Run, world: World) -> None:
    """Neither `plan` nor `run` starts without a way into the cloud: one sentence, status 2."""
    for words in (["plan"], ["run", "--metrics-port", "0"]):
        said = run(*words, *world.words, env={"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": world.moto.url})
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1)
        assert said.stderr.startswith("autoscale: aws: ")
        assert "credentials" in said.stderr


def test_validate_asks_the_clouds(run: Run, world: World) -> None:
    """How many groups there are, and what is wrong with any of them; rights that are missing are one sentence and status 2."""
    world.moto.create_group("odd", instance_type="z99.xlarge")
    said = run("validate", "autoscaler.yaml", env=world.env)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines()[-2:] == [
        "  groups       aws: 1 group",
        "               group odd is left out: the catalogue does not have instance type z99.xlarge",
    ]
    denied = run("validate", "autoscaler.yaml", env={"AWS_DEFAULT_REGION": "us-east-1"})
    assert (denied.returncode, denied.stderr.count("\n")) == (2, 1)
    assert "no AWS credentials" in denied.stderr


def test_one_cloud_that_lets_us_in_is_enough(run: Run, world: World) -> None:
    """What is wrong with the other is said, and what is wrong with a group; the rest works on."""
    world.moto.create_group("odd", instance_type="z99.xlarge")
    config = (world.folder / "autoscaler.yaml").read_text().replace("providers: {", "providers: {gcp: {project: p}, ")
    (world.folder / "autoscaler.yaml").write_text(config)
    said = run("run", "--once", *world.words, env=world.env | {"GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent"})
    assert (said.returncode, world.nodes) == (0, 3)
    lines = [json.loads(line) for line in said.stderr.splitlines()]
    warned = [(line["event"], line["about"]) for line in lines if line["level"] == "warning"]
    assert warned == [("cloud", "gcp"), ("cloud", "gcp"), ("group left out", "aws:odd")]


def test_a_group_of_an_unknown_type(run: Run, world: World) -> None:
    """Beside others it is left out and said; when it is all there is, it is an error that names group and type."""
    world.moto.create_group("odd", instance_type="z99.xlarge")
    said = run("plan", *world.words, env=world.env)
    assert (said.returncode, said.stderr) == (0, "")
    assert "group odd is left out: the catalogue does not have instance type z99.xlarge" in said.stdout
    world.moto.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName="l4", ForceDelete=True)
    alone = run("plan", *world.words, env=world.env)
    assert (alone.returncode, alone.stdout, alone.stderr.count("\n")) == (2, "", 1)
    assert alone.stderr.startswith("autoscale: aws:odd: ")
    assert "z99.xlarge" in alone.stderr


def test_asking_first(world: World, run: Run) -> None:
    """On a terminal `apply` shows the plan and asks; no means no, yes means yes."""
    plan(run, world)
    assert ask_at_terminal(world, "n") == 1
    assert (world.slots(), world.nodes) == ({}, 0)
    assert ask_at_terminal(world, "y") == 0
    assert (len(world.slots()), world.nodes) == (3, 3)


def ask_at_terminal(world: World, answer: str) -> int:
    """Run `apply` at a terminal of its own and answer its question; the exit status."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "autoscale", "apply", "plan.json", *world.words],
        cwd=world.folder, env=environment(world.folder) | world.env, stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while b"Carry it out? [y/N]:" not in shown:
        shown += os.read(master, 4096)
    assert b"0 -> 3" in shown
    os.write(master, answer.encode() + b"\n")
    status = process.wait(timeout=60)
    os.close(master)
    return status


def test_an_api_server_that_does_not_answer(run: Run, world: World) -> None:
    """Its address and what happened: one sentence, status 2."""
    kubeconfig = json.loads(Path(world.cluster.kubeconfig_path).read_text())
    kubeconfig["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:9"
    (world.folder / "dead").write_text(json.dumps(kubeconfig))
    for words in (["plan"], ["run", "--metrics-port", "0"]):
        said = run(*words, "--kubeconfig", "dead", "--config", "autoscaler.yaml", env=world.env)
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1)
        assert said.stderr.startswith("autoscale: kubeconfig dead: ")
        assert "127.0.0.1:9" in said.stderr
