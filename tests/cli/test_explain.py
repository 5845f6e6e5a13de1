"""`autoscale explain` through the real entry point: manifests, and a cluster with its cloud."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Run, environment
from .test_live import World, moto, world

__all__ = ["moto", "world"]  # the fixtures

GOLDEN = Path(__file__).parent / "golden"
FILE = str(GOLDEN / "explain.yaml")


def test_a_pod_that_stays(run: Run) -> None:
    """A hundred instance types in three lines and the rest in one, and the slip that a person made."""
    said = run("explain", "pod", "ml/train-0", "-f", FILE)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (GOLDEN / "explain-pod.txt").read_text()


def test_json_and_yaml_say_the_same(run: Run) -> None:
    """The document has what the page has, and every name."""
    documents: list[dict[str, Any]] = [
        json.loads(run("explain", "pod", "ml/train-0", "-f", FILE, "-o", "json").stdout),
        yaml.safe_load(run("explain", "pod", "ml/train-0", "-f", FILE, "-o", "yaml").stdout),
    ]
    assert documents[0] == documents[1]
    (story,) = documents[0]["pods"]
    assert {key: story[key] for key in ("pod", "alike", "fate")} == {"pod": "ml/train-0", "alike": 1, "fate": "stays"}
    assert story["remedies"] == [
        {
            "changes": [
                "select nvidia.com/gpu.product=NVIDIA-A100-SXM4-80GB: NVIDIA-A100-SXM-80GB does not exist, this does"
            ],
            "group": "p4de.24xlarge/us-east-1f/spot",
            "instanceType": "p4de.24xlarge",
            "costMicrousdPerHour": 14257400,
            "pods": 1,
            "displaced": 0,
        }
    ]
    assert sum(len(each["names"]) for each in story["excluded"]) == 963
    assert [reason["code"] for reason in story["admission"]] == ["ResourceQuotaExceeded"]


def test_a_workload(run: Run) -> None:
    """Asked for what makes pods, its pods are told as one; one that makes none says why."""
    said = run("explain", "pod", "ml/deploy/web", "-f", FILE)
    assert said.stdout.splitlines()[0] == "pod ml/web-0   1 nvidia.com/gpu, 6 cpu, 24Gi memory   and 8 more like it"
    assert "\n  will run: the next plan buys its node, part of the cheapest fleet for all that wait\n" in said.stdout
    assert "quota team-a allows 8 nvidia.com/gpu, all pods ask for 25 (train 16 and web 9)" in said.stdout
    later = run("explain", "pod", "ml/later", "-f", FILE)
    assert later.stdout == ("job ml/later   0 of 0 pods made\n\n  no pods\n  ! it is suspended: it makes no pods now\n")


@pytest.mark.parametrize("columns", [80, 120])
def test_it_fits_the_terminal(tmp_path: Path, columns: int) -> None:
    """No line is longer than the terminal is wide."""
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "autoscale", "explain", "pod", "ml/train", "-f", FILE],
        stdout=inner, stderr=subprocess.PIPE, env=environment(tmp_path) | {"COLUMNS": str(columns), "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(inner)
    text = b""
    try:
        while chunk := os.read(outer, 65536):
            text += chunk
    except OSError:  # the other side is closed
        pass
    os.close(outer)
    assert process.communicate()[1] == b""
    lines = text.decode().splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) in range(columns - 15, columns + 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pod", "ml/wob", "-f", FILE], "ml/wob: there is no pod, nor anything that makes pods, of that name that has not finished, expected ml/web"),
        (["pod", "ml/dploy/web", "-f", FILE], "ml/dploy/web: unknown kind 'dploy', expected deploy"),
        (["pod", "ml/job/web", "-f", FILE], "ml/job/web: there is no Job of that name, expected one of ml/later, ml/train"),
        (["pod", "a/b/c/d", "-f", FILE], "a/b/c/d: no name of a pod, expected NAMESPACE/NAME or NAMESPACE/KIND/NAME"),
        (["pod", "ml/web", "-f", "none.yaml"], "none.yaml: there is no such file"),
        (["pod", "ml/web", "-f", FILE, "--context", "a"], "-f plans without a cluster, so --kubeconfig and --context mean nothing with it; see `autoscale explain pod --help`"),
        (["pod", "ml/web", "--groups", "cloud"], "--groups is for plans from manifests, give them with -f; see `autoscale explain pod --help`"),
        (["pod"], "missing argument 'NAMESPACE/[KIND/]NAME'; see `autoscale explain pod --help`"),
        (["pods", "ml/web"], "there is nothing to explain about 'pods', did you mean 'pod'?; see `autoscale explain --help`"),
        (["pod", "ml/web"], "no cluster to talk to: there is no kubeconfig at ~/.kube/config"),
    ],
)  # fmt: skip
def test_wrong_input(run: Run, words: list[str], sentence: str) -> None:
    """One sentence with the nearest known name; status 2."""
    said = run("explain", *words)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith(f"autoscale: {sentence}")
    assert said.stderr.count("\n") == 1


def test_help_and_completion(run: Run) -> None:
    """Every subcommand has help with examples, and the shell completes them."""
    for words in ((), ("pod",)):
        said = run("explain", *words, "--help")
        assert (said.returncode, "autoscale explain pod ml/train-0" in said.stdout) == (0, True)
    env = {"_AUTOSCALE_COMPLETE": "bash_complete", "COMP_WORDS": "autoscale explain p", "COMP_CWORD": "2"}
    assert "plain,pod\n" in run(env=env).stdout


def test_a_live_pod(run: Run, world: World) -> None:
    """Pods of the cluster on the cloud's groups: one that a node is bought for, and one that is too large."""
    world.pod("huge", gpus=4)
    said = run("explain", "pod", "default/web-0", *world.words, env=world.env)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (
        "pod default/web-0   1 nvidia.com/gpu, 2 cpu, 8Gi memory\n\n"
        "  will run: the next plan buys its node, part of the cheapest fleet for all that wait\n"
        "  where  group l4, g6.xlarge, on-demand, us-east-1a\n"
        "  cost   $ 0.80/h more than without it; the node is $ 0.80/h\n"
    )
    said = run("explain", "pod", "huge", *world.words, env=world.env)
    assert said.stdout == (
        "pod default/huge   4 nvidia.com/gpu, 2 cpu, 8Gi memory\n\n"
        "  stays pending: no node group takes it\n\n"
        "  which rule excludes it from which node groups\n"
        "  - node group l4: asks for 4 nvidia.com/gpu, a node has 1\n\n"
        "  what would let it run, each planned through\n"
        "  + ask for 1 nvidia.com/gpu instead of 4: no node has more; use 4 pods of 1\n"
        "      4 pods, on group l4 (g6.xlarge), $ 3.22/h more\n"
    )
    assert (world.slots(), world.nodes) == ({}, 0)


