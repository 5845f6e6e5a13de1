"""Cases where the engine and the real scheduler once disagreed, each kept as a file, replayed without a cluster."""

from pathlib import Path

import pytest

from . import among, parts, rivals
from .compare import difference
from .scenario import FOUND, read, read_scene

FILES = sorted(FOUND.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_engine_says_what_the_scheduler_said(file: Path) -> None:
    """The recorded verdict, the lacking resources and the reading of the manifest are all ours too."""
    other = parts.read(file)
    if other is not None:
        assert parts.difference(other) == ""
        return
    scene, ruling = read_scene(file), rivals.read(file)
    if ruling is not None:
        assert rivals.difference(ruling) == ""
        return
    assert (difference(read(file)) if scene is None else among.difference(scene)) == ""
