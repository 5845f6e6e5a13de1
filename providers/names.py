"""Names of what we make in a cloud: the same for the same thing always, however often it is made."""

from __future__ import annotations

import hashlib

_DIGEST = 8


def digest(of: str, length: int = _DIGEST) -> str:
    """What stands for a content in a name or a token, in hexadecimal digits."""
    return hashlib.sha256(of.encode()).hexdigest()[:length]


def shortened(name: str, longest: int) -> str:
    """The name; one that is too long ends in a digest of all of it."""
    return name if len(name) <= longest else f"{name[: longest - _DIGEST - 1].rstrip('-')}-{digest(name)}"
