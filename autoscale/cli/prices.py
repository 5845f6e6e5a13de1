"""Prices while the loop runs: how old they are as a metric, and a thread that refreshes them where a setting says so."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Gauge

from autoscale import wiring
from autoscale.catalog.background import Refresher
from autoscale.errors import AutoscaleError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from structlog.typing import FilteringBoundLogger

    from autoscale.catalog.background import Listener
    from autoscale.config import Settings
    from autoscale.model.catalog import Catalog


class Prices:
    """Metrics and log lines about catalogues."""

    def __init__(self, settings: Settings, registry: CollectorRegistry, log: FilteringBoundLogger) -> None:
        names: dict[str, Any] = {"namespace": "gpu_autoscale", "registry": registry}
        self._settings = settings
        self._log = log
        self._age = Gauge("prices_age_seconds", "How old the prices in use are.", ["provider", "source"], **names)
        self._refreshes = Counter("price_refreshes", "Refreshes by outcome.", ["provider", "outcome"], **names)
        self._refused = Gauge("refused_prices", "Prices in use that are not believed.", ["provider"], **names)
        self.look()
        for name in wiring.catalog_names(settings):
            found = wiring.used_catalog(name, settings)
            age_s = found.age_s(wiring.clock().now_s())
            log.info("prices", provider=name, region=found.region, source=found.source, age_s=age_s)

    def look(self) -> None:
        """See which catalogues are in use."""
        self._age.clear()
        for name in wiring.catalog_names(self._settings):
            found = wiring.used_catalog(name, self._settings)
            source = "shipped" if found.source == "shipped" else "cloud"
            self._age.labels(name, source).set_function(lambda at_s=found.at_s: max(0.0, time.time() - at_s))  # type: ignore[misc]  # the default binds it
            self._refused.labels(name).set(len(found.refusals))

    def refreshed(self, provider: str, catalog: Catalog) -> None:
        """Say so, with what was refused."""
        self.look()
        self._refreshes.labels(provider, "done").inc()
        self._log.info(
            "prices refreshed",
            provider=provider,
            region=catalog.region,
            types=len(catalog.machines),
            prices=len(catalog.quotes),
            refused=len(catalog.refusals),
        )

    def failed(self, provider: str, error: Exception) -> None:
        """Say why; the last good copy stays."""
        self._refreshes.labels(provider, "failed").inc()
        text = str(error) if isinstance(error, AutoscaleError) else f"internal error, {type(error).__name__}: {error}"
        age_s = wiring.used_catalog(provider, self._settings).age_s(wiring.clock().now_s())
        self._log.warning("prices not refreshed", provider=provider, error=" ".join(text.split()), age_s=age_s)


def refresh_beside(settings: Settings, prices: Prices, stop: threading.Event) -> None:
    """Start the thread, if the settings want one. It ends with the stop, or with the process."""
    every_s = settings.catalog.refresh_s
    if every_s is None:
        return
    refresher = Refresher(wiring.catalog_places(settings), every_s=every_s, listener=prices)

    def work() -> None:
        wait_s = 0
        while not stop.wait(wait_s):
            wait_s = refresher.turn(wiring.clock().now_s())

    threading.Thread(target=work, name="prices", daemon=True).start()


if TYPE_CHECKING:

    def _is_listener(x: Prices) -> Listener:
        return x
