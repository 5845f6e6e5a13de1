"""A cloud in memory, for tests and simulations: the reference of the contract that every provider is held to.

It says no where a real one would, can be told to fail, to run out of machines and to show old news, and keeps a list of
what it was asked to do.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from autoscale.errors import BadInput, ProviderError
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import Fault, FaultKind, Instance, InstanceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from autoscale.model.supply import NodeGroup, SkippedGroup


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came in: `verb` is `observe`, `make`, `resize`, `remove` or `delete`."""

    verb: str
    group: str = ""
    target_nodes: int = 0
    instances: tuple[str, ...] = ()
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class _Failure:
    verb: str
    fault: Fault
    applied: bool


class FakeProvider:
    """Groups that grow at once, in memory. Time is the caller's.

    lag_s: `observe` shows the groups as they were that long ago. boot_s: how long an instance is PENDING.
    """

    def __init__(
        self,
        groups: Iterable[NodeGroup] = (),
        *,
        now_s: Callable[[], int],
        name: str = "fake",
        lag_s: int = 0,
        boot_s: int = 0,
    ) -> None:
        self._name = name
        self._now_s = now_s
        self._boot_s = boot_s
        self._numbers = count(1)
        self._born_at_s: dict[str, int] = {}
        self._short: dict[str, Fault] = {}
        self._left: dict[str, int] = {}
        self._taken: set[str] = set()
        self._failures: deque[_Failure] = deque()
        self.lag_s = lag_s
        self.calls: list[Call] = []
        self.skipped: tuple[SkippedGroup, ...] = ()
        self._groups = {group.id: group for group in groups}
        for group_id in self._groups:
            self._fill(group_id)
        self._history: list[tuple[int, tuple[NodeGroup, ...]]] = []
        self._remember()

    # ---- the port

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    def check(self) -> None:
        """Whether a look would be refused; a scripted failure of `observe` is used up by it."""
        if (failure := self._failure("observe")) and failure.fault.kind is FaultKind.DENIED:
            raise BadInput(failure.fault.message, where=self._name)

    def observe(self) -> CloudView:
        """All groups, as old as `lag_s` says; a scripted failure is a fault of the view."""
        self.calls.append(Call("observe"))
        if failure := self._failure("observe"):
            return CloudView(self._name, faults=(replace(failure.fault, group="", at_s=self._now_s()),))
        seen = [groups for at_s, groups in self._history if at_s <= self._now_s() - self.lag_s]
        groups = seen[-1] if seen else self._history[0][1]
        return CloudView(
            provider=self._name, groups=tuple(self._as_booted(group) for group in groups), skipped=self.skipped
        )

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """Set the target; what a real cloud would not do, or not without harm, is refused."""
        self.calls.append(Call("resize", group, target_nodes=target_nodes, request_id=request_id))
        failure = self._failure("resize")
        if failure and not failure.applied:
            raise ProviderError(replace(failure.fault, group=group, at_s=self._now_s()))
        found = self._find(group)
        if not found.made:
            self._make(found)
        if not found.min_nodes <= target_nodes <= found.max_nodes:
            text = f"target {target_nodes} is outside the group's {found.min_nodes} to {found.max_nodes}"
            raise self._refusal(group, "OutOfBounds", text)
        if target_nodes < min(len(found.instances), found.target_nodes):
            text = f"target {target_nodes} would end some of {len(found.instances)} instances; remove them by id"
            raise self._refusal(group, "WouldTerminate", text)
        self._groups[group] = replace(found, target_nodes=target_nodes, made=True)
        self._fill(group)
        self._remember()
        if failure:
            raise ProviderError(replace(failure.fault, group=group, at_s=self._now_s()))

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:
        """Take out each instance that is there and lower the target by one for each."""
        self.calls.append(Call("remove", group, instances=tuple(instances), request_id=request_id))
        failure = self._failure("remove")
        if failure and not failure.applied:
            raise ProviderError(replace(failure.fault, group=group, at_s=self._now_s()))
        for instance in instances:
            found = self._find(group)
            kept = tuple(each for each in found.instances if each.id != instance)
            if len(kept) == len(found.instances):
                continue
            if found.target_nodes <= found.min_nodes:
                text = f"removing {instance} would bring the group below its minimum of {found.min_nodes}"
                raise self._refusal(group, "OutOfBounds", text)
            self._groups[group] = replace(found, instances=kept, target_nodes=found.target_nodes - 1)
            self._remember()
        if failure:
            raise ProviderError(replace(failure.fault, group=group, at_s=self._now_s()))

    def delete(self, group: str, *, request_id: str) -> None:
        """Delete a group of a template; afterwards it is there to plan on, as before it was made."""
        self.calls.append(Call("delete", group, request_id=request_id))
        failure = self._failure("delete")
        if failure and not failure.applied:
            raise ProviderError(replace(failure.fault, group=group, at_s=self._now_s()))
        found = self._find(group)
        if not found.template:
            raise self._refusal(group, "NotFromTemplate", "a person made this group")
        if found.target_nodes or found.instances:
            text = f"it has a target of {found.target_nodes} and {len(found.instances)} instances"
            raise self._refusal(group, "NotEmpty", text)
        self._groups[group] = replace(found, made=False, faults=())
        self._remember()
        if failure:
            raise ProviderError(replace(failure.fault, group=group, at_s=self._now_s()))

    # ---- the script

    def fail_next(self, verb: str, fault: Fault, *, applied: bool = False, times: int = 1) -> None:
        """Answer the next calls of that verb with this fault; `applied`: the call took effect all the same."""
        self._failures.extend([_Failure(verb, fault, applied)] * times)

    def starve(self, group: str, fault: Fault | None, *, left: int = 0) -> None:
        """Start no more instances of the group but those left, and show this fault while it misses some; None ends it."""
        if fault is None:
            self._short.pop(group, None)
        else:
            self._short[group] = replace(fault, group=group)
            self._left[group] = left
        self._fill(group)
        self._remember()

    def reclaim(self, instance: str) -> None:
        """Take an instance away as spot does: the target stays, so the group starts another."""
        for group in list(self._groups.values()):
            kept = tuple(each for each in group.instances if each.id != instance)
            if len(kept) < len(group.instances):
                self._groups[group.id] = replace(group, instances=kept)
                self._fill(group.id)
        self._remember()

    def add(self, group: NodeGroup) -> None:
        """Put a group in, or replace it."""
        self._groups[group.id] = group
        self._fill(group.id)
        self._remember()

    def drop(self, group: str) -> None:
        """Take a group out, with all that is in it. Of a template's, the offering stays."""
        gone = self._groups.pop(group, None)
        if gone and gone.template:
            self._groups[group] = replace(gone, made=False, target_nodes=0, instances=(), faults=())
        self._remember()

    def take_name(self, group: str) -> None:
        """A foreign group of that name is made, so that ours can't be."""
        self._taken.add(group)

    def taken(self, group: str) -> bool:
        """Whether a foreign group has that name."""
        return group in self._taken

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all groups."""
        return tuple(self._groups)

    def all_groups(self) -> tuple[NodeGroup, ...]:
        """The groups as they are now, whatever the lag; not a call, so no failure strikes it."""
        return tuple(self._as_booted(group) for group in self._groups.values())

    def group(self, group: str) -> NodeGroup:
        """The group as it is now, whatever the lag."""
        return self._as_booted(self._find(group))

    # ---- inside

    def _make(self, group: NodeGroup) -> None:
        """A call of its own, as in a real cloud: it may be all that happens."""
        self.calls.append(Call("make", group.id))
        failure = self._failure("make")
        if failure and not failure.applied:
            raise ProviderError(replace(failure.fault, group=group.id, at_s=self._now_s()))
        if group.id in self._taken:
            raise self._refusal(group.id, "NameTaken", "a group of this name is there, and it is not ours")
        self._groups[group.id] = replace(group, made=True)
        self._remember()
        if failure:
            raise ProviderError(replace(failure.fault, group=group.id, at_s=self._now_s()))

    def _failure(self, verb: str) -> _Failure | None:
        for failure in self._failures:
            if failure.verb == verb:
                self._failures.remove(failure)
                return failure
        return None

    def _find(self, group: str) -> NodeGroup:
        if group not in self._groups:
            raise self._refusal(group, "GroupNotFound", "there is no such group", FaultKind.NOT_FOUND)
        return self._groups[group]

    def _fill(self, group: str) -> None:
        """Start what the target asks for, unless there is a shortage."""
        found = self._groups[group]
        due = max(0, found.target_nodes - len(found.instances))
        if group in self._short:
            due = min(due, self._left[group])
            self._left[group] -= due
        started = [self._instance(found) for _ in range(due)]
        missing = found.target_nodes > len(found.instances) + len(started)
        faults = (replace(self._short[group], at_s=self._now_s()),) if missing and group in self._short else ()
        self._groups[group] = replace(found, instances=(*found.instances, *started), faults=faults)

    def _instance(self, group: NodeGroup) -> Instance:
        name = f"i-{next(self._numbers):017x}"
        zone = group.offering.zone
        self._born_at_s[name] = self._now_s()
        return Instance(
            name, f"{self._name}:///{zone}/{name}", InstanceState.PENDING, zone, group.offering.instance_type
        )

    def _as_booted(self, group: NodeGroup) -> NodeGroup:
        up = self._now_s() - self._boot_s
        return replace(
            group,
            instances=tuple(
                replace(each, state=InstanceState.RUNNING)
                if each.state == InstanceState.PENDING and self._born_at_s.get(each.id, up + 1) <= up
                else each
                for each in group.instances
            ),
        )

    def _remember(self) -> None:
        groups = tuple(sorted(self._groups.values(), key=lambda group: group.id))
        self._history.append((self._now_s(), groups))
        while len(self._history) > 1 and self._history[1][0] <= self._now_s() - self.lag_s:
            del self._history[0]

    def _refusal(self, group: str, code: str, text: str, kind: FaultKind = FaultKind.OTHER) -> ProviderError:
        return ProviderError(Fault(group=group, kind=kind, code=code, message=text, at_s=self._now_s()))
