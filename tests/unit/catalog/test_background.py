"""When prices are read anew, and that nothing about it ever stops the engine."""

from dataclasses import dataclass, field, replace

from autoscale.catalog.background import Place, Refresher
from autoscale.model.catalog import Catalog

HOUR = 3600
CATALOG = Catalog(provider="aws", region="x", source="y", at_s=0, machines=(), quotes=())


@dataclass
class Cloud:
    """A cloud, its cache, and what was told."""

    kept: Catalog | None = None
    error: Exception | None = None
    now_s: int = 100 * HOUR
    told: list[str] = field(default_factory=list)

    def refresh(self) -> Catalog:
        """As a wired one does it."""
        if self.error:
            raise self.error
        self.kept = replace(CATALOG, at_s=self.now_s)
        return self.kept

    def refreshed(self, provider: str, catalog: Catalog) -> None:
        """A good one."""
        self.told.append(f"{provider} {catalog.at_s // HOUR}")

    def failed(self, provider: str, error: Exception) -> None:
        """A bad one."""
        self.told.append(f"{provider} {error}")


def refresher(cloud: Cloud) -> Refresher:
    """Every six hours."""
    return Refresher([Place("aws", "x", lambda: cloud.kept, cloud.refresh)], every_s=6 * HOUR, listener=cloud)


def test_the_first_time_at_once_then_when_they_are_old() -> None:
    """The time until then is what the cache's age leaves."""
    cloud = Cloud()
    beside = refresher(cloud)
    assert beside.turn(cloud.now_s) == 6 * HOUR
    assert beside.turn(cloud.now_s + HOUR) == 5 * HOUR
    cloud.now_s += 6 * HOUR
    assert beside.turn(cloud.now_s) == 6 * HOUR
    assert cloud.told == ["aws 100", "aws 106"]


def test_a_cache_that_is_fresh_is_left_alone() -> None:
    """Another process has just refreshed it."""
    cloud = Cloud(kept=replace(CATALOG, at_s=98 * HOUR))
    assert refresher(cloud).turn(cloud.now_s) == 4 * HOUR
    assert cloud.told == []


def test_a_failure_is_told_and_tried_again_later() -> None:
    """Whatever it is; not before ten minutes have passed."""
    cloud = Cloud(error=ZeroDivisionError("oh"))
    beside = refresher(cloud)
    assert beside.turn(cloud.now_s) == 600
    assert beside.turn(cloud.now_s + 599) == 1
    assert beside.turn(cloud.now_s + 600) == 600
    cloud.error = None
    cloud.now_s += 1200
    assert beside.turn(cloud.now_s) == 6 * HOUR
    assert cloud.told == ["aws oh", "aws oh", "aws 100"]


def test_without_clouds_there_is_nothing_to_do() -> None:
    """And it is not asked again soon."""
    assert Refresher([], every_s=HOUR, listener=Cloud()).turn(0) == HOUR
