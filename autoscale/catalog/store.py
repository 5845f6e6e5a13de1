"""The cache: one file a cloud and region, replaced whole by a good refresh and by nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from autoscale.catalog.document import load, write
from autoscale.errors import BadInput
from autoscale.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.catalog import Catalog, Machine

_FOLDER = "gpu-autoscale"
_NAME = re.compile(r"[a-z0-9-]+")


class Cached(NamedTuple):
    """A catalogue of the cache, or why there is none: a sentence when the file is there and can't be used."""

    catalog: Catalog | None
    problem: str = ""


class Store:
    """A folder of catalogues. Reading never raises; a file is read again only when it has changed."""

    def __init__(self, folder: str = "") -> None:
        """`folder`: empty for `$XDG_CACHE_HOME/gpu-autoscale`, else `~/.cache/gpu-autoscale`."""
        self.folder = Path(folder) if folder else default_folder()
        self._read: dict[Path, tuple[tuple[int, int, int], Cached]] = {}

    def path(self, provider: str, region: str) -> Path:
        """Where the catalogue of a region is."""
        for part in (provider, region):
            if not _NAME.fullmatch(part):
                raise BadInput("no name of a region", where=part, expected="small letters, digits and dashes")
        return self.folder / f"{provider}-{region}.json"

    def latest(self, provider: str, region: str) -> Cached:
        """The last good catalogue of a region. Never raises: what is wrong with the file is in the answer."""
        try:
            path = self.path(provider, region)
            stat = path.stat()
        except (BadInput, OSError):
            return Cached(None)
        version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        known = self._read.get(path)
        if known is None or known[0] != version:
            known = (version, _load(path, provider, region))
            self._read[path] = known
        return known[1]

    def kept(self) -> set[str]:
        """`aws eu-west-1` for each region that there is a file of."""
        try:
            return {path.stem.replace("-", " ", 1) for path in self.folder.glob("*-*.json")}
        except OSError:
            return set()

    def regions(self, provider: str) -> list[str]:
        """The regions of a cloud that there is a file of."""
        return sorted(each.partition(" ")[2] for each in self.kept() if each.startswith(f"{provider} "))

    def keep(self, catalog: Catalog) -> Path:
        """Put a good catalogue in the place of the last one. Raises BadInput when it can't be written."""
        path = self.path(catalog.provider, catalog.region)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = str(error.strerror).lower()
            raise BadInput(f"the cache can't be made, {reason}", where=str(path.parent)) from error
        write_whole(write(catalog), str(path))
        return path


class CloudCatalogs:
    """What the cache has of one cloud."""

    def __init__(self, store: Store, provider: str) -> None:
        self._store = store
        self._provider = provider

    def __call__(self, region: str) -> Catalog | None:
        """The last good catalogue of a region, None when there is none."""
        return self._store.latest(self._provider, region).catalog

    def machines(self) -> Mapping[str, Machine]:
        """Every type by name, whichever regions have it."""
        found = (self(region) for region in self._store.regions(self._provider))
        return {each.name: each for catalog in found if catalog for each in catalog.machines}


def default_folder() -> Path:
    """Where the cache is when nobody says otherwise."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if home.startswith("/") else Path(os.path.expanduser("~")) / ".cache"  # noqa: PTH111 - Path.home raises
    return base / _FOLDER


def _load(path: Path, provider: str, region: str) -> Cached:
    try:
        found = load(str(path))
    except BadInput as error:
        return Cached(None, str(error))
    if (found.provider, found.region) != (provider, region):
        return Cached(None, f"{path}: it is of {found.provider} {found.region}, expected {provider} {region}")
    return Cached(found)
