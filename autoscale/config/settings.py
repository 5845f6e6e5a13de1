"""What a configuration comes to, frozen. Units are in the names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autoscale.model.frozen import empty
from autoscale.model.overlay import Overlay
from autoscale.model.settings import DecideSettings, LoopSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.ports import Policy

API_VERSION = "gpu-autoscale.dev/v1alpha1"
KIND = "Autoscaler"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSettings:
    """Prices: `cache` is a folder, empty for the usual one; `overlay` a file, empty for none; `refresh_s` None for never."""

    cache: str = ""
    overlay: str = ""
    refresh_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; the defaults are what holds without a configuration file.

    source: the file they come from, empty for the defaults. digest: hash of what they say (comments don't count).
    providers: entry point name -> that provider's own settings; None: every provider that finds credentials.
    solver_time_limit_s: how long one search may take. overlay: what is laid over the clouds' prices and machines.
    claims: the ConfigMap (NAMESPACE/NAME) that claims are kept in; empty: the pods themselves.
    """

    source: str = ""
    digest: str = ""
    providers: Mapping[str, Mapping[str, Any]] | None = None
    solver_time_limit_s: float = 1.0
    policies: tuple[Policy, ...] = ()
    decide: DecideSettings = field(default_factory=DecideSettings)
    loop: LoopSettings = field(default_factory=LoopSettings)
    overlay: Overlay = field(default_factory=Overlay)
    claims: str = ""
    catalog: CatalogSettings = field(default_factory=CatalogSettings)
    provider_lines: Mapping[str, int] = field(default_factory=empty)

    @property
    def cluster(self) -> str:
        """The cluster's name, by which node groups are tagged; empty until it is known."""
        return self.decide.cluster
