"""A provider whose groups are seen through an overlay; what it does is the provider's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.ports import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscale.model.overlay import Overlay
    from autoscale.model.snapshot import CloudView
    from autoscale.model.supply import NodeGroup
    from autoscale.ports import Provider

    Score = Callable[[NodeGroup], int | None]


class Overlaid:
    """`score` gives a group's spot placement score, None where the cloud told none."""

    def __init__(self, provider: Provider, overlay: Overlay, score: Score) -> None:
        self._provider = provider
        self._overlay = overlay
        self._score = score

    @property
    def name(self) -> str:
        """The provider's."""
        return self._provider.name

    def check(self) -> None:
        """As the provider does it."""
        self._provider.check()

    def observe(self) -> CloudView:
        """Its view, with the overlay laid over every group."""
        view = self._provider.observe()
        groups = tuple(self._overlay.laid_over(group, self._score(group)) for group in view.groups)
        return replace(view, groups=groups)

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

    def _is_provider(x: Overlaid) -> Provider:
        return x
