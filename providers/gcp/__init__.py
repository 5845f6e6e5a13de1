"""Google Compute Engine's managed instance groups behind `autoscale.ports.Provider`, and a catalogue for offline plans.

`catalog` needs no project and no Google library; `provider` is imported when a configuration asks for the cloud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.gcp.catalog import catalogue_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from autoscale.ports import Catalogs
    from providers.gcp.provider import GcpProvider
    from providers.gcp.source import GcpCatalogSource

__all__ = ["ONLY_WHEN_NAMED", "catalog_source", "catalogue_groups", "provider_from_settings"]

ONLY_WHEN_NAMED = True  # a configuration that names no provider does not mean this one


def provider_from_settings(
    settings: Mapping[str, Any], *, cluster: str, now_s: Callable[[], int], catalogs: Catalogs | None = None
) -> GcpProvider:
    """The provider that a configuration describes. Touches no network; raises BadInput for wrong settings."""
    from providers.gcp.settings import GcpSettings

    parsed = GcpSettings.parse(settings, cluster=cluster, read=catalogs.machines() if catalogs else {})

    from providers.gcp.provider import GcpProvider

    return GcpProvider(parsed, now_s=now_s, catalogs=catalogs)


def catalog_source(settings: Mapping[str, Any]) -> GcpCatalogSource:
    """Where types and prices come from. Touches no network; raises BadInput for wrong settings.

    Pools and prices are not looked at: they may name types that only this source will bring.
    """
    from providers.gcp.settings import GcpSettings
    from providers.gcp.source import GcpCatalogSource

    asked = {key: value for key, value in settings.items() if key not in ("pools", "prices")}
    return GcpCatalogSource(GcpSettings.parse(asked, cluster="any"))
