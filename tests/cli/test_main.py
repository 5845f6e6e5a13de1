"""What all commands share: help, exit status, one sentence for whatever is wrong."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from autoscale import __version__
from autoscale.cli.main import COMMANDS

from .conftest import Run, environment


def test_help_is_fast(run: Run) -> None:
    """`autoscale --help` names every command and takes 0.3 s of a core at most.

    Time on the wall depends on neighbours, and so does what a core does in a second: of three times, the best counts.
    """

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = run("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert (said.returncode, said.stderr) == (0, "")
        assert [name for name in COMMANDS if f"  {name} " not in said.stdout] == []
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3


def test_help_imports_nothing_heavy() -> None:
    """Neither YAML, pydantic, numpy nor a cloud is loaded to print the help."""
    heavy = ["boto3", "kubernetes", "msgspec", "numpy", "prometheus_client", "pydantic", "rich", "structlog", "yaml"]
    code = (
        f"import sys; from autoscale.cli import main; main(['--help']); print([m for m in {heavy} if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_every_command_has_help_with_examples(run: Run, command: str) -> None:
    """`autoscale COMMAND --help` ends well and shows how it is used."""
    said = run(command, "--help")
    assert (said.returncode, said.stderr) == (0, "")
    assert "Examples:\n    autoscale " in said.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pln"], "autoscale: no such command 'pln', did you mean 'plan'?; see `autoscale --help`\n"),
        (["xyz"], "autoscale: no such command 'xyz'; see `autoscale --help`\n"),
        (["plan", "--fiel", "x"], "autoscale: no such option '--fiel', did you mean '--file'?; see `autoscale plan --help`\n"),
        (["solve"], "autoscale: missing argument 'PROBLEM'; see `autoscale solve --help`\n"),
        (["apply"], "autoscale: missing argument 'PLAN'; see `autoscale apply --help`\n"),
        (["validate", ""], "autoscale: invalid value for 'FILE': it is empty; see `autoscale validate --help`\n"),
        (["plan", "-f", ""], "autoscale: invalid value for '--file' / '-f': it is empty; see `autoscale plan --help`\n"),
        (["plan", "--kubeconfig", ""], "autoscale: invalid value for '--kubeconfig': it is empty; see `autoscale plan --help`\n"),
        (["run", "--config", ""], "autoscale: invalid value for '--config': it is empty; see `autoscale run --help`\n"),
        (["plan", "-f", "-", "--out", "-"], "autoscale: --out is for a file, -o json prints the plan; see `autoscale plan --help`\n"),
        (["validate"], "autoscale: missing argument 'FILE'; see `autoscale validate --help`\n"),
        (["version", "now"], "autoscale: got unexpected extra argument (now); see `autoscale version --help`\n"),
        (["completion", "tcsh"], "autoscale: invalid value for '{bash|zsh|fish}': 'tcsh' is not one of 'bash', 'zsh', 'fish'; see `autoscale completion --help`\n"),
        (["solve", "p.json", "--time-limit", "1"], "autoscale: invalid value for '--time-limit': expected a duration with its unit such as 500ms, 10s, 5m or 1h30m, found '1'; see `autoscale solve --help`\n"),
        (["solve", "p.json", "--time-limit", "0s"], "autoscale: invalid value for '--time-limit': expected a duration above 0; see `autoscale solve --help`\n"),
        (["run", "--metrics-port", "http"], "autoscale: invalid value for '--metrics-port': 'http' is not a valid integer range; see `autoscale run --help`\n"),
    ],
)  # fmt: skip
def test_wrong_words(run: Run, words: list[str], expected: str) -> None:
    """One sentence on standard error, status 2."""
    said = run(*words)
    assert (said.returncode, said.stdout, said.stderr) == (2, "", expected)


def test_no_command_is_a_question(run: Run) -> None:
    """Without a command the help comes, and status 2 as nothing was done."""
    said = run()
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("Usage: autoscale [OPTIONS] COMMAND [ARGS]...")


def test_version(run: Run) -> None:
    """The version of the package, and of Python."""
    said = run("version")
    assert said.stdout == f"autoscale {__version__} (Python {sys.version.split()[0]})\n"


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete -o nosort"), ("zsh", "compdef"), ("fish", "complete --no-files")]
)
def test_completion(run: Run, shell: str, word: str) -> None:
    """A script for the shell that asks `autoscale` itself."""
    said = run("completion", shell)
    assert (said.returncode, said.stderr) == (0, "")
    assert word in said.stdout
    assert "_AUTOSCALE_COMPLETE" in said.stdout


def test_completion_answers(run: Run) -> None:
    """The script's question is answered with commands."""
    said = run(env={"_AUTOSCALE_COMPLETE": "bash_complete", "COMP_WORDS": "autoscale va", "COMP_CWORD": "1"})
    assert said.stdout == "plain,validate\n"


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("plan -f - <&-", 2, "autoscale: -: standard input is empty\n"),
        ("solve - <&-", 2, "autoscale: -: standard input is empty\n"),
        ("version >&-", 0, ""),
        ("version >/dev/full", 1, "autoscale: standard output can't be written, no space left on device\n"),
        ("plan -f none 2>/dev/full", 2, ""),
        ("plan -f none <&- >&- 2>&-", 2, ""),
    ],
)
def test_streams_that_are_closed_or_full(tmp_path: Path, command: str, status: int, message: str) -> None:
    """No traceback, nothing from Python itself, and the status of what happened."""
    said = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m autoscale {command}"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (status, message)


def test_a_terminal_of_few_letters(run: Run) -> None:
    """Where an encoding lacks a letter, it is written out; and one error stays on one line, whatever a file brings."""
    env = {"PYTHONIOENCODING": "latin-1"}
    said = run("plan", "-f", "-", stdin='kind: Pood\nmetadata: {name: "a\\e[31m\\nb\u65e5"}\n', env=env)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == (
        "autoscale: standard input document 1 (line 1), Pood a\\x1b[31m\\nb\\u65e5: unknown kind, expected Pod, found Pood\n"
    )


def test_a_reader_that_stops_is_no_error(tmp_path: Path) -> None:
    """`autoscale ... | head -0` leaves quietly."""
    command = f"{sys.executable} -m autoscale completion bash | true"
    said = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
