"""Kubernetes manifests as a view of a cluster: what would be there if they were applied."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Raw, Struct

from autoscale.errors import BadInput
from autoscale.model.admission import Admission
from autoscale.model.snapshot import ClusterView
from autoscale.observe import decode, storage, wire
from autoscale.observe.admission import Collector
from autoscale.observe.documents import documents, name_of
from autoscale.observe.foreign import NO_PODS, own
from autoscale.observe.priorities import Priorities
from autoscale.observe.requests import BadQuantity
from autoscale.observe.shapes import unknown_word
from autoscale.observe.strict import bad_value, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from autoscale.model.rules import DisruptionBudget
    from autoscale.model.supply import Node
    from autoscale.model.workload import DaemonSet, Pod, PodShape

_MOST_PODS = 1_000_000  # of one object; more is a slip


@dataclass(frozen=True, slots=True)
class Manifests:
    """What manifests say: the cluster that they describe, and notes on what was left out."""

    view: ClusterView
    notes: tuple[str, ...] = ()
    admission: Admission = field(default_factory=Admission)


class _Envelope(Struct, rename="camel"):
    kind: str | None = None
    api_version: str | None = None
    items: list[Raw] | None = None
    metadata: wire.Meta | None = None


class _WorkloadSpec(Struct, rename="camel"):
    template: wire.Template
    replicas: int | None = None
    parallelism: int | None = None
    completions: int | None = None
    suspend: bool | None = None
    volume_claim_templates: list[wire.ClaimTemplate] | None = None


class _Workload(Struct):
    metadata: wire.Meta
    spec: _WorkloadSpec


class _Object(NamedTuple):
    """One object of a document; `where` names it for errors."""

    where: str
    kind: str
    raw: bytes | Raw


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_WORKLOAD = msgspec.json.Decoder(_Workload)
_POD = msgspec.json.Decoder(wire.PodObject)
_NODE = msgspec.json.Decoder(wire.NodeObject)
_DAEMON_SET = msgspec.json.Decoder(wire.DaemonSetObject)


def load_manifests(paths: Sequence[str], *, namespace: str = "") -> Manifests:
    """The cluster that files, directories and `-` describe. BadInput names what is wrong, in one sentence.

    What pods of the namespace ask of admission is looked at as well.
    Replicas and parallelism become pods. Finished pods are left out; kinds that run no pods are noted.
    """
    reader = _Reader(namespace)
    objects = [found for document in documents(paths) for found in _objects(document.where, document.raw)]
    for found in sorted(objects, key=lambda found: found.kind != "PriorityClass"):  # what pods are read by
        reader.read(found)
    if not reader.read_any:
        raise BadInput(
            "there is no manifest", where=" ".join(map(name_of, paths)), expected="a Pod or something that makes pods"
        )
    pods = tuple(p for p in reader.pods if not p.finished)
    pods, assumed = storage.assume_made(pods, reader.storage.view())
    if assumed:
        reader.notes.append(f"{assumed} pods claim volumes that are in no file: taken to be made wherever they run")
    view = ClusterView(
        tuple(reader.nodes), pods, tuple(reader.daemon_sets), reader.namespaces, reader.storage.view(),
        tuple(reader.budgets),
    )  # fmt: skip
    notes = [
        f"{count} {kind} ignored: {'makes no pods now' if kind in NO_PODS else 'not a kind that this reads'}"
        for kind, count in sorted(reader.ignored.items())
    ]
    return Manifests(view, (*notes, *reader.notes, *reader.priorities.notes()), reader.admission.view())


def _objects(where: str, raw: bytes | Raw, kind: str = "") -> Iterator[_Object]:
    """The object, or each object of a List. Items of a typed list such as PodList need not say their kind."""
    try:
        envelope = _ENVELOPE.decode(raw)
    except msgspec.ValidationError as error:
        raise bad_value(error, where, {}) from error
    kind = envelope.kind or kind
    if not kind:
        raise BadInput("the key kind is missing", where=where, expected="a manifest such as a Pod or a Deployment")
    if kind.endswith("List") and (envelope.items is not None or kind == "List"):
        for index, item in enumerate(envelope.items or ()):
            yield from _objects(f"{where} items[{index}]", item, kind.removesuffix("List"))
        return
    name = envelope.metadata.name or envelope.metadata.generate_name if envelope.metadata else ""
    here = f"{where}, {kind} {name}".rstrip()
    if not own(envelope.api_version or "v1"):
        yield _Object(
            here, f"{kind} ({envelope.api_version})", raw
        )  # Volcano has a Job too, and it is not ours to read
        return
    if kind not in _READERS and kind not in NO_PODS:
        raise BadInput("unknown kind", where=here, expected=nearest(kind, {*_READERS, *NO_PODS}), found=kind)
    if kind in _READERS and not name:
        raise BadInput("the key metadata.name is missing", where=here)
    yield _Object(here, kind, raw)


class _Reader:
    """Collects what objects describe."""

    def __init__(self, namespace: str) -> None:
        self.nodes: list[Node] = []
        self.pods: list[Pod] = []
        self.daemon_sets: list[DaemonSet] = []
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.storage = storage.Collected()
        self.budgets: list[DisruptionBudget] = []
        self.priorities = Priorities()
        self.ignored: dict[str, int] = {}
        self.notes: list[str] = []
        self.read_any = False
        self.admission = Collector(namespace=namespace, strict=True)
        self._seen: dict[tuple[str, str, str], str] = {}

    def read(self, found: _Object) -> None:
        """One object. Raises BadInput."""
        self.read_any = True
        read = _READERS.get(found.kind)
        if read is None:
            self.ignored[found.kind] = self.ignored.get(found.kind, 0) + 1
        try:
            if read is not None:
                read(self, found)
            self.admission.add(found.kind, found.raw)
        except msgspec.ValidationError as error:
            raise bad_value(error, found.where, {}) from error
        except BadQuantity as error:
            where = f"{found.where}, {error.where}.{error.key}"
            raise BadInput("bad quantity", where=where, expected=error.expected, found=error.found) from error

    def pod(self, found: _Object) -> None:
        """A pod, as it is."""
        obj = _POD.decode(found.raw)
        _check_containers(found, obj.spec)
        self.priorities.fill_in(obj.spec)
        pod = decode.pod_from_struct(obj, strict=True)
        _check_rules(found, pod.shape)
        if not pod.name:
            pod = replace(pod, name=f"{obj.metadata.generate_name}{len(self.pods)}")
        self._once(found, pod.namespace, pod.name)
        self.pods.append(pod if pod.uid else replace(pod, uid=f"Pod/{pod.ref}"))

    def workload(self, found: _Object) -> None:
        """As many pods as the controller would make at once."""
        obj = _WORKLOAD.decode(found.raw)
        meta, spec = obj.metadata, obj.spec
        _check_containers(found, spec.template.spec)
        self.priorities.fill_in(spec.template.spec)
        made = spec.template.metadata or wire.Meta()
        made.namespace = meta.namespace or "default"
        self._once(found, made.namespace, meta.name)
        pod = decode.pod_from_struct(wire.PodObject(made, spec.template.spec), strict=True)
        _check_rules(found, pod.shape)
        owner = "ReplicaSet" if found.kind == "Deployment" else found.kind
        for index in range(_count(found, spec)):
            name = f"{meta.name}-{index}"
            extra = _extra_labels(found.kind, meta.name, name, index)
            self.pods.append(
                replace(
                    pod,
                    shape=storage.with_templates(pod.shape, spec.volume_claim_templates or (), name),
                    uid=f"{found.kind}/{pod.namespace}/{name}",
                    name=name,
                    labels={**pod.labels, **extra} if extra else pod.labels,
                    owner=f"{owner}/{meta.name}",
                )
            )
        if spec.suspend:
            self.notes.append(f"Job {pod.namespace}/{meta.name} is suspended: it makes no pods now")

    def daemon_set(self, found: _Object) -> None:
        """A DaemonSet."""
        obj = _DAEMON_SET.decode(found.raw)
        _check_containers(found, obj.spec.template.spec)
        self.priorities.fill_in(obj.spec.template.spec)
        daemon_set = decode.daemon_set_from_struct(obj, strict=True)
        _check_rules(found, daemon_set.shape)
        self._once(found, daemon_set.namespace, daemon_set.name)
        self.daemon_sets.append(daemon_set)

    def node(self, found: _Object) -> None:
        """A node; one that says nothing of its condition is taken as ready."""
        obj = _NODE.decode(found.raw)
        node = decode.node_from_struct(obj, strict=True)
        self._once(found, "", node.name)
        self.nodes.append(node if obj.status and obj.status.conditions else replace(node, ready=True))

    def stored(self, found: _Object) -> None:
        """A claim, a volume, a storage class, or a node's limits."""
        obj = self.storage.read(found.kind, found.raw)
        self._once(found, getattr(obj, "namespace", ""), getattr(obj, "name", "") or getattr(obj, "node", ""))

    def budget(self, found: _Object) -> None:
        """A PodDisruptionBudget."""
        made = decode.budget(found.raw)
        self._once(found, made.namespace, made.name)
        self.budgets.append(made)

    def priority_class(self, found: _Object) -> None:
        """A PriorityClass."""
        self._once(found, "", self.priorities.read(found.raw))

    def namespace(self, found: _Object) -> None:
        """A namespace: its labels count, and its name as one of them."""
        name, labels, *_ = decode.namespace(found.raw)
        self._once(found, "", name)
        self.namespaces[name] = {**labels, "kubernetes.io/metadata.name": name}

    def _once(self, found: _Object, namespace: str, name: str) -> None:
        key = (found.kind, namespace, name)
        if key in self._seen:
            raise BadInput("the same object is there twice", where=found.where, found=f"the first in {self._seen[key]}")
        self._seen[key] = found.where


