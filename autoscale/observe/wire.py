"""What we read of Kubernetes objects, as the API server writes them; those of storage are in `wire_storage`.

Everything else in an object is skipped by the decoder. A field typed `Raw` is kept as bytes: equal templates have equal
bytes, so its meaning is worked out once for all pods of a template. `null` and absent mean the same everywhere.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the decoder reads the annotations
from typing import Any

from msgspec import Raw, Struct, field

Texts = dict[str, str] | None
Quantities = dict[str, Any] | None  # what is no quantity is told by name when it is read as one


class Owner(Struct):
    """An owner reference."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Meta(Struct, rename="camel"):
    """Object metadata."""

    name: str = ""
    generate_name: str = ""
    namespace: str | None = None
    uid: str = ""
    labels: Raw = Raw()
    annotations: Texts = None
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: list[str] | None = None
    owner_references: list[Owner] | None = None


class Port(Struct, rename="camel"):
    """A container's port."""

    container_port: int | None = None
    host_port: int | None = None
    host_ip: str | None = field(default=None, name="hostIP")
    protocol: str | None = None


class Container(Struct, rename="camel"):
    """A container; `restart_policy` Always on an init container makes it a sidecar."""

    name: str = ""
    resources: Raw = Raw()
    restart_policy: str | None = None
    ports: list[Port] | None = None


class ResourceNeeds(Struct):
    """`resources` of a container or a pod."""

    requests: Quantities = None
    limits: Quantities = None


class ClaimSource(Struct, rename="camel"):
    """A volume by claim."""

    claim_name: str = ""


class ClaimSpec(Struct, rename="camel"):
    """What a PersistentVolumeClaim asks for."""

    volume_name: str | None = None
    storage_class_name: str | None = None
    access_modes: list[str] | None = None
    resources: ResourceNeeds | None = None


class ClaimTemplate(Struct):
    """A claim that comes with a pod."""

    spec: ClaimSpec | None = None
    metadata: Meta | None = None


class EphemeralSource(Struct, rename="camel"):
    """A volume whose claim is the pod's own."""

    volume_claim_template: ClaimTemplate | None = None


class EmptyDirSource(Struct):
    """A directory that ends with its pod."""

    medium: str | None = None


class Volume(Struct, rename="camel"):
    """A volume, as far as it binds a pod to a place."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: EphemeralSource | None = None
    empty_dir: EmptyDirSource | None = None
    host_path: dict[str, Any] | None = None

    @property
    def local(self) -> bool:
        """Whether what it holds is on the node's disk: lost, or left behind, when the pod goes."""
        return self.host_path is not None or (self.empty_dir is not None and self.empty_dir.medium != "Memory")


class PodSpec(Struct, rename="camel"):
    """What decides where a pod may run."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    resources: Raw = Raw()
    overhead: Raw = Raw()
    node_selector: Raw = Raw()
    affinity: Raw = Raw()
    tolerations: Raw = Raw()
    topology_spread_constraints: Raw = Raw()
    volumes: list[Volume] | None = None
    resource_claims: Raw = Raw()
    scheduling_gates: Raw = Raw()
    node_name: str | None = None
    scheduler_name: str | None = None
    priority: int | None = None
    priority_class_name: str | None = None
    preemption_policy: str | None = None
    host_network: bool | None = None


class ContainerStatus(Struct, rename="camel"):
    """What a container has, and what the kubelet has set aside for it: others than it asks for while it is resized."""

    name: str = ""
    resources: Raw = Raw()
    allocated_resources: Raw = Raw()


class PodStatus(Struct, rename="camel"):
    """What became of a pod."""

    phase: str | None = None
    nominated_node_name: str | None = None
    start_time: datetime | None = None
    conditions: Raw = Raw()
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    resources: Raw = Raw()
    allocated_resources: Raw = Raw()


class PodCondition(Struct, rename="camel"):
    """A pod's condition."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    last_transition_time: datetime | None = None


class PodObject(Struct):
    """A pod."""

    metadata: Meta
    spec: PodSpec
    status: PodStatus | None = None


