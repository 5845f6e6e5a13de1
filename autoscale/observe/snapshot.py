"""One look at everything: the cluster, the clouds side by side, what is remembered, and the time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from autoscale.model.snapshot import Snapshot
from autoscale.observe.twins import untwined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.model.snapshot import CloudView, Ledger
    from autoscale.ports import Clock, Cluster, Provider


def observe(
    cluster: Cluster,
    providers: Sequence[Provider],
    ledger: Ledger,
    clock: Clock,
    *,
    clouds: Sequence[CloudView] | None = None,
) -> Snapshot:
    """The snapshot. `clouds` are views read a moment ago, to spare the clouds a call. Raises ClusterError.

    The clouds come first: a node that joins in between is then in the cluster and, at worst, not yet in its group.
    """
    views = tuple(read_clouds(providers) if clouds is None else clouds)
    return Snapshot(clock.now_s(), cluster.observe(), views, ledger)


def read_clouds(providers: Sequence[Provider]) -> tuple[CloudView, ...]:
    """One view of each cloud, read side by side; no machine is in two groups."""
    if len(providers) <= 1:
        return untwined(provider.observe() for provider in providers)
    with ThreadPoolExecutor(len(providers), "observe") as pool:
        return untwined(pool.map(lambda provider: provider.observe(), providers))
