"""Cluster API's MachineDeployments, MachineSets and MachinePools behind `autoscale.ports.Provider`, through the API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from providers.clusterapi.provider import ClusterApiProvider

__all__ = ["ONLY_WHEN_NAMED", "provider_from_settings"]

ONLY_WHEN_NAMED = True  # a configuration that names no provider does not mean this one


def provider_from_settings(
    settings: Mapping[str, Any], *, cluster: str, now_s: Callable[[], int]
) -> ClusterApiProvider:
    """The provider that a configuration describes. Touches no network; raises BadInput for wrong settings."""
    from providers.clusterapi.settings import ClusterApiSettings

    parsed = ClusterApiSettings.parse(settings, cluster=cluster)

    from providers.clusterapi.provider import ClusterApiProvider

    return ClusterApiProvider(parsed, now_s=now_s)