class BudgetSpec(Struct):
    """Whom a PodDisruptionBudget is about."""

    selector: LabelSelector | None = None


class BudgetStatus(Struct, rename="camel"):
    """What a PodDisruptionBudget leaves."""

    disruptions_allowed: int | None = None
    disrupted_pods: dict[str, Any] | None = None


class BudgetObject(Struct):
    """A PodDisruptionBudget."""

    metadata: Meta
    spec: BudgetSpec | None = None
    status: BudgetStatus | None = None


class PriorityClassObject(Struct, rename="camel"):
    """A PriorityClass."""

    metadata: Meta
    value: int = 0
    global_default: bool | None = None
    preemption_policy: str | None = None


class Expression(Struct):
    """One expression of a node selector term."""

    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class Term(Struct, rename="camel"):
    """A node selector term."""

    match_expressions: list[Expression] | None = None
    match_fields: list[Expression] | None = None


class NodeSelector(Struct, rename="camel"):
    """An OR of terms."""

    node_selector_terms: list[Term] | None = None


class PreferredNodes(Struct):
    """A wish for nodes."""

    weight: int = 0
    preference: Term | None = None


class NodeAffinity(Struct, rename="camel"):
    """What nodes have to be like, and had better be like."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: list[PreferredNodes] | None = None


class LabelSelector(Struct, rename="camel"):
    """A selector of pods or namespaces."""

    match_labels: Texts = None
    match_expressions: list[Expression] | None = None


class PodTerm(Struct, rename="camel"):
    """A term of pod affinity or anti-affinity."""

    topology_key: str = ""
    label_selector: LabelSelector | None = None
    namespaces: list[str] | None = None
    namespace_selector: LabelSelector | None = None
    match_label_keys: list[str] | None = None
    mismatch_label_keys: list[str] | None = None


class PreferredPods(Struct, rename="camel"):
    """A wish for company, or for distance."""

    weight: int = 0
    pod_affinity_term: PodTerm | None = None


class PodsAffinity(Struct, rename="camel"):
    """Pod affinity or anti-affinity."""

    required_during_scheduling_ignored_during_execution: list[PodTerm] | None = None
    preferred_during_scheduling_ignored_during_execution: list[PreferredPods] | None = None


class Affinity(Struct, rename="camel"):
    """Affinity of all kinds."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodsAffinity | None = None
    pod_anti_affinity: PodsAffinity | None = None


class Tolerate(Struct):
    """A toleration."""

    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None


class Spread(Struct, rename="camel"):
    """A topology spread constraint; DoNotSchedule is what the API server takes when nothing is said."""

    topology_key: str = ""
    when_unsatisfiable: str = "DoNotSchedule"
    max_skew: int = 0
    min_domains: int | None = None
    label_selector: LabelSelector | None = None
    match_label_keys: list[str] | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None


class TaintObject(Struct):
    """A node's taint."""

    key: str
    effect: str = "NoSchedule"
    value: str | None = None


class NodeSpec(Struct, rename={"provider_id": "providerID"}):
    """A node's spec."""

    provider_id: str | None = None
    unschedulable: bool | None = None
    taints: list[TaintObject] | None = None


class Condition(Struct, rename="camel"):
    """A node's condition."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    last_transition_time: datetime | None = None


class AttachedVolume(Struct):
    """A volume that is attached to a node."""

    name: str = ""


class NodeStatus(Struct, rename="camel"):
    """A node's status."""

    allocatable: Quantities = None
    capacity: Quantities = None
    conditions: list[Condition] | None = None
    volumes_attached: list[AttachedVolume] | None = None


class NodeObject(Struct):
    """A node."""

    metadata: Meta
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class Template(Struct):
    """A pod template."""

    spec: PodSpec
    metadata: Meta | None = None


class DaemonSetSpec(Struct):
    """A DaemonSet's spec."""

    template: Template


class NamespaceObject(Struct):
    """A namespace."""

    metadata: Meta


class DaemonSetObject(Struct):
    """A DaemonSet."""

    metadata: Meta
    spec: DaemonSetSpec
