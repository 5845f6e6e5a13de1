"""The seams: what the engine needs from a cloud, a rule, a cluster and a clock. All synchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from autoscale.model.catalog import Catalog, Machine, Reading
    from autoscale.model.disruption import Going
    from autoscale.model.plan import Plan
    from autoscale.model.problem import Problem, Solution
    from autoscale.model.reoptimisation import Reoptimisation, Reoptimised
    from autoscale.model.snapshot import CloudView, ClusterView, Snapshot
    from autoscale.model.supply import NodeGroup
    from autoscale.model.toll import Toll
    from autoscale.model.workload import DemandClass, Reason


class Provider(Protocol):
    """One cloud's instance groups."""

    @property
    def name(self) -> str:
        """Entry point name, such as `aws`."""
        ...

    def check(self) -> None:
        """Make sure that the cloud lets us in. Raises BadInput, one sentence, when a person has something to mend."""
        ...

    def observe(self) -> CloudView:
        """One consistent read of all groups. Never raises for a fault of the cloud: faults are in the view."""
        ...

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """Set the group's target. Absolute, so a retry is harmless. Raises ProviderError.

        A group that is not made yet is made first, under the name that it was planned on with, once however often this is
        asked.
        """
        ...

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:
        """Terminate these instances and lower the target by as many. Gone already counts as done. Raises ProviderError."""
        ...

    def delete(self, group: str, *, request_id: str) -> None:
        """Delete a group that was made from a template. Gone already counts as done. Raises ProviderError.

        Refused while anything is in it or wanted of it, and for every group that a person made.
        """
        ...


@runtime_checkable
class Listener(Protocol):
    """What a provider may be as well: one that hears of what can't wait until the clouds are read again."""

    def listen(self, ring: Callable[[], None]) -> None:
        """Begin, in a thread of its own. `ring` is called when `observe` has something new to tell. Never raises."""
        ...

    def deafen(self) -> None:
        """End it."""
        ...


class Catalogs(Protocol):
    """The last good catalogues that were read from a cloud."""

    def __call__(self, region: str) -> Catalog | None:
        """That of a region, None when there is none and what is bundled has to do. Never raises."""
        ...

    def machines(self) -> Mapping[str, Machine]:
        """Every type of every region that there is a catalogue of, by name. Never raises."""
        ...


class CatalogSource(Protocol):
    """Where a cloud's types and prices come from."""

    @property
    def region(self) -> str:
        """The region that is meant when nobody names one."""
        ...

    def shipped(self) -> Catalog:
        """What is bundled; perhaps of another region."""
        ...

    def read(self, region: str, say: Callable[[str], None]) -> Reading:
        """Ask the cloud, and `say` how far it is. Raises ProviderError; a part of an answer is none."""
        ...

    def groups(self, catalog: Catalog) -> tuple[NodeGroup, ...]:
        """Its offerings as groups on paper, for plans without a cloud."""
        ...


