"""What `deploy/base` installs: a real API server takes it, and its parts fit each other."""

from pathlib import Path

import pytest
import yaml

from .controlplane import ControlPlane, wait_until

pytestmark = pytest.mark.cluster

BASE = Path(__file__).parents[2] / "deploy/base"


def test_the_base_is_taken_by_an_api_server(control_plane: ControlPlane) -> None:
    """Every field is known to the server, and the Deployment reads the configuration that the kustomization makes."""
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text())
    files = [*kustomization["resources"], *(f for m in kustomization["configMapGenerator"] for f in m["files"])]
    assert sorted([*files, "kustomization.yaml"]) == sorted(path.name for path in BASE.iterdir())
    made = [each for file in kustomization["resources"] for each in control_plane.apply(BASE / file)]
    assert [each["kind"] for each in made] == [
        "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Deployment",
    ]  # fmt: skip
    pod = made[-1]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (mount,) = (m for m in container["volumeMounts"] if m["name"] == "config")
    (volume,) = (v for v in pod["volumes"] if v["name"] == "config")
    assert [m["name"] for m in kustomization["configMapGenerator"]] == [volume["configMap"]["name"]]
    assert container["args"] == ["run", "--config", f"{mount['mountPath']}/autoscaler.yaml"]
    (home,) = (each["value"] for each in container["env"] if each["name"] == "XDG_CACHE_HOME")
    assert f"{home}/gpu-autoscale" in [
        each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")
    ]
    assert [image["name"] for image in kustomization["images"]] == [container["image"]]


def test_its_service_account_may_do_what_the_engine_does(control_plane: ControlPlane) -> None:
    """The binding names the account of the Deployment, and the role holds nothing that destroys."""
    control_plane.apply(BASE / "namespace.yaml")
    control_plane.apply(BASE / "rbac.yaml")
    (deployment,) = control_plane.apply(BASE / "deployment.yaml")
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]

    def allowed(verb: str, group: str, resource: str) -> bool:
        asked = {"verb": verb, "group": group, "resource": resource, "namespace": "default"}
        user = f"system:serviceaccount:{deployment['metadata']['namespace']}:{account}"
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": asked},
        }
        answer = control_plane.api().create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    wait_until("the grant holds", lambda: allowed("watch", "", "pods"))
    verdicts = {
        f"{verb} {resource}": allowed(verb, group, resource)
        for group, resource in (("", "pods"), ("", "nodes"), ("apps", "daemonsets"), ("", "events"), ("", "secrets"))
        for verb in ("get", "list", "watch", "create", "patch", "update", "delete")
    }
    assert {what for what, yes in verdicts.items() if yes} == {
        "get pods", "list pods", "watch pods", "patch pods",
        "get nodes", "list nodes", "watch nodes", "patch nodes",
        "list daemonsets", "watch daemonsets", "create events", "get events", "patch events",
    }  # fmt: skip
