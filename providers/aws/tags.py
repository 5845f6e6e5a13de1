"""Cluster Autoscaler's node-template tags: what a group's owner says of its nodes, before any of them exists.

Names as in https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/cloudprovider/aws/README.md.
`node-template/autoscaling-options/...` is not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.model.names import SLOT
from autoscale.model.resources import Resources
from autoscale.model.workload import Taint

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "k8s.io/cluster-autoscaler/node-template/"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_STARTUP = ("startup-taint.cluster-autoscaler.kubernetes.io/", "ignore-taint.cluster-autoscaler.kubernetes.io/")
_NODEGROUP = "eks:nodegroup-name"


@dataclass(frozen=True, slots=True)
class NodeTemplate:
    """Labels to add, taints, and amounts that replace the predicted ones (0 takes a resource away).

    Taints that only last while a node starts are left out: they keep nobody from using it later.
    """

    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    resources: Mapping[str, int]


def node_template(tags: Mapping[str, str]) -> NodeTemplate | str:
    """From a group's tags, or a sentence naming the tag that can't be read."""
    labels = {}
    taints = []
    resources: dict[str, int] = {}
    if _NODEGROUP in tags:
        labels["eks.amazonaws.com/nodegroup"] = tags[_NODEGROUP]
    for tag, value in sorted(tags.items()):
        if not tag.startswith(_PREFIX):
            continue
        kind, _, key = tag.removeprefix(_PREFIX).partition("/")
        if kind == "label" and key:
            labels[key] = value
        elif kind == "taint" and key:
            taint_value, _, effect = value.rpartition(":")
            if effect not in _EFFECTS:
                return f"tag {tag}: expected VALUE:EFFECT with an effect of {', '.join(_EFFECTS)}, found {value!r}"
            if key != SLOT and not key.startswith(_STARTUP):
                taints.append(Taint(key, taint_value, effect))
        elif kind == "resources" and key:
            try:
                resources[key] = Resources.parse({key: value}, up=False)[key]
            except ValueError as error:
                return f"tag {tag}: {error}"
            if resources[key] < 0:
                return f"tag {tag}: expected an amount of 0 or more, found {value!r}"
    return NodeTemplate(labels, tuple(taints), resources)
