"""What a node of a group will be: from the annotations for scale from zero, else from the infrastructure's template. Pure.

Names as in https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/cloudprovider/clusterapi/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.model.names import SLOT
from autoscale.model.resources import Resources
from autoscale.model.workload import Taint
from providers.clusterapi.objects import annotations_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.kubernetes_api import Json

_CAPACITY = "capacity.cluster-autoscaler.kubernetes.io/"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_STARTUP = ("startup-taint.cluster-autoscaler.kubernetes.io/", "ignore-taint.cluster-autoscaler.kubernetes.io/")
_PODS = "110"
_PROPAGATED = ("node-role.kubernetes.io", "node-restriction.kubernetes.io", "node.cluster.x-k8s.io")


@dataclass(frozen=True, slots=True)
class NodeTemplate:
    """Capacity, labels and taints that a node will have. Taints that only last while a node starts are left out."""

    capacity: Resources
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]


def infrastructure(document: Json) -> tuple[str, str, str]:
    """Group (or group and version), kind and name of the template that machines are made from; empty without one."""
    ref = document.get("spec", {}).get("template", {}).get("spec", {}).get("infrastructureRef") or {}
    return ref.get("apiVersion") or ref.get("apiGroup") or "", ref.get("kind") or "", ref.get("name") or ""


def told(document: Json) -> bool:
    """Whether the annotations alone tell the capacity."""
    found = annotations_of(document)
    return f"{_CAPACITY}cpu" in found and f"{_CAPACITY}memory" in found


def node_template(document: Json, infra: Json | None) -> NodeTemplate | str:
    """The node to be, or a sentence naming what can't be read."""
    found = annotations_of(document)
    status = (infra or {}).get("status") or {}
    quantities = {**(status.get("capacity") or {}), **_annotated(found)}
    if not (quantities.get("cpu") and quantities.get("memory")):
        return (
            f"nothing tells its nodes' capacity: annotate it with {_CAPACITY}cpu and {_CAPACITY}memory, "
            "or use infrastructure whose template has status.capacity"
        )
    try:
        capacity = Resources.parse({"pods": _PODS, **quantities}, up=False)
    except ValueError as error:
        return f"its capacity can't be read: {error}"
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    info = status.get("nodeInfo") or status.get("nodeSystemInfo") or {}
    labels |= {
        f"kubernetes.io/{label}": info[key]
        for label, key in (("arch", "architecture"), ("os", "operatingSystem"))
        if info.get(key)
    }
    template = document.get("spec", {}).get("template", {})
    labels |= {key: value for key, value in _labels(template).items() if _propagated(key)}
    pairs = _pairs(found.get(f"{_CAPACITY}labels", ""))
    taints = _taints(found.get(f"{_CAPACITY}taints", ""))
    if pairs is None:
        return f"annotation {_CAPACITY}labels: expected KEY=VALUE separated by commas"
    if taints is None:
        return f"annotation {_CAPACITY}taints: expected KEY=VALUE:EFFECT with an effect of {', '.join(_EFFECTS)}"
    spread = [
        Taint(each["key"], each.get("value", ""), each["effect"])
        for each in template.get("spec", {}).get("taints") or []
        if each.get("propagation") != "OnInitialization"
    ]
    return NodeTemplate(capacity, labels | pairs, _lasting((*spread, *taints)))


def _annotated(found: Mapping[str, str]) -> dict[str, str]:
    names = {"cpu": "cpu", "memory": "memory", "ephemeral-disk": "ephemeral-storage", "maxPods": "pods"}
    out = {resource: found[_CAPACITY + name] for name, resource in names.items() if _CAPACITY + name in found}
    if f"{_CAPACITY}gpu-count" in found:
        out[found.get(f"{_CAPACITY}gpu-type", "nvidia.com/gpu")] = found[f"{_CAPACITY}gpu-count"]
    return out


def _labels(template: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = (template.get("metadata") or {}).get("labels") or {}
    return found


def _propagated(key: str) -> bool:
    """Whether Cluster API carries the label from Machine to Node."""
    domain = key.partition("/")[0]
    return any(domain == each or domain.endswith(f".{each}") for each in _PROPAGATED)


def _pairs(text: str) -> dict[str, str] | None:
    parts = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    return {key: value for key, _, value in parts} if all(key and equals for key, equals, _ in parts) else None


def _taints(text: str) -> tuple[Taint, ...] | None:
    out = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        rest, _, effect = part.rpartition(":")
        key, _, value = rest.partition("=")
        if effect not in _EFFECTS or not key:
            return None
        out.append(Taint(key, value, effect))
    return tuple(out)


def _lasting(taints: tuple[Taint, ...]) -> tuple[Taint, ...]:
    found = {(each.key, each.effect): each for each in taints}
    return tuple(each for each in found.values() if each.key != SLOT and not each.key.startswith(_STARTUP))
