"""`autoscale demo` as a person runs it."""

import json
import os
import re
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from .conftest import Run, started


def test_it_ends_as_planned(run: Run, tmp_path: Path) -> None:
    """Two waves are planned, carried out and bound where planned; the end says what it cost and what others pay."""
    said = run("demo", env={"TMPDIR": str(tmp_path), "PYTHONWARNINGS": "error::ResourceWarning"})
    assert (said.returncode, said.stderr) == (0, "")
    text = said.stdout
    assert [line[:2] for line in text.splitlines() if re.match(r"\d\. ", line)] == ["1.", "2.", "3.", "4.", "5."]
    assert re.search(r"^demo   35 pending pods in 9 shapes(, oldest \d+ s)?   0 nodes, \$ 0\.00/h$", text, re.MULTILINE)
    assert "The loop decided on the same plan" in text
    assert "  2 of the 11 found room on nodes that are there." in text
    assert "✓ 45 of 46 pods run\n" in text
    planned = re.search(r"✓ (\d+) of (\d+) GPU pods that nodes were bought for run on the very node planned", text)
    assert planned is not None
    assert planned[1] == planned[2] == "37"
    assert "! research/moe-16-0 stays pending, and its Event says why:\n" in text
    assert "-> ask for 8 nvidia.com/gpu instead of 16" in text
    for row in ("one node per pod", "largest node first", "proven bound"):
        assert re.search(rf"^  {row}.* x \d+\.\d\d$", text, re.MULTILINE)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_users_is_read(run: Run, tmp_path: Path) -> None:
    """A profile that does not exist, a dead proxy, a broken kubeconfig and configuration: none of it matters."""
    env = {
        "AWS_PROFILE": "no-such-profile",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "KUBECONFIG": str(tmp_path / "no-such-file"),
        "AUTOSCALE_CONFIG": str(tmp_path / "no-such-file"),
    }
    said = run("demo", "--seed", "7", env=env)
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize("heard", ["1. Pods that wait", "nodes joined"])
def test_ctrl_c_ends_it_cleanly(tmp_path: Path, heard: str) -> None:
    """Status 130, one sentence, nothing left behind."""
    with started("demo", folder=tmp_path, env={"TMPDIR": str(tmp_path)}) as process:
        assert process.stdout is not None
        assert any(heard in line for line in process.stdout)
        time.sleep(0.2)  # it may be anywhere then
        os.kill(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (130, "autoscale: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_keep_stays_until_ctrl_c(tmp_path: Path) -> None:
    """With `--keep` the cluster answers at the kubeconfig that is told; Ctrl-C is then the ordinary end."""
    with started("demo", "--keep", folder=tmp_path, env={"TMPDIR": str(tmp_path)}) as process:
        assert process.stdout is not None
        told = next(line for line in process.stdout if "curl -s " in line)
        with urllib.request.urlopen(told.split("curl -s ")[1].strip()) as answer:
            assert len(json.load(answer)["items"]) > 20
        kubeconfig = next(line for line in process.stdout if line.startswith("Kubeconfig: "))
        assert Path(kubeconfig.removeprefix("Kubeconfig: ").strip()).is_file()
        os.kill(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--cluster", "--keep"], "--keep and --seed are for the embedded cluster and mean nothing with --cluster"),
        (["--yes"], "--yes, --kubeconfig and --context mean nothing without --cluster"),
        (["--cluster", "--kubeconfig", "/nowhere"], "/nowhere"),
    ],
)
def test_options_that_mean_nothing_and_clusters_that_are_not_there_are_one_sentence(
    run: Run, options: list[str], sentence: str
) -> None:
    """Status 2, nothing shown."""
    said = run("demo", *options)
    assert (said.returncode, said.stdout, sentence in said.stderr, said.stderr.count("\n")) == (2, "", True, 1)
