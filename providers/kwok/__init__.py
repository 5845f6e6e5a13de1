"""Pools of simulated nodes on a real API server, behind `autoscale.ports.Provider`: for trials without a cloud.

A node is a Node object that https://kwok.sigs.k8s.io keeps ready; nothing runs on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from providers.kwok.provider import KwokProvider

__all__ = ["ONLY_WHEN_NAMED", "provider_from_settings"]

ONLY_WHEN_NAMED = True  # a configuration that names no provider does not mean this one


def provider_from_settings(
    settings: Mapping[str, Any],
    *,
    cluster: str,  # noqa: ARG001 - simulated nodes are where the kubeconfig leads
    now_s: Callable[[], int],
) -> KwokProvider:
    """The provider that a configuration describes. Touches no network; raises BadInput for wrong settings."""
    from providers.kwok.settings import KwokSettings

    parsed = KwokSettings.parse(settings)

    from providers.kwok.provider import KwokProvider

    return KwokProvider(parsed, now_s=now_s)
