"""Cluster API's objects as far as we read them: which are node groups, and which machines belong to them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from providers.kubernetes_api import Json

PREFIX = "clusterapi:"
PLURALS = {"machinedeployment": "machinedeployments", "machineset": "machinesets", "machinepool": "machinepools"}
_MIN, _MAX = "cluster-api-autoscaler-node-group-min-size", "cluster-api-autoscaler-node-group-max-size"


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """A scalable object: its kind in lower case, namespace and name."""

    kind: str
    namespace: str
    name: str

    @property
    def id(self) -> str:
        """`clusterapi:KIND/NAMESPACE/NAME`."""
        return f"{PREFIX}{self.kind}/{self.namespace}/{self.name}"


def ref_of(group: str) -> Ref | None:
    """From a group's id, None when it is no id of ours."""
    parts = group.removeprefix(PREFIX).split("/")
    return Ref(*parts) if group.startswith(PREFIX) and len(parts) == 3 and parts[0] in PLURALS and all(parts) else None


@dataclass(frozen=True, slots=True)
class Scalable:
    """An object that carries the sizes' annotations. `bounds` is a sentence when they can't be read."""

    ref: Ref
    document: Json
    bounds: tuple[int, int] | str

    @property
    def replicas(self) -> int:
        """How many machines it should have; nothing said is one, as Cluster API defaults it."""
        told = self.document.get("spec", {}).get("replicas")
        return 1 if told is None else int(told)


def annotations_of(document: Json) -> Mapping[str, str]:
    """Of any object."""
    found: Mapping[str, str] = document["metadata"].get("annotations") or {}
    return found


def owner(document: Json, kind: str) -> str:
    """Name of the owner of that kind, empty without one."""
    for each in document["metadata"].get("ownerReferences") or []:
        if each.get("kind", "").lower() == kind:
            return str(each["name"])
    return ""


def scalable(kind: str, document: Json, *, api_group: str, cluster_name: str) -> Scalable | None:
    """The object as a node group; None when it lacks an annotation, is another cluster's or belongs to a deployment."""
    metadata = document["metadata"]
    told = annotations_of(document)
    low, high = told.get(f"{api_group}/{_MIN}"), told.get(f"{api_group}/{_MAX}")
    if low is None or high is None or (kind == "machineset" and owner(document, "machinedeployment")):
        return None
    if cluster_name and document.get("spec", {}).get("clusterName") != cluster_name:
        return None
    ref = Ref(kind, metadata["namespace"], metadata["name"])
    return Scalable(ref, document, _bounds(low, high))


def _bounds(low: str, high: str) -> tuple[int, int] | str:
    for name, text in ((_MIN, low), (_MAX, high)):
        if not text.isdecimal():
            return f"annotation {name}: expected a whole number, found {text!r}"
    if int(low) > int(high):
        return f"its minimum of {low} is above its maximum of {high}"
    return int(low), int(high)


def by_group(machines: Iterable[Json], sets: Iterable[Json]) -> dict[Ref, list[Json]]:
    """Machines by the object that decides how many of them there are: deployment, else set, or pool."""
    deployment = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): owner(each, "machinedeployment") for each in sets
    }
    found: dict[Ref, list[Json]] = {}
    for machine in machines:
        namespace = machine["metadata"]["namespace"]
        if name := owner(machine, "machineset"):
            above = deployment.get((namespace, name), "")
            ref = Ref("machinedeployment", namespace, above) if above else Ref("machineset", namespace, name)
        elif name := owner(machine, "machinepool"):
            ref = Ref("machinepool", namespace, name)
        else:
            continue  # of a control plane, or made by hand
        found.setdefault(ref, []).append(machine)
    return found
