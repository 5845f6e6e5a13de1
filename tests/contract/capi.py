"""Cluster API on a real API server: definitions of its kinds, and a small controller that does what its own would."""

from functools import partial
from itertools import count
from typing import Any

from tests.cluster.controlplane import Api, ApiError, Json, wait_until

GROUP = "cluster.x-k8s.io"
INFRASTRUCTURE = "infrastructure.cluster.x-k8s.io"
VERSION = "v1beta1"
ROOT = f"/apis/{GROUP}/{VERSION}"
NAMESPACE = f"{ROOT}/namespaces/default"
MARK = f"{GROUP}/delete-machine"
SIZE = f"{GROUP}/cluster-api-autoscaler-node-group"
CAPACITY = "capacity.cluster-autoscaler.kubernetes.io"
_SCALABLE = {"MachineDeployment": "machinedeployments", "MachineSet": "machinesets", "MachinePool": "machinepools"}


def install(api: Api) -> None:
    """Put the definitions in and wait until the server serves them."""
    for kind, plural in {**_SCALABLE, "Machine": "machines"}.items():
        api.apply(_definition(GROUP, kind, plural, scale=kind in _SCALABLE))
    api.apply(_definition(INFRASTRUCTURE, "DemoMachineTemplate", "demomachinetemplates", scale=False))
    for path in (*(f"{ROOT}/{plural}" for plural in (*_SCALABLE.values(), "machines")), _TEMPLATES):
        wait_until(f"{path} is served", partial(_served, api, path), within_s=30, every_s=0.1)


_TEMPLATES = f"/apis/{INFRASTRUCTURE}/{VERSION}/demomachinetemplates"


