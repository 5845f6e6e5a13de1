"""`autoscale plan` without a cluster: the page as a golden file, its other formats, and wrong input."""

import json
from pathlib import Path

import pytest
import yaml

from .conftest import Run

GOLDEN = Path(__file__).parent / "golden"
PODS = str(GOLDEN / "pods.yaml")
HEAD = "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\n"


@pytest.mark.parametrize(("output", "file"), [("table", "plan.txt"), ("markdown", "plan.md")])
def test_the_page(run: Run, output: str, file: str) -> None:
    """Groups, packing, cost with its proof, and who stays pending; the same on every machine."""
    said = run("plan", "-f", PODS, "-o", output)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (GOLDEN / file).read_text()


def test_json_and_yaml_say_the_same(run: Run) -> None:
    """The document that `--out` saves, but for the moment it was made."""
    documents = [
        json.loads(run("plan", "-f", PODS, "-o", "json").stdout),
        yaml.safe_load(run("plan", "-f", PODS, "-o", "yaml").stdout),
    ]
    for each in documents:
        each["plan"].pop("madeAtS")
        each.pop("digest")
    assert documents[0] == documents[1]
    assert {key: documents[0][key] for key in ("apiVersion", "kind", "offline")} == {
        "apiVersion": "gpu-autoscale.dev/v1alpha1",
        "kind": "Plan",
        "offline": "it was made from manifests and the bundled catalogue",
    }


def test_standard_input(run: Run) -> None:
    """`-f -` reads manifests from standard input, and the plan is the same."""
    said = run("plan", "-f", "-", stdin=Path(PODS).read_text())
    assert said.stdout == (GOLDEN / "plan.txt").read_text()


def test_the_plan_in_the_readme_is_a_real_one(run: Run) -> None:
    """What a newcomer reads first is what the program says today."""
    root = Path(__file__).parents[2]
    readme = (root / "README.md").read_text()
    said = run("plan", "-f", str(root / "examples/pods.yaml"), "--time-limit", "10s")
    page = "".join(f"    {line}".rstrip() + "\n" for line in said.stdout.splitlines())
    assert f"    $ autoscale plan -f examples/pods.yaml\n\n{page}" in readme


def test_detailed_exit_status(run: Run) -> None:
    """2 when there are changes, 0 when there is nothing to do."""
    assert run("plan", "-f", PODS, "--detailed-exitcode").returncode == 2
    nothing = run(
        "plan",
        "-f",
        "-",
        "--detailed-exitcode",
        stdin="{kind: Job, apiVersion: batch/v1, metadata: {name: a}, spec: {suspend: true, template: {spec: {containers: [{name: a}]}}}}",
    )
    assert (nothing.returncode, nothing.stderr) == (0, "")


def test_a_policy_shows(run: Run, tmp_path: Path) -> None:
    """A limit in the way leaves pods pending; the page and the document name the policy, its numbers and what it costs."""
    (tmp_path / "a.yaml").write_text(HEAD + "policies:\n  - limits: {resources: {nvidia.com/gpu: 8}}\n")
    said = run("plan", "-f", PODS, "--config", "a.yaml")
    assert (said.returncode, said.stderr) == (0, "")
    assert "8 nvidia.com/gpu at most in all groups, 0 there already: 8 more" in said.stdout
    assert (
        "  binds   limits: 8 nvidia.com/gpu at most in all groups; keeps 2 pods pending, whose nodes would cost"
        in said.stdout
    )
    (weight,) = json.loads(run("plan", "-f", PODS, "--config", "a.yaml", "-o", "json").stdout)["weights"]
    assert (weight["key"], weight["runs"], weight["costsMicrousdPerHour"] < 0) == ("limits/nvidia.com/gpu", 2, True)


def test_a_hard_budget_holds(run: Run, tmp_path: Path) -> None:
    """What is bought costs no more than the budget leaves, to the cent."""
    (tmp_path / "a.yaml").write_text(HEAD + "policies:\n  - budget: {hard: 1 USD/h}\n")
    plan = json.loads(run("plan", "-f", PODS, "--config", "a.yaml", "-o", "json").stdout)["plan"]
    assert 0 < plan["costMicrousdPerHour"] <= 1_000_000
    assert [unmet["classKey"] for unmet in plan["unmet"]] == ["research/big", "serve/embedder", "train/llm-sft"]


def test_only_gpu_pods(run: Run, tmp_path: Path) -> None:
    """`pods: gpu` leaves the others to others."""
    (tmp_path / "a.yaml").write_text(HEAD + "pods: gpu\n")
    manifest = "{kind: Pod, apiVersion: v1, metadata: {name: a}, spec: {containers: [{name: a, resources: {requests: {cpu: 1}}}]}}"
    assert run("plan", "-f", "-", "--detailed-exitcode", stdin=manifest).returncode == 2
    assert run("plan", "-f", "-", "--detailed-exitcode", "--config", "a.yaml", stdin=manifest).returncode == 0


