"""A cloud's first view, read while the engine is still starting: so the first plan waits for one reading, not for two."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from autoscale.passing import Passing

if TYPE_CHECKING:
    from autoscale.model.snapshot import CloudView
    from autoscale.ports import Provider

_FRESH_S = 10.0  # beyond, a first view that nobody has planned on is read anew


class ReadAhead(Passing):
    """A provider that is observed once from the moment this is made; the first `observe` gives that view."""

    def __init__(self, provider: Provider, *, fresh_s: float = _FRESH_S) -> None:
        super().__init__(provider)
        self._fresh_s = fresh_s
        self._began_s = time.monotonic()
        self._first: Future[CloudView] = Future()
        self._taken = False
        threading.Thread(target=self._read, name=f"first look at {provider.name}", daemon=True).start()

    def first(self) -> CloudView:
        """The first view, waited for."""
        return self._first.result()

    def observe(self) -> CloudView:
        """The first view once, while it is fresh; else a new one."""
        if not self._taken:
            self._taken = True
            view = self._first.result()
            if time.monotonic() - self._began_s < self._fresh_s:
                return view
        return self._provider.observe()

    def _read(self) -> None:
        try:
            self._first.set_result(self._provider.observe())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the view gets it
            self._first.set_exception(error)
