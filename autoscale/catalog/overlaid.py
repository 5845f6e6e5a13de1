"""A provider whose groups are seen through an overlay; what it does is the provider's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.passing import Passing

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.model.overlay import Overlay
    from autoscale.model.snapshot import CloudView
    from autoscale.model.supply import NodeGroup
    from autoscale.ports import Provider

    Score = Callable[[NodeGroup], int | None]


class Overlaid(Passing):
    """`score` gives a group's spot placement score, None where the cloud told none."""

    def __init__(self, provider: Provider, overlay: Overlay, score: Score) -> None:
        super().__init__(provider)
        self._overlay = overlay
        self._score = score

    def observe(self) -> CloudView:
        """Its view, with the overlay laid over every group."""
        view = self._provider.observe()
        groups = tuple(self._overlay.laid_over(group, self._score(group)) for group in view.groups)
        return replace(view, groups=groups)