def test_a_live_node(run: Run, world: World) -> None:
    """A node of the cluster, its instance in the cloud, and what its pod would cost elsewhere."""
    world.moto.create_group("big", instance_type="g6.12xlarge", max_nodes=10)
    world.moto.set_nodes("big", 1)
    (machine,) = world.moto.instances("big")
    room = {"cpu": "47", "memory": "180Gi", "nvidia.com/gpu": "4", "pods": "110"}
    ready = {"allocatable": room, "conditions": [{"type": "Ready", "status": "True"}]}
    spec = {"providerID": f"aws:///us-east-1a/{machine}"}
    world.cluster.create({"kind": "Node", "metadata": {"name": "big-0"}, "spec": spec, "status": ready})
    for number in range(3):
        world.cluster.delete("Pod", f"default/web-{number}")
    work = {"name": "main", "resources": {"requests": {"nvidia.com/gpu": "1"}}}
    spec_of_pod = {"nodeName": "big-0", "containers": [work]}
    world.cluster.create({"kind": "Pod", "metadata": {"name": "web"}, "spec": spec_of_pod})
    said = run("explain", "node", "big-0", *world.words, env=world.env)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (
        "node big-0   group big, g6.12xlarge, on-demand, us-east-1a   $ 4.60/h\n\n"
        "  it is in group big and carries no slot of a plan: others bought it, or a minimum did\n"
        "  used  1 of 4 nvidia.com/gpu (25 %)\n"
        "  who   default/web: 1 pod, 1 nvidia.com/gpu\n\n"
        "  stays\n"
        "  = 1 pod works on it\n\n"
        "  a cheaper home, planned through as if its pods waited and it were not there\n"
        "  + 1 x l4: $ 0.80/h in place of $ 4.60/h, $ 3.80/h less\n"
    )
    document = json.loads(run("explain", "node", "big-0", *world.words, "-o", "json", env=world.env).stdout)
    assert {key: document[key] for key in ("kind", "node", "kept", "move")} == {
        "kind": "NodeExplanation",
        "node": "big-0",
        "kept": True,
        "move": {
            "homes": ["1 x l4"],
            "costMicrousdPerHour": 804800,
            "savesMicrousdPerHour": 3796800,
            "stuck": [],
            "whyStuck": "",
            "onceMicrousd": 0,
            "horizonS": 0,
            "protected": "",
        },
    }
    wrong = run("explain", "node", "big-1", *world.words, env=world.env)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "autoscale: big-1: there is no such node, expected big-0\n"


