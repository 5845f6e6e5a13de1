"""Model objects with defaults, for tests: say what matters, leave out the rest."""

from __future__ import annotations

from typing import Any

from autoscale.model.resources import Resources
from autoscale.model.snapshot import CloudView, ClusterView, Ledger, Snapshot
from autoscale.model.supply import (
    CapacityType,
    Fault,
    FaultKind,
    Instance,
    InstanceState,
    Node,
    NodeGroup,
    NodeReservation,
    Offering,
)
from autoscale.model.workload import Claim, Code, DaemonSet, Pod, PodShape, Reason, Taint, Toleration

NOW = 1_700_000_000
GPU = "nvidia.com/gpu"
GI = 2**30
USD = 1_000_000


def resources(*, cpu: int = 0, memory_gi: int = 0, gpus: int = 0, pods: int = 0) -> Resources:
    """Cores, GiB, GPUs and pods."""
    return Resources({"cpu": cpu * 1000, "memory": memory_gi * GI, GPU: gpus, "pods": pods})


def shape(*, gpus: int = 1, cpu: int = 4, memory_gi: int = 16, **more: Any) -> PodShape:
    """What a pod asks for."""
    return PodShape(resources(cpu=cpu, memory_gi=memory_gi, gpus=gpus, pods=1), **more)


def pod(name: str, of: PodShape | None = None, *, claim: tuple[str, str] | None = None, **more: Any) -> Pod:
    """A pending pod; `claim` is (slot, group), made just now unless `claimed_at_s` says when."""
    claimed_at_s = more.pop("claimed_at_s", NOW)
    more.setdefault("created_at_s", NOW - 10)
    more.setdefault("namespace", "default")
    return Pod(
        uid=f"uid-{name}",
        name=name,
        shape=of or shape(),
        claim=Claim(*claim, claimed_at_s) if claim else None,
        **more,
    )


def pods(prefix: str, count: int, of: PodShape | None = None, **more: Any) -> tuple[Pod, ...]:
    """Equal pods, numbered from 0."""
    same = of or shape()
    return tuple(pod(f"{prefix}-{i}", same, **more) for i in range(count))


def instance(name: str, state: InstanceState = InstanceState.RUNNING, **more: Any) -> Instance:
    """A machine; the node of the same name is it."""
    return Instance(name, f"fake:///{name}", state, **more)


def group(
    id_: str = "g8", *, gpus: int = 8, usd: float = 10, running: int = 0, cpu: int = 96, **more: Any
) -> NodeGroup:
    """A group of nodes with `gpus`, 96 cores and 768 GiB; `running` instances are called `ID-0`, `ID-1`..."""
    instances = more.pop("instances", tuple(instance(f"{id_}-{i}") for i in range(running)))
    more.setdefault("target_nodes", len(instances))
    more.setdefault("max_nodes", 20)
    more.setdefault("labels", {"group": id_})
    return NodeGroup(
        id=id_,
        provider="fake",
        name=id_,
        offering=Offering(f"type-{id_}", "z1", more.pop("capacity_type", CapacityType.ON_DEMAND), round(usd * USD)),
        allocatable=more.pop("allocatable", resources(cpu=cpu, memory_gi=768, gpus=gpus, pods=110)),
        devices=(GPU,) if gpus else (),
        instances=instances,
        **more,
    )


def node(name: str, *, gpus: int = 8, slot: str = "", phase: str = "assigned", since_s: int = NOW, **more: Any) -> Node:
    """A node that is up, of the instance of the same name; with `slot`, it has that reservation."""
    more.setdefault("created_at_s", NOW - 3600)
    more.setdefault("provider_id", f"fake:///{name}")
    more.setdefault("allocatable", resources(cpu=96, memory_gi=768, gpus=gpus, pods=110))
    return Node(name=name, reservation=NodeReservation(slot, phase, since_s) if slot else None, **more)


def snapshot(
    *,
    pods: tuple[Pod, ...] = (),
    nodes: tuple[Node, ...] = (),
    groups: tuple[NodeGroup, ...] = (),
    daemon_sets: tuple[DaemonSet, ...] = (),
    ledger: Ledger | None = None,
    now_s: int = NOW,
    faults: tuple[Fault, ...] = (),
) -> Snapshot:
    """One cloud called `fake` with these groups, and a cluster."""
    return Snapshot(
        now_s=now_s,
        cluster=ClusterView(nodes, pods, daemon_sets),
        clouds=(CloudView("fake", groups, faults=faults),),
        ledger=ledger or Ledger(),
    )


def fault(
    group_id: str = "g8",
    kind: FaultKind = FaultKind.NO_CAPACITY,
    *,
    at_s: int = NOW,
    offering: str = "",
    maybe_applied: bool = False,
) -> Fault:
    """A cloud's no."""
    return Fault(group_id, kind, "InsufficientInstanceCapacity", "none left", at_s, offering, maybe_applied)


__all__ = [
    "GI",
    "GPU",
    "NOW",
    "USD",
    "Code",
    "DaemonSet",
    "Ledger",
    "Reason",
    "Taint",
    "Toleration",
    "fault",
    "group",
    "instance",
    "node",
    "pod",
    "pods",
    "resources",
    "shape",
    "snapshot",
]
