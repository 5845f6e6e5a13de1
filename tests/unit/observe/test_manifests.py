"""Manifests as a view of a cluster, and what is said of wrong ones."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from autoscale.errors import BadInput
from autoscale.model.resources import Resources
from autoscale.model.rules import DisruptionBudget, Requirement
from autoscale.model.snapshot import ClusterView
from autoscale.model.supply import Node
from autoscale.model.workload import DaemonSet, Pod, PodShape
from autoscale.observe.manifests import Manifests, load_manifests

SHAPE = PodShape(Resources({"cpu": 500, "pods": 1}))
TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "m", "resources": {"requests": {"cpu": 0.5}}}]},
}


def obj(kind: str, name: str = "web", **rest: Any) -> dict[str, Any]:
    """An object in namespace ml."""
    return {"kind": kind, "metadata": {"name": name, "namespace": "ml"}, **rest}


def load(tmp_path: Path, *objects: dict[str, Any]) -> Manifests:
    """What a file with these objects reads as."""
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    return load_manifests([str(file)])


def made(kind: str, index: int, owner: str, **labels: str) -> Pod:
    """A pod as its controller would make it."""
    return Pod(
        uid=f"{kind}/ml/web-{index}",
        namespace="ml",
        name=f"web-{index}",
        shape=SHAPE,
        labels={"app": "web", **labels},
        owner=owner,
    )


@pytest.mark.parametrize(
    ("kind", "owner"),
    [
        ("Deployment", "ReplicaSet/web"),
        ("ReplicaSet", "ReplicaSet/web"),
        ("ReplicationController", "ReplicationController/web"),
    ],
)
def test_replicas_become_pods(tmp_path: Path, kind: str, owner: str) -> None:
    """A workload is as many pods as it has replicas, owned as its controller would own them."""
    found = load(tmp_path, obj(kind, spec={"replicas": 2, "template": TEMPLATE}))
    assert (found.view, found.notes) == (ClusterView(pods=(made(kind, 0, owner), made(kind, 1, owner))), ())


def test_replicas_default_to_one(tmp_path: Path) -> None:
    """Without a number there is one pod; with 0 there is none."""
    assert len(load(tmp_path, obj("Deployment", spec={"template": TEMPLATE})).view.pods) == 1
    assert load(tmp_path, obj("Deployment", spec={"replicas": 0, "template": TEMPLATE})).view.pods == ()


def test_pods_of_a_stateful_set_have_their_labels(tmp_path: Path) -> None:
    """A StatefulSet's pods carry their name and index."""
    names = ("statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index")
    found = load(tmp_path, obj("StatefulSet", spec={"replicas": 2, "template": TEMPLATE}))
    assert found.view.pods == tuple(
        made("StatefulSet", i, "StatefulSet/web", **{names[0]: f"web-{i}", names[1]: str(i)}) for i in range(2)
    )


@pytest.mark.parametrize(
    ("spec", "count"), [({}, 1), ({"parallelism": 4}, 4), ({"parallelism": 4, "completions": 2}, 2)]
)
def test_a_job_is_what_runs_at_once(tmp_path: Path, spec: dict[str, Any], count: int) -> None:
    """A Job is as many pods as it runs side by side."""
    labels = {"batch.kubernetes.io/job-name": "web", "job-name": "web"}
    found = load(tmp_path, obj("Job", spec={**spec, "template": TEMPLATE}))
    assert found.view.pods == tuple(made("Job", i, "Job/web", **labels) for i in range(count))


def test_a_suspended_job_makes_no_pods(tmp_path: Path) -> None:
    """A suspended Job is noted, not planned."""
    found = load(tmp_path, obj("Job", spec={"suspend": True, "template": TEMPLATE}))
    assert (found.view, found.notes) == (ClusterView(), ("Job ml/web is suspended: it makes no pods now",))


def test_nodes_daemon_sets_and_pods(tmp_path: Path) -> None:
    """A cluster's dump reads as that cluster; finished pods are left out, a silent node is ready."""
    done = obj("Pod", "done", spec=TEMPLATE["spec"], status={"phase": "Succeeded"})
    node = obj("Node", "n", status={"allocatable": {"cpu": "4"}})
    found = load(tmp_path, node, obj("DaemonSet", spec={"template": TEMPLATE}), done, obj("Pod", spec=TEMPLATE["spec"]))
    assert found.view == ClusterView(
        nodes=(Node("n", "", Resources({"cpu": 4000})),),
        pods=(Pod("Pod/ml/web", "ml", "web", SHAPE),),
        daemon_sets=(DaemonSet("ml", "web", SHAPE, {"app": "web"}),),
    )


def test_other_kinds_are_noted(tmp_path: Path) -> None:
    """Whole applications can be fed: what makes no pods is counted and noted, and another group's Job is not ours."""
    found = load(
        tmp_path,
        obj("Service"),
        obj("Service", "b"),
        obj("Job", apiVersion="batch.volcano.sh/v1alpha1"),
        obj("CronJob", apiVersion="batch/v1"),
    )
    assert found == Manifests(
        ClusterView(),
        (
            "1 CronJob ignored: makes no pods now",
            "1 Job (batch.volcano.sh/v1alpha1) ignored: not a kind that this reads",
            "2 Service ignored: makes no pods now",
        ),
    )


