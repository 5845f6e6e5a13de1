"""A provider that stands before another one: what it does not do itself, the other does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.ports import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscale.model.snapshot import CloudView
    from autoscale.ports import Provider


class Passing:
    """Passes everything on."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        """The provider's."""
        return self._provider.name

    def check(self) -> None:
        """As the provider does it."""
        self._provider.check()

    def observe(self) -> CloudView:
        """The provider's view."""
        return self._provider.observe()

    def listen(self, ring: Callable[[], None]) -> None:
        """As the provider does it, if it does."""
        if isinstance(self._provider, Listener):
            self._provider.listen(ring)

    def deafen(self) -> None:
        """As the provider does it, if it does."""
        if isinstance(self._provider, Listener):
            self._provider.deafen()

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:
        """As the provider does it."""
        self._provider.resize(group, target_nodes=target_nodes, request_id=request_id)

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:
        """As the provider does it."""
        self._provider.remove(group, instances, request_id=request_id)

    def delete(self, group: str, *, request_id: str) -> None:
        """As the provider does it."""
        self._provider.delete(group, request_id=request_id)


if TYPE_CHECKING:

    def _is_provider(x: Passing) -> Provider:
        return x
