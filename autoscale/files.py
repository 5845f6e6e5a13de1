"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from autoscale.errors import BadInput


def write_whole(text: str, path: str) -> None:
    """Write beside the file first and rename, so that nobody reads half of it. Raises BadInput when it can't.

    A device or pipe, such as /dev/stdout, is written directly, and a link's file rather than the link.
    """
    try:
        if Path(path).exists() and not stat.S_ISREG(Path(path).stat().st_mode):
            Path(path).write_text(text, encoding="utf-8")
            return
        target = Path(os.path.realpath(path))
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"can't be written, {str(error.strerror).lower()}", where=path) from error


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
