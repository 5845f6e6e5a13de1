"""Builds and runs Karpenter's own scheduler (the Go module in `karpenter/`) on problem files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.reading import Json

MODULE = Path(__file__).resolve().parent / "karpenter"
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "benchmarks"
LAYOUTS = {"one": "Karpenter, one pool", "split": "Karpenter, split pools"}
OWN_LIMIT_S = 60  # what Karpenter's provisioner allows Solve


class UnavailableError(Exception):
    """Karpenter can't be run here; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Karpenter:
    """The built program."""

    binary: Path
    version: str

    def solve(self, problem: Path, layout: str, limit_s: float) -> Json:
        """Run it on a file. The answer has `nodes`, `cost`, `wall_seconds`, `cpu_seconds` and `timed_out`."""
        command = [str(self.binary), "-problem", str(problem), "-layout", layout, "-timeout", f"{limit_s:g}s"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UnavailableError(f"the scheduler failed on {problem.name}: {done.stderr.strip()[-400:]}")
        answer: Json = json.loads(done.stdout)
        return answer


def find(progress: Callable[[str], None], *, build: bool = True) -> Karpenter:
    """Give the program, built once per version of its sources (about four CPU minutes the first time)."""
    go = shutil.which("go")
    if not go:
        raise UnavailableError(
            "Go is not installed; with Go 1.26.6 or later on PATH, Karpenter's scheduler is built and run too"
        )
    binary = CACHE / f"karpenter-{_key(go)}" / "karpenter"
    if not binary.exists():
        if not build:
            raise UnavailableError("its scheduler is not built yet; a run without --quick builds it")
        progress("building Karpenter's scheduler, about four CPU minutes, once")
        _build(go, binary)
    version = subprocess.run([str(binary), "-version"], capture_output=True, text=True, check=True).stdout.strip()
    return Karpenter(binary, version)


def _key(go: str) -> str:
    digest = hashlib.sha256(_run([go, "env", "GOVERSION", "GOOS", "GOARCH"]).stdout.encode())
    for source in sorted(p for p in MODULE.iterdir() if p.suffix == ".go" or p.name in ("go.mod", "go.sum")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:12]


def _build(go: str, binary: Path) -> None:
    binary.parent.mkdir(parents=True, exist_ok=True)
    fresh = binary.with_name(f"karpenter.{os.getpid()}")
    done = _run([go, "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o", str(fresh), "."])
    if done.returncode:
        fresh.unlink(missing_ok=True)
        last = "; ".join(done.stderr.strip().splitlines()[-3:])
        raise UnavailableError(f"its scheduler could not be built: {last}")
    fresh.replace(binary)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"}
    return subprocess.run(command, cwd=MODULE, env=environment, capture_output=True, text=True, check=False)
