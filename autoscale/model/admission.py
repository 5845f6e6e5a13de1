"""What decides whether a pod comes to be at all: who makes it, and what the API server lets in.

Amounts are as in `resources`; a quota's keys are its own (`requests.nvidia.com/gpu`, `pods`, `count/jobs.batch`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.rules import Requirement
    from autoscale.model.workload import Pod


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that a controller set on its object."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ContainerAsk:
    """What a container says; a request that only its limit says is there as well. `start` is empty, `init` or `sidecar`."""

    name: str
    requests: Mapping[str, int] = field(default_factory=empty, hash=False)
    limits: Mapping[str, int] = field(default_factory=empty, hash=False)
    start: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """What admission looks at in a pod's spec.

    `whole` are the pod-level resources, in place of the containers' sums where they say something; without `containers` no
    more is known. `deadline`: it has `activeDeadlineSeconds`; `crosses`: its pod affinity is about other namespaces.
    """

    containers: tuple[ContainerAsk, ...] = ()
    whole: ContainerAsk | None = None
    overhead: Mapping[str, int] = field(default_factory=empty, hash=False)
    priority_class: str = ""
    deadline: bool = False
    crosses: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods: `kind` Deployment, ReplicaSet, StatefulSet or Job.

    `owner` is `Kind/name` of what made it. `wanted` pods should be there at once, `made` are. `template` is a pod as it
    would be made, None when it could not be read; `ask` is what such a pod asks for.
    """

    kind: str
    namespace: str
    name: str
    owner: str = ""
    wanted: int = 1
    made: int = 0
    conditions: tuple[Condition, ...] = ()
    template: Pod | None = None
    ask: Ask | None = None
    suspended: bool = False

    @property
    def ref(self) -> str:
        """`namespace/kind/name`, the kind in lower case."""
        return f"{self.namespace}/{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Quota:
    """A ResourceQuota. `counted` is False when nobody has said what is used. It counts pods of which all `scopes` hold."""

    namespace: str
    name: str
    hard: Mapping[str, int]
    used: Mapping[str, int] = field(default_factory=empty)
    counted: bool = False
    scopes: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitItem:
    """One bound of a LimitRange, on every container or every pod of the namespace (`per`).

    `default` and `default_request` are the limits and requests of containers that say none. `most_ratio` is by how much, in
    thousandths, a limit may exceed its request.
    """

    namespace: str
    name: str
    per: str
    most: Mapping[str, int] = field(default_factory=empty)
    least: Mapping[str, int] = field(default_factory=empty)
    default: Mapping[str, int] = field(default_factory=empty)
    default_request: Mapping[str, int] = field(default_factory=empty)
    most_ratio: Mapping[str, int] = field(default_factory=empty)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An Event that says a pod could not be created, the newest of its kind."""

    kind: str
    namespace: str
    name: str
    message: str
    at_s: int = 0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Admission:
    """All of it, for the namespaces that were looked at. `unread` says what could not be read and why.

    `asks` are those of pods that are there, by `namespace/name`, as far as they were looked at.
    """

    workloads: tuple[Workload, ...] = ()
    quotas: tuple[Quota, ...] = ()
    limits: tuple[LimitItem, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unread: tuple[str, ...] = ()
    asks: Mapping[str, Ask] = field(default_factory=empty, hash=False)
