"""Child processes that log to a file and never outlive the test run, and the ports that they listen on."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Asks the kernel to kill this process when its parent ends, then becomes the command. The kernel counts the thread
# that started it as the parent, hence the starter below: a thread that lives as long as the test run.
_TIED_TO_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent ended first")
os.execv(sys.argv[2], sys.argv[2:])
"""
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="process-starter")


class ProcessError(Exception):
    """A child process ended or did not get ready; the message ends with the tail of its log."""


class Process:
    """One running command; its standard output and error go to `log`."""

    def __init__(
        self, name: str, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._child = _starter.submit(
                subprocess.Popen,
                [sys.executable, "-ISc", _TIED_TO_PARENT, str(os.getpid()), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(env or {}),
                start_new_session=True,  # Ctrl-C reaches the test run, which then stops its children in order
            ).result()

    @property
    def pid(self) -> int:
        """Give the process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Say whether the command still runs."""
        return self._child.poll() is None

    def check_alive(self) -> None:
        """Raise ProcessError when the command has ended."""
        if not self.alive:
            raise ProcessError(f"{self.name} ended with status {self._child.returncode}; {self.tail()}")

    def kill(self) -> None:
        """End the command at once, as a crash would, and wait until it is gone. Does nothing when it has ended."""
        self._child.kill()
        self._child.wait(timeout=30)

    def tail(self, lines: int = 30) -> str:
        """Give the end of the log, headed by its path."""
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n    ".join([f"the end of {self.log}:", *text])


def free_ports(count: int) -> list[int]:
    """Pick ports on loopback that nobody listens on, below those that outgoing connections are given."""
    picked: list[int] = []
    sockets: list[socket.socket] = []
    try:
        while len(picked) < count:
            port = random.SystemRandom().randint(15_000, 32_000)  # no seed makes two runs pick alike
            sockets.append(socket.socket())
            try:
                sockets[-1].bind(("127.0.0.1", port))
            except OSError:
                continue
            picked.append(port)
    finally:
        for each in sockets:
            each.close()
    return picked
