"""Compiled kernels that must not be used: built from other sources, for another machine, or no kernel at all."""

from __future__ import annotations

import shutil
import subprocess
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from autoscale.solve import native

COMPILER = shutil.which("cc")


def _compiled(folder: Path, source: str) -> Path:
    if COMPILER is None:
        pytest.skip("no C compiler")
    (folder / "kernel.c").write_text(source)
    made = folder / "kernel.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", str(made), str(folder / "kernel.c")], check=True)
    return made


@pytest.mark.parametrize(
    "source",
    [
        "int autoscale_new(void) { return 0; }",
        f"int autoscale_abi(void) {{ return {native.KERNEL_ABI + 1}; }}",
        f"int autoscale_abi(void) {{ return {native.KERNEL_ABI - 1}; }}",
        f"int autoscale_abi(void) {{ return {native.KERNEL_ABI}; }}",
    ],
    ids=["no number", "a newer one", "an older one", "functions missing"],
)
def test_a_kernel_from_other_sources_is_as_good_as_none(tmp_path: Path, source: str) -> None:
    """A missing number, another one and missing functions all mean: no kernel."""
    assert native._loaded(_compiled(tmp_path, source)) is None


def test_a_file_that_is_no_library_is_as_good_as_none(tmp_path: Path) -> None:
    """Neither garbage nor a file that isn't there raises."""
    path = tmp_path / "kernel.so"
    path.write_bytes(b"not a library")
    assert native._loaded(path) is None
    assert native._loaded(tmp_path / "absent.so") is None


def test_the_number_is_the_one_in_the_sources() -> None:
    """Python and C agree on the number."""
    header = (Path(native.__file__).parent / "kernel" / "core.h").read_text()
    assert f"KERNEL_ABI = {native.KERNEL_ABI} " in header


def test_the_built_kernel_is_used() -> None:
    """What setup.py built here is what is loaded."""
    built = [p for s in EXTENSION_SUFFIXES if (p := Path(native.__file__).with_name(f"_kernel{s}")).exists()]
    if not built:
        pytest.skip("no compiled kernel")
    assert native.library() is not None
