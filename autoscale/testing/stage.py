"""The stage of a contract test: create groups, look at the truth, make the wire fail. Whoever writes a provider writes one."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from autoscale.model.supply import FaultKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.supply import Instance
    from autoscale.ports import Provider

# A fault as a person names it, and what kind the provider must make of it.
FAULTS: Mapping[str, FaultKind] = MappingProxyType(
    {
        "throttled": FaultKind.THROTTLED,
        "out of stock": FaultKind.NO_CAPACITY,
        "broken": FaultKind.OTHER,
        "denied": FaultKind.DENIED,
        "over quota": FaultKind.QUOTA,
    }
)


class Stage(Protocol):
    """One provider on a cloud that does as it is told. A verb is `observe`, `resize` or `remove`."""

    @property
    def provider(self) -> Provider:
        """Under test."""

    @property
    def secret(self) -> str:
        """What nobody may ever see: a key, token or password that the provider works with. Empty when it has none."""

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Create a group, give its id. One that is not tagged is somebody else's."""

    def truth(self, group: str) -> tuple[int, Sequence[str]]:
        """The group's target and living instances, whatever the provider says."""

    def running(self, instance: str) -> Instance:
        """A running instance of that id, as the view must have it."""

    def fail(self, verb: str, fault: str, *, after: int = 0) -> None:
        """Refuse all requests of the verb from now on with a fault of `FAULTS`, but for the first few."""

    def lose(self, verb: str) -> None:
        """Carry out the requests of the verb from now on, and lose the answers."""

    def freeze(self) -> None:
        """From now on reads show what they showed when this was called, or first after it, if the cloud ever does so."""

    def thaw(self) -> None:
        """Reads show what is, and have done so for a minute."""

    def mend(self) -> None:
        """End all faults; old news stay."""

    def set_by_hand(self, group: str, nodes: int) -> None:
        """A person sets the group's target, without us."""

    def delete_by_hand(self, group: str) -> None:
        """A person deletes the group and all that is in it."""

    def calls(self) -> int:
        """How many requests came since the last time this was asked."""


class StockOutStage(Stage, Protocol):
    """A stage whose cloud may run out of machines."""

    def starve(self, group: str, *, left: int = 0) -> None:
        """No more machines for the group from now on, but for those that are left."""

    def feed(self, group: str) -> None:
        """There are machines again, and the group gets those that it waits for."""


class TemplateStage(Stage, Protocol):
    """A stage whose provider makes groups from templates on first use. Its faults also know `make` and `delete`."""

    def offer(self, name: str) -> str:
        """A template whose one offering may have up to 10 nodes, and the id of its group, which is not made."""

    def made(self, group: str) -> bool:
        """Whether the cloud has a group of that name, whoever made it."""

    def take_name(self, group: str) -> None:
        """A person makes a group of that name, without marking it as one of ours."""
