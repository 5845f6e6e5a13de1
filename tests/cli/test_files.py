"""Saved plans, problem files and configurations: what is wrong with one is said in one sentence."""

import json
import re
from pathlib import Path

import pytest

from .conftest import Run

GOLDEN = Path(__file__).parent / "golden"
PROBLEM = {
    "pods": [{"name": "web", "count": 3, "requests": {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "1"}}],
    "offerings": [
        {
            "instance_type": "big", "zone": "a", "capacity_type": "spot", "price": 1.5, "labels": {},
            "capacity": {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "2", "pods": "20"},
        }
    ],
}  # fmt: skip


@pytest.fixture
def saved(run: Run, tmp_path: Path) -> dict[str, object]:
    """A plan as it is saved, but for its being offline."""
    assert run("plan", "-f", str(GOLDEN / "pods.yaml"), "--out", "plan.json").returncode == 0
    document: dict[str, object] = json.loads((tmp_path / "plan.json").read_text())
    return document


def test_a_plan_made_offline_is_refused(run: Run, saved: dict[str, object]) -> None:
    """It says why it can't be carried out."""
    said = run("apply", "plan.json", "--auto-approve")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == (
        "autoscale: plan.json: this plan can't be carried out, it was made from manifests and the bundled catalogue\n"
    )


def test_plans_that_are_wrong(run: Run, saved: dict[str, object], tmp_path: Path) -> None:
    """Absent, cut off, no JSON, another kind or version, unknown, missing or misplaced keys: one sentence, status 2."""
    whole = json.dumps(saved, indent=1)
    plan = saved["plan"]
    assert isinstance(plan, dict)
    actions = plan["actions"]
    texts = {
        "cut": (whole[: len(whole) // 2], r"plan.json:\d+: the plan is cut off, expected JSON, found .* at column \d+"),
        "empty": ("", r"plan.json:1: not a plan, expected JSON, found an empty file"),
        "text": ("hello", r"plan.json:1: not a plan, expected JSON, found no value at column 1"),
        "list": ("[]", r"plan.json: not a plan, expected a mapping"),
        "other": ('{"kind": "Pod"}', r"plan.json: not a plan, expected kind: Plan, found Pod"),
        "version": (
            {**saved, "apiVersion": "gpu-autoscale.dev/v2"},
            r"plan.json: a plan of another version, expected gpu-autoscale.dev/v1alpha1, found gpu-autoscale.dev/v2",
        ),
        "maker": (
            {**saved, "madeBy": "9.9"},
            r"plan.json: a plan of another version, expected one made by \d+\.\d+\.\d+, found 9.9",
        ),
        "edited": ({**saved, "cluster": "other"}, r"plan.json: the plan was edited after it was made, expected it as `autoscale plan` wrote it"),
        "unsigned": ({key: each for key, each in saved.items() if key != "digest"}, r"plan.json: the plan was edited .*"),
        "unknown": ({**saved, "plane": {}}, r"plan.json: unknown key 'plane', expected 'plan'"),
        "missing": ({**saved, "plan": {**plan, "actions": None}}, r"plan.json.plan.actions: wrong value, expected a list, found None"),
        "absent": ({**saved, "plan": {"id": "a"}}, r"plan.json.plan: madeAtS is missing"),
        "type": (
            {**saved, "plan": {**plan, "madeAtS": "now"}},
            r"plan.json.plan.madeAtS: wrong value, expected a whole number, found 'now'",
        ),
        "action": (
            {**saved, "plan": {**plan, "actions": [*actions[:1], {**actions[1], "kind": "Claim"}]}},
            r"plan.json.plan.actions\[1\].kind: wrong value, expected .*, found 'Claim'",
        ),
    }  # fmt: skip
    for name, (content, expected) in texts.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "plan.json").write_text(text)
        said = run("apply", "plan.json")
        assert (name, said.returncode, said.stdout) == (name, 2, "")
        assert re.fullmatch(f"autoscale: {expected}\n", said.stderr), said.stderr
    missing = run("apply", "none.json")
    assert (missing.returncode, missing.stderr) == (
        2,
        "autoscale: none.json: can't be read, no such file or directory\n",
    )


def test_solve(run: Run, tmp_path: Path) -> None:
    """The answer has nodes, cost, bound and gap; from a file or standard input, to a file or standard output."""
    (tmp_path / "p.json").write_text(json.dumps(PROBLEM))
    said = run("solve", "p.json")
    assert (said.returncode, said.stderr) == (0, "")
    answer = json.loads(said.stdout)
    assert {key: answer[key] for key in ("cost", "bound", "gap", "status", "pending")} == {
        "cost": 3.0,
        "bound": 3.0,
        "gap": 0.0,
        "status": "optimal",
        "pending": [],
    }
    assert sorted(name for node in answer["nodes"] for name in node["pods"]) == ["web-0", "web-1", "web-2"]
    piped = run("solve", "-", "--output", "answer.json", "--time-limit", "500ms", stdin=json.dumps(PROBLEM))
    assert (piped.returncode, piped.stdout, piped.stderr) == (0, "", "")
    written = json.loads((tmp_path / "answer.json").read_text())
    assert written.pop("seconds") >= 0
    assert {**written, "seconds": answer["seconds"]} == answer


def test_a_problem_as_manifests_makes_a_plan(run: Run) -> None:
    """`--as-manifests` prints pods that `plan -f -` reads."""
    problem = {**PROBLEM, "pods": [{**PROBLEM["pods"][0], "name": "größe-😀"}]}
    manifests = run("solve", "-", "--as-manifests", stdin=json.dumps(problem))
    assert (manifests.returncode, manifests.stderr) == (0, "")
    said = run("plan", "-f", "-", stdin=manifests.stdout)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("offline   3 pending pods in 1 shape\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "p.json: there is no such file"),
        ("", "p.json: the file is empty"),
        ("{", "p.json line 1: the JSON ends too early"),
        (json.dumps({**PROBLEM, "pod": []}), "p.json: unknown key, expected pods, found pod"),
        (json.dumps({"pods": []}), "p.json: the key offerings is missing"),
    ],
)
def test_problems_that_are_wrong(run: Run, tmp_path: Path, text: str | None, expected: str) -> None:
    """File, line or key, expected and found; status 2; no answer is written."""
    if text is not None:
        (tmp_path / "p.json").write_text(text)
    said = run("solve", "p.json", "--output", "answer.json")
    assert (said.returncode, said.stdout, said.stderr) == (2, "", f"autoscale: {expected}\n")
    assert not (tmp_path / "answer.json").exists()


