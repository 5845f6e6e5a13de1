"""The benchmark's big cluster, small."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import footprint_world as worlds


def test_pages_read_back_as_the_api_server_would_send_them(tmp_path: Path) -> None:
    """Nodes, then pods, in pages; and the measuring process makes three figures of them."""
    path = tmp_path / "pages"
    worlds.write_pages(path, (3, 600, 9))
    found = {kind: [len(worlds.LIST.decode(page).items) for page in pages] for kind, pages in worlds.read_pages(path)}
    assert found == {"nodes": [3], "pods": [500, 109]}
    words = [sys.executable, "-m", "benchmarks.footprint_cold", str(path)]
    said = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout).keys() == {"cold_s", "changed_s", "peak_mb"}


def test_memory_is_that_of_the_process_alone() -> None:
    """What the process that started it had does not count, as it would in `ru_maxrss`."""
    code = "from benchmarks import footprint_world as worlds; print(worlds.peak_mb())"
    ballast = bytearray(b"x") * (300 * 2**20)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 10 < float(said.stdout) < 200 < len(ballast) / 2**20