POD = "{kind: Pod, apiVersion: v1, metadata: {name: a}, spec: {containers: [{name: a, resources: {requests: {cpu: %s}}}]}}"


@pytest.mark.parametrize(
    ("words", "stdin", "expected"),
    [
        (["--kubeconfig", "."], None, "kubeconfig .: it is a directory"),
        (["--context", "a"], None, "context a: there is no kubeconfig at ~/.kube/config to find it in"),
        (["-f", "a" * 300], None, "a" * 300 + ": cannot be read (File name too long)"),
        (["-f", "none.yaml"], None, "none.yaml: there is no such file"),
        (["-f", "-"], "", "-: standard input is empty"),
        (["-f", "-"], "a: [", "standard input line 2: not YAML (did not find expected node content)"),
        (["-f", "-"], "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: []}\n", "standard input document 1 (line 1), Pod a: the pod has no container, expected at least one in spec.containers"),
        (["-f", "-"], POD % "-1", "standard input document 1 (line 1), Pod a, container a, requests.cpu: bad quantity, expected a quantity of at least 0 such as 500m, 2 or 16Gi, found -1"),
        (["-f", "-"], POD % "two", "standard input document 1 (line 1), Pod a, container a, requests.cpu: bad quantity, expected a quantity of at least 0 such as 500m, 2 or 16Gi, found two"),
        (["-f", "-"], "{kind: Pood, apiVersion: v1, metadata: {name: a}}", "standard input document 1 (line 1), Pood a: unknown kind, expected Pod, found Pood"),
        (["-f", "-", "--config", "none.yaml"], POD % 1, "none.yaml: no such configuration file"),
        (["-f", "-", "--out", "none/plan.json"], POD % 1, "none/plan.json: can't be written, no such file or directory"),
        (["-f", "-", "--groups", "cloud"], POD % 1, "aws: autoscaling:DescribeAutoScalingGroups: no AWS region: set aws.region or AWS_REGION"),
        (["-f", "-", "--context", "a"], POD % 1, "-f plans without a cluster, so --kubeconfig and --context mean nothing with it; see `autoscale plan --help`"),
        (["--groups", "cloud"], None, "--groups is for plans from manifests, give them with -f; see `autoscale plan --help`"),
        ([], None, "no cluster to talk to: there is no kubeconfig at ~/.kube/config"),
        (["--kubeconfig", "none"], None, "kubeconfig none: there is no such file"),
    ],
)  # fmt: skip
def test_wrong_input(run: Run, tmp_path: Path, words: list[str], stdin: str | None, expected: str) -> None:
    """One sentence with file, line or key; status 2; nothing is written."""
    before = sorted(tmp_path.iterdir())
    said = run("plan", *words, stdin=stdin)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith(f"autoscale: {expected}")
    assert said.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_names_from_files_move_no_cursor(run: Run) -> None:
    """Control characters in a name are written out, in the table and in markdown; a pod from the future waits 0 s."""
    manifest = (
        'kind: Pod\nmetadata: {name: "a\\e[31mb\\nc", creationTimestamp: "2999-01-01T00:00:00Z"}\n'
        "spec: {containers: [{name: a, resources: {requests: {foo.com/x: 1}}}]}\n"
    )
    for output in ("table", "markdown"):
        said = run("plan", "-f", "-", "-o", output, stdin=manifest)
        assert (said.returncode, said.stderr) == (0, "")
        assert "default/a\\x1b[31mb\\nc" in said.stdout
        assert "oldest" not in said.stdout


def test_a_link_is_written_through(run: Run, tmp_path: Path) -> None:
    """`--out LINK` writes the file that the link names, and leaves the link; nothing else is left behind."""
    (tmp_path / "plans").mkdir()
    (tmp_path / "link.json").symlink_to("plans/plan.json")
    stdin = "{kind: Pod, apiVersion: v1, metadata: {name: a}, spec: {containers: [{name: a, resources: {requests: {x.y/z: 1}}}]}}"
    assert run("plan", "-f", "-", "--out", "link.json", stdin=stdin).returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert [each.name for each in (tmp_path / "plans").iterdir()] == ["plan.json"]


def test_an_empty_folder(run: Run, tmp_path: Path) -> None:
    """A directory without manifests is said to have none."""
    (tmp_path / "empty").mkdir()
    said = run("plan", "-f", "empty")
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1)
    assert said.stderr.startswith("autoscale: empty: ")


def test_credentials_that_are_absent_leave_the_catalogue(run: Run, tmp_path: Path) -> None:
    """With providers configured and no credentials, a plan from manifests rests on the catalogue."""
    (tmp_path / "a.yaml").write_text(HEAD + "providers: {aws: {region: us-east-1}}\n")
    said = run("plan", "-f", PODS, "--config", "a.yaml")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (GOLDEN / "plan.txt").read_text()