class Policy(Protocol):
    """A pure rule, asked twice a tick."""

    @property
    def name(self) -> str:
        """Entry point name, such as `spot-mix`."""
        ...

    def shape(self, problem: Problem, question: Question, snapshot: Snapshot) -> Problem:
        """Before solving: add rules, bounds, prices, penalties."""
        ...

    def review(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """After: cap, hold or veto actions, each with a Reason in the plan's notes."""
        ...


@runtime_checkable
class Proposer(Protocol):
    """What a policy may be as well: one that has nodes go."""

    def propose(self, snapshot: Snapshot) -> Sequence[Going]:
        """Nodes that should go, each with a Reason; asked again in every tick until they are gone."""
        ...


@runtime_checkable
class Permitter(Protocol):
    """What a policy may be as well: one that has a say in which nodes go."""

    def permit(self, going: Sequence[Going], snapshot: Snapshot) -> tuple[Sequence[Going], Sequence[Reason]]:
        """Those that may go now, and why others may not yet. Nodes that go already (`disruption`) are among them."""
        ...


class Question(Protocol):
    """What the indexes of a Problem stand for: `classes[c]` for `problem.demands[c]`, `homes[o]` for supplies."""

    @property
    def classes(self) -> Sequence[DemandClass]:
        """Demand classes, in the order of `Problem.demands`."""
        ...

    @property
    def homes(self) -> Sequence[Home]:
        """Where pods may go, in the order of `Problem.supplies`."""
        ...


class Home(Protocol):
    """A place for pods: nodes to buy from a group (`new`), nodes on their way (`joining`), nodes there (`existing`)."""

    @property
    def kind(self) -> str:
        """`new`, `joining` or `existing`."""
        ...

    @property
    def group(self) -> str:
        """Id of the group, empty for a node that belongs to none."""
        ...

    @property
    def node(self) -> str:
        """Name of the node or slot when there is exactly one."""
        ...

    @property
    def paid_by(self) -> str:
        """The commitment that pays for nodes bought here, empty for none."""
        ...


class Cluster(Protocol):
    """Kubernetes, as far as the engine needs it. Pods are named (uid, namespace/name); a uid that changed is NotFound.

    Every call raises Conflict, NotFound or Unreachable (all ClusterError); `evict` also Disallowed.
    """

    def observe(self) -> ClusterView:
        """All nodes, pods and DaemonSets, our own writes included."""
        ...

    def claim(self, pod: tuple[str, str], *, slot: str, group: str, at_s: int) -> None:
        """Write the claim's annotations onto an unbound pod."""
        ...

    def claim_next(self, pod: tuple[str, str], *, slot: str, group: str, at_s: int) -> None:
        """Write onto a pod that runs which slot is meant for whoever takes its place."""
        ...

    def unclaim(self, pod: tuple[str, str], *, slot: str) -> None:
        """Take the claim off, its own or that for whoever takes its place, if it is still this slot's."""
        ...

    def assign(self, node: str, *, slot: str, at_s: int) -> None:
        """Write onto the node which slot it was given."""
        ...

    def hold(self, node: str, *, slot: str, at_s: int) -> None:
        """Taint the node for the slot."""
        ...

    def tolerate(self, pod: tuple[str, str], *, slot: str) -> None:
        """Let the pod onto the node held for the slot."""
        ...

    def admit(self, node: str, *, slot: str, at_s: int) -> None:
        """Open the held node, where pods can't be let in one by one; elsewhere nothing, as they tolerate its taint."""
        ...

    def release(self, node: str, *, slot: str, at_s: int) -> None:
        """Take the slot's taint off the node."""
        ...

    def cordon(self, node: str, *, on: bool) -> None:
        """Close the node to new pods, or open it again."""
        ...

    def disrupt(self, node: str, *, code: str, at_s: int) -> None:
        """Close the node with our taint, and write why and since when."""
        ...

    def restore(self, node: str) -> None:
        """Take that taint off again."""
        ...

    def note_gone(self, toll: Toll) -> None:
        """Write down how many nodes have gone when, for whoever looks next."""
        ...

    def evict(self, pod: tuple[str, str]) -> None:
        """Ask for the pod to be evicted, with its own grace. Disallowed when a PodDisruptionBudget says no."""
        ...

    def announce(self, pod: tuple[str, str], *, event: str, text: str, about: str = "") -> None:
        """Have an Event about the pod written, soon. Best effort: never raises, and does not wait.

        A reference without a namespace is a node's.
        Of those that are about the same, one in a while is written, whoever wrote the last.
        """
        ...


class Clock(Protocol):
    """Time, so that tests and simulations can own it."""

    def now_s(self) -> int:
        """Whole seconds since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@runtime_checkable
class Reoptimiser(Protocol):
    """What a solver may be as well: one that is asked about a whole fleet."""

    def reoptimise(self, question: Reoptimisation) -> Reoptimised:
        """A verified answer with its bound, never dearer than leaving everything as it is."""
        ...


class Solver(Protocol):
    """Answers a Problem; `autoscale.solve` does it within a time limit that wiring fixes."""

    def __call__(self, problem: Problem) -> Solution:
        """A complete, verified answer with its bound."""
        ...
