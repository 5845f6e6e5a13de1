"""Amazon EC2 Auto Scaling groups behind `autoscale.ports.Provider`, and the bundled catalogue for offline plans.

`catalog` needs no account and no boto3; `provider` is imported when a configuration asks for the cloud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.aws.catalog import catalogue_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from autoscale.ports import Catalogs
    from providers.aws.provider import AwsProvider
    from providers.aws.source import AwsCatalogSource

__all__ = ["catalog_source", "catalogue_groups", "provider_from_settings"]


def provider_from_settings(
    settings: Mapping[str, Any], *, cluster: str, now_s: Callable[[], int], catalogs: Catalogs | None = None
) -> AwsProvider:
    """The provider that a configuration describes. Touches no network; raises BadInput for wrong settings."""
    from providers.aws.settings import AwsSettings

    parsed = AwsSettings.parse(settings, cluster=cluster, read=catalogs.machines() if catalogs else {})

    from providers.aws.provider import AwsProvider

    return AwsProvider(parsed, now_s=now_s, catalogs=catalogs)


def catalog_source(settings: Mapping[str, Any]) -> AwsCatalogSource:
    """Where types and prices come from. Touches no network; raises BadInput for wrong settings.

    Pools and prices are not looked at: they may name types that only this source will bring.
    """
    from providers.aws.settings import AwsSettings
    from providers.aws.source import AwsCatalogSource

    asked = {key: value for key, value in settings.items() if key not in ("pools", "prices")}
    return AwsCatalogSource(AwsSettings.parse(asked, cluster="any"))
