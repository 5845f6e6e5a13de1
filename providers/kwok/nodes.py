"""A simulated node: how it is written, and how it is read back. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscale.model.names import SLOT
from autoscale.model.supply import Instance, InstanceState, NodeGroup, Offering

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from providers.kubernetes_api import Json
    from providers.kwok.settings import Pool

PREFIX = "kwok:"
POOL = "gpu-autoscale.dev/kwok-pool"  # the label that makes a node a pool's
_PLAIN = ("cpu", "memory", "ephemeral-storage", "pods")


def document(pool: Pool, name: str) -> Json:
    """The Node to create. It says of itself that it is ready; kwok keeps it so."""
    amounts = {
        resource: f"{amount}m" if resource == "cpu" else str(amount)
        for resource, amount in pool.resources.amounts.items()
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**labels(pool), POOL: pool.name, "type": "kwok", "kubernetes.io/hostname": name},
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
        },
        "spec": {
            "providerID": _provider_id(pool, name),
            "taints": [{"key": each.key, "value": each.value, "effect": each.effect} for each in pool.taints],
        },
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Simulated", "message": "nothing runs here"}],
        },
    }


def labels(pool: Pool) -> Mapping[str, str]:
    """What a node of the pool can be selected by."""
    found = {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": pool.instance_type,
        "karpenter.sh/capacity-type": str(pool.capacity_type),
    }
    if pool.zone:
        found["topology.kubernetes.io/zone"] = pool.zone
    return found | dict(pool.labels)


def group(pool: Pool, nodes: Iterable[Json]) -> NodeGroup:
    """The pool in our words. Its target is what is there: a node that was asked for exists at once."""
    found = sorted((_instance(pool, each) for each in nodes), key=lambda each: each.id)
    return NodeGroup(
        id=PREFIX + pool.name,
        provider="kwok",
        name=pool.name,
        offering=Offering(pool.instance_type, pool.zone, pool.capacity_type, pool.price_microusd_per_hour),
        allocatable=pool.resources,
        labels=MappingProxyType({**labels(pool), POOL: pool.name, "type": "kwok"}),
        taints=tuple(each for each in pool.taints if each.key != SLOT),  # ours only lasts while a node starts
        devices=tuple(sorted(name for name in pool.resources if name not in _PLAIN and "/" in name)),
        min_nodes=pool.min_nodes,
        max_nodes=pool.max_nodes,
        target_nodes=sum(each.state != InstanceState.TERMINATING for each in found),
        instances=tuple(found),
    )


def leaving(node: Json) -> bool:
    """Whether it is being deleted."""
    return bool(node["metadata"].get("deletionTimestamp"))


def _instance(pool: Pool, node: Json) -> Instance:
    name = node["metadata"]["name"]
    state = InstanceState.TERMINATING if leaving(node) else InstanceState.RUNNING
    provider_id = node["spec"].get("providerID") or _provider_id(pool, name)
    return Instance(name, provider_id, state, pool.zone, pool.instance_type)


def _provider_id(pool: Pool, name: str) -> str:
    return f"kwok:///{pool.zone}/{name}"
