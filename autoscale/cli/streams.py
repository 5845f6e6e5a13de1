"""Standard input, output and error as they may be: closed, full, of few letters."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from typing import TextIO


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what writing to a stream may come to


def prepare() -> None:
    """Put something harmless where a stream is closed, and let no letter that a stream lacks be an error.

    A file opened later would else take the number of a closed stream, and get what is meant for that.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def silence(stream: TextIO) -> None:
    """Write to nowhere from now on, also what Python flushes at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def complain(text: str) -> None:
    """One sentence on one line of standard error."""
    try:
        click.echo(f"autoscale: {plain(text)}", err=True)
    except OSError:
        silence(sys.stderr)


def progress(text: str) -> None:
    """What is going on, for a person who watches."""
    if sys.stderr.isatty():
        click.echo(f"autoscale: {text}", err=True)


def plain(text: str) -> str:
    """Text from files as it may be shown: what would move a cursor or end a line is written out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
