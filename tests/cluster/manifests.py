"""Objects to test with, as the dictionaries that the API server takes."""

from collections.abc import Mapping, Sequence

from .controlplane import Json


def pod(
    name: str,
    *,
    gpus: int = 0,
    gpu: str = "nvidia.com/gpu",
    cpu: str = "100m",
    memory: str = "64Mi",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    node_selector: Mapping[str, str] | None = None,
    tolerations: Sequence[Json] = (),
) -> Json:
    """A pod of one container in the default namespace; GPUs are requested as `gpu`, the extended resource's name."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": dict(labels or {}),
            "annotations": dict(annotations or {}),
        },
        "spec": pod_spec(gpus=gpus, gpu=gpu, cpu=cpu, memory=memory)
        | {"nodeSelector": dict(node_selector or {}), "tolerations": list(tolerations)},
    }


def pod_spec(*, gpus: int = 0, gpu: str = "nvidia.com/gpu", cpu: str = "100m", memory: str = "64Mi") -> Json:
    """The spec of a pod, or of a workload's template: one container, no time to stop, no service account's token."""
    devices = {gpu: str(gpus)} if gpus else {}
    resources = {"requests": {"cpu": cpu, "memory": memory, **devices}, "limits": devices}
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "example.test/work:1", "resources": resources}],
    }


def daemon_set(name: str, *, cpu: str = "50m", memory: str = "32Mi", tolerations: Sequence[Json] = ()) -> Json:
    """A DaemonSet in kube-system that runs on every node whose taints it tolerates, ahead of all other pods."""
    labels = {"app": name}
    spec = pod_spec(cpu=cpu, memory=memory) | {"tolerations": list(tolerations)}
    spec["priorityClassName"] = "system-node-critical"  # as the clouds' own agents have it
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