LIMITED = "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\npolicies:\n  - limits: {nodes: 6}\n"


def test_a_plan_of_manifests(run: Run, tmp_path: Path) -> None:
    """What binds and what was next; the configuration is the plan's own. Other manifests are said to be others."""
    (tmp_path / "a.yaml").write_text(LIMITED)
    pods = str(GOLDEN / "pods.yaml")
    assert run("plan", "-f", pods, "--config", "a.yaml", "--out", "plan.json").returncode == 0
    plan = json.loads((tmp_path / "plan.json").read_text())
    said = run("explain", "plan", "plan.json", "-f", pods)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (GOLDEN / "explain-plan.txt").read_text()
    document = json.loads(run("explain", "plan", "plan.json", "-f", pods, "-o", "json").stdout)
    assert (document["kind"], document["plan"], document["moved"]) == ("PlanExplanation", plan["plan"]["id"], [])
    assert document["weights"] == plan["weights"]
    other = run("explain", "plan", "plan.json", "-f", FILE, "--config", "a.yaml")
    assert (
        "  what follows is of a plan made now\n  ! pods, nodes, groups or prices have changed since the plan was made\n"
        in other.stdout
    )
    (tmp_path / "b.yaml").write_text(LIMITED.replace("6", "7"))
    assert "  ! the configuration is another\n" in run(
        "explain", "plan", "plan.json", "-f", pods, "--config", "b.yaml"
    ).stdout  # fmt: skip


def test_plans_that_cannot_be_explained(run: Run, tmp_path: Path) -> None:
    """One sentence; status 2."""
    assert run("plan", "-f", FILE, "--out", "plan.json").returncode == 0
    (tmp_path / "none.json").write_text("{}")
    for words, sentence in (
        (["plan.json"], "plan.json: the plan was made from manifests, which are needed again, expected -f FILE"),
        (["absent.json"], "absent.json: can't be read, no such file or directory"),
        (["none.json", "-f", FILE], "none.json: not a plan, expected kind: Plan, found none"),
        (["plan.json", "-f", "no.yaml"], "no.yaml: there is no such file"),
    ):
        said = run("explain", "plan", *words)
        assert (said.returncode, said.stdout, said.stderr) == (2, "", f"autoscale: {sentence}\n")


def test_a_live_plan(run: Run, world: World) -> None:
    """A plan of the cluster is explained without more words than its own."""
    assert run("plan", *world.words, "--out", "plan.json", env=world.env).returncode == 0
    said = run("explain", "plan", "plan.json", *world.words, env=world.env)
    assert (said.returncode, said.stderr) == (0, "")
    lines = said.stdout.splitlines()
    assert lines[0].endswith("$ 2.41/h more ($ 1,763 a month); proven: nothing cheaper does it")
    assert lines[1:] == [
        "",
        "  nothing binds: no limit costs anything",
        "",
        "  what was next, each planned through",
        "  - without l4: nothing in its place, $ 2.41/h less, 3 more pods pending",
    ]


def test_the_documentation_shows_what_is_printed(run: Run) -> None:
    """Every page in docs/explain.md that comes from files of this repository is what the program says."""
    root = Path(__file__).parents[2]
    text = (root / "docs" / "explain.md").read_text()
    lora = run("explain", "pod", "tune/lora-0", "-f", str(root / "examples" / "pods.yaml")).stdout
    for page in (lora, (GOLDEN / "explain-pod.txt").read_text(), (GOLDEN / "explain-plan.txt").read_text()):
        assert "".join(f"    {line}\n" if line else "\n" for line in page.splitlines()) in text