def test_lists_of_all_kinds(tmp_path: Path) -> None:
    """Lists, typed lists and lists in lists read as their items, in YAML and JSON alike."""
    pod = {"metadata": {"name": "web", "namespace": "ml"}, "spec": TEMPLATE["spec"]}
    inner = {"kind": "PodList", "items": [pod]}
    expected = Manifests(ClusterView(pods=(Pod("Pod/ml/web", "ml", "web", SHAPE),)))
    assert load(tmp_path, {"kind": "List", "items": [inner]}) == expected
    file = tmp_path / "m.json"
    file.write_text(json.dumps({"kind": "List", "items": [inner]}, indent=1))
    assert load_manifests([str(file)]) == expected


def test_directories_files_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory is read with what is below it, in order of the paths; `-` is standard input; JSON may follow JSON."""
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("b/c/two.yml", "one.yaml", "three.json", "README.md"):
        (tmp_path / name).write_text(json.dumps(obj("Pod", Path(name).stem, spec=TEMPLATE["spec"])))
    text = "\n".join(json.dumps(obj("Pod", f"in{i}", spec=TEMPLATE["spec"])) for i in range(2))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    names = [pod.name for pod in load_manifests([str(tmp_path), "-"]).view.pods]
    assert names == ["two", "one", "three", "in0", "in1"]


def test_pods_of_one_template_keep_their_own_names(tmp_path: Path) -> None:
    """Documents that differ in their names only are parsed once, and still are their own pods; so in a long List."""
    text = "".join(f"---\n# pod {i}\n" + yaml.safe_dump(obj("Pod", f"p-{i}", spec=TEMPLATE["spec"])) for i in range(3))
    file = tmp_path / "m.yaml"
    file.write_text(text)
    assert [p.ref for p in load_manifests([str(file)]).view.pods] == ["ml/p-0", "ml/p-1", "ml/p-2"]
    items = [obj("Pod", f"p-{i}", spec=TEMPLATE["spec"]) for i in range(200)]
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "items": items, "kind": "List"}))
    assert [p.ref for p in load_manifests([str(file)]).view.pods] == [f"ml/p-{i}" for i in range(200)]


POD = "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: m}]}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Pod\nmetadata: {name: a\nspec: [", " line 3: not YAML (did not find expected ',' or '}')"),
        (POD + "---\na: [}\n", " line 5: not YAML (did not find expected node content)"),
        ("", ": the file is empty"),
        ("# nothing\n---\n", ": there is no manifest, expected a Pod or something that makes pods"),
        ("hello", " document 1 (line 1): wrong kind of value, expected a mapping, found a string"),
        ("a: b", " document 1 (line 1): the key kind is missing, expected a manifest such as a Pod or a Deployment"),
        (
            POD + "---\n\napiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: web}",
            " document 2 (line 6), Deploymnet web: unknown kind, expected Deployment, found Deploymnet",
        ),
        ("kind: Pod\nmetadata: {}\n", " document 1 (line 1), Pod: the key metadata.name is missing"),
        ("kind: Pod\nmetadata: {name: a}\n", " document 1 (line 1), Pod a: the key spec is missing"),
        (
            "kind: Pod\nmetadata: {name: a}\nspec: {containers: []}",
            " document 1 (line 1), Pod a: the pod has no container, expected at least one in spec.containers",
        ),
        (
            "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: m, resources: {limits: {nvidia.com/gpu: -1}}}]}",
            (
                " document 1 (line 1), Pod a, container m, limits.nvidia.com/gpu: bad quantity, "
                "expected a quantity of at least 0 such as 500m, 2 or 16Gi, found -1"
            ),
        ),
        (
            "kind: Node\nmetadata: {name: a}\nstatus: {allocatable: {cpu: 4x}}",
            (
                " document 1 (line 1), Node a, allocatable.cpu: bad quantity, "
                "expected a quantity of at least 0 such as 500m, 2 or 16Gi, found 4x"
            ),
        ),
        (
            "kind: Pod\nmetadata: {name: a, labels: {v: 1}}\nspec: {containers: [{name: m}]}",
            " document 1 (line 1), Pod a metadata.labels[...]: wrong kind of value, expected a string, found a whole number",
        ),
        (
            "kind: List\nitems: [{kind: Pod, metadata: {name: a}, spec: {containers: 3}}]",
            " document 1 (line 1) items[0], Pod a spec.containers: wrong kind of value, expected a list, found a whole number",
        ),
        (
            "kind: Deployment\nmetadata: {name: a}\nspec: {replicas: -2, template: {spec: {containers: [{name: m}]}}}",
            " document 1 (line 1), Deployment a, replicas: bad number of pods, expected 0 to 1000000, found -2",
        ),
        (
            "kind: Pod\nmetadata: {name: a}\nmetadata: {name: b}\n",
            " line 3: not YAML (the key metadata is given twice)",
        ),
        (
            POD.replace("[{name: m}]", "[{name: m}], tolerations: [{key: a, operator: Exist}]"),
            (
                " document 1 (line 1), Pod a: unknown operator of a in spec.tolerations, "
                "expected one of Equal, Exists, Lt, Gt, found Exist"
            ),
        ),
        (
            POD.replace(
                "[{name: m}]",
                "[{name: m}], affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
                "{nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Inn, values: [b]}]}]}}}",
            ),
            (
                " document 1 (line 1), Pod a: unknown operator of a in spec.affinity, "
                "expected one of In, NotIn, Exists, DoesNotExist, Gt, Lt, found Inn"
            ),
        ),
        (
            POD.replace("[{name: m}]", "[{name: m, resources: {requests: {cpu: null}}}]"),
            (
                " document 1 (line 1), Pod a, container m, requests.cpu: bad quantity, "
                "expected a quantity of at least 0 such as 500m, 2 or 16Gi, found null"
            ),
        ),
        ("kind: Deployment\nspec: {replicas: .nan}\n", " line 2: not YAML (.nan is no number)"),
        (
            "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: m, resources: {limits: {cpu: 1e9999}}}]}",
            (
                " document 1 (line 1), Pod a, container m, limits.cpu: bad quantity, "
                "expected a quantity of at least 0 such as 500m, 2 or 16Gi, found 1e9999"
            ),
        ),
        ('{"kind": "Pod",\n "spec": ]}', " line 2: not YAML (did not find expected node content)"),
    ],
)
def test_a_wrong_manifest_gets_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    """File, document and line, what was expected and what was found."""
    file = tmp_path / "m.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_manifests([str(file)])
    assert str(caught.value) == f"{file}{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"kind": "Pod",\n "spec": }', " line 2: not JSON (invalid character)"),
        ('{"kind": "Pod",\n "spec": {', " line 2: the JSON ends too early"),
        ('{"kind": "Pod",\n "spec": "\udcff"}', " line 2: not text, expected UTF-8, found the byte 0xff"),
        ("[1]", ": wrong kind of value, expected a mapping, found a list"),
        ('{"kind": "Service"}\n{"kind": }', " line 2: not JSON (Expecting value)"),
        ('{"a": ' * 100_000, ": it has too many levels"),
        ('{"kind": "Service"}\n' + '{"a": ' * 100_000, ": it has too many levels"),
    ],
)
def test_wrong_json_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    """JSON that is none is told with its line."""
    file = tmp_path / "m.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput) as caught:
        load_manifests([str(file)])
    assert str(caught.value) == f"{file}{message}"


def test_missing_files_and_empty_directories(tmp_path: Path) -> None:
    """A path that leads nowhere is named."""
    with pytest.raises(BadInput) as caught:
        load_manifests([str(tmp_path)])
    expected = "there are no manifests in this directory, expected files *.yaml, *.yml or *.json"
    assert str(caught.value) == f"{tmp_path}: {expected}"
    with pytest.raises(BadInput) as caught:
        load_manifests([str(tmp_path / "none.yaml")])
    assert str(caught.value) == f"{tmp_path / 'none.yaml'}: there is no such file"


def test_an_object_given_twice_is_refused(tmp_path: Path) -> None:
    """The same object in two places would be planned twice."""
    file = tmp_path / "m.yaml"
    file.write_text(POD)
    with pytest.raises(BadInput) as caught:
        load_manifests([str(file), str(tmp_path)])
    where = f"{file} document 1 (line 1), Pod a"
    assert str(caught.value) == f"{where}: the same object is there twice, found the first in {where}"


def test_priority_classes_are_what_admission_makes_of_them(tmp_path: Path) -> None:
    """The class that a pod names, the default, the built-in ones; one that is in no file is said."""
    pods = "".join(
        f"---\n{{apiVersion: v1, kind: Pod, metadata: {{name: p{i}}}, spec: {{{more}containers: [{{name: c}}]}}}}\n"
        for i, more in enumerate(
            ("priorityClassName: high, ", "", "priorityClassName: system-node-critical, ", "priorityClassName: gone, ",
             "priorityClassName: high, priority: 7, ")
        )
    )  # fmt: skip
    classes = (
        "---\n{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 100, preemptionPolicy: Never}\n"
        "---\n{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: usual}, value: 5, globalDefault: true}\n"
    )
    budget = (
        "---\n{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: guard}, spec: {selector: {matchLabels: "
        "{app: db}}}, status: {disruptionsAllowed: 1, disruptedPods: {p0: 2026-01-01T00:00:00Z}}}\n"
    )
    file = tmp_path / "all.yaml"
    file.write_text(pods + classes + budget)
    found = load_manifests([str(file)])
    assert [(p.shape.priority, p.shape.preempts) for p in found.view.pods] == [
        (100, False), (5, True), (2_000_001_000, True), (0, True), (7, True)
    ]  # fmt: skip
    assert found.notes == ("PriorityClass gone is in no file: its pods are taken to have priority 0",)
    assert found.view.budgets == (
        DisruptionBudget("default", "guard", (Requirement("app", "In", ("db",)),), 1, frozenset({"p0"})),
    )