_READERS: dict[str, Callable[[_Reader, _Object], None]] = {
    "Pod": _Reader.pod,
    "Deployment": _Reader.workload,
    "StatefulSet": _Reader.workload,
    "ReplicaSet": _Reader.workload,
    "ReplicationController": _Reader.workload,
    "Job": _Reader.workload,
    "DaemonSet": _Reader.daemon_set,
    "Node": _Reader.node,
    "Namespace": _Reader.namespace,
    "PodDisruptionBudget": _Reader.budget,
    "PriorityClass": _Reader.priority_class,
    **dict.fromkeys(storage.KINDS, _Reader.stored),
}


def _check_containers(found: _Object, spec: wire.PodSpec) -> None:
    if not spec.containers:
        raise BadInput("the pod has no container", where=found.where, expected="at least one in spec.containers")


def _check_rules(found: _Object, shape: PodShape) -> None:
    if wrong := unknown_word(shape):
        raise BadInput(wrong.what, where=found.where, expected=wrong.expected, found=wrong.found)


def _count(found: _Object, spec: _WorkloadSpec) -> int:
    if found.kind == "Job":
        if spec.suspend:
            return 0
        count = 1 if spec.parallelism is None else spec.parallelism
        if spec.completions is not None:
            count = min(count, spec.completions)
    else:
        count = 1 if spec.replicas is None else spec.replicas
    if not 0 <= count <= _MOST_PODS:
        where = f"{found.where}, {'replicas' if found.kind != 'Job' else 'parallelism or completions'}"
        raise BadInput("bad number of pods", where=where, expected=f"0 to {_MOST_PODS}", found=str(count))
    return count


def _extra_labels(kind: str, owner: str, name: str, index: int) -> dict[str, str]:
    """What the controller writes onto its pods, as far as rules may read it."""
    if kind == "StatefulSet":
        return {"statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": str(index)}
    if kind == "Job":
        return {"batch.kubernetes.io/job-name": owner, "job-name": owner}
    return {}