def test_an_answer_that_can_not_be_written(run: Run) -> None:
    """A folder that is not there, said before anything else is lost."""
    said = run("solve", "-", "--output", "none/answer.json", stdin=json.dumps(PROBLEM))
    expected = "autoscale: none/answer.json: can't be written, no such file or directory\n"
    assert (said.returncode, said.stdout, said.stderr) == (2, "", expected)


def test_validate(run: Run, tmp_path: Path) -> None:
    """A configuration that is right is explained, section by section."""
    (tmp_path / "a.yaml").write_text(
        "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\ncluster: prod\nproviders: {aws: {region: us-east-1}}\n"
        "policies:\n  - limits: {nodes: 4, groups: {'l4-*': {nodes: 2}}}\n  - spot-mix: {for: {namespaces: [a]}, maxSpot: 60%}\n"
    )
    said = run("validate", "--offline", "a.yaml")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (
        "a.yaml: valid\n"
        "  cluster      prod\n"
        "  providers    aws\n"
        "  pods         all\n"
        "  batch        decide after 1 s of quiet, after 10 s at most\n"
        "  solver       at most 1 s a search\n"
        "  reservation  a node must join within 15 m, is held for its pods 2 m at most\n"
        "  removal      nodes without work are removed after 5 m\n"
        "  policy       limits: nodes 4, groups l4-*: (nodes 2)\n"
        "  policy       spot-mix: for (namespaces a), maxSpot 60 %\n"
        "  policy       disruption: its defaults\n"
    )


def test_validate_lists_every_error(run: Run, tmp_path: Path) -> None:
    """Each on a line of its own; status 2."""
    (tmp_path / "a.yaml").write_text("kind: Autoscaler\nclusterr: a\npolicies: [{limit: {}}]\n")
    said = run("validate", "a.yaml")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == (
        "autoscale: a.yaml: apiVersion is missing\n"
        "autoscale: a.yaml:2: clusterr: unknown key, expected 'cluster'\n"
        "autoscale: a.yaml:3: policies[0].limit: unknown policy 'limit', expected 'limits'\n"
    )


def test_the_shipped_configuration_is_valid(run: Run) -> None:
    """What `deploy/` installs, and an error in a provider's settings names the file and the key."""
    shipped = str(Path(__file__).parents[2] / "deploy/base/autoscaler.yaml")
    said = run("validate", shipped, "--offline")
    assert (said.returncode, said.stderr) == (0, "")
    said = run("validate", shipped)
    expected = (
        "autoscale: aws: autoscaling:DescribeAutoScalingGroups: no AWS credentials (Unable to locate credentials)\n"
    )
    assert (said.returncode, said.stderr) == (2, expected)