class Capi:
    """The stage: groups, machines and the controller, which acts when `settle` is called and never before."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.out_of_stock: dict[str, str] = {}  # group -> what is said of machines that can't be had
        self.left: dict[str, int] = {}  # group about to be out of stock -> machines that there still are
        self._numbers = count(1)

    def reset(self) -> None:
        """Delete everything."""
        self.out_of_stock.clear()
        self.left.clear()
        for plural in (*_SCALABLE.values(), "machines"):
            self.api.request("DELETE", f"{NAMESPACE}/{plural}")
        self.api.request("DELETE", f"/apis/{INFRASTRUCTURE}/{VERSION}/namespaces/default/demomachinetemplates")

    def template(self, name: str, **capacity: str) -> Json:
        """Create an infrastructure template that tells what its machines have; gives the reference to it."""
        path = f"/apis/{INFRASTRUCTURE}/{VERSION}/namespaces/default/demomachinetemplates"
        body = {"apiVersion": f"{INFRASTRUCTURE}/{VERSION}", "kind": "DemoMachineTemplate", "metadata": {"name": name}}
        self.api.create(path, body)
        self.api.patch(f"{path}/{name}/status", {"status": {"capacity": capacity}})
        return {"apiVersion": f"{INFRASTRUCTURE}/{VERSION}", "kind": "DemoMachineTemplate", "name": name}

    def group(
        self,
        name: str,
        *,
        kind: str = "MachineDeployment",
        nodes: int = 0,
        bounds: tuple[str, str] | None = ("0", "10"),
        annotations: dict[str, str] | None = None,
        cluster: str = "demo",
        template: Json | None = None,
        replicas: int | None = None,
    ) -> str:
        """Create a scalable object with so many machines, give its id."""
        notes = {f"{SIZE}-min-size": bounds[0], f"{SIZE}-max-size": bounds[1]} if bounds else {}
        body: Json = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": kind,
            "metadata": {"name": name, "annotations": {**notes, **(annotations or {})}},
            "spec": {"clusterName": cluster, "replicas": nodes, "template": {"spec": {}, **(template or {})}},
        }
        self.api.create(f"{NAMESPACE}/{_SCALABLE[kind]}", body)
        if nodes:
            self.settle(kind, name)
        if replicas is not None:
            self.api.patch(f"{NAMESPACE}/{_SCALABLE[kind]}/{name}", {"spec": {"replicas": replicas}})
        return f"clusterapi:{kind.lower()}/default/{name}"

    def settle(self, kind: str, name: str) -> None:
        """What Cluster API's controllers would do until they have nothing left to do."""
        owner = self.api.get(f"{NAMESPACE}/{_SCALABLE[kind]}/{name}")
        if kind == "MachineDeployment":
            path = f"{NAMESPACE}/machinesets/{name}-x"
            body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "MachineSet", "metadata": _owned(f"{name}-x", owner)}
            body["spec"] = {"clusterName": "demo", "template": owner["spec"]["template"]}
            if self.api.find(path) is None:
                self.api.create(f"{NAMESPACE}/machinesets", body)
            replicas = owner["spec"]["replicas"]
            owner = self.api.patch(path, {"spec": {"replicas": replicas}})
        self._count_machines(owner)

    def machines(self, name: str) -> list[Json]:
        """Machines of a set, deployment or pool, by name."""
        found = self.api.items(f"{NAMESPACE}/machines")
        return [each for each in found if each["metadata"]["ownerReferences"][0]["name"] in (name, f"{name}-x")]

    def start(self, machine: Json) -> None:
        """Give a machine its provider id and its node."""
        path = f"{NAMESPACE}/machines/{machine['metadata']['name']}"
        self.api.patch(path, {"spec": {"providerID": f"demo://{machine['metadata']['name']}"}})
        status = {"phase": "Running", "nodeRef": {"name": machine["metadata"]["name"]}, "conditions": []}
        self.api.patch(f"{path}/status", {"status": status})

    def _count_machines(self, owner: Json) -> None:
        mine = self.machines(owner["metadata"]["name"])
        want = owner["spec"]["replicas"]
        for _ in range(want - len(mine)):
            self._new(owner)
        order = sorted(mine, key=lambda each: (MARK not in (each["metadata"].get("annotations") or {}), _age(each)))
        for machine in order[: max(0, len(mine) - want)]:
            self.api.delete(f"{NAMESPACE}/machines/{machine['metadata']['name']}")

    def _new(self, owner: Json) -> None:
        name = f"{owner['metadata']['name']}-{next(self._numbers):05}"
        body: Json = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Machine", "metadata": _owned(name, owner)}
        body["spec"] = {"clusterName": "demo"}
        machine = self.api.create(f"{NAMESPACE}/machines", body)
        group = owner["metadata"]["name"].removesuffix("-x")
        left = self.left.pop(group, 0)
        if group not in self.out_of_stock or left:
            self.left[group] = max(0, left - 1)
            self.start(machine)
            return
        condition = {
            "type": "InfrastructureReady",
            "status": "False",
            "severity": "Error",
            "reason": "InstanceProvisionFailed",
            "message": self.out_of_stock[group],
        }
        self.api.patch(
            f"{NAMESPACE}/machines/{name}/status", {"status": {"phase": "Provisioning", "conditions": [condition]}}
        )


def _age(machine: Json) -> str:
    return str(machine["metadata"]["name"])


def _owned(name: str, owner: Json) -> Json:
    ref = {"apiVersion": f"{GROUP}/{VERSION}", "kind": owner["kind"], "name": owner["metadata"]["name"]}
    return {"name": name, "ownerReferences": [{**ref, "uid": owner["metadata"]["uid"], "controller": True}]}


def _served(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ApiError:
        return False
    return True


def _definition(group: str, kind: str, plural: str, *, scale: bool) -> Json:
    """A kind that keeps whatever it is given, with a status of its own and, if wanted, a scale."""
    open_: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    subresources: dict[str, Any] = {"status": {}}
    properties: dict[str, Any] = {"spec": open_, "status": open_}
    if scale:
        subresources["scale"] = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
        properties["spec"] = {**open_, "properties": {"replicas": {"type": "integer", "minimum": 0}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
                    "subresources": subresources,
                }
            ],
        },
    }
